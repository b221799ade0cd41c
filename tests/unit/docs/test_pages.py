"""The documentation says what the program is: fields, metrics, flags, reasons and examples."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from prometheus_client import generate_latest

from irsa_manager.api import irsa_fields, irsasetup_fields, reasons
from irsa_manager.controller.metrics import Metrics

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])


def leaves(table: dict[str, object], *, below: str) -> set[str]:
    """The last parts of a kind's fields: `spec.iamRole.name` gives `name`."""
    paths = {path for path in table if path.startswith(below)}
    inner = {path for path in paths if not path.endswith(("[]", "{}"))}
    return {path.rpartition(".")[2] for path in inner}


def page(name: str) -> str:
    return (DOCS / name).read_text()


def examples() -> str:
    return "".join(file.read_text() for file in (ROOT / "examples").glob("*.yaml"))


@pytest.mark.parametrize("field", sorted(leaves(dict(irsa_fields.TABLE), below="spec.")))
def test_every_field_of_an_irsa_is_on_its_page(field: str) -> None:
    text = page("irsa.md") + examples()
    optional = {"key", "operator", "values", "matchExpressions"}  # Kubernetes' own selector
    assert field in optional or re.search(rf"\b{field}\b", text)


@pytest.mark.parametrize("field", sorted(leaves(dict(irsasetup_fields.TABLE), below="spec.")))
def test_every_field_of_a_setup_is_on_its_page(field: str) -> None:
    selfhosted = {"discovery", "s3", "region", "bucketName"}  # described when they do something
    assert field in selfhosted or re.search(rf"\b{field}\b", page("setup.md") + page("tenancy.md") + examples())


def test_every_metric_is_on_the_page_and_no_other() -> None:
    metrics = Metrics()
    metrics.watch_state(list, lambda: 0, dict, lambda: 0.0)
    exported = set(re.findall(r"^# TYPE (\S+)", generate_latest(metrics.registry).decode(), re.MULTILINE))
    exported = {name for name in exported if not name.endswith("_created")}
    written = set(re.findall(r"`((?:irsa_manager|controller_runtime|workqueue)_\w+)", page("operating.md")))
    assert written == exported


def test_readme_shows_the_sample_as_it_is() -> None:
    readme = (ROOT / "README.md").read_text()
    shown = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL)]
    assert yaml.safe_load((ROOT / "examples/irsa.yaml").read_text()) in shown


@pytest.mark.parametrize("file", PAGES, ids=lambda file: str(file.relative_to(ROOT)))
def test_links_lead_somewhere(file: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", file.read_text()):
        place = target.partition("#")[0]
        if place and "://" not in place:
            assert (file.parent / place).exists(), target


@pytest.mark.parametrize("file", PAGES, ids=lambda file: str(file.relative_to(ROOT)))
def test_reasons_that_are_linked_exist(file: Path) -> None:
    known = {code.lower() for code in reasons.REASONS}
    for anchor in re.findall(r"reasons\.md#(\w+)", file.read_text()):
        assert anchor in known


def test_every_trouble_of_the_catalogue_is_under_what_people_see() -> None:
    text = page("troubleshooting.md")
    linked = {code for code in reasons.REASONS if f"[{code}](reference/reasons.md#{code.lower()})" in text}
    fine = {"IRSAReady", "EksOIDCSetupReady"}
    assert linked == set(reasons.REASONS) - fine
    assert not {"TABLES", "NEWS"} & set(re.findall(r"\w+", text))


def test_every_page_is_in_the_menu() -> None:
    text = (ROOT / "mkdocs.yml").read_text()
    listed = set(re.findall(r": (\S+\.md)$", text, re.MULTILINE))
    assert listed == {str(file.relative_to(DOCS)) for file in DOCS.rglob("*.md")}


def test_site_fetches_nothing_from_other_hosts() -> None:
    loaded = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    assert loaded["theme"]["font"] is False
    assert not {"extra_javascript", "repo_url"} & loaded.keys()
    assert all("://" not in sheet for sheet in loaded["extra_css"])


def test_site_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "<svg" in (tmp_path / "site" / "index.html").read_text()


def test_what_the_documents_include_is_there() -> None:
    for file in PAGES:
        for name in re.findall(r'--8<-- "([^"]+)"', file.read_text()):
            assert (ROOT / name).is_file(), f"{file.name}: {name}"
