"""`irsa-manager sandbox` as its users meet it: real processes, real signals, nothing left behind."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from kernel_facts import open_to_others

from irsa_manager.api import tenancy_policy
from irsa_manager.kube.client import Kube
from irsa_manager.kube.resources import CRDS
from irsa_manager.sandbox import admission

Watch = Callable[[list[int]], Callable[[], None]]
Children = Callable[[int], list[int]]
CommandLine = Any  # tests/integration/sandbox/conftest.py
NAMES = {
    "KUBECONFIG",
    "AWS_ENDPOINT_URL",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
}


def until(process: subprocess.Popen[str], start: str) -> list[str]:
    """The lines of a process's stdout up to one that begins with `start`."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith(start):
            return lines
    raise AssertionError(f"it ended before {start!r}: {lines} {process.stderr.read() if process.stderr else ''}")


async def installed(kubeconfig: Path) -> dict[str, int]:
    """How many kinds, and parts of the admission policy, are in the cluster before anybody has done anything."""
    async with Kube.connect(kubeconfig) as kube:
        found = {"customresourcedefinitions": len(await kube.list(CRDS)), tenancy_policy.NAME: 0}
        for plural in admission.PLURALS.values():
            listed = json.loads(await kube.raw("GET", f"/apis/admissionregistration.k8s.io/v1/{plural}"))
            found[tenancy_policy.NAME] += sum(
                item["metadata"]["name"] == tenancy_policy.NAME for item in listed["items"]
            )
    return found


def test_a_whole_life(command: CommandLine, children: Children, watch: Watch) -> None:
    before = command("status")
    assert (before.returncode, before.stdout.splitlines()[0]) == (1, f"No sandbox is running in {command.dir}.")

    up = command("up", "--detach")
    assert up.returncode == 0, up.stderr
    lines = up.stdout.splitlines()
    assert sorted(re.split(r"  +", line)[1].split()[0] for line in lines[:-1]) == ["AWS", "OIDC", "control"]
    assert all(re.fullmatch(r"ok  .*\d+\.\d s", line) for line in lines[:-1])
    assert lines[-1] == (
        f'Next: eval "$(irsa-manager sandbox env --dir {command.dir})"    Stop: irsa-manager sandbox down --dir '
        f"{command.dir}"
    )
    until_gone = watch([command.supervisor(), *children(command.supervisor())])

    exported = subprocess.run(
        ["sh", "-c", f"{command('env').stdout}\nenv"], capture_output=True, text=True, check=True, env={}
    ).stdout
    variables = dict(line.split("=", 1) for line in exported.splitlines())
    assert set(variables) >= NAMES
    assert httpx2.get(variables["AWS_ENDPOINT_URL"] + "/_sandbox/health", trust_env=False).json() == {"ready": True}
    assert Path(variables["KUBECONFIG"]) == command.dir / "kubeconfig"

    assert asyncio.run(installed(command.dir / "kubeconfig")) == {
        "customresourcedefinitions": 2,
        tenancy_policy.NAME: 2,
    }

    status = command("status", "-o", "json")
    assert status.returncode == 0
    found = json.loads(status.stdout)
    assert (found["kind"], found["running"], found["awsURL"]) == ("Sandbox", True, variables["AWS_ENDPOINT_URL"])
    assert variables["AWS_SECRET_ACCESS_KEY"] not in status.stdout + command("status").stdout

    assert open_to_others(command.dir) == []

    second = command("up", "--detach")
    assert second.returncode == 1
    assert second.stdout == ""
    assert second.stderr.startswith(f"error  SandboxRunning: A sandbox is running in {command.dir} already (pid ")
    assert command.supervisor() == int(re.findall(r"pid (\d+)", second.stderr)[0])

    assert "kube-apiserver" in command("logs").stdout
    own = command("logs", "kube-controller-manager").stdout
    assert own
    assert not own.startswith("kube-controller-manager ")
    wrong = command("logs", "kubelet")
    assert (wrong.returncode, "There is no component kubelet" in wrong.stderr) == (1, True)

    down = command("down")
    assert (down.returncode, down.stdout) == (0, f"Stopped; nothing is left in {command.dir}\n")
    until_gone()
    assert not command.dir.exists()
    assert command("down").stdout == f"No sandbox ran in {command.dir}\n"


def test_nothing_survives_the_supervisors_violent_death(command: CommandLine, children: Children, watch: Watch) -> None:
    assert command("up", "--detach").returncode == 0
    supervisor = command.supervisor()
    theirs = children(supervisor)
    assert len(theirs) == 5  # etcd, API server, controllers, AWS, and the one that removes the files
    until_gone = watch([supervisor, *theirs])
    os.kill(supervisor, signal.SIGKILL)
    until_gone()
    assert not command.dir.exists()


def test_a_crashed_sandboxs_directory_is_cleaned_by_the_next(
    command: CommandLine, children: Children, watch: Watch
) -> None:
    assert command("up", "--detach").returncode == 0
    supervisor = command.supervisor()
    old = command("env").stdout
    until_gone = watch([supervisor, *children(supervisor)])
    for pid in children(supervisor):
        if "irsa_manager.sandbox.sweep" in Path(f"/proc/{pid}/cmdline").read_text():
            os.kill(pid, signal.SIGKILL)
    os.kill(supervisor, signal.SIGKILL)
    until_gone()
    assert (command.dir / "pki").exists()
    assert command("status").returncode == 1
    env = command("env")
    assert (env.returncode, env.stdout) == (1, "")
    assert command("up", "--detach").returncode == 0
    assert command("env").stdout != old


def test_a_starter_that_dies_midway_leaves_no_orphan(command: CommandLine, children: Children, watch: Watch) -> None:
    starter = command.start("up", "--detach")
    until(starter, "ok  ")
    supervisor = command.supervisor()
    until_gone = watch([supervisor, *children(supervisor)])
    starter.kill()
    starter.communicate()
    until_gone()
    assert not command.dir.exists()


@pytest.mark.parametrize(("number", "status", "more"), [(signal.SIGINT, 130, "interrupted\n"), (signal.SIGTERM, 0, "")])
def test_in_the_foreground_a_signal_ends_it(
    number: signal.Signals, status: int, more: str, command: CommandLine, children: Children, watch: Watch
) -> None:
    process = command.start("up")
    assert until(process, "Next:")[-1].rstrip().endswith("Stop: Ctrl-C")
    until_gone = watch(children(process.pid))
    process.send_signal(number)
    _, errors = process.communicate()
    assert (process.returncode, errors) == (status, f"Stopped; nothing is left in {command.dir}\n{more}")
    until_gone()
    assert not command.dir.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ended_before_it_is_ready_it_was_interrupted(
    number: signal.Signals, command: CommandLine, children: Children, watch: Watch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:  # it is never ready: this AWS says nothing
        keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}
        process = command.start("up", "--aws", f"http://127.0.0.1:{mute.getsockname()[1]}", **keys)
        mute.accept()
        until_gone = watch(children(process.pid))
        process.send_signal(number)
        _, errors = process.communicate()
    assert (process.returncode, errors) == (130, f"Stopped; nothing is left in {command.dir}\ninterrupted\n")
    until_gone()
    assert not command.dir.exists()


def test_a_component_that_ends_ends_the_rest_and_leaves_its_log(
    command: CommandLine, children: Children, watch: Watch
) -> None:
    process = command.start("up")
    until(process, "Next:")
    theirs = json.loads(command("status", "-o", "json").stdout)["processes"]
    until_gone = watch(list(theirs.values()))
    os.kill(theirs["kube-apiserver"], signal.SIGKILL)
    _, errors = process.communicate()
    assert process.returncode == 1
    assert "error  SandboxFailed: kube-apiserver ended with status -9, so the sandbox was stopped." in errors
    until_gone()
    assert sorted(path.name for path in command.dir.iterdir()) == ["ended", "logs"]
    assert command("logs", "kube-apiserver").stdout
    status = command("status")
    assert (status.returncode, "kube-apiserver ended with status -9" in status.stdout) == (1, True)
    command("down")
    assert not command.dir.exists()


def test_of_two_starts_at_once_in_one_directory_one_wins(command: CommandLine) -> None:
    starts = [command.start("up", "--detach") for _ in range(2)]
    outputs = [start.communicate() for start in starts]
    (won,) = (start for start in starts if start.returncode == 0)
    (lost,) = (start for start in starts if start.returncode == 1)
    assert "error  SandboxRunning: " in outputs[starts.index(lost)][1]
    assert outputs[starts.index(won)][0].splitlines()[-1].startswith("Next:")
    assert command("status").returncode == 0


def test_sandboxes_run_side_by_side_and_share_an_aws_through_the_environment(
    command: CommandLine, tmp_path: Path
) -> None:
    other = type(command)(tmp_path / "other")
    assert command("up", "--detach").returncode == 0
    env = dict(line.removeprefix("export ").split("=", 1) for line in command("env").stdout.splitlines())
    try:
        up = other("up", "--detach", "--aws", env["AWS_ENDPOINT_URL"], **env)
        assert up.returncode == 0, up.stderr
        both = [json.loads(line("status", "-o", "json").stdout) for line in (command, other)]
        assert both[0]["awsURL"] == both[1]["awsURL"]
        assert [status["awsShared"] for status in both] == [False, True]
        assert both[0]["issuer"] != both[1]["issuer"]
        assert both[0]["apiServer"] != both[1]["apiServer"]
    finally:
        assert other("down").returncode == 0
    assert command("status").returncode == 0
    bare = other("up", "--detach", "--aws", env["AWS_ENDPOINT_URL"], AWS_ACCESS_KEY_ID="")
    assert bare.returncode == 1
    assert "missing: AWS_ACCESS_KEY_ID" in bare.stderr


def test_a_directory_of_somebody_else_is_not_touched(command: CommandLine) -> None:
    command.dir.mkdir()
    (command.dir / "thesis.txt").write_text("years of work")
    up = command("up", "--detach")
    assert up.returncode == 1
    assert "isn't a sandbox's directory: it holds thesis.txt" in up.stderr
    command("down")
    assert [path.name for path in command.dir.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("words", [["up"], ["up", "--detach"], ["status"], ["env"], ["logs"], ["down"]], ids=" ".join)
@pytest.mark.parametrize("name", ["x" * 300, "file", "file/box"])
def test_a_directory_that_can_not_be_is_the_users_choice(command: CommandLine, words: list[str], name: str) -> None:
    (command.dir.parent / "file").write_text("")
    command.dir = command.dir.parent / name
    done = command(*words)
    assert done.returncode == (0 if words == ["down"] and name != "x" * 300 else 1)
    assert "Unexpected" not in done.stderr
    assert "Traceback" not in done.stderr
    if words[0] == "up":
        assert [line.split()[0] for line in done.stderr.splitlines()] == ["error", "left", "hint", "more"]


@pytest.mark.parametrize("how", [[], ["--detach"]], ids=["foreground", "detached"])
@pytest.mark.parametrize(
    ("blocks", "said"),
    [
        (0, "Usage: {dir} can't be a sandbox's directory: File too large."),  # not even its lock can be written
        (1, "SystemRefused: File too large."),  # its keys can't
    ],
)
def test_a_disk_that_is_full_says_so_and_nothing_stays(
    command: CommandLine, how: list[str], blocks: int, said: str
) -> None:
    command.argv = ["sh", "-c", f'ulimit -f {blocks}; exec "$@"', "sh", *command.argv]
    done = command("up", *how)
    assert (done.returncode, done.stdout) == (1, "")
    lines = done.stderr.splitlines()
    assert lines[0] == f"error  {said.format(dir=command.dir)}"
    assert {line.split()[0] for line in lines} <= {"error", "left", "hint", "more"}
    assert not command.dir.exists()
