"""The work queue: which object is looked at next.

client-go's terms (util/workqueue): a key is there once however often it is added, and is never worked on by two workers
at once; added while it is worked on, it comes again afterwards. On top of them two priorities, so that a change isn't
stuck behind ten thousand resyncs, with aging, so that the resyncs come too.
"""

from __future__ import annotations

import asyncio
import heapq
import random
import time
from collections.abc import Callable, Hashable
from enum import IntEnum
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)

FIRST_RETRY_SECONDS: Final = 0.2
LONGEST_RETRY_SECONDS: Final = 300.0
AGING_SECONDS: Final = 10.0
"""LOW work that has waited longer than this takes turns with HIGH."""


class Priority(IntEnum):
    """HIGH: something changed. LOW: a look to see whether all is as it should be."""

    HIGH = 0
    LOW = 1


HIGH: Final = Priority.HIGH
LOW: Final = Priority.LOW


class QueueShutdownError(Exception):
    """The queue is shut down: no key will come any more."""


class WorkQueue(Generic[K]):
    """Keys to work on. For one event loop; no method but get() waits.

    clock: seconds, never going backwards; the event loop's own by default. uniform: random.uniform or a replacement.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._clock = clock
        self._uniform = uniform
        # Insertion order is age: dicts serve as ordered sets. The value is when the key became ready.
        self._ready: dict[Priority, dict[K, float]] = {Priority.HIGH: {}, Priority.LOW: {}}
        self._processing: set[K] = set()
        self._again: dict[K, Priority] = {}
        # Delayed keys: when, in which order, key. An entry whose time isn't that of _due is an outdated one.
        self._heap: list[tuple[float, int, K]] = []
        self._due: dict[K, tuple[float, Priority]] = {}
        self._failures: dict[K, int] = {}
        self._sequence = 0
        self._low_turn = False
        self._wake = asyncio.Event()
        self._shut = False

    def add(self, key: K, priority: Priority = HIGH) -> None:
        """Work on it as soon as may be. A pending delay is overridden, a lower priority raised.

        After shutdown it has no effect. A key that failed before is worked on at once too; its failures stay counted.
        """
        if self._shut:
            return
        self._promote()
        due = self._due.pop(key, None)
        self._enter(key, priority if due is None else min(priority, due[1]), self._clock())

    def add_after(self, key: K, seconds: float, priority: Priority = HIGH) -> None:
        """Work on it in `seconds` at the latest: a key that is ready already stays so; of two delays the shorter one.

        A delay that is given while the key is worked on counts from now. The higher of two priorities is kept.
        """
        if self._shut:
            return
        if seconds <= 0:
            self.add(key, priority)
            return
        self._promote()
        if key in self._ready[Priority.HIGH] or key in self._ready[Priority.LOW] or key in self._again:
            return
        when = self._clock() + seconds
        pending = self._due.get(key)
        if pending is not None:
            priority = min(priority, pending[1])
            when = min(when, pending[0])
        self._due[key] = (when, priority)
        self._sequence += 1
        heapq.heappush(self._heap, (when, self._sequence, key))
        self._wake.set()

    def retry(self, key: K, priority: Priority = LOW) -> float:
        """Work on it again after a failure; returns the delay in seconds.

        Full jitter over a window that doubles from 0.2 s to 5 min (https://aws.amazon.com/builders-library/
        timeouts-retries-and-backoff-with-jitter/). The priority is low: fresh changes come first.
        """
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        window = min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2.0 ** min(failures, 32))
        delay = self._uniform(0.0, window)
        self.add_after(key, delay, priority)
        return delay

    def forget(self, key: K) -> None:
        """It went well: the next failure starts with the shortest delay."""
        self._failures.pop(key, None)

    def discard(self, key: K) -> None:
        """The object is gone: nothing that waits for it needs to be done. One being worked on isn't stopped."""
        self._due.pop(key, None)
        self._again.pop(key, None)
        self._failures.pop(key, None)
        for ready in self._ready.values():
            ready.pop(key, None)

    def failures(self, key: K) -> int:
        """How often in a row it failed."""
        return self._failures.get(key, 0)

    async def get(self) -> K:
        """The next key; it counts as being worked on until done(key). Raises QueueShutdownError after shutdown()."""
        while True:
            if self._shut:
                # The event stays set: every other waiting worker ends too.
                raise QueueShutdownError
            key = self._pop()
            if key is not None:
                # Others may wait for the same event; what is left is theirs.
                if self._has_ready():
                    self._wake.set()
                return key
            self._wake.clear()
            await self._sleep()

    def get_nowait(self) -> K | None:
        """The next key, or None where nothing is ready."""
        return None if self._shut else self._pop()

    def done(self, key: K) -> None:
        """The work on it has ended, well or not."""
        self._promote()
        self._processing.discard(key)
        again = self._again.pop(key, None)
        if again is not None:
            self._enter(key, again, self._clock())

    def depth(self) -> int:
        """Keys that are ready and wait for a worker (delayed ones and those being worked on don't count)."""
        self._promote()
        return sum(len(ready) for ready in self._ready.values())

    def delayed(self) -> int:
        """Keys that wait for their time."""
        self._promote()
        return len(self._due)

    def oldest_seconds(self, priority: Priority) -> float:
        """How long the oldest ready key of that priority has waited; 0 where there is none."""
        self._promote()
        ready = self._ready[priority]
        return self._clock() - min(ready.values()) if ready else 0.0

    def shutdown(self) -> None:
        """End all get() calls with QueueShutdownError and drop what waits."""
        self._shut = True
        self._due.clear()
        self._heap.clear()
        self._again.clear()
        for ready in self._ready.values():
            ready.clear()
        self._wake.set()

    def _pop(self) -> K | None:
        self._promote()
        high, low = self._ready[Priority.HIGH], self._ready[Priority.LOW]
        if not high and not low:
            return None
        aged = bool(low) and self._clock() - next(iter(low.values())) >= AGING_SECONDS
        take_low = not high or (aged and self._low_turn)
        self._low_turn = not take_low
        ready = low if take_low else high
        key = next(iter(ready))
        del ready[key]
        self._processing.add(key)
        return key

    def _enter(self, key: K, priority: Priority, since: float) -> None:
        """Make it ready, or note that it is wanted again. Called in the order of `since`: LOW is by age."""
        if key in self._processing:
            self._again[key] = min(priority, self._again.get(key, priority))
            return
        if priority is Priority.HIGH:
            since = self._ready[Priority.LOW].pop(key, since)
            self._ready[Priority.HIGH].setdefault(key, since)
        elif key not in self._ready[Priority.HIGH]:
            self._ready[Priority.LOW].setdefault(key, since)
        self._wake.set()

    def _has_ready(self) -> bool:
        return any(self._ready.values())

    def _promote(self) -> None:
        now = self._clock()
        while self._heap and self._heap[0][0] <= now:
            when, _, key = heapq.heappop(self._heap)
            due = self._due.get(key)
            if due is not None and due[0] == when:
                del self._due[key]
                self._enter(key, due[1], when)
        # Overridden delays leave entries behind; they must not pile up.
        if len(self._heap) > 64 and len(self._heap) > 4 * len(self._due):
            live: dict[K, tuple[float, int, K]] = {}
            for entry in self._heap:
                if (due := self._due.get(entry[2])) is not None and due[0] == entry[0]:
                    live[entry[2]] = entry
            self._heap = list(live.values())
            heapq.heapify(self._heap)

    async def _sleep(self) -> None:
        """Until something is added or the first delay is over."""
        if not self._heap:
            await self._wake.wait()
            return
        timer = asyncio.get_running_loop().call_later(max(0.0, self._heap[0][0] - self._clock()), self._wake.set)
        try:
            await self._wake.wait()
        finally:
            timer.cancel()
