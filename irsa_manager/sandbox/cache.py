"""The user's cache of control plane programs: XDG_CACHE_HOME/irsa-manager/control-plane/VERSION.

What lies there is executed with the user's rights, so a directory that somebody else may write is refused.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from irsa_manager.api.errors import SandboxError
from irsa_manager.sandbox.binaries import KUBERNETES_VERSION
from irsa_manager.sandbox.files import private_directory


class Cache:
    """directory: the one of this version. lock: the file that builders lock. work: the directory to build in."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        home = environ.get("XDG_CACHE_HOME", "")
        # The specification has relative paths ignored (XDG Base Directory Specification, "Basics").
        root = Path(home) if home.startswith("/") else Path(environ.get("HOME") or Path.home()) / ".cache"
        self.root = root / "irsa-manager" / "control-plane"
        self.directory = self.root / KUBERNETES_VERSION
        self.lock = self.root / f"{KUBERNETES_VERSION}.lock"

    def make(self) -> None:
        """Make the directories, 0700. Raises SandboxError where that fails or others may write them."""
        try:
            private_directory(self.directory)
        except OSError as exc:
            raise SandboxError(
                "SandboxFailed",
                f"The cache {self.directory} can't be made: {exc}.",
                hint="set XDG_CACHE_HOME to a directory of yours",
            ) from exc
        if why := self.untrusted():
            raise SandboxError("SandboxFailed", why, left="nothing was run", hint="set XDG_CACHE_HOME to another place")

    def untrusted(self) -> str:
        """Why nothing may be run from there; empty where all is well or nothing is there yet."""
        if not self.directory.exists():
            return ""
        real = self.directory.resolve()
        for path in (real, *real.iterdir(), *real.parents):
            mode, owner = path.stat().st_mode, path.stat().st_uid
            ours = path == real or real in path.parents or path == real.parent
            # Others may write /tmp, say, but not rename what is ours there: its sticky bit sees to that.
            shared = bool(mode & stat.S_IWOTH) and not mode & stat.S_ISVTX
            if owner not in {os.getuid(), 0} or shared or (ours and mode & (stat.S_IWGRP | stat.S_IWOTH)):
                return f"Other users may write {path} (mode {stat.S_IMODE(mode):o}, owner {owner}); not run from there."
        return ""
