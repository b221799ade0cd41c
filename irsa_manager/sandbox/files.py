"""Private files: 0600 in directories 0700, from the first moment they exist."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO


def private_directory(path: Path) -> Path:
    """Make path, 0700; parents that are missing too. An existing directory keeps its mode."""
    if not path.is_dir():
        private_directory(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
    return path


def open_private(path: Path, *, append: bool = False) -> BinaryIO:
    """Open path for writing, 0600; emptied unless append."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_APPEND if append else os.O_TRUNC)
    return os.fdopen(os.open(path, flags, 0o600), "ab" if append else "wb")


def write_private(path: Path, content: str | bytes) -> Path:
    """Write path, 0600, in one step: a reader sees the old content or the new one."""
    draft = path.with_name(path.name + ".new")
    with open_private(draft) as file:
        file.write(content.encode() if isinstance(content, str) else content)
    draft.replace(path)
    return path
