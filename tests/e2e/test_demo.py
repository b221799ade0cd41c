"""`irsa-manager demo` as users run it: what it shows, what it leaves, how it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from e2e_process import eventually

from irsa_manager.cli import demo_text
from irsa_manager.cli.demo import show, status
from irsa_manager.sandbox.demo.steps import STEPS, Answer, Exchange, Expected
from irsa_manager.sandbox.finder import find
from irsa_manager.sandbox.process import with_parent

SECONDS = 240


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A user's environment: nothing in it may reach the demo but its temporary directory and where its state goes."""
    for name in ("tmp", "state"):
        (tmp_path / name).mkdir()
    return {
        **{name: os.environ[name] for name in ("PATH", "HOME", "KUBEBUILDER_ASSETS") if name in os.environ},
        "TMPDIR": str(tmp_path / "tmp"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "AWS_PROFILE": "of-another-account",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "KUBECONFIG": str(tmp_path / "not-there"),
    }


def started(environ: Mapping[str, str]) -> subprocess.Popen[str]:
    find()  # a first build, which takes minutes and may need the proxy, isn't what is tested here
    return subprocess.Popen(
        with_parent([sys.executable, "-m", "irsa_manager", "demo"]),
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def read_until(process: subprocess.Popen[str], beginning: str) -> None:
    """Read its lines up to one that begins so."""
    assert process.stdout is not None
    line = ""
    while not line.startswith(beginning):
        line = process.stdout.readline()
        assert line, process.communicate()


def alive(environ: Mapping[str, str]) -> dict[int, str]:
    """Commands by pid of the processes that have the demo's temporary directory: its descendants all inherit it."""
    mark = f"TMPDIR={environ['TMPDIR']}".encode()
    found = {}
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            try:
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    found[int(process.name)] = command
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue  # it ended meanwhile, or is somebody else's
    return found


def assert_nothing_alive(environ: Mapping[str, str]) -> None:
    """A process that was killed is seen for a moment still."""
    eventually(lambda: not alive(environ), "no process is left", lambda: str(alive(environ)))


def assert_nothing_left(environ: Mapping[str, str]) -> None:
    assert_nothing_alive(environ)
    assert list(Path(environ["TMPDIR"]).iterdir()) == []
    assert list(Path(environ["XDG_STATE_HOME"]).iterdir()) == []


def test_everything_is_as_it_should_be_and_nothing_stays(environ: dict[str, str]) -> None:
    with started(environ) as process:
        out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, err) == (0, ""), out
    assert "\x1b" not in out
    lines = out.splitlines()
    for step in STEPS:
        (at,) = [number for number, line in enumerate(lines) if line.startswith(demo_text.head(step))]
        assert demo_text.AS_IT_SHOULD_BE in lines[at]
        words = lines[at + 1].strip()
        if step.expected.code:
            assert step.expected.code in lines[at]
            assert words.startswith(("STS: ", "SQS: "))
            words = words[len("STS: ") :]
        assert step.expected.meets(Answer(step.expected.code, words))
    for planned in ("  + role    irsa1-role", "  + attach  AmazonS3FullAccess", "  + sa      default/irsa1-sa"):
        assert any(line.startswith(planned) for line in lines)
    assert any(line.startswith(f"{len(STEPS)} of {len(STEPS)} as expected") for line in lines)
    assert lines[-2:] == list(demo_text.NEXT)
    assert_nothing_left(environ)


@pytest.mark.parametrize(("number", "at"), [(signal.SIGINT, "ok  control plane"), (signal.SIGTERM, "ok  AWS")])
def test_an_interrupt_leaves_nothing(environ: dict[str, str], number: signal.Signals, at: str) -> None:
    with started(environ) as process:
        read_until(process, at)
        process.send_signal(number)
        _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert "nothing of the sandbox is left" in err
    assert "Traceback" not in err
    assert_nothing_left(environ)


def test_an_impatient_user_leaves_nothing_either(environ: dict[str, str]) -> None:
    with started(environ) as process:
        read_until(process, "ok  AWS")
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.02)
        _, err = process.communicate()
    assert (process.returncode, err) == (130, "Stopped; nothing of the sandbox is left.\ninterrupted\n")
    assert_nothing_left(environ)


@pytest.mark.parametrize("shell", ["2>&-", ">&-", ">/dev/full", "| head -1"])
def test_where_its_output_goes_is_no_matter_for_what_it_leaves(environ: dict[str, str], shell: str) -> None:
    find()
    argv = ["bash", "-c", f'set -o pipefail; "$@" {shell}', "bash", sys.executable, "-m", "irsa_manager", "demo"]
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == (0 if "&-" in shell else 1), done.stderr
    said = done.stderr.splitlines()
    assert said[:1] == (["error  SystemRefused: No space left on device."] if "full" in shell else [])
    assert_nothing_left(environ)


def test_a_controller_that_dies_is_an_error_with_its_last_words(environ: dict[str, str]) -> None:
    with started(environ) as process:
        read_until(process, "ok  control plane")

        def controllers() -> list[int]:
            # The launcher, whose command line has the program's in it, becomes the program: one pid.
            return [pid for pid, command in alive(environ).items() if " irsa_manager controller " in command]

        for pid in eventually(controllers, "the controller runs", lambda: str(alive(environ))):
            os.kill(pid, signal.SIGKILL)
        out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 1, out + err
    assert err.startswith("error  SandboxFailed: controller ended with status -9")
    logs = Path(environ["XDG_STATE_HOME"]) / "irsa-manager" / "demo-logs"
    assert f"The logs are in {logs}" in err
    assert "Traceback" not in err
    assert (logs / "controller.log").exists()
    assert_nothing_alive(environ)
    assert list(Path(environ["TMPDIR"]).iterdir()) == []


def test_an_unexpected_answer_is_told_and_ends_with_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    stranger = next(s for s in STEPS if isinstance(s.act, Exchange))
    wrong = replace(stranger, expected=Expected("", "credentials of .*"))
    steps = [STEPS[0], wrong, STEPS[-1]]
    played = asyncio.run(show(find(), steps))
    assert status(played) == 2
    assert [result.as_expected for result in played.results] == [True, False, True]
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith(demo_text.head(wrong)) and demo_text.UNEXPECTED in line for line in lines)
    assert any(line.startswith("2 of 3 as expected") for line in lines)
    assert "  expected  credentials of .*" in lines
    assert "      came  AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity" in lines
    kept = tmp_path / "irsa-manager" / "demo-logs"
    assert f"All logs: {kept}" in lines
    assert {"controller.log", "aws.log", "kube-apiserver.log"} <= {file.name for file in kept.iterdir()}
    assert kept.stat().st_mode & 0o777 == 0o700
    assert any("irsa1-role" in line for line in lines[lines.index("The controller's last lines:") :])
