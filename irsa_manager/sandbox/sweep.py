"""Remove a sandbox's files after its supervisor was killed: `python -m irsa_manager.sandbox.sweep DIRECTORY`.

The supervisor starts it and keeps its stdin open; the kernel closes that pipe when the supervisor dies, however that
comes about. Then the keys and data go, as they would have with `sandbox down`, and so does this process.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from irsa_manager.sandbox.directory import LOCK, SandboxDirectory

TRIES, PAUSE_SECONDS = 50, 0.1


def start(directory: SandboxDirectory) -> subprocess.Popen[bytes]:
    """Start the watcher of a directory that this process holds. Close its stdin to have it look, and wait for it."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", __name__, str(directory.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
    )


def main(path: str) -> None:
    """Wait for the end of stdin, then remove what is left, unless a new sandbox has taken the directory."""
    sys.stdin.buffer.read()
    directory = SandboxDirectory(Path(path))
    for _ in range(TRIES):
        try:
            # Who ends in order removes the lock himself, and may have left the logs of a failure.
            if not (directory.path / LOCK).exists() or directory.remove_stale():
                return
        except OSError:
            # A dying etcd may still write; what it made is removed in the next round.
            directory.let_go()
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main(sys.argv[1])
