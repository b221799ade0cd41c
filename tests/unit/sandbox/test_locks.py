"""Locks between processes, with real ones on the other side."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from irsa_manager.sandbox.locks import FileLock, is_locked, locked

HOLD = """
import sys
from pathlib import Path
from irsa_manager.sandbox.locks import FileLock
lock = FileLock(Path(sys.argv[1]))
assert lock.acquire(wait=False)
print("held", flush=True)
sys.stdin.read()
"""


def hold(path: Path) -> subprocess.Popen[str]:
    """A process that holds the lock until its stdin ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_one_holder_at_a_time_and_death_frees_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_locked(path)
    assert not path.exists()
    holder = hold(path)
    assert is_locked(path)
    assert not FileLock(path).acquire(wait=False)
    holder.kill()
    holder.communicate()
    assert not is_locked(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_waiting_is_said_once_and_ends_with_the_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder = hold(path)
    said: list[str] = []

    def on_wait() -> None:
        said.append("waiting")
        assert holder.stdin is not None
        holder.stdin.close()

    with locked(path, on_wait):
        assert said == ["waiting"]
        holder.wait()
        assert is_locked(path)
    assert not is_locked(path)
    with locked(path, on_wait):
        assert said == ["waiting"]


def test_a_removed_lock_file_is_nobodys(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert first.acquire(wait=False)
    (tmp_path / "lock").unlink()
    assert second.acquire(wait=False)
    first.release()
    assert is_locked(tmp_path / "lock")
    second.release(remove=True)
    assert list(tmp_path.iterdir()) == []
