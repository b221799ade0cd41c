"""How the program ends where its output goes nowhere, the machine refuses something, or it is told to stop."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

import pytest

from irsa_manager import __version__
from irsa_manager.api.errors import KubernetesError
from irsa_manager.cli import main as frame
from irsa_manager.sandbox.ports import free_ports

PROGRAM = [sys.executable, "-m", "irsa_manager"]


def under(shell: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program with the shell's redirections."""
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {shell}', "sh", *PROGRAM, *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("arguments", [["--help"], ["version"], ["help"], ["crds", "print"], ["crds", "--help"]])
def test_a_reader_that_is_gone_ends_it_without_a_word(arguments: Sequence[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as nobody:
        done = subprocess.run([*PROGRAM, *arguments], stdout=nobody, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")


def test_errors_that_nobody_reads_end_it_with_their_status() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as nobody:
        done = subprocess.run([*PROGRAM, "nonsense"], stdout=subprocess.PIPE, stderr=nobody, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")


@pytest.mark.parametrize("arguments", [["version"], ["help"], ["crds", "print"]])
def test_a_full_disk_is_the_machines_fault_not_ours(arguments: Sequence[str]) -> None:
    done = under(">/dev/full", *arguments)
    lines = done.stderr.splitlines()
    assert done.returncode == 1
    assert lines[0] == "error  SystemRefused: No space left on device."
    assert [line.split()[0] for line in lines] == ["error", "hint", "more"]


@pytest.mark.parametrize(
    ("shell", "arguments", "status", "out", "err"),
    [
        (">&-", ["version"], 0, "", ""),
        ("2>&-", ["version"], 0, f"irsa-manager {__version__}\n", ""),
        ("<&-", ["version"], 0, f"irsa-manager {__version__}\n", ""),
        ("<&- >&- 2>&-", ["version"], 0, "", ""),
        ("2>&-", ["nonsense"], 1, "", ""),
    ],
)
def test_closed_streams_are_as_good_as_dev_null(
    shell: str, arguments: Sequence[str], status: int, out: str, err: str
) -> None:
    done = under(shell, *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (status, out, err)


def test_an_error_is_told_where_only_stdout_is_closed() -> None:
    done = under(">&-", "nonsense")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error  Usage: There is no command nonsense.")


def test_of_a_group_of_groups_the_first_cause_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    cause = KubernetesError("KubernetesRefused", "Secret a/b isn't there.")
    group = ExceptionGroup("tasks", [ExceptionGroup("more", [cause, ValueError("later")]), ValueError("other")])
    assert frame.end(group, []) == 1
    assert capsys.readouterr().err.splitlines()[0] == "error  KubernetesRefused: Secret a/b isn't there."
    assert frame.end(BaseExceptionGroup("tasks", [KeyboardInterrupt()]), []) == 130
    assert capsys.readouterr().err == "interrupted\n"
    assert frame.end(ExceptionGroup("tasks", [BrokenPipeError(errno.EPIPE, "Broken pipe")]), []) == 1
    assert capsys.readouterr().err == ""
    assert frame.end(ExceptionGroup("tasks", [LookupError("nothing")]), []) == 1
    assert capsys.readouterr().err.splitlines()[0] == "error  Unexpected: irsa-manager failed: LookupError: nothing"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.ENAMETOOLONG, errno.EMFILE, errno.EAGAIN])
def test_what_the_system_refuses_names_the_file(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert frame.end(OSError(number, os.strerror(number), "/box/pki"), []) == 1
    assert capsys.readouterr().err.splitlines()[0] == f"error  SystemRefused: {os.strerror(number)}: /box/pki."


def test_a_file_that_we_forgot_to_make_is_our_fault(capsys: pytest.CaptureFixture[str]) -> None:
    assert frame.end(FileNotFoundError(errno.ENOENT, "No such file or directory", "/box/pki"), []) == 1
    assert capsys.readouterr().err.startswith("error  Unexpected: ")


def kubeconfig(directory: Path, port: int) -> Path:
    cluster = {"server": f"https://127.0.0.1:{port}", "insecure-skip-tls-verify": True}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "gone", "cluster": cluster}],
        "users": [{"name": "me", "user": {"token": "x"}}],
        "contexts": [{"name": "gone", "context": {"cluster": "gone", "user": "me"}}],
        "current-context": "gone",
    }
    file = directory / "kubeconfig"
    file.write_text(json.dumps(config))
    return file


def test_an_api_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig(tmp_path, port))}
    done = subprocess.run([*PROGRAM, "status"], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 1
    assert done.stderr.startswith("error  KubernetesUnavailable: ")
    assert f"127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr


IRSA = "{apiVersion: irsa-manager.kkb0318.github.io/v1alpha1, kind: IRSA, metadata: {name: a}, spec: {cleanup: true}}"


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["status"], "to list the objects"),
        (["plan", "-f", "-"], "to check the objects"),
        (["release", "--all", "--yes"], "to list the objects"),
        (["adopt", "--all-mine", "--yes"], "to be read"),
    ],
)
def test_an_api_server_that_never_answers_is_given_up_in_time(
    arguments: Sequence[str], what: str, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the system takes connections for it, and that is all
        file = kubeconfig(tmp_path, silent.getsockname()[1])
        command = [*PROGRAM, *arguments, "--kubeconfig", str(file), "--timeout", "200ms"]
        done = subprocess.run(command, input=IRSA, capture_output=True, text=True, check=False)
    first, *rest = done.stderr.splitlines()
    assert done.returncode == 1
    assert first.startswith("error  TimedOut: Not done within 0.2 s; it was waiting for the ")
    assert first.endswith(f"{what}.")
    assert rest[0] == "left   Nothing was changed."
    assert [line.split()[0] for line in rest] == ["left", "hint", "more"]


def test_a_sandbox_that_does_not_run_is_said_with_what_starts_one(tmp_path: Path) -> None:
    done = under("", "sandbox", "env", "--dir", str(tmp_path / "none"))
    assert done.returncode == 1
    assert done.stderr.startswith(f"error  SandboxNotRunning: No sandbox is running in {tmp_path / 'none'}.")
    assert "hint   start one: irsa-manager sandbox up --detach" in done.stderr


def test_without_the_sandboxs_libraries_its_commands_say_so(tmp_path: Path) -> None:
    # An installation without the extra: everything that is installed here but that.
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not entry.name.startswith(frame.SANDBOX_LIBRARIES):
            (tmp_path / entry.name).symlink_to(entry)
    path = os.pathsep.join([str(tmp_path), str(Path(frame.__file__).parents[2])])
    command = [sys.executable, "-S", "-m", "irsa_manager"]
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run([*command, "demo"], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 1
    assert done.stderr.startswith("error  SandboxExtraMissing: The sandbox isn't installed: ")
    assert "hint   pip install 'irsa-manager[sandbox]'" in done.stderr
    version = subprocess.run([*command, "version"], capture_output=True, text=True, check=True, env=environment)
    assert version.stdout == f"irsa-manager {__version__}\n"
