"""The one directory of a sandbox: whose it is, whether a sandbox runs in it, and that nothing stays behind.

The file `lock` is locked while a sandbox runs (flock: the kernel frees it when the holder dies) and holds the
supervisor's pid. Only names of ENTRIES are ever removed, and a directory with anything else in it isn't taken.
"""

from __future__ import annotations

import errno
import os
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

from irsa_manager.api.errors import SandboxError, UsageError
from irsa_manager.sandbox.files import private_directory, write_private
from irsa_manager.sandbox.locks import FileLock, is_locked

LOCK, STATE, LOGS, ENDED = "lock", "sandbox.json", "logs", "ended"
ENTRIES = frozenset(
    {LOCK, STATE, LOGS, ENDED, "kubeconfig", "pki", "etcd", "aws", f"{STATE}.new", "kubeconfig.new", f"{ENDED}.new"}
)
MARKS = frozenset({LOCK, ENDED})
"""One of these shows that a directory is a sandbox's."""


def default_directory(environ: Mapping[str, str]) -> Path:
    """XDG_STATE_HOME/irsa-manager/sandbox, by default ~/.local/state/irsa-manager/sandbox."""
    home = environ.get("XDG_STATE_HOME", "")
    root = Path(home) if home.startswith("/") else Path(environ.get("HOME") or Path.home()) / ".local" / "state"
    return root / "irsa-manager" / "sandbox"


class SandboxDirectory:
    """`path` (made absolute), as a sandbox's directory."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock = FileLock(self.path / LOCK)

    @property
    def state_file(self) -> Path:
        """What the running sandbox is (running.Sandbox as JSON); there once it is ready."""
        return self.path / STATE

    @property
    def logs(self) -> Path:
        """One file per component."""
        return self.path / LOGS

    def is_running(self) -> bool:
        """Whether a living process holds it."""
        return is_locked(self.path / LOCK)

    def supervisor(self) -> int:
        """The pid of the process that holds it; only meaningful while is_running. 0 if not told yet."""
        text = (self.path / LOCK).read_text() if (self.path / LOCK).exists() else ""
        return int(text) if text.isdecimal() else 0

    def claim(self) -> None:
        """Take it for this process: made 0700, locked, and cleaned of what a crashed sandbox left.

        Raises UsageError where it isn't fit to be a sandbox's, SandboxError (SandboxRunning) where one runs there.
        """
        while True:
            self._check()
            try:
                private_directory(self.path)
            except OSError as error:
                raise self._unfit(error) from error
            try:
                if self._lock.acquire(wait=False):
                    break
            except FileNotFoundError:
                continue  # its last user removed it just now
            raise self._running()
        try:
            write_pid(self.path / LOCK)
            self.path.chmod(0o700)
            self.clean()
        except OSError as error:
            self._lock.release(remove=True)
            remove_if_empty(self.path)
            raise self._unfit(error) from error

    def check_free(self) -> None:
        """Raise what `claim` would raise now, and change nothing."""
        self._check()
        if self.is_running():
            raise self._running()

    def clean(self, *, but: frozenset[str] = frozenset()) -> None:
        """Remove all that a sandbox wrote, but for the lock; the directory's other users wait or are gone."""
        for name in ENTRIES - {LOCK} - but:
            entry = self.path / name
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink(missing_ok=True)

    def release(self, failure: str = "") -> None:
        """Remove everything and the directory itself, and let go.

        With a failure, its text (file `ended`) and the logs stay for `sandbox logs`; keys and data go all the same.
        """
        if failure:
            self.clean(but=frozenset({LOGS}))
            write_private(self.path / ENDED, failure + "\n")
        else:
            self.clean()
        self._lock.release(remove=True)
        remove_if_empty(self.path)

    def failure(self) -> str:
        """Why the last sandbox here ended by itself; empty where it didn't."""
        ended = self.path / ENDED
        return ended.read_text().strip() if ended.exists() else ""

    def let_go(self) -> None:
        """Unlock it as it is."""
        self._lock.release()

    def remove_stale(self) -> bool:
        """Clean up after a supervisor that was killed or failed. Whether anything was there; never while one runs."""
        if not any((self.path / mark).exists() for mark in MARKS):
            return False
        if not self._lock.acquire(wait=False):
            return False
        self.release()
        return True

    def write_state(self, content: str) -> None:
        """Say what runs here (0600)."""
        write_private(self.state_file, content)

    def _running(self) -> SandboxError:
        return SandboxError(
            "SandboxRunning",
            f"A sandbox is running in {self.path} already (pid {self.supervisor()}).",
            left="it was left running",
            hint=f"use it (irsa-manager sandbox env --dir {shlex.quote(str(self.path))}), end it (… down --dir …), or "
            "choose another --dir",
        )

    def _unfit(self, error: OSError) -> UsageError:
        return UsageError(
            "Usage",
            f"{self.path} can't be a sandbox's directory: {error.strerror or error}.",
            left="nothing was started",
            hint="give another --dir",
        )

    def _check(self) -> None:
        try:
            if not self.path.exists():
                return
        except OSError as error:
            raise self._unfit(error) from error
        if not self.path.is_dir():
            raise self._unfit(NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)))
        names = {entry.name for entry in self.path.iterdir()}
        foreign = sorted(names - ENTRIES)
        if foreign or (names and not names & MARKS):
            raise UsageError(
                "Usage",
                f"{self.path} isn't a sandbox's directory: it holds {', '.join(foreign or sorted(names))[:200]}.",
                left="nothing was touched",
                hint="give --dir a path that doesn't exist yet, or an empty directory",
            )
        if self.path.stat().st_uid != os.getuid():
            raise self._unfit(PermissionError(errno.EPERM, "it belongs to another user"))


def write_pid(lock: Path) -> None:
    """Put our pid into the lock file, which must be ours; its inode stays, for the lock is on it."""
    with lock.open("w") as file:
        file.write(str(os.getpid()))


def remove_if_empty(path: Path) -> None:
    """Remove a directory unless somebody put something into it."""
    if path.is_dir() and not any(path.iterdir()):
        path.rmdir()
