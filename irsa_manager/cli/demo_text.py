"""The demo's words: the line of a step, what was said to it, how it ended. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from irsa_manager.sandbox import running
from irsa_manager.sandbox.demo.play import Played
from irsa_manager.sandbox.demo.steps import Answer, Result, Step, unexpected

AS_IT_SHOULD_BE: Final = "as it should be"
UNEXPECTED: Final = "UNEXPECTED"
INDENT: Final = 11
"""Columns before what a step is about; what was said to it begins there too."""

NEXT: Final = (
    'Next  irsa-manager sandbox up --detach; eval "$(irsa-manager sandbox env)"',
    "      irsa-manager plan -f examples/irsa.yaml; irsa-manager status",
)


def part_line(part: running.Step) -> str:
    """A part of the sandbox that is ready; 77 columns."""
    where = f"{part.where:23} {part.detail:20}" if part.detail else f"{part.where:44}"
    return f"ok  {part.what:20} {where} {part.seconds:5.1f} s"


def head(step: Step) -> str:
    """Number, verb and what it is about; INDENT + 24 columns."""
    return f"{step.number:2} {step.verb:6}  {step.what:23} "


def outcome(result: Result) -> str:
    """The result in a word or two; 22 columns."""
    word = result.answer.code or result.step.short or "allowed"
    return f"{word:21} "


def verdict(result: Result) -> str:
    """Whether it is as it should be; 16 columns."""
    return f"{AS_IT_SHOULD_BE if result.as_expected else UNEXPECTED:15} "


def duration(seconds: float) -> str:
    """Seconds; 6 columns up to 99.9."""
    return f"{seconds:4.2f} s" if seconds < 9.995 else f"{seconds:4.1f} s"


def said(answer: Answer) -> str:
    """Who said what."""
    return f"{answer.service}: {answer.text}" if answer.service else answer.text


def step_line(result: Result) -> str:
    """The whole line of a step; 79 columns."""
    return f"{head(result.step)}{outcome(result)}{verdict(result)}{duration(result.seconds)}"


def summary_line(results: Sequence[Result], seconds: float) -> str:
    """How many of how many."""
    good = len(results) - len(unexpected(results))
    return f"{good} of {len(results)} as expected in {seconds:.1f} s. What each step proves: docs/demo.md"


def failure_lines(played: Played) -> list[str]:
    """Each step that went otherwise: what was expected, what came; then the controller's words and where the logs are.

    An expected text is shown as the pattern that it is. Nothing where all went well.
    """
    lines: list[str] = []
    for result in unexpected(played.results):
        lines += [
            f"{head(result.step).rstrip()}",
            f"{'expected':>10}  {result.step.expected}",
            f"{'came':>10}  {result.answer}",
        ]
    if lines and played.log:
        lines += ["The controller's last lines:", *(f"  {line}" for line in played.log)]
    if lines and played.logs is not None:
        lines.append(f"All logs: {played.logs}")
    return lines
