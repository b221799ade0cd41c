"""`irsa-manager help [CODE]`: what a reason means and what to do about it; offline."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

import msgspec
import typer

from irsa_manager.api import reasons
from irsa_manager.api.errors import UsageError
from irsa_manager.api.reason import Reason

_WIDEST: Final = 100
_NARROWEST: Final = 40


def help_code(
    code: Annotated[str | None, typer.Argument(help="A reason, such as RoleExists; case doesn't count.")] = None,
    output: Annotated[
        Literal["text", "json"], typer.Option("--output", "-o", help="text, or json for programs.")
    ] = "text",
) -> None:
    """Explain a reason: the CODE of a condition, an event, a log line or an error. Without CODE: list them all."""
    if code is None:
        everything = [_as_json(reason) for reason in reasons.REASONS.values()]
        print(_json("Reasons", {"reasons": everything}) if output == "json" else "\n".join(_list()))
        return
    reason = find(code)
    print(_json("Reason", _as_json(reason)) if output == "json" else "\n".join(_page(reason, _width())))


def find(code: str) -> Reason:
    """The reason of that code, whatever its case. UsageError: there is none; it names the nearest."""
    by_folded = {known.lower(): reason for known, reason in reasons.REASONS.items()}
    found = by_folded.get(code.lower())
    if found is not None:
        return found
    close = reasons.nearest(code)
    hint = f"Did you mean {' or '.join(close)}?" if close else "irsa-manager help lists all of them."
    what, left, next_ = reasons.parts("UnknownReason", code=code, hint=hint)
    raise UsageError("UnknownReason", what, left=left, hint=next_)


def _page(reason: Reason, width: int) -> Iterator[str]:
    stalled = ", stalled until somebody acts" if reason.stalled else ""
    yield f"{reason.code}  ({reason.severity}{stalled})"
    yield from _wrap(reason.summary, width)
    yield ""
    yield from _wrap(reason.meaning, width)
    yield ""
    if reason.steps:
        yield "What to do:"
        for number, step in enumerate(reason.steps, start=1):
            yield from _wrap(step, width, first=f"  {number}. ", rest="     ")
        yield ""
    yield "Message:"
    yield from _wrap(reason.readable, width, first="  ", rest="  ")
    yield ""
    yield from _wrap(f"Met in: {_where(reason)}.", width, rest="  ")


def _wrap(text: str, width: int, *, first: str = "", rest: str = "") -> list[str]:
    """Lines of that width; commands and names are never broken, so that they can be copied."""
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False, break_long_words=False
    )


def _where(reason: Reason) -> str:
    conditions = [kind for kind in reason.kinds if kind not in ("event", "command")]
    places = []
    if conditions:
        places.append(f"condition{'s' if len(conditions) > 1 else ''} {', '.join(conditions)}")
    if "event" in reason.kinds:
        places.append("events")
    if "command" in reason.kinds:
        places.append("errors of commands")
    return "; ".join(places)


def _list() -> Iterator[str]:
    longest = max(map(len, reasons.REASONS))
    for title, group in reasons.GROUPS:
        yield title
        for reason in group:
            yield f"  {reason.code:{longest}}  {reason.summary}"
        yield ""
    yield "More on one: irsa-manager help CODE"


def _as_json(reason: Reason) -> dict[str, Any]:
    return {
        "code": reason.code,
        "severity": reason.severity,
        "stalled": reason.stalled,
        "summary": reason.summary,
        "meaning": reason.meaning,
        "steps": reason.steps,
        "message": reason.readable,
        "metIn": reason.kinds,
    }


def _json(kind: str, content: dict[str, Any]) -> str:
    return msgspec.json.format(msgspec.json.encode({"kind": kind, "version": 1, **content})).decode()


def _width() -> int:
    return max(_NARROWEST, min(_WIDEST, shutil.get_terminal_size((_WIDEST, 24)).columns))
