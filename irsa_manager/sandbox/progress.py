"""How long work is shown: a bar on a terminal, a few plain lines in a pipe, on stderr."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TextIO

LINE_EVERY_SECONDS = 15.0


class Progress(Protocol):
    """Where the sandbox says what it is doing."""

    def say(self, text: str) -> None:
        """One line."""

    def work(self, text: str) -> AbstractContextManager[Callable[[int, int], None]]:
        """A piece of work; the context's value is called with (done, total), total 0 where it isn't known yet."""


class Quiet:
    """Says nothing."""

    def say(self, text: str) -> None:
        """Nothing."""

    @contextmanager
    def work(self, text: str) -> Iterator[Callable[[int, int], None]]:
        """Nothing."""
        yield lambda _done, _total: None


class Lines:
    """Plain lines: at the start, every LINE_EVERY_SECONDS while something moves, and at the end."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def say(self, text: str) -> None:
        """Print it at once."""
        print(text, file=self._stream, flush=True)

    @contextmanager
    def work(self, text: str) -> Iterator[Callable[[int, int], None]]:
        """Print what was done with its seconds, also in between."""
        start = last = time.monotonic()

        def update(done: int, total: int) -> None:
            nonlocal last
            now = time.monotonic()
            if total and now - last >= LINE_EVERY_SECONDS:
                last = now
                self.say(f"  {text}: {100 * done // total} % after {now - start:.0f} s")

        self.say(f"  {text} ...")
        yield update
        self.say(f"  {text}: done in {time.monotonic() - start:.0f} s")


class Bars(Lines):
    """Rich's progress bars, which leave one line each when they are done."""

    @contextmanager
    def work(self, text: str) -> Iterator[Callable[[int, int], None]]:
        """A bar with percentage and time; without a total it pulses."""
        from rich.console import Console  # noqa: PLC0415  (rich takes 0.1 s to import)
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415
        from rich.progress import Progress as RichProgress  # noqa: PLC0415

        columns = (TextColumn("  {task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
        with RichProgress(*columns, console=Console(file=self._stream)) as bars:
            task = bars.add_task(text, total=None)
            yield lambda done, total: bars.update(task, completed=done, total=total or None)
            total = bars.tasks[0].total or 1
            bars.update(task, completed=total, total=total)


def progress_on(stream: TextIO) -> Progress:
    """Bars where stream is a terminal that can draw them, else Lines."""
    return Bars(stream) if stream.isatty() and os.environ.get("TERM", "dumb") != "dumb" else Lines(stream)
