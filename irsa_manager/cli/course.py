"""The course of one command: what it is at, how long it may take, and what it says beside its result."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any, Final

from irsa_manager.api import reasons
from irsa_manager.api.errors import IrsaError, UsageError
from irsa_manager.cli.durations import parse_duration
from irsa_manager.cli.options import Manner
from irsa_manager.cli.place import confirm
from irsa_manager.cli.tables import shown

SHORTEST: Final = 0.1
"""Seconds that --timeout has to allow."""

UNTOUCHED: Final = "Nothing was changed."


class Course:
    """One run of a command, within the time that --timeout allows. left: what was left as it was, as of now."""

    def __init__(self, manner: Manner, *, as_data: bool = False) -> None:
        """as_data: the result is for programs; then what -v tells is too. Raises UsageError."""
        from irsa_manager.cli.logs import configure_logs, show_requests

        if manner.quiet and manner.verbose:
            raise UsageError(
                "Usage", "-q and -v exclude each other.", left="Nothing was tried.", hint="Leave one of them out."
            )
        self.quiet, self.verbose = manner.quiet, manner.verbose
        self.seconds = parse_duration("--timeout", manner.timeout, at_least=SHORTEST)
        self.left = UNTOUCHED
        self._at = "the cluster and the account"
        self._scope: asyncio.Timeout | None = None
        configure_logs("debug" if manner.verbose else "error", "json" if as_data else "text")
        if manner.verbose:
            show_requests()

    def run(self, work: Callable[[Course], Coroutine[Any, Any, int]]) -> int:
        """Do the work; returns its exit status. Raises what it raises, and IrsaError where the time is up."""
        try:
            return asyncio.run(self._within(work))
        except KeyboardInterrupt:
            if self.left != UNTOUCHED:
                shown([f"left   {self.left}"], sys.stderr)
            raise

    def at(self, what: str, left: str = "") -> None:
        """What is going to be waited for, as `the account's roles`; left: what is as it was from now on."""
        import structlog

        if what != self._at:
            structlog.get_logger("irsa_manager.cli").debug(f"now waiting for {what}")
        self._at, self.left = what, left or self.left

    def aside(self, *lines: str) -> None:
        """Say what isn't the result: where, what is next, notes. Not with -q."""
        if not self.quiet and lines:
            shown(lines, sys.stderr)

    def confirm(self, what: str, question: str, *, yes: bool) -> None:
        """place.confirm; how long the answer takes isn't counted."""
        asked = monotonic()
        confirm(what, question, yes=yes)
        if self._scope is not None and (end := self._scope.when()) is not None:
            # The loop has stood still: nothing has ended for the lack of time yet.
            self._scope.reschedule(end + monotonic() - asked)

    async def _within(self, work: Callable[[Course], Coroutine[Any, Any, int]]) -> int:
        self._scope = scope = asyncio.timeout(self.seconds)
        try:
            async with scope:
                return await work(self)
        except TimeoutError:
            if not scope.expired():
                raise
        what, left, hint = reasons.parts("TimedOut", seconds=f"{self.seconds:g}", what=self._at, left=self.left)
        raise IrsaError("TimedOut", what, left=left, hint=hint)
