"""The work queue against a model: nothing lost, nothing twice at once, nothing starved."""

from __future__ import annotations

import asyncio

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from irsa_manager.controller.queue import (
    AGING_SECONDS,
    FIRST_RETRY_SECONDS,
    HIGH,
    LONGEST_RETRY_SECONDS,
    LOW,
    Priority,
    QueueShutdownError,
    WorkQueue,
)

KEYS = st.sampled_from("abc")
PRIORITIES = st.sampled_from([HIGH, LOW])


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class QueueMachine(RuleBasedStateMachine):
    """Model: which keys are wanted, from when on and how urgently; and which are being worked on."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.queue: WorkQueue[str] = WorkQueue(clock=self.clock, uniform=lambda low, high: high)
        self.wanted: dict[str, tuple[float, Priority]] = {}
        self.working: set[str] = set()
        # Since when a key could have been given out.
        self.since: dict[str, float] = {}
        self.failures: dict[str, int] = {}
        self.high_before = False

    def ready(self) -> dict[str, Priority]:
        return {
            key: priority
            for key, (when, priority) in self.wanted.items()
            if when <= self.clock.now and key not in self.working
        }

    def want(self, key: str, when: float, priority: Priority) -> None:
        if key in self.wanted:
            known, kept = self.wanted[key]
            # Ready already: a delay changes nothing.
            if known <= self.clock.now < when:
                return
            when, priority = min(when, known), min(priority, kept)
        self.wanted[key] = (when, priority)

    @rule(key=KEYS, priority=PRIORITIES)
    def add(self, key: str, priority: Priority) -> None:
        self.queue.add(key, priority)
        self.want(key, self.clock.now, priority)

    @rule(key=KEYS, seconds=st.sampled_from([0.0, 0.5, 1.0, 3.0, 20.0]), priority=PRIORITIES)
    def add_after(self, key: str, seconds: float, priority: Priority) -> None:
        self.queue.add_after(key, seconds, priority)
        self.want(key, self.clock.now + seconds, priority)

    @rule(key=KEYS)
    def retry(self, key: str) -> None:
        failed = self.failures.get(key, 0)
        delay = self.queue.retry(key)
        assert delay == min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2**failed)
        self.failures[key] = failed + 1
        self.want(key, self.clock.now + delay, LOW)

    @rule(key=KEYS)
    def forget(self, key: str) -> None:
        self.queue.forget(key)
        self.failures.pop(key, None)

    @rule(key=KEYS)
    def discard(self, key: str) -> None:
        self.queue.discard(key)
        self.wanted.pop(key, None)
        self.since.pop(key, None)
        self.failures.pop(key, None)

    @rule(seconds=st.sampled_from([0.1, 0.5, 2.0, 11.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule()
    def get(self) -> None:
        ready = self.ready()
        aged = [key for key, priority in ready.items() if priority is LOW and self.age(key) >= AGING_SECONDS]
        key = self.queue.get_nowait()
        if not ready:
            assert key is None
            return
        assert key in ready, "not wanted, not yet, or being worked on"
        if ready[key] is LOW and HIGH in ready.values():
            assert aged, "LOW went before HIGH without having waited long"
            assert self.high_before, "LOW took two turns in a row"
        if ready[key] is HIGH:
            assert not (aged and self.high_before), "LOW starves"
        self.high_before = ready[key] is HIGH
        self.working.add(key)
        del self.wanted[key]
        self.since.pop(key, None)

    @precondition(lambda self: self.working)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.working)))
        self.queue.done(key)
        self.working.discard(key)
        if key in self.wanted and self.wanted[key][0] <= self.clock.now:
            self.since[key] = self.clock.now

    def age(self, key: str) -> float:
        return self.clock.now - self.since[key]

    @invariant()
    def counts_agree(self) -> None:
        ready = self.ready()
        for key in ready:
            # A delayed key's age counts from the end of its delay, any other's from now.
            self.since.setdefault(key, self.wanted[key][0])
        assert self.queue.depth() == len(ready)
        assert self.queue.delayed() == sum(when > self.clock.now for when, _ in self.wanted.values())
        for priority in Priority:
            ages = [self.age(key) for key, its in ready.items() if its is priority]
            assert self.queue.oldest_seconds(priority) == pytest.approx(max(ages, default=0.0))

    def teardown(self) -> None:
        """Whatever was wanted comes, once, when there is time."""
        for key in sorted(self.working):
            self.queue.done(key)
        self.working.clear()
        self.clock.now += 2 * LONGEST_RETRY_SECONDS
        given: list[str] = []
        while (key := self.queue.get_nowait()) is not None:
            given.append(key)
            self.queue.done(key)
        assert sorted(given) == sorted(self.wanted)


QueueMachine.TestCase.settings = settings(max_examples=400, stateful_step_count=50, deadline=None)
test_queue_against_its_model = QueueMachine.TestCase


@given(failures=st.integers(0, 60))
def test_back_off_is_full_jitter_with_a_ceiling(failures: int) -> None:
    windows: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        windows.append((low, high))
        return high

    queue: WorkQueue[str] = WorkQueue(clock=Clock(), uniform=uniform)
    for _ in range(failures + 1):
        queue.retry("a")
    assert windows[0] == (0.0, FIRST_RETRY_SECONDS)
    assert all(low == 0.0 for low, _ in windows)
    assert [high for _, high in windows] == sorted(high for _, high in windows)
    assert windows[-1][1] == pytest.approx(min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2.0**failures))
    queue.forget("a")
    queue.retry("a")
    assert windows[-1] == (0.0, FIRST_RETRY_SECONDS)


def test_overridden_delays_do_not_pile_up() -> None:
    clock = Clock()
    queue: WorkQueue[int] = WorkQueue(clock=clock)
    for round_ in range(1000):
        for key in range(10):
            queue.add_after(key, 1e6 - round_)
    assert queue.delayed() == 10
    assert len(queue._heap) <= 64 + 10


async def test_get_waits_for_an_add() -> None:
    queue: WorkQueue[str] = WorkQueue()
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    assert not waiting.done()
    queue.add("a")
    assert await waiting == "a"


async def test_get_waits_for_the_end_of_a_delay() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("late", 0.05)
    queue.add_after("early", 0.01)
    assert queue.depth() == 0
    assert [await queue.get(), await queue.get()] == ["early", "late"]


async def test_a_shorter_delay_wakes_those_who_wait_for_a_longer_one() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("a", 3600)
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add_after("b", 0.01)
    assert await asyncio.wait_for(waiting, 30) == "b"


async def test_every_waiting_worker_gets_its_share() -> None:
    queue: WorkQueue[int] = WorkQueue()
    waiting = [asyncio.create_task(queue.get()) for _ in range(5)]
    await asyncio.sleep(0)
    for key in range(5):
        queue.add(key)
    assert sorted(await asyncio.wait_for(asyncio.gather(*waiting), 30)) == [0, 1, 2, 3, 4]


async def test_a_cancelled_get_loses_nothing() -> None:
    queue: WorkQueue[str] = WorkQueue()
    first, second = asyncio.create_task(queue.get()), asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add("a")
    first.cancel()
    assert await asyncio.wait_for(second, 30) == "a"
    assert first.cancelled()


async def test_shutdown_ends_all_who_wait() -> None:
    queue: WorkQueue[str] = WorkQueue()
    waiting = [asyncio.create_task(queue.get()) for _ in range(3)]
    await asyncio.sleep(0)
    queue.shutdown()
    ended = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 30)
    assert [type(end) for end in ended] == [QueueShutdownError] * 3
    queue.add("a")
    queue.add_after("b", 1)
    assert queue.depth() == queue.delayed() == 0
