"""What is made from code is what is checked in."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from irsa_manager.api import crd, reasons, tenancy_policy
from tools import generate


def test_checked_in_files_are_up_to_date() -> None:
    assert generate.stale() == [], "run make generate"


def test_write_makes_what_is_missing_or_differs(tmp_path: Path) -> None:
    everything = sorted(generate.files())
    assert sorted(generate.stale(tmp_path)) == everything
    assert sorted(generate.write(tmp_path)) == everything
    assert generate.stale(tmp_path) == []
    page = tmp_path / "docs/reference/reasons.md"
    page.write_text(page.read_text().replace("RoleExists", "RoleWasThere"))
    assert generate.stale(tmp_path) == ["docs/reference/reasons.md"]
    assert generate.write(tmp_path) == ["docs/reference/reasons.md"]


def test_check_names_the_files_that_differ(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--check", "--root", str(tmp_path)]) == 1
    assert "charts/irsa-manager/crds/irsa-crd.yaml differs" in capsys.readouterr().err
    assert generate.main(["--root", str(tmp_path)]) == 0
    assert generate.main(["--check", "--root", str(tmp_path)]) == 0


def test_yaml_says_what_the_definition_says() -> None:
    files = generate.files()
    assert yaml.safe_load(files["charts/irsa-manager/crds/irsa-crd.yaml"]) == crd.irsa_definition()
    assert yaml.safe_load(files["charts/irsa-manager/crds/irsasetup-crd.yaml"]) == crd.irsasetup_definition()
    policies = yaml.safe_load_all(files["charts/irsa-manager/policies/tenancy.yaml"])
    assert list(policies) == tenancy_policy.documents()


def test_page_explains_every_reason() -> None:
    page = generate.reasons_page()
    for code, reason in reasons.REASONS.items():
        assert f"\n### {code}\n" in page
        assert reason.meaning in page
        assert all(step in page for step in reason.steps)
