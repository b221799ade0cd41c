"""Workers: take keys off the queue and hand them to a handler, several at a time, one object never twice at once."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Awaitable, Callable, Hashable
from pathlib import Path
from typing import Final, TypeVar

import structlog

from irsa_manager.api.errors import IrsaError
from irsa_manager.controller.queue import LOW, QueueShutdownError, WorkQueue

K = TypeVar("K", bound=Hashable)

Handler = Callable[[K], Awaitable[float | None]]
"""Does the work on one key. Returns None, or the seconds after which to look again. What it raises means: try again."""

Observer = Callable[[K, str, float], None]
"""Told of each piece of work: key, outcome (one of the three below), seconds it took."""

DONE: Final = "success"
AGAIN: Final = "requeue_after"
FAILED: Final = "error"
"""controller-runtime's words in controller_runtime_reconcile_total{result}."""

log = structlog.get_logger(__name__)


class TryAgain(IrsaError):  # noqa: N818
    """Raised by a handler whose status tells what is wrong: try again with back-off, without a word in the log."""


async def run_workers(
    queue: WorkQueue[K], handler: Handler[K], count: int, *, observer: Observer[K] | None = None
) -> None:
    """Work until the queue is shut down (returns when all workers have ended) or this is cancelled.

    Cancelling cancels the handlers and waits for them. A handler's exception is logged in one line and the key retried
    with back-off; an observer's exception is a bug and ends everything.
    """
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(_work(queue, handler, observer), name=f"worker-{number}")


async def _work(queue: WorkQueue[K], handler: Handler[K], observer: Observer[K] | None) -> None:
    while True:
        try:
            key = await queue.get()
        except QueueShutdownError:
            return
        started = time.monotonic()
        try:
            outcome = await _handle(queue, handler, key)
        finally:
            # Also when cancelled: a key that stays "being worked on" would never come again.
            queue.done(key)
        if observer is not None:
            observer(key, outcome, time.monotonic() - started)
        # A handler that never waits must not keep the loop to itself.
        await asyncio.sleep(0)


async def _handle(queue: WorkQueue[K], handler: Handler[K], key: K) -> str:
    try:
        again = await handler(key)
    except TryAgain as error:
        delay = queue.retry(key)
        log.debug("to be tried again", object=str(key), code=error.code, retry_seconds=round(delay, 1))
        return AGAIN
    except Exception as error:  # noqa: BLE001  (one object's failure must not stop the others)
        delay = queue.retry(key)
        # One line in place of log.exception's trace: it may come again every few seconds.
        log.error(  # noqa: TRY400
            "work on an object failed",
            object=str(key),
            error=describe_failure(error),
            attempt=queue.failures(key),
            retry_seconds=round(delay, 1),
        )
        return FAILED
    queue.forget(key)
    if again is None:
        return DONE
    queue.add_after(key, again, LOW)
    return AGAIN


def describe_failure(error: Exception) -> str:
    """One line about an exception: an IrsaError's own words; for anything else, a bug, its type, text and place."""
    if isinstance(error, IrsaError):
        return f"{error.code}: {error}"
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    text = (str(error).splitlines() or [""])[0][:200]
    return f"{type(error).__name__}{where}: {text}"
