"""The frame of the command line: finding commands, quick help, errors and exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from irsa_manager.api.errors import AwsDenied, IrsaError
from irsa_manager.cli import main as frame
from irsa_manager.cli.output import error_lines, error_object

HEAVY = {"typer", "rich", "aiobotocore", "botocore", "lightkube", "httpx2", "ministack", "msgspec", "cryptography"}


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = frame.main(arguments)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_help_lists_the_commands_by_group_and_imports_nothing_heavy() -> None:
    script = (
        "import sys; from irsa_manager.cli.main import main; status = main(['--help']);"
        "print(status, *sorted({name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    *help_lines, modules = done.stdout.splitlines()
    assert modules.split()[0] == "0"
    assert not set(modules.split()) & HEAVY
    listed = {entry.name for _, entries in frame.GROUPS for entry in entries if entry.exists()}
    assert {"sandbox", "help", "version"} <= listed
    assert all(any(name in line for line in help_lines) for name in listed)


def test_every_target_that_exists_can_be_called(capsys: pytest.CaptureFixture[str]) -> None:
    for _, entries in frame.GROUPS:
        for entry in entries:
            if entry.exists():
                status, out, err = run(capsys, entry.name, "--help")
                assert (status, err) == (0, ""), entry.name
                assert f"irsa-manager {entry.name}" in out


def test_a_missing_module_hides_its_command_only() -> None:
    assert not frame.Entry("later", "irsa_manager.cli.not_written_yet:later", "").exists()


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["sandbx"], "There is no command sandbx. Did you mean sandbox?", "irsa-manager --help"),
        (["--nonsense"], "There is no option --nonsense.", "irsa-manager --help"),
        (["sandbox", "upp"], "No such command 'upp'.", "irsa-manager sandbox --help"),
        (["sandbox", "status", "--nonsense"], "No such option: --nonsense", "irsa-manager sandbox status --help"),
        (["sandbox", "status", "-o", "toml"], "Invalid value for '--output'", "irsa-manager sandbox status --help"),
    ],
)
def test_usage_errors_exit_with_1_and_say_what_to_do(
    arguments: list[str], message: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = run(capsys, *arguments)
    lines = err.splitlines()
    assert (status, out) == (1, "")
    assert lines[0].startswith(f"error  Usage: {message}")
    assert lines[1:] == ["left   Nothing was tried.", f"hint   {hint}", "more   irsa-manager help Usage"]


def test_errors_are_one_object_with_o_json(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "help", "NoSuchCode", "-o", "json")
    found = json.loads(err)
    assert (status, out) == (1, "")
    assert list(found) == ["code", "message", "object", "left", "hint", "more", "requestID"]
    assert found["code"] == "UnknownReason"


def test_a_traceback_is_only_for_debug(capsys: pytest.CaptureFixture[str]) -> None:
    _, _, quiet = run(capsys, "help", "NoSuchCode")
    _, _, loud = run(capsys, "help", "--debug", "NoSuchCode")
    assert "Traceback" not in quiet
    assert "Traceback" in loud
    assert loud.endswith(quiet)


def test_the_five_lines() -> None:
    error = IrsaError(
        "RoleExists",
        "role reports exists in 111122223333 and isn't ours",
        object="IRSA team-a/reports",
        left="the role is as it was",
        hint="another iamRole.name",
    )
    assert error_lines(error) == [
        "error  RoleExists: role reports exists in 111122223333 and isn't ours",
        "object IRSA team-a/reports",
        "left   the role is as it was",
        "hint   another iamRole.name",
        "more   irsa-manager help RoleExists",
    ]
    assert error_lines(IrsaError("NotInTheCatalogue", "one\ntwo")) == ["error  NotInTheCatalogue: one\n       two"]
    denied = AwsDenied("PermissionMissing", "iam:CreateRole is missing", request_id="abc")
    assert error_object(denied)["requestID"] == "abc"


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["x", "-o", "json"], True),
        (["-ojson"], True),
        (["--output=json"], True),
        (["--output", "json"], True),
        (["-o", "text", "json"], False),
        (["json", "-o"], False),
    ],
)
def test_json_is_recognised_before_parsing(arguments: list[str], wanted: bool) -> None:
    assert frame.wants_json(arguments) is wanted


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["plan", "--color", "never"], "never"),
        (["plan", "--color=always"], "always"),
        (["plan", "--color"], ""),
        (["plan", "--colorful=never", ""], ""),
    ],
)
def test_colours_are_wished_for_before_parsing(arguments: list[str], found: str) -> None:
    assert frame.wanted(arguments, "--color") == found


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "irsa_manager.cli", "crds", "print"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "version") == run(capsys, "--version")
    assert run(capsys, "version")[1].startswith("irsa-manager ")
