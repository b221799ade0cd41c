"""`irsa-manager help [CODE]`."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from irsa_manager.api import reasons
from irsa_manager.api.errors import UsageError
from irsa_manager.cli.explain_code import find, help_code


def run(*arguments: str, columns: int = 80) -> str:
    app = typer.Typer()
    app.command()(help_code)
    result = CliRunner(env={"COLUMNS": str(columns)}).invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("code", reasons.REASONS)
def test_each_reason_is_explained(code: str) -> None:
    lines = run(code).splitlines()
    assert lines[0].startswith(code)
    assert max(map(len, lines)) <= 80
    words = " ".join(" ".join(lines).split())
    for text in (reasons.get(code).meaning, *reasons.get(code).steps):
        assert " ".join(text.split()) in words


def test_case_does_not_count() -> None:
    assert run("roleexists") == run("RoleExists")


def test_narrow_terminals_are_kept_to() -> None:
    assert max(map(len, run("Conflict", columns=50).splitlines())) <= 50


def test_without_code_all_are_listed() -> None:
    output = run()
    assert all(f"  {code} " in output for code in reasons.REASONS)


def test_unknown_code_names_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        find("RolExists")
    assert caught.value.code == "UnknownReason"
    assert "RoleExists" in caught.value.hint
    with pytest.raises(UsageError) as caught:
        find("qqqqqqqq")
    assert "irsa-manager help lists all of them" in caught.value.hint


def test_json() -> None:
    found = json.loads(run("TrustTooLarge", "-o", "json"))
    assert list(found)[:2] == ["kind", "version"]
    assert found["kind"] == "Reason"
    assert found["code"] == "TrustTooLarge"
    assert found["stalled"] is True
    everything = json.loads(run("-o", "json"))
    assert [reason["code"] for reason in everything["reasons"]] == list(reasons.REASONS)
