"""Running the command line as its users do, and waiting for processes to end without polling."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PATIENCE_SECONDS = 60


class CommandLine:
    """`irsa-manager sandbox ... --dir DIR` as a process."""

    def __init__(self, directory: Path) -> None:
        self.dir = directory
        self.argv = [sys.executable, "-m", "irsa_manager.cli", "sandbox"]

    def __call__(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return subprocess.run(
            [*self.argv, *arguments, "--dir", str(self.dir)],
            env={**os.environ, **environ},
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )

    def start(self, *arguments: str, **environ: str) -> subprocess.Popen[str]:
        """Start it, with pipes for both outputs."""
        return subprocess.Popen(
            [*self.argv, *arguments, "--dir", str(self.dir)],
            env={**os.environ, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def supervisor(self) -> int:
        return int((self.dir / "lock").read_text())


@pytest.fixture
def command(tmp_path: Path) -> Iterator[CommandLine]:
    """A command line with a directory of its own; what still runs there is stopped at the end."""
    line = CommandLine(tmp_path / "box")
    yield line
    line("down")


@pytest.fixture
def children() -> Callable[[int], list[int]]:
    """The pids of a process's children."""

    def of(pid: int) -> list[int]:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    return of


@pytest.fixture
def watch() -> Iterator[Callable[[list[int]], Callable[[], None]]]:
    """watch(pids) must be called while they live; its value waits until all of them are gone (pidfd, no polling)."""
    descriptors: list[int] = []

    def start(pids: list[int]) -> Callable[[], None]:
        watched = {pid: os.pidfd_open(pid) for pid in pids}
        descriptors.extend(watched.values())

        def until_gone() -> None:
            for pid, descriptor in watched.items():
                ready, _, _ = select.select([descriptor], [], [], PATIENCE_SECONDS)
                assert ready, f"process {pid} is still there"

        return until_gone

    yield start
    for descriptor in descriptors:
        os.close(descriptor)
