"""Times as Kubernetes writes them."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> str:
    """The time as Kubernetes writes it: RFC 3339, UTC, whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_since(time: str, now: str) -> float | None:
    """Seconds from one time of a status to another; None where they can't be told.

    The schema takes more forms of time than Python, and who may write a status may choose one.
    """
    try:
        return (datetime.fromisoformat(now) - datetime.fromisoformat(time)).total_seconds()
    except (ValueError, TypeError):
        return None
