"""How often each AWS operation was called: the proof that a plan costs what it says."""

from __future__ import annotations

from collections import Counter


class Calls:
    """Counts by operation name (CreateRole, GetObject, ...), faults included: a call is what the client sent."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def count(self, operation: str) -> None:
        """One more call of an operation."""
        self._counts[operation] += 1

    def counts(self) -> dict[str, int]:
        """Calls since the start or the last reset, by operation, sorted by name."""
        return dict(sorted(self._counts.items()))

    def reset(self) -> None:
        """Begin at nothing."""
        self._counts.clear()
