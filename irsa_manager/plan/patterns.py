"""Patterns of names: `*` stands for any characters (none, and `/`, as well), `?` for one. Nothing else is special.

One comparison answers both questions that are asked of a pattern: whether it matches a name, and whether it matches
everything that another pattern matches. It looks at each pair of characters once at most for each star, so that no name
and no pattern, whoever wrote it, takes long (a regular expression with several stars would).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_WILDCARDS = re.compile(r"[*?]{2,}")


def covers(pattern: str, text: str) -> bool:
    """Whether the pattern matches every name that `text` stands for: a name for itself, a pattern for its matches.

    True is always right; for a name, False too. For a pattern it may be False though each of its matches is matched:
    `*?` isn't seen to cover `*a`.
    """
    pattern, text = _ordered(pattern), _ordered(text)
    at = here = 0
    star, resume = -1, 0
    while here < len(text):
        wanted = pattern[at] if at < len(pattern) else ""
        if wanted == "*":
            star, resume = at, here
            at += 1
        # What stands for any number of characters is matched by what does so too, and by nothing else.
        elif wanted == text[here] or (wanted == "?" and text[here] != "*"):
            at += 1
            here += 1
        elif star >= 0:
            resume += 1
            at, here = star + 1, resume
        else:
            return False
    return not pattern[at:].strip("*")


def covered(text: str, patterns: Iterable[str]) -> bool:
    """Whether one of the patterns covers it."""
    return any(covers(pattern, text) for pattern in patterns)


def _ordered(pattern: str) -> str:
    """The same pattern with each run of wildcards in one order, so that `*?` and `?*` compare alike."""
    return _WILDCARDS.sub(lambda run: "?" * run[0].count("?") + "*" * ("*" in run[0]), pattern)
