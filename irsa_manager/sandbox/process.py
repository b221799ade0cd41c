"""One child process of the sandbox: its log file, its end, and its death with us (launch.py)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from irsa_manager.api.errors import SandboxError
from irsa_manager.sandbox.files import open_private

LAUNCHER = Path(__file__).with_name("launch.py")
KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH")


def with_parent(argv: Sequence[str]) -> list[str]:
    """The command that runs argv and dies with the calling thread."""
    return [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), *argv]


def end_group(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    """SIGKILL a process that leads its own group, and whatever it started; returns when it is gone."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class Child:
    """A running (or ended) program.

    It must be started from a thread that lives as long as the child shall: the main thread. It gets a session of its
    own, so that Ctrl-C on the terminal reaches us alone and we end the children in order.
    """

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.pid = process.pid
        self.log = log
        self._process = process

    @classmethod
    def start(cls, name: str, argv: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None) -> Child:
        """Start argv (argv[0] an absolute path); stdout and stderr are appended to log.

        Only KEPT_VARIABLES of our environment go to it, plus env: etcd, for one, takes any ETCD_* as a flag, and
        nobody's AWS keys have a place there. Raises SandboxError where the program can't be started.
        """
        if sys.platform != "linux":
            raise SandboxError(
                "SandboxFailed",
                f"The sandbox runs on Linux only, this is {sys.platform}.",
                hint="use a Linux machine, a container or a virtual machine",
            )
        kept = {key: os.environ[key] for key in KEPT_VARIABLES if key in os.environ}
        with open_private(log, append=True) as output:
            try:
                process = subprocess.Popen(
                    with_parent(argv),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env={**kept, **(env or {})},
                    cwd=log.parent,
                    start_new_session=True,
                    umask=0o077,
                )
            except OSError as exc:
                raise SandboxError("SandboxFailed", f"{name} can't be started: {exc}.") from exc
        return cls(name, process, log)

    @property
    def returncode(self) -> int | None:
        """None while it runs; else the exit status, negative for a signal."""
        return self._process.poll()

    async def wait(self) -> int:
        """Wait for its end without a thread (pidfd_open(2)); returns the exit status."""
        if (code := self.returncode) is not None:
            return code
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        pidfd = os.pidfd_open(self.pid)
        try:
            loop.add_reader(pidfd, ended.set)
            try:
                await ended.wait()
            finally:
                loop.remove_reader(pidfd)
        finally:
            os.close(pidfd)
        return self._process.wait()

    async def stop(self, grace: float = 0.0) -> None:
        """End it and whatever it started: SIGTERM and up to `grace` seconds, then SIGKILL. Returns when it is gone."""
        if self.returncode is not None:
            return
        if grace > 0:
            self._process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.wait(), grace)
        end_group(self._process)

    def last_lines(self, count: int = 5) -> str:
        """The end of its log, for an error message."""
        if not self.log.exists():
            return ""
        lines = self.log.read_text("utf-8", "replace").splitlines()
        return "\n".join(line[:400] for line in lines[-count:])

    def failure(self, what: str) -> SandboxError:
        """The error that says it ended or didn't get ready, with the end of its log."""
        return SandboxError(
            "SandboxFailed",
            f"{self.name} {what}. The end of its log:\n{self.last_lines()}",
            object=self.name,
        )
