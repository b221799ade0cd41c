"""Cut what is nested too deeply out of JSON text, without recursion.

The API server takes 10,000 levels in fields that keep unknown ones; a recursive decoder gives up at about 1,000. One
object like that must not keep the others from being read.
"""

from __future__ import annotations

import re
from typing import Final

DEEPEST: Final = 64
"""Levels that are kept; an IAM policy has about six."""

CUT: Final = b'"(nested too deeply)"'

_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL)


def cut_deep(body: bytes, deepest: int = DEEPEST) -> bytes:
    """The same JSON with what begins below that level replaced by a text. Text that isn't JSON: as it is."""
    depth = 0
    copied = 0
    parts: list[bytes] = []
    for token in _TOKEN.finditer(body):
        char = token[0][:1]
        if char in b"{[":
            depth += 1
            if depth == deepest + 1:
                parts += [body[copied : token.start()], CUT]
        elif char in b"}]":
            depth -= 1
            if depth == deepest:
                copied = token.end()
    if depth > deepest:
        return body
    return b"".join([*parts, body[copied:]])
