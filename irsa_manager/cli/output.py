"""How commands speak: results on stdout, errors on stderr, five lines or one JSON object each."""

from __future__ import annotations

import json
import os
import sys
from enum import StrEnum
from typing import Any, ClassVar, Final, TextIO

from irsa_manager.api.errors import IrsaError

LABEL: Final = 7
"""Width of the first column: error, object, left, hint, more."""


class Colour(StrEnum):
    """What a colour says; none says anything alone: a word or a sign is always with it. The values are ANSI's (SGR)."""

    GOOD = "32"
    BAD = "31"
    CHANGED = "33"


class _Wish:
    """What --color says. It is the program's, not a command's: help and errors heed it too."""

    colours: ClassVar[str] = "auto"


def wish_colours(when: str) -> None:
    """auto, always or never, as --color says; anything else counts as auto."""
    _Wish.colours = when


def takes_colours(stream: TextIO) -> bool:
    """Whether what is written there may have colours: as --color says.

    Without it: whether it is a terminal that knows colours and whose user wants them (https://no-color.org).
    """
    if _Wish.colours in {"always", "never"}:
        return _Wish.colours == "always"
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb" and not os.environ.get("NO_COLOR")


def painted(text: str, colour: Colour | None, stream: TextIO) -> str:
    """The text in that colour where the stream takes any."""
    return f"\x1b[{colour}m{text}\x1b[0m" if colour and text and takes_colours(stream) else text


def more_of(code: str) -> str:
    """The command that explains a code; empty for one that the catalogue doesn't have."""
    from irsa_manager.api import reasons

    return f"irsa-manager help {code}" if code in reasons.REASONS else ""


def error_lines(error: IrsaError) -> list[str]:
    """The lines of an error; absent parts are left out, further lines of a message are indented."""
    parts = (
        ("error", f"{error.code}: {error.message}"),
        ("object", error.object),
        ("left", error.left),
        ("hint", error.hint),
        ("more", more_of(error.code)),
    )
    return [f"{label:{LABEL}}{text}".replace("\n", "\n" + " " * LABEL) for label, text in parts if text]


def error_object(error: IrsaError) -> dict[str, str]:
    """The same as an object; every key is there."""
    return {
        "code": error.code,
        "message": error.message,
        "object": error.object,
        "left": error.left,
        "hint": error.hint,
        "more": more_of(error.code),
        "requestID": error.request_id,
    }


def print_error(error: IrsaError, *, as_json: bool, stream: TextIO | None = None) -> None:
    """Tell a person, or a program, on stderr."""
    stream = stream or sys.stderr
    if as_json:
        print(json.dumps(error_object(error)), file=stream)
    else:
        first, *rest = error_lines(error)
        label = len("error")
        print("\n".join([painted(first[:label], Colour.BAD, stream) + first[label:], *rest]), file=stream)


def print_json(kind: str, content: dict[str, Any]) -> None:
    """A result for programs: it begins with its kind and the version of its form; fields are only ever added."""
    print(json.dumps({"kind": kind, "version": 1, **content}, indent=2))
