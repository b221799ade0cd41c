"""Keep a sandbox running until somebody says stop: in the foreground, or as a process of its own (--detach).

    python -m irsa_manager.sandbox.supervisor REQUEST-AS-JSON

The detached supervisor reports on stdout, one JSON object a line: {"step": ...}, then {"ready": ...}, {"error": ...}
or, for what the operating system says no to (OSError), {"refused": ...}. Until its starter has written `keep` to its
stdin, the end of that pipe ends it: a starter that dies midway leaves no orphan.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from irsa_manager.api.errors import IrsaError, SandboxError
from irsa_manager.kube import definitions
from irsa_manager.kube.client import Kube
from irsa_manager.sandbox import admission
from irsa_manager.sandbox.binaries import Binaries
from irsa_manager.sandbox.running import RunningSandbox, Sandbox, Step, running_sandbox

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
KEEP = b"keep\n"
Report = Callable[[Step], None]


@dataclass(frozen=True)
class Request:
    """What to run. dir: absolute. aws: URL of the AWS to share, empty for an own one."""

    dir: str
    aws: str
    binaries: Binaries

    def to_json(self) -> str:
        """For the command line of the detached supervisor; nothing secret is in it."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> Request:
        """The inverse."""
        raw = json.loads(text)
        programs = raw["binaries"]
        binaries = Binaries(
            etcd=Path(programs["etcd"]),
            kube_apiserver=Path(programs["kube_apiserver"]),
            kube_controller_manager=Path(programs["kube_controller_manager"]),
            version=programs["version"],
            source=programs["source"],
            built=programs["built"],
        )
        return cls(raw["dir"], raw["aws"], binaries)


async def supervise(
    request: Request, on_step: Report, on_ready: Callable[[Sandbox], None], *, starter: int | None = None
) -> signal.Signals:
    """Run it until a signal of SIGNALS, and stop it. Returns the signal (SIGHUP for a starter that is gone).

    starter: the descriptor of a pipe whose end before KEEP means stop. Raises SandboxError where the sandbox can't
    start, or when a component ends by itself: then the others have been stopped.
    """
    loop = asyncio.get_running_loop()
    told: asyncio.Future[signal.Signals] = loop.create_future()

    def tell(number: signal.Signals) -> None:
        if not told.done():
            told.set_result(number)

    for number in SIGNALS:
        loop.add_signal_handler(number, tell, number)
    watch = loop.create_task(_watch_starter(starter, tell)) if starter is not None else None
    run = loop.create_task(_run(request, on_step, on_ready))
    either: list[asyncio.Future[Any]] = [run, told]
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        run.cancel()
        with suppress(asyncio.CancelledError):
            await run
    finally:
        if watch is not None:
            watch.cancel()
        for number in SIGNALS:
            loop.remove_signal_handler(number)
    return told.result()


async def _run(request: Request, on_step: Report, on_ready: Callable[[Sandbox], None]) -> None:
    async with running_sandbox(
        Path(request.dir), request.aws or None, binaries=request.binaries, on_step=on_step
    ) as sandbox:
        async with Kube.connect(sandbox.kubeconfig) as kube:
            await definitions.install(kube)
            await admission.install(kube)
        on_ready(sandbox)
        raise await _first_end(sandbox)


async def _first_end(sandbox: RunningSandbox) -> SandboxError:
    waits = {asyncio.ensure_future(child.wait()): child for child in sandbox.children()}
    try:
        done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    child = waits[done.pop()]
    return child.failure(f"ended with status {child.returncode}, so the sandbox was stopped")


async def _watch_starter(descriptor: int, tell: Callable[[signal.Signals], None]) -> None:
    reader = asyncio.StreamReader()
    with os.fdopen(descriptor, "rb", closefd=False) as pipe:
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        if await reader.readline() != KEEP:
            tell(signal.SIGHUP)


def detach(request: Request, on_step: Report) -> Sandbox:
    """Start the supervisor as a process of its own and return when its sandbox is ready.

    Raises SandboxError, OSError: what it ran into. If this process ends before, so does the supervisor.
    """
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", __name__, request.to_json()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin is not None and process.stdout is not None  # noqa: S101  (for the type checker)
    ready: Sandbox | None = None
    try:
        for line in process.stdout:
            event = json.loads(line)
            if "step" in event:
                on_step(Step(**event["step"]))
            elif "ready" in event:
                found = Sandbox.from_json(event["ready"])
                process.stdin.write(KEEP)
                process.stdin.flush()
                ready = found
                return ready
            elif "error" in event:
                raise SandboxError(**event["error"])
            elif "refused" in event:
                raise OSError(*event["refused"])
        raise SandboxError(
            "SandboxFailed",
            f"The supervisor ended with status {process.wait()} before it was ready.",
            left="Nothing of it is left running.",
            hint="Without --detach it shows what happens.",
        )
    finally:
        process.stdin.close()
        process.stdout.close()
        if ready is None:
            process.wait()


def main(text: str) -> int:
    """The detached supervisor's life."""
    request = Request.from_json(text)
    events = os.fdopen(os.dup(1), "w")

    def send(**event: Any) -> None:
        # A starter that is gone is noticed on stdin; here it only has nobody to listen.
        with suppress(BrokenPipeError):
            print(json.dumps(event, default=str), file=events, flush=True)

    def go_on_alone(sandbox: Sandbox) -> None:
        # The starter's terminal or pipe must not be held open by us.
        with (sandbox.dir / "logs" / "supervisor.log").open("ab") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        send(ready=sandbox.to_json())
        events.close()

    try:
        asyncio.run(supervise(request, lambda step: send(step=asdict(step)), go_on_alone, starter=0))
    except (IrsaError, OSError) as error:
        if events.closed:
            print(error, file=sys.stderr)  # noqa: T201  (its log)
        elif isinstance(error, IrsaError):
            fields = ("code", "message", "left", "hint", "object")
            send(error={name: getattr(error, name) for name in fields})
        else:
            send(refused=(error.errno, error.strerror, error.filename))
        return 1
    return 0


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main(sys.argv[1]))
