"""`irsa-manager sandbox`: a local cluster and a local AWS, for trying things out."""

from __future__ import annotations

import asyncio
import datetime
import os
import shlex
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from irsa_manager.api.errors import SandboxError, UsageError
from irsa_manager.cli.output import print_json
from irsa_manager.sandbox.directory import SandboxDirectory, default_directory

if TYPE_CHECKING:
    from irsa_manager.sandbox.running import Sandbox, Step

sandbox = typer.Typer(
    help="A real Kubernetes API and an AWS that enforces policies, on 127.0.0.1.",
    no_args_is_help=True,
    add_completion=False,
)

Dir = Annotated[
    Path | None,
    typer.Option("--dir", help="The sandbox's directory; default: ~/.local/state/irsa-manager/sandbox."),
]
Output = Annotated[Literal["text", "json"], typer.Option("--output", "-o", help="text, or json for programs.")]


@sandbox.command()
def up(
    dir: Dir = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return when it is ready and leave it running.")] = False,
    aws: Annotated[
        str, typer.Option(help="Share the AWS of another sandbox: its AWS_ENDPOINT_URL, its keys in the environment.")
    ] = "",
    output: Output = "text",
) -> int:
    """Start it. Without --detach it runs until Ctrl-C; nothing of it is left then."""
    from irsa_manager.sandbox import supervisor
    from irsa_manager.sandbox.account import shared_account
    from irsa_manager.sandbox.finder import find
    from irsa_manager.sandbox.progress import progress_on

    directory = _directory(dir)
    directory.check_free()
    ready = False
    if aws:
        shared_account(aws, os.environ)
    request = supervisor.Request(str(directory.path), aws, find(progress_on(sys.stderr)))

    def on_step(step: Step) -> None:
        print(_step_line(step), file=sys.stdout if output == "text" else sys.stderr, flush=True)

    def on_ready(running: Sandbox) -> None:
        nonlocal ready
        ready = True
        if output == "json":
            _print_status(running)
            return
        option = _dir_option(dir)
        stop = f"irsa-manager sandbox down{option}" if detach else "Ctrl-C"
        print(f'Next: eval "$(irsa-manager sandbox env{option})"    Stop: {stop}', flush=True)

    if detach:
        on_ready(supervisor.detach(request, on_step))
        return 0
    number = asyncio.run(supervisor.supervise(request, on_step, on_ready))
    print(f"Stopped; nothing is left in {directory.path}", file=sys.stderr)
    return 130 if number == signal.SIGINT or not ready else 0


@sandbox.command()
def down(dir: Dir = None) -> None:
    """Stop it and remove its files."""
    directory = _directory(dir)
    stopped = stop(directory)
    print(f"Stopped; nothing is left in {directory.path}" if stopped else f"No sandbox ran in {directory.path}")


def stop(directory: SandboxDirectory, seconds: float = 20.0) -> bool:
    """End the sandbox of a directory; whether there was one. Raises SandboxError where it doesn't end."""
    if not directory.is_running():
        directory.remove_stale()
        return False
    end = time.monotonic() + seconds
    pid = directory.supervisor()
    for number, until in ((signal.SIGTERM, end - seconds / 2), (signal.SIGKILL, end)):
        if pid:
            os.kill(pid, number)
        while time.monotonic() < until:
            if not directory.is_running():
                directory.remove_stale()
                return True
            time.sleep(0.05)
    raise SandboxError(
        "SandboxFailed", f"The sandbox in {directory.path} (pid {pid}) doesn't end.", hint=f"kill -9 {pid}"
    )


@sandbox.command()
def status(dir: Dir = None, output: Output = "text") -> int:
    """Say whether it runs, and where. Exit status 1 if it doesn't."""
    directory = _directory(dir)
    running = _read(directory)
    if output == "json":
        _print_status(running, directory)
    elif running is None:
        print(f"{_why_not(directory)}\nNext: irsa-manager sandbox up --detach{_dir_option(dir)}")
    else:
        since = datetime.datetime.fromtimestamp(running.started_at).astimezone()
        print(
            f"running        {running.dir}  since {since:%Y-%m-%d %H:%M:%S}  pid {directory.supervisor()}\n"
            f"control plane  {running.api_server}  Kubernetes {running.kubernetes_version}\n"
            f"AWS            {running.aws_url}  account {running.account}{'  shared' if running.shared_aws else ''}\n"
            f"issuer         {running.issuer}\n"
            f'Next: eval "$(irsa-manager sandbox env{_dir_option(dir)})"'
            f"    Stop: irsa-manager sandbox down{_dir_option(dir)}"
        )
    return 0 if running else 1


@sandbox.command()
def env(dir: Dir = None) -> None:
    """Print the variables for a shell.

    Use it as: eval "$(irsa-manager sandbox env)"
    """
    for name, value in _running(dir).environment().items():
        print(f"export {name}={shlex.quote(value)}")


@sandbox.command()
def logs(
    component: Annotated[str | None, typer.Argument(help="etcd, kube-apiserver, ..., aws; default: all.")] = None,
    dir: Dir = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until it stops or Ctrl-C.")] = False,
) -> None:
    """Print the logs of its components.

    After a failure: those of the sandbox that failed.
    """
    from irsa_manager.cli.sandbox_logs import print_logs

    directory = _directory(dir)
    if not directory.logs.is_dir():
        raise _not_running(directory)
    print_logs(directory, component, follow=follow)


@sandbox.command()
def build(output: Output = "text") -> None:
    """Find or build the control plane's programs.

    Nothing is started. A build takes 5 to 9 minutes, once per version.
    """
    from irsa_manager.sandbox.finder import find
    from irsa_manager.sandbox.progress import progress_on

    started = time.monotonic()
    found = find(progress_on(sys.stderr))
    seconds = time.monotonic() - started
    if output == "json":
        programs = {"etcd": found.etcd, "kube-apiserver": found.kube_apiserver}
        programs["kube-controller-manager"] = found.kube_controller_manager
        paths = {name: str(path) for name, path in programs.items()}
        print_json("SandboxBuild", {"kubernetesVersion": found.version, "source": found.source, "programs": paths})
    else:
        print(f"ok  control plane {found.version}  {found.kube_apiserver.parent}  ({found.source})  {seconds:.1f} s")


def _directory(path: Path | None) -> SandboxDirectory:
    return SandboxDirectory(path or default_directory(os.environ))


def _dir_option(path: Path | None) -> str:
    return f" --dir {shlex.quote(str(path))}" if path else ""


def _step_line(step: Step) -> str:
    where = f"{step.where:<24}  {step.detail:<22}" if step.detail else f"{step.where:<48}"
    return f"ok  {step.what:<20}  {where}  {step.seconds:4.1f} s"


def _read(directory: SandboxDirectory) -> Sandbox | None:
    from irsa_manager.sandbox.running import Sandbox

    return Sandbox.read(directory)


def _running(path: Path | None) -> Sandbox:
    directory = _directory(path)
    running = _read(directory)
    if running is None:
        raise _not_running(directory)
    return running


def _why_not(directory: SandboxDirectory) -> str:
    if directory.is_running():
        return f"A sandbox is starting in {directory.path}."
    failure = directory.failure()
    return f"No sandbox is running in {directory.path}." + (f" The last one failed: {failure}" if failure else "")


def _not_running(directory: SandboxDirectory) -> UsageError | SandboxError:
    return SandboxError(
        "SandboxNotRunning",
        _why_not(directory),
        hint="start one: irsa-manager sandbox up --detach, with the same --dir",
    )


def _print_status(running: Sandbox | None, directory: SandboxDirectory | None = None) -> None:
    """The sandbox for programs, without its keys (those are in `env`)."""
    if running is None:
        print_json("Sandbox", {"running": False, "dir": str(directory.path if directory else "")})
        return
    print_json(
        "Sandbox",
        {
            "running": True,
            "dir": str(running.dir),
            "kubeconfig": str(running.kubeconfig),
            "apiServer": running.api_server,
            "kubernetesVersion": running.kubernetes_version,
            "issuer": running.issuer,
            "awsURL": running.aws_url,
            "awsShared": running.shared_aws,
            "account": running.account,
            "region": running.region,
            "providerARN": running.provider_arn,
            "processes": dict(running.processes),
        },
    )
