"""Locks between processes: flock(2), which the kernel lets go of when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


class FileLock:
    """An exclusive lock on the file `path`, which is made (0600) where it is missing.

    The file may be removed by the holder (`release(remove=True)`): whoever waits for it then notices that the lock
    is on a file that is gone, and takes the new one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = -1

    def acquire(self, *, wait: bool) -> bool:
        """Take the lock; False where another process has it and wait is false."""
        while True:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                os.close(fd)
                return False
            except BaseException:
                os.close(fd)
                raise
            if self._is_current(fd):
                self._fd = fd
                return True
            os.close(fd)

    def release(self, *, remove: bool = False) -> None:
        """Let go; nothing happens where it isn't held."""
        if self._fd < 0:
            return
        if remove:
            self.path.unlink(missing_ok=True)
        os.close(self._fd)
        self._fd = -1

    def _is_current(self, fd: int) -> bool:
        held = os.fstat(fd)
        try:
            now = self.path.stat(follow_symlinks=False)
        except FileNotFoundError:
            return False
        return (held.st_dev, held.st_ino) == (now.st_dev, now.st_ino)


def is_locked(path: Path) -> bool:
    """Whether some process holds the lock on path; a missing file is nobody's."""
    if not path.exists():
        return False
    lock = FileLock(path)
    free = lock.acquire(wait=False)
    lock.release()
    return not free


@contextmanager
def locked(path: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold the lock on path; on_wait is called once before waiting for another holder."""
    lock = FileLock(path)
    if not lock.acquire(wait=False):
        on_wait()
        lock.acquire(wait=True)
    try:
        yield
    finally:
        lock.release()
