"""Says in the log that something isn't reachable: at once, then once a minute, then that it is back."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import structlog

EVERY_SECONDS: Final = 60.0

log = structlog.get_logger(__name__)


class Outage:
    """One outage of one thing (`what`, as "The API server https://..."), however many notice it. clock: seconds."""

    def __init__(self, what: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._clock = clock
        self._since: float | None = None
        self._said = 0.0

    @property
    def ongoing(self) -> bool:
        """Whether the last attempt failed."""
        return self._since is not None

    def failed(self, error: Exception) -> None:
        """An attempt failed."""
        now = self._clock()
        if self._since is None:
            self._since, self._said = now, now
            log.warning(f"{self._what} can't be used; trying on", error=str(error))
        elif now - self._said >= EVERY_SECONDS:
            self._said = now
            log.warning(f"{self._what} still can't be used", error=str(error), seconds=round(now - self._since))

    def over(self) -> None:
        """An attempt succeeded."""
        if self._since is not None:
            log.info(f"{self._what} can be used again", seconds=round(self._clock() - self._since))
            self._since = None
