"""Workers: failures are retried, one key is never worked on twice at once, cancellation is clean."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
import structlog
from structlog.testing import capture_logs

from irsa_manager.api.errors import KubernetesError
from irsa_manager.controller.queue import LOW, WorkQueue
from irsa_manager.controller.workers import AGAIN, DONE, FAILED, run_workers


def eager_queue() -> WorkQueue[str]:
    """Retries follow at once."""
    return WorkQueue(uniform=lambda low, high: low)


async def test_failures_are_retried_and_told_in_one_line() -> None:
    queue = eager_queue()
    attempts: Counter[str] = Counter()
    outcomes: list[tuple[str, str]] = []

    async def handler(key: str) -> None:
        attempts[key] += 1
        if key == "broken" and attempts[key] == 1:
            raise ZeroDivisionError("by zero\nsecond line")
        if key == "refused" and attempts[key] == 1:
            raise KubernetesError("Code", "It was refused.", hint="Ask again.")
        if attempts.total() == 5:
            queue.shutdown()

    structlog.reset_defaults()
    with capture_logs() as logs:
        for key in ("fine", "broken", "refused"):
            queue.add(key)
        await asyncio.wait_for(
            run_workers(queue, handler, 2, observer=lambda key, outcome, seconds: outcomes.append((key, outcome))), 30
        )
    assert attempts == {"fine": 1, "broken": 2, "refused": 2}
    assert Counter(outcomes) == {
        ("fine", DONE): 1,
        ("broken", FAILED): 1,
        ("broken", DONE): 1,
        ("refused", FAILED): 1,
        ("refused", DONE): 1,
    }
    errors = {entry["object"]: entry["error"] for entry in logs}
    assert errors["refused"] == "Code: It was refused. Ask again."
    assert errors["broken"].startswith("ZeroDivisionError at test_workers.py:")
    assert errors["broken"].endswith(": by zero")
    assert queue.failures("broken") == 0


async def test_one_key_is_never_worked_on_twice_at_once() -> None:
    queue = eager_queue()
    working: set[str] = set()
    rounds = Counter[str]()

    async def handler(key: str) -> None:
        assert key not in working
        working.add(key)
        rounds[key] += 1
        # Wanted again while it is worked on, by many.
        for _ in range(3):
            queue.add(key)
        for _ in range(5):
            await asyncio.sleep(0)
        working.discard(key)
        if all(rounds[other] >= 20 for other in "abc"):
            queue.shutdown()

    for key in "abc":
        queue.add(key)
    await asyncio.wait_for(run_workers(queue, handler, 8), 30)
    assert all(rounds[key] >= 20 for key in "abc")


async def test_a_handler_may_ask_to_look_again() -> None:
    queue = eager_queue()
    seen: list[str] = []

    async def handler(key: str) -> float | None:
        if seen == [AGAIN]:
            queue.shutdown()
            return None
        return 0.01

    def observer(key: str, outcome: str, seconds: float) -> None:
        seen.append(outcome)

    queue.add("a", LOW)
    await asyncio.wait_for(run_workers(queue, handler, 1, observer=observer), 30)
    assert seen == [AGAIN, DONE]


async def test_cancelling_ends_the_handlers_and_gives_the_keys_back() -> None:
    queue = eager_queue()
    started, cleaned = asyncio.Event(), asyncio.Event()

    async def handler(key: str) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.set()

    queue.add("a")
    workers = asyncio.create_task(run_workers(queue, handler, 2))
    await started.wait()
    workers.cancel()
    with pytest.raises(asyncio.CancelledError):
        await workers
    assert cleaned.is_set()
    queue.add("a")
    assert queue.get_nowait() == "a"


async def test_a_bug_in_the_observer_surfaces() -> None:
    queue = eager_queue()

    async def handler(key: str) -> None:
        await asyncio.sleep(0)

    def observer(key: str, outcome: str, seconds: float) -> None:
        raise LookupError(key)

    queue.add("a")
    with pytest.raises(ExceptionGroup) as caught:
        await asyncio.wait_for(run_workers(queue, handler, 2, observer=observer), 30)
    assert caught.group_contains(LookupError)
