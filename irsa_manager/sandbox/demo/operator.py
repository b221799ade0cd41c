"""The controller of the demo: the real program, as a process of its own, with nothing but its environment."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

from irsa_manager.sandbox.process import Child
from irsa_manager.sandbox.running import Sandbox

T = TypeVar("T")
NAME = "controller"
STOP_SECONDS = 2.0


def start(sandbox: Sandbox) -> Child:
    """Start `irsa-manager controller` on the sandbox; its log lies among the sandbox's. Raises SandboxError."""
    argv = [
        sys.executable,
        "-P",
        "-m",
        "irsa_manager",
        "controller",
        "--metrics-bind-address=0",
        "--health-probe-bind-address=0",
        "--log-format=json",
    ]
    return Child.start(NAME, argv, log=sandbox.dir / "logs" / f"{NAME}.log", env=sandbox.environment())


async def while_running(child: Child, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`; SandboxError with the end of the log where the child ends first."""
    working = asyncio.ensure_future(work)
    ending = asyncio.ensure_future(child.wait())
    try:
        await asyncio.wait({working, ending}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise child.failure(f"ended with status {ending.result()}")
    finally:
        for task in (working, ending):
            task.cancel()
        await asyncio.gather(working, ending, return_exceptions=True)


def last_lines(log: str, count: int) -> list[str]:
    """The end of its log, one line each for a person: time, level, message, what else is said."""
    return [_readable(line) for line in log.splitlines()[-count:]]


def _readable(line: str) -> str:
    try:
        entry = json.loads(line)
    except ValueError:
        return line
    if not isinstance(entry, dict):
        return line
    first = [str(entry.pop(name, "")) for name in ("ts", "level", "msg")]
    return " ".join([*first, *(f"{name}={value}" for name, value in entry.items())])
