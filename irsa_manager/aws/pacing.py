"""How fast AWS is called: one token bucket per account that gives way when AWS asks for it.

AWS doesn't publish IAM's request rates; the answer "Throttling: Rate exceeded" is the only measure there is (AWS
General Reference, "API retries"; IAM, common errors). So the rate starts at a ceiling that a person may set, is halved
when AWS throttles and grows again with every call that AWS accepts: additive increase, multiplicative decrease, as in
TCP (RFC 5681, section 3.1).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import IntEnum
from typing import Final

DEFAULT_CALLS_PER_SECOND: Final = 20.0
DEFAULT_IN_FLIGHT: Final = 10
FLOOR: Final = 0.5
"""Calls a second that are always allowed: below it, a recovery would take minutes to be noticed."""

HALVE_AT_MOST_EVERY: Final = 1.0
"""Seconds. Calls already in flight are refused together; they are one sign, not ten."""

REGAIN: Final = 0.05
"""Part of the ceiling that an accepted call gives back. Where calls fail at random (and not by rate), less would let
the rate sink to the floor although every second call would pass."""

ALMOST: Final = 1e-6
"""Part of a token that rounding may hide; without it a waiter comes back at once, again and again."""

SWEEP_SHARE: Final = 10
"""One grant in this many goes to a waiting sweep even while interactive calls queue: drift must still be found."""


class Priority(IntEnum):
    """Who goes first: a person waits for an interactive call; nobody does for a sweep."""

    INTERACTIVE = 0
    SWEEP = 1


class TokenBucket:
    """The arithmetic of the rate: no clock of its own, times are seconds of any monotonic clock.

    ceiling: calls a second, the rate at the start and the most there will be. burst: tokens that may be saved up at
    full rate (fewer at a lower one, but always one).
    """

    def __init__(self, ceiling: float, burst: float, now: float) -> None:
        if ceiling < FLOOR or burst < 1:
            raise ValueError(f"a rate is at least {FLOOR} calls a second and a burst at least 1")
        self.ceiling = ceiling
        self.burst = burst
        self.rate = ceiling
        self._tokens = burst
        self._at = now
        self._halved_at = now - HALVE_AT_MOST_EVERY

    @property
    def capacity(self) -> float:
        """Tokens that can be saved up at the present rate."""
        return max(1.0, self.burst * self.rate / self.ceiling)

    def take(self, now: float) -> float:
        """Take a token. Returns 0 if there was one, else the seconds until there will be."""
        self._advance(now)
        if self._tokens >= 1 - ALMOST:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self.rate

    def give_back(self) -> None:
        """Return a token that wasn't used."""
        self._tokens = min(self.capacity, self._tokens + 1)

    def throttled(self, now: float) -> None:
        """AWS refused a call for its rate: halve, and spend what was saved."""
        self._advance(now)
        if now - self._halved_at < HALVE_AT_MOST_EVERY:
            return
        self._halved_at = now
        self.rate = max(FLOOR, self.rate / 2)
        self._tokens = min(self._tokens, 0.0)

    def accepted(self, now: float) -> None:
        """AWS took a call, whatever it answered: regain some of the rate."""
        self._advance(now)
        self.rate = min(self.ceiling, self.rate + self.ceiling * REGAIN)

    def _advance(self, now: float) -> None:
        # A clock that seems to go backwards (two threads, a suspended machine) earns nothing.
        passed = max(0.0, now - self._at)
        self._at = max(self._at, now)
        self._tokens = min(self.capacity, self._tokens + passed * self.rate)


class Pacer:
    """Turns for AWS calls: at the bucket's rate, so many at a time, interactive ones first.

    Belongs to one event loop, whose clock it uses. A cancelled waiter leaves nothing behind, and a turn that was
    granted in the same moment as the cancellation goes to the next.
    """

    def __init__(
        self,
        calls_per_second: float = DEFAULT_CALLS_PER_SECOND,
        *,
        burst: float | None = None,
        in_flight: int = DEFAULT_IN_FLIGHT,
    ) -> None:
        if in_flight < 1:
            raise ValueError("at least one call must be allowed at a time")
        self._loop = asyncio.get_running_loop()
        self._bucket = TokenBucket(
            calls_per_second, max(1.0, calls_per_second if burst is None else burst), self._loop.time()
        )
        self._limit = in_flight
        self._running = 0
        self._granted = 0
        self._waiting: dict[Priority, deque[asyncio.Future[None]]] = {priority: deque() for priority in Priority}
        self._timer: asyncio.TimerHandle | None = None

    @property
    def rate(self) -> float:
        """Calls a second at the moment (metric aws_rate_limit)."""
        return self._bucket.rate

    @property
    def running(self) -> int:
        """Calls in flight."""
        return self._running

    @asynccontextmanager
    async def turn(self, priority: Priority = Priority.INTERACTIVE) -> AsyncIterator[None]:
        """Wait for a turn and hold it: `async with pacer.turn(): ...`, one call inside."""
        await self._acquire(priority)
        try:
            yield
        finally:
            self._running -= 1
            self._grant()

    def throttled(self) -> None:
        """Tell that AWS refused a call for its rate."""
        self._bucket.throttled(self._loop.time())

    def accepted(self) -> None:
        """Tell that AWS took a call."""
        self._bucket.accepted(self._loop.time())

    async def _acquire(self, priority: Priority) -> None:
        turn: asyncio.Future[None] = self._loop.create_future()
        self._waiting[priority].append(turn)
        self._grant()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._running -= 1
                self._bucket.give_back()
            else:
                turn.cancel()
            self._grant()
            raise

    def _grant(self) -> None:
        """Give turns to those who wait, as far as rate and limit go; else come back when the next token is due."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._running < self._limit:
            queue = self._next_queue()
            if queue is None:
                return
            wait = self._bucket.take(self._loop.time())
            if wait > 0:
                self._timer = self._loop.call_later(wait, self._grant)
                return
            self._running += 1
            self._granted += 1
            queue.popleft().set_result(None)

    def _next_queue(self) -> deque[asyncio.Future[None]] | None:
        for queue in self._waiting.values():
            while queue and queue[0].done():
                queue.popleft()
        interactive, sweep = self._waiting[Priority.INTERACTIVE], self._waiting[Priority.SWEEP]
        if sweep and (not interactive or self._granted % SWEEP_SHARE == SWEEP_SHARE - 1):
            return sweep
        return interactive or None
