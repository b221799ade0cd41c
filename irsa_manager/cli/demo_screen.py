"""How the demo is shown: one screen that fills on a terminal, plain lines anywhere else."""

from __future__ import annotations

import os
import textwrap
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from irsa_manager.cli import demo_text as text
from irsa_manager.cli import plan_lines as plans
from irsa_manager.plan.decision import Decision
from irsa_manager.plan.facts import ClusterFacts
from irsa_manager.sandbox import running
from irsa_manager.sandbox.demo.play import Played
from irsa_manager.sandbox.demo.steps import Result, Step
from irsa_manager.sandbox.running import Sandbox

TALL, MEDIUM = 44, 30
"""Rows from which plan and answers are shown in full, and from which the answers are."""

REFRESHES = 8
"""A second."""


class Lines:
    """A line at a time, in full."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._started = time.monotonic()
        self._region = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.flush()

    def part(self, part: running.Step) -> None:
        """Say it."""
        self._print(text.part_line(part))

    def staged(self, sandbox: Sandbox, seconds: float) -> None:
        """The region is part of the plan's first line."""
        self._region = sandbox.region
        self.part(running.Step("all started", "the controller as a process of its own", "", seconds))

    def planned(self, facts: ClusterFacts, owner: str, decision: Decision) -> None:
        """The plan."""
        self._print(plans.account_line(facts, self._region, sandbox=True))
        self._print(f"IRSA {owner}")
        for line in plans.plan_lines(decision):
            self._print(str(line))
        self._print(f"Plan: {plans.summary(decision)}")

    def began(self, step: Step) -> None:
        """Nothing: a line is printed when it is whole."""

    def ended(self, result: Result) -> None:
        """The step and what was said to it."""
        self._print(text.step_line(result))
        self._print(" " * text.INDENT + text.said(result.answer))

    def finish(self, played: Played) -> None:
        """The end."""
        self._print(text.summary_line(played.results, time.monotonic() - self._started))
        for line in text.failure_lines(played) or text.NEXT:
            self._print(line)

    def _print(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


class Screen:
    """One screen, drawn anew as things happen; what it shows last stays."""

    def __init__(self, console: Console, steps: Sequence[Step]) -> None:
        self._console = console
        self._steps = steps
        self._live = Live(self, console=console, refresh_per_second=REFRESHES, vertical_overflow="crop")
        self._started = time.monotonic()
        self._parts: list[running.Step] = []
        self._stage: tuple[Sandbox, float] | None = None
        self._plan: tuple[str, Decision] | None = None
        self._current: tuple[Step, float] | None = None
        self._results: dict[int, Result] = {}
        self._played: Played | None = None

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._current = None
        self._live.stop()

    def part(self, part: running.Step) -> None:
        """One more word in the first line."""
        self._parts.append(part)

    def staged(self, sandbox: Sandbox, seconds: float) -> None:
        """The first line is whole."""
        self._stage = (sandbox, seconds)

    def planned(self, facts: ClusterFacts, owner: str, decision: Decision) -> None:
        """The plan, and all steps to come."""
        del facts  # the first line tells
        self._plan = (owner, decision)
        self._live.refresh()

    def began(self, step: Step) -> None:
        """Its seconds run."""
        self._current = (step, time.monotonic())

    def ended(self, result: Result) -> None:
        """Its line is whole."""
        self._results[result.step.number] = result
        self._current = None
        self._live.refresh()

    def finish(self, played: Played) -> None:
        """The last lines; what went otherwise comes below the screen, as long as it may be."""
        self._played = played
        self._live.stop()
        for line in text.failure_lines(played):
            self._console.print(Text(line), soft_wrap=True)

    def __rich__(self) -> RenderableType:
        width, height = self._console.size
        tall = height >= TALL
        lines = [self._first_line(), *self._plan_lines(tall)]
        if self._plan is not None:
            lines += self._step_lines(width, height)
        if self._played is not None:
            lines += self._last_lines(self._played, tall)
        for line in lines:
            line.no_wrap, line.overflow = True, "ellipsis"
        return Group(*lines)

    def _first_line(self) -> Text:
        if self._stage is None:
            ready = ", ".join(f"{part.what} ok" for part in self._parts)
            waited = text.duration(time.monotonic() - self._started)
            return Text(f"Starting a cluster, an AWS and the controller{': ' if ready else ''}{ready}  {waited}")
        sandbox, seconds = self._stage
        where = f"AWS account {sandbox.account} ({sandbox.region}), SANDBOX"
        return Text(f"Kubernetes {sandbox.kubernetes_version}, {where}", "bold").append(
            f"  {text.duration(seconds)}", "not bold"
        )

    def _plan_lines(self, tall: bool) -> list[Text]:
        if self._plan is None:
            return []
        owner, decision = self._plan
        lines = plans.plan_lines(decision)
        drawn = [_signed(str(line), line.sign) for line in (lines if tall else plans.compact(lines))]
        title = f"IRSA {owner} (examples/irsa.yaml)"
        if tall:
            return [Text(), Text(title, "bold"), *drawn, Text(f"Plan: {plans.summary(decision)}"), Text()]
        return [Text(title, "bold"), *drawn]

    def _step_lines(self, width: int, height: int) -> list[Text]:
        lines: list[Text] = []
        for position, step in enumerate(self._steps):
            result = self._results.get(step.number)
            if result is None:
                lines.append(self._waiting(step))
                continue
            after = next((self._results.get(later.number) for later in self._steps[position + 1 :]), None)
            lines.append(_step_text(result))
            # Where room is scarce, what was done is told by the line above, and the same words are said once.
            told = result.answer.code and not (after and after.answer.text == result.answer.text)
            if height >= TALL or (told and height >= MEDIUM):
                lines += _folded(text.said(result.answer), width)
            elif told:
                lines.append(Text(" " * text.INDENT + text.said(result.answer), "dim"))
        return lines

    def _waiting(self, step: Step) -> Text:
        if self._current is None or self._current[0] is not step:
            return Text(text.head(step).rstrip(), "dim")
        return Text(f"{text.head(step)}...  {text.duration(time.monotonic() - self._current[1])}")

    def _last_lines(self, played: Played, tall: bool) -> list[Text]:
        style = "bold green" if played.as_expected else "bold red"
        seconds = time.monotonic() - self._started
        lines = [Text()] if tall else []
        lines.append(Text(text.summary_line(played.results, seconds), style))
        return [*lines, *(Text(line) for line in text.NEXT)] if played.as_expected else lines


def _step_text(result: Result) -> Text:
    line = Text(text.head(result.step))
    line.stylize("bold", 3, 9)
    line.append(text.outcome(result))
    line.append(text.verdict(result), "green" if result.as_expected else "bold red")
    return line.append(text.duration(result.seconds))


def _folded(words: str, width: int) -> list[Text]:
    """In full, below the step."""
    room = max(width - text.INDENT, 20)
    return [Text(" " * text.INDENT + line, "dim") for line in textwrap.wrap(words, room)]


def _signed(line: str, sign: str) -> Text:
    return Text(line, {"+": "green", "~": "yellow", "-": "red"}.get(sign, ""))


def screen_for(stream: TextIO, steps: Sequence[Step], environ: Mapping[str, str] = os.environ) -> Lines | Screen:
    """How these steps are shown: a screen where the stream is a terminal that can move its cursor, else lines.

    NO_COLOR (https://no-color.org) takes the colours away and leaves the screen, as Rich does.
    """
    if stream.isatty() and (environ.get("TERM") or "dumb") not in {"dumb", "unknown"}:
        return Screen(Console(file=stream, highlight=False, markup=False), steps)
    return Lines(stream)
