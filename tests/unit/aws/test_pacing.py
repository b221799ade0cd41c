"""The pace of AWS calls: arithmetic with any clock, and turns on an event loop whose time is virtual."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from irsa_manager.aws.pacing import FLOOR, SWEEP_SHARE, Pacer, Priority, TokenBucket


class _NoWaiting(selectors.DefaultSelector):
    """Lets time pass instead of waiting for it."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "nobody will ever wake up"
            self.now += timeout
        return ready


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._clock = _NoWaiting()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now


def virtually(main: Callable[[], Awaitable[None]]) -> None:
    async def wrapped() -> None:
        await main()

    with asyncio.Runner(loop_factory=_VirtualLoop) as runner:
        runner.run(wrapped())


rates = st.floats(min_value=FLOOR, max_value=200)
bursts = st.floats(min_value=1, max_value=50)
steps = st.lists(
    st.tuples(st.floats(min_value=0, max_value=3), st.sampled_from(["take", "throttled", "accepted", "give_back"])),
    max_size=80,
)


@given(rates, bursts, steps)
def test_the_rate_stays_between_floor_and_ceiling(ceiling: float, burst: float, steps: list[tuple[float, str]]) -> None:
    bucket, now = TokenBucket(ceiling, burst, 0.0), 0.0
    for passed, what in steps:
        now += passed
        if what == "take":
            bucket.take(now)
        elif what == "give_back":
            bucket.give_back()
        else:
            before = bucket.rate
            getattr(bucket, what)(now)
            assert (bucket.rate <= before) if what == "throttled" else (bucket.rate >= before)
        assert FLOOR <= bucket.rate <= ceiling


@given(rates, bursts, st.lists(st.floats(min_value=0, max_value=2), max_size=200))
def test_no_more_tokens_than_burst_and_rate_allow(ceiling: float, burst: float, gaps: list[float]) -> None:
    bucket, now, taken = TokenBucket(ceiling, burst, 0.0), 0.0, 0
    for gap in gaps:
        now += gap
        taken += bucket.take(now) == 0
    assert taken <= burst + ceiling * now + 1e-6


@given(rates, bursts)
def test_a_refused_token_is_there_after_the_time_that_was_told(ceiling: float, burst: float) -> None:
    bucket, now = TokenBucket(ceiling, burst, 0.0), 0.0
    while (wait := bucket.take(now)) == 0:
        pass
    assert bucket.take(now + wait * 0.5) > 0
    assert bucket.take(now + wait * 1.001 + 1e-9) == 0


@given(rates)
def test_throttled_calls_in_flight_together_halve_the_rate_once(ceiling: float) -> None:
    bucket = TokenBucket(ceiling, 1, 0.0)
    for at in (5.0, 5.1, 5.2, 5.9):
        bucket.throttled(at)
    assert bucket.rate == max(FLOOR, ceiling / 2)
    bucket.throttled(6.0)
    assert bucket.rate == max(FLOOR, max(FLOOR, ceiling / 2) / 2)


@given(rates)
def test_the_rate_comes_back_with_calls_that_are_accepted(ceiling: float) -> None:
    bucket = TokenBucket(ceiling, 1, 0.0)
    for second in range(20):
        bucket.throttled(float(second))
    assert bucket.rate == FLOOR
    for _ in range(20):
        bucket.accepted(20.0)
    assert bucket.rate == pytest.approx(ceiling)


def test_a_clock_that_goes_backwards_earns_nothing() -> None:
    bucket = TokenBucket(10, 1, 100.0)
    assert bucket.take(100.0) == 0
    assert bucket.take(50.0) > 0
    assert bucket.take(100.0) > 0


@pytest.mark.parametrize(("rate", "burst"), [(0.1, 5), (10, 0.5)])
def test_impossible_paces_are_refused(rate: float, burst: float) -> None:
    with pytest.raises(ValueError, match="at least"):
        TokenBucket(rate, burst, 0.0)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(min_value=1, max_value=60),
    st.floats(min_value=1, max_value=50),
    st.integers(min_value=1, max_value=12),
    st.floats(min_value=0.001, max_value=0.5),
)
def test_turns_keep_to_rate_and_limit(calls: int, rate: float, in_flight: int, seconds: float) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        pacer = Pacer(rate, burst=1, in_flight=in_flight)
        starts: list[float] = []
        most = 0

        async def one() -> None:
            nonlocal most
            async with pacer.turn():
                starts.append(loop.time())
                most = max(most, pacer.running)
                await asyncio.sleep(seconds)

        await asyncio.gather(*(one() for _ in range(calls)))
        assert most <= in_flight
        assert pacer.running == 0
        assert len(starts) == calls
        for index, start in enumerate(starts):
            assert index <= 1 + rate * start + 1e-6

    virtually(main)


def test_interactive_goes_first_but_a_sweep_is_never_starved() -> None:
    async def main() -> None:
        pacer = Pacer(10, burst=1, in_flight=1)
        order: list[Priority] = []

        async def one(priority: Priority) -> None:
            async with pacer.turn(priority):
                order.append(priority)

        sweeps = [asyncio.create_task(one(Priority.SWEEP)) for _ in range(5)]
        people = [asyncio.create_task(one(Priority.INTERACTIVE)) for _ in range(60)]
        await asyncio.gather(*sweeps, *people)
        # The first sweep call found nobody waiting; from then on people go first, but for one turn in SWEEP_SHARE.
        assert order[0] is Priority.SWEEP
        assert order[1 : SWEEP_SHARE - 1] == [Priority.INTERACTIVE] * (SWEEP_SHARE - 2)
        for start in range(0, 40, SWEEP_SHARE):
            assert order[start : start + SWEEP_SHARE].count(Priority.SWEEP) >= 1

    virtually(main)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.floats(min_value=0, max_value=0.6)), min_size=1, max_size=40))
def test_cancelled_waiters_leave_nothing_behind(calls: list[tuple[int, float]]) -> None:
    """Each call is cancelled after so many seconds, wherever it is then: waiting, just granted, or running."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        pacer = Pacer(10, burst=2, in_flight=2)

        async def one(priority: int) -> None:
            async with pacer.turn(Priority(priority)):
                await asyncio.sleep(0.2)

        tasks = []
        for priority, after in calls:
            task = asyncio.create_task(one(priority))
            loop.call_later(after, task.cancel)
            tasks.append(task)
        await asyncio.wait(tasks)
        assert pacer.running == 0
        async with pacer.turn():
            assert pacer.running == 1
        assert pacer.running == 0

    virtually(main)


def test_a_turn_granted_as_its_waiter_is_cancelled_goes_to_the_next() -> None:
    async def main() -> None:
        pacer = Pacer(10, burst=5, in_flight=1)
        entered: list[str] = []

        async def one(name: str) -> None:
            async with pacer.turn():
                entered.append(name)

        async with pacer.turn():
            first, second = asyncio.create_task(one("first")), asyncio.create_task(one("second"))
            await asyncio.sleep(0)
        # Leaving the block granted the turn to `first`, which has not run since.
        first.cancel()
        await asyncio.wait([first, second])
        assert first.cancelled()
        assert entered == ["second"]

    virtually(main)


def test_a_body_that_fails_gives_its_turn_back() -> None:
    async def main() -> None:
        pacer = Pacer(10, burst=5, in_flight=1)
        with pytest.raises(LookupError):
            async with pacer.turn():
                raise LookupError("the call failed")
        async with pacer.turn():
            assert pacer.running == 1

    virtually(main)


def test_throttling_slows_those_who_wait_already() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        pacer = Pacer(10, burst=1, in_flight=5)
        starts: list[float] = []

        async def one() -> None:
            async with pacer.turn():
                starts.append(loop.time())
                if len(starts) == 1:
                    pacer.throttled()

        await asyncio.gather(*(one() for _ in range(6)))
        assert pacer.rate == 5
        gaps = [later - earlier for earlier, later in pairwise(starts)]
        assert min(gaps) >= 0.2 - 1e-6

    virtually(main)
