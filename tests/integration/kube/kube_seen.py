"""What a reflector told its owner, and waiting for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from irsa_manager.kube.resources import KubeObject


class Seen:
    """What a reflector told, and a way to wait for it."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, KubeObject | None, KubeObject | None]] = []
        self._changed = asyncio.Event()

    def __call__(self, key: str, old: KubeObject | None, new: KubeObject | None) -> None:
        self.changes.append((key, old, new))
        self._changed.set()

    def keys(self, what: str) -> list[str]:
        """The keys told as "added", "changed" or "deleted", in order."""
        kinds = {"added": (True, False), "changed": (False, False), "deleted": (False, True)}
        return [key for key, old, new in self.changes if (old is None, new is None) == kinds[what]]

    async def until(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                self._changed.clear()
                await self._changed.wait()
