"""How late IAM shows what was written, and which roles it has shown since."""

from __future__ import annotations

from collections.abc import Callable, Collection

HOLD_SECONDS = 20.0
"""A sweep that began less than this after a write to a role doesn't overrule it: IAM shows writes late (IAM User
Guide, "Changes that I make are not always immediately visible"; up to about 15 s were seen)."""


class Shown:
    """Of which roles a read has shown all that may have been written to them, by whomever.

    Keys are lower-case names. clock: as RoleStore's. A read shows what was written HOLD_SECONDS before it began.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._roles: set[str] = set()
        self._unanswered: dict[str, float] = {}
        self._since = clock()

    def begin(self) -> None:
        """From now on only this process writes: what others wrote until now has to be read anew."""
        self._since = self._clock()
        self._roles.clear()
        self._unanswered.clear()

    @property
    def young(self) -> bool:
        """Whether what others wrote until we began may not be shown yet."""
        return self._clock() < self._since + HOLD_SECONDS

    def __contains__(self, key: str) -> bool:
        return key in self._roles

    def unanswered(self, key: str) -> None:
        """Something may have been written to it."""
        self._unanswered[key] = self._clock()
        self._roles.discard(key)

    def certain_in(self, key: str) -> float:
        """In how many seconds a read of it shows all."""
        return max(0.0, self._certain_at(key) - self._clock())

    def by_read(self, key: str, at: float) -> None:
        """A read that began then showed it."""
        if at >= self._certain_at(key):
            self.wholly(key)

    def wholly(self, key: str) -> None:
        """All of it is known."""
        self._roles.add(key)
        self._unanswered.pop(key, None)

    def forget(self, key: str) -> None:
        """It is gone; another one of its name isn't known."""
        self._roles.discard(key)

    def only(self, keys: Collection[str]) -> None:
        """The others are gone."""
        self._roles.intersection_update(keys)

    def _certain_at(self, key: str) -> float:
        return max(self._since, self._unanswered.get(key, float("-inf"))) + HOLD_SECONDS
