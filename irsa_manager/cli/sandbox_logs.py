"""`irsa-manager sandbox logs`: the components' log files, one after the other or as they grow."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TextIO

from irsa_manager.api.errors import UsageError
from irsa_manager.sandbox.directory import SandboxDirectory

LOOK_EVERY_SECONDS = 0.2


def print_logs(directory: SandboxDirectory, component: str | None, *, follow: bool) -> None:
    """Print one component's log, or all of them with the component before each line.

    follow: go on until the sandbox ends. Raises UsageError for a component that there isn't.
    """
    names = sorted(path.stem for path in directory.logs.glob("*.log"))
    if component is not None and component not in names:
        raise UsageError(
            "Usage", f"There is no component {component}.", left="nothing was read", hint=f"one of: {', '.join(names)}"
        )
    wanted = names if component is None else [component]
    width = max(len(name) for name in wanted) if component is None else 0
    tails = [Tail(directory.logs / f"{name}.log", f"{name:{width}}  " if component is None else "") for name in wanted]
    while True:
        running = directory.is_running()
        for tail in tails:
            tail.print_new()
        if not follow or not running:
            break
        time.sleep(LOOK_EVERY_SECONDS)
    for tail in tails:
        tail.close()


class Tail:
    """A log file that may still grow; each whole line is printed once."""

    def __init__(self, path: Path, prefix: str) -> None:
        self._file: TextIO = path.open(encoding="utf-8", errors="replace")
        self._prefix = prefix
        self._partial = ""

    def print_new(self) -> None:
        """Print the lines that came since the last time."""
        lines = (self._partial + self._file.read()).split("\n")
        self._partial = lines.pop()
        for line in lines:
            print(self._prefix + line, flush=False)
        if lines:
            print(end="", flush=True)

    def close(self) -> None:
        """Print what has no line end yet, and let go of the file."""
        if self._partial:
            print(self._prefix + self._partial, flush=True)
        self._file.close()
