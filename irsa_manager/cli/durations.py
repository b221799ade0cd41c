"""Durations as Go writes them, since that is what Kubernetes' flags take: 60s, 1m30s, 500ms."""

from __future__ import annotations

import re

from irsa_manager.api.errors import UsageError

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")


def parse_duration(flag: str, text: str, *, at_least: float = 0.0) -> float:
    """Seconds, at_least so many. Raises UsageError naming the flag.

    The form: https://pkg.go.dev/time#ParseDuration, without signs and ns.
    """
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise UsageError(
            "Usage",
            f"{flag}={text} is no duration.",
            left="Nothing was started.",
            hint="Write it as 60s, 1m30s or 500ms.",
        )
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if seconds < at_least:
        raise UsageError(
            "Usage",
            f"{flag}={text} is too short.",
            left="Nothing was started.",
            hint=f"Write {at_least:g}s or more; it can't be turned off.",
        )
    return seconds
