"""IRSAs out of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from irsa_manager.api import names
from irsa_manager.api.errors import UsageError
from irsa_manager.cli.manifests import read_manifests


def irsa(name: str, namespace: str = "") -> str:
    own = f", namespace: {namespace}" if namespace else ""
    return f"apiVersion: {names.API_VERSION}\nkind: IRSA\nmetadata: {{name: {name}{own}}}\n"


def test_documents_lists_and_directories_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        f"---\n{irsa('one', 'x')}---\n{irsa('two')}---\nkind: Secret\nmetadata: {{name: s}}\n"
    )
    item = irsa("three").replace("\n", "\n  ")
    (tmp_path / "b.yml").write_text(f"kind: List\nitems:\n- {item}")
    (tmp_path / "c.txt").write_text("{")
    found = read_manifests([str(tmp_path)], "")
    assert [m.key for m in found.manifests] == ["x/one", "default/two", "default/three"]
    assert found.passed_over == [f"Secret s ({tmp_path / 'a.yaml'})"]
    assert found.manifests[2].origin == str(tmp_path / "b.yml")


def test_n_is_for_objects_that_name_no_namespace(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(irsa("one"))
    assert [m.key for m in read_manifests([str(file)], "y").manifests] == ["y/one"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: [", "is no YAML"),
        ("- 1\n", "no object"),
        (irsa("''"), "no metadata.name"),
        (f"{irsa('one')}---\n{irsa('one', 'y')}", "there twice"),
        (irsa("one", "x"), "isn't in namespace y"),
    ],
)
def test_what_can_not_be_meant_is_refused(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match=why):
        read_manifests([str(file)], "y")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.yaml can't be read"):
        read_manifests([str(tmp_path / "none.yaml")], "")
