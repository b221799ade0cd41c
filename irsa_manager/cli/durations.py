"""Durations as Go writes them, since that is what Kubernetes' flags take: 60s, 1m30s, 500ms."""

from __future__ import annotations

import re

from irsa_manager.api.errors import UsageError

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")


def parse_duration(flag: str, text: str) -> float:
    """Seconds. Raises UsageError naming the flag (https://pkg.go.dev/time#ParseDuration, without signs and ns)."""
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise UsageError(
            "Usage",
            f"{flag}={text} is no duration.",
            left="Nothing was started.",
            hint="Write it as 60s, 1m30s or 500ms.",
        )
    return sum(float(number) * _UNITS[unit] for number, unit in parts)
