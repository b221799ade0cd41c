"""How commands speak: results on stdout, errors on stderr, five lines or one JSON object each."""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Final, TextIO

from irsa_manager.api.errors import IrsaError

LABEL: Final = 7
"""Width of the first column: error, object, left, hint, more."""


def takes_colours(stream: TextIO) -> bool:
    """Whether stream is a terminal that knows colours and whose user wants them (https://no-color.org)."""
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb" and not os.environ.get("NO_COLOR")


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
        print("\n".join(error_lines(error)), file=stream)


def print_json(kind: str, content: dict[str, Any]) -> None:
    """A result for programs: it begins with its kind and the version of its form; fields are only ever added."""
    print(json.dumps({"kind": kind, "version": 1, **content}, indent=2))
