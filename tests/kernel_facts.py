"""What the kernel tells of processes and files that go on changing while one looks."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def listening(pids: Iterable[int]) -> list[str]:
    """The addresses, as /proc/net/tcp writes them (in hex, ADDRESS:PORT), at which these processes listen."""
    inodes = {inode for pid in pids for inode in _sockets(pid)}
    rows = [
        line.split() for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    return [row[1] for row in rows if row[3] == "0A" and row[9] in inodes]


def open_to_others(directory: Path) -> list[Path]:
    """The directory and what is below it, as far as others than the owner may read, write or enter it.

    What is gone before its turn comes, as a server's temporary files are, isn't there.
    """
    found = []
    for path in [directory, *directory.rglob("*")]:
        with suppress(FileNotFoundError):
            if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                found.append(path)
    return found


def _sockets(pid: int) -> set[str]:
    found = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        # A connection may be closed between the listing and the look at it; where somebody listens stays.
        with suppress(FileNotFoundError):
            target = str(descriptor.readlink())
            if target.startswith("socket:["):
                found.add(target.removeprefix("socket:[").removesuffix("]"))
    return found
