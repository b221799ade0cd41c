"""Names of AWS-managed policies that people often use: for hints, and for the sandbox. Not all that there are."""

from __future__ import annotations

import difflib
import functools
from importlib import resources


@functools.cache
def names() -> tuple[str, ...]:
    """NAME or service-role/NAME of each, sorted."""
    return tuple(resources.files(__package__).joinpath("managed_policy_names.txt").read_text("ascii").split())


def nearest(name: str) -> str:
    """The known name that looks most like this one, "" where none does; case doesn't count."""
    folded = {known.lower(): known for known in names()}
    # service-role/ is easily forgotten.
    folded |= {known.rpartition("/")[2].lower(): known for known in names()}
    close = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.75)
    return folded[close[0]] if close else ""
