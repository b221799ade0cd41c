"""The account's roles as last seen, kept right between two sweeps by what was written since."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from msgspec.structs import asdict, replace

from irsa_manager.controller.shown import HOLD_SECONDS, Shown
from irsa_manager.plan.observed import ObservedRole

FRESH_SECONDS = 2.0


class RoleStore:
    """Roles by lower-case name: names are unique in an account ignoring case (IAM API, CreateRole).

    complete: a sweep has read the whole account, so a role that isn't here isn't there. singly: sweeps aren't allowed.
    blind: the last look at a role could only tell whether it is there.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._written: dict[str, float] = {}
        self._read: dict[str, float] = {}
        self._tried: dict[str, float] = {}
        self._attempts: dict[str, float] = {}
        self._deleted: dict[str, str] = {}
        self._shown = Shown(clock)
        self.roles: dict[str, ObservedRole] = {}
        self.complete = False
        self.singly = False
        self.blind = False

    def begin(self) -> None:
        """From now on this process works on roles: another one may have done so until now."""
        self._shown.begin()

    @property
    def young(self) -> bool:
        """Whether a process before this one may have written a moment ago what IAM doesn't show yet."""
        return self._shown.young

    def unanswered(self, name: str) -> None:
        """A write to the role got no answer: it may have taken effect."""
        self._shown.unanswered(name.lower())

    def doubtful(self, name: str) -> bool:
        """Whether something may have been written to the role that no read has shown: by a process before this one, or
        by this one, which got no answer.

        Until it is read once more nothing may be forgotten that is to be taken back from it. (Of one that can't be read
        the id isn't known, and waiting wouldn't help.)
        """
        role = self.roles.get(name.lower())
        return role is not None and bool(role.id) and name.lower() not in self._shown

    @property
    def only_swept_in_doubt(self) -> bool:
        """Whether some role is doubtful, and only the next sweep can show it."""
        return self.complete and self.blind and any(map(self.doubtful, self.roles))

    def certain_in(self, name: str) -> float:
        """In how many seconds a read of the role shows whatever that was."""
        return self._shown.certain_in(name.lower())

    @property
    def unreadable(self) -> bool:
        """Whether no role can be read: neither by sweeps nor singly."""
        return not self.complete and self.blind

    def get(self, name: str) -> ObservedRole | None:
        """The role of that name, in any case."""
        return self.roles.get(name.lower())

    def wrote(self, name: str, role: ObservedRole | None) -> None:
        """We wrote the role: it is so now, whatever a read says in the next moments. None: deleted."""
        key, before = name.lower(), self.roles.get(name.lower())
        if role is None and before is not None:
            self._deleted[key] = before.id
        if before is None:
            # Made by us just now: nobody else has written to it.
            self._shown.wholly(key)
        self._put(name, role)
        self._written[key] = self._clock()
        self._attempts.pop(key, None)

    def saw(self, name: str, role: ObservedRole | None) -> bool:
        """One role was read. Whether that changed what is known; a read too soon after a write is no news.

        It may be from before the write: of what is known it only adds what wasn't.
        """
        key, now = name.lower(), self._clock()
        self._read[key] = now
        newer = not self._recently_written(key, now)
        if not newer:
            known = self.roles.get(key)
            # A read that doesn't show what we wrote may be older than the write; one that shows another role than the
            # one we deleted is newer. Which one it is can't be told without its id.
            if role is None or (known is None and role.id in {"", self._deleted.get(key)}):
                return False
            if known is not None:
                if role.id != known.id:
                    return False
                told = {field: value for field, value in asdict(known).items() if value is not None}
                newer = replace(role, **told) == role
                role = replace(role, **told)
        before = self.roles.get(key)
        self._put(name, role)
        if newer:
            self._shown.by_read(key, now)
        return before != role

    def believe(self, name: str, role: ObservedRole | None) -> None:
        """One role was read that isn't ours: what we wrote there before, whenever that was, is no better known."""
        self._read[name.lower()] = self._clock()
        self._written.pop(name.lower(), None)
        self._put(name, role)
        self._shown.by_read(name.lower(), self._clock())

    def swept(self, roles: dict[str, ObservedRole], started: float, *, described: bool) -> set[str]:
        """A sweep that began at `started` (of the same clock) read these. Names, in lower case, that differ now."""
        changed: set[str] = set()
        merged: dict[str, ObservedRole] = {}
        for key, role in roles.items():
            known = self.roles.get(key)
            if self._newer(key, started):
                if known is not None:
                    merged[key] = known
                continue
            seen = role
            if known is not None and not described and known.id == role.id:
                # This sweep doesn't tell these two; what a single read told still stands.
                seen = replace(role, description=known.description, max_session_seconds=known.max_session_seconds)
            merged[key] = seen
            self._shown.by_read(key, started)
            if seen != known:
                changed.add(key)
        for key, known in self.roles.items():
            if key not in roles:
                if self._newer(key, started):
                    merged[key] = known
                else:
                    changed.add(key)
        self.roles = merged
        self._shown.only(merged.keys())
        self.complete, self.singly = True, False
        self._written = {k: t for k, t in self._written.items() if started - t < HOLD_SECONDS}
        return changed

    def attempted(self, name: str) -> None:
        """A create is about to be sent: until its outcome is known the role may be there unseen."""
        self._attempts[name.lower()] = self._clock()

    def settled(self, name: str) -> None:
        """A create was refused for good: there is no role of ours."""
        self._attempts.pop(name.lower(), None)

    def may_appear(self, name: str, *, noted: bool = True) -> bool:
        """Whether a role of ours that isn't seen may still come to light: a create whose answer was lost.

        noted: whether its object's status names it, as it does before the role is made.

        Of a create before this process began nothing is known, however old its object: a rename or a repair makes a
        role too. One that this process has deleted was there to be deleted.
        """
        key, now = name.lower(), self._clock()
        sent = self._attempts.get(key)
        if sent is not None:
            return now - sent < HOLD_SECONDS
        return noted and key not in self._deleted and self.young

    def settling(self, name: str) -> bool:
        """Whether we wrote the role so recently that IAM may not show it everywhere yet."""
        return self._recently_written(name.lower(), self._clock())

    def known(self, name: str) -> bool:
        """Whether it is known if there is such a role, and what it is like."""
        key = name.lower()
        return self.complete or key in self._read or key in self._written

    def stale(self, name: str) -> bool:
        """Whether the last look at the role is longer ago than a reconcile takes."""
        return self._clock() - self._read.get(name.lower(), float("-inf")) > FRESH_SECONDS

    def tried(self, name: str) -> None:
        """A read of the role failed: the others' turn comes first all the same."""
        self._tried[name.lower()] = self._clock()

    def oldest_read(self, names: Iterable[str]) -> str | None:
        """Of these roles the one whose last read is longest ago: whose turn it is where there are no sweeps."""
        never = float("-inf")

        def last(name: str) -> float:
            key = name.lower()
            return max(self._read.get(key, never), self._tried.get(key, never))

        return min(names, key=last, default=None)

    def oldest_age(self, names: Iterable[str]) -> float | None:
        """How many seconds ago that one was read, 0.0 for no names; None where there is one whose turn hasn't come, or
        none can be read.

        One of many that can't be read doesn't count: who names it would hold up what is told of all others.
        """
        keys = {name.lower() for name in names}
        seen = keys & self._read.keys()
        if not keys <= seen | self._tried.keys() or (keys and not seen):
            return None
        return self._clock() - min((self._read[key] for key in seen), default=self._clock())

    def _put(self, name: str, role: ObservedRole | None) -> None:
        if role is None:
            self.roles.pop(name.lower(), None)
            self._shown.forget(name.lower())
        else:
            self.roles[name.lower()] = role

    def _newer(self, key: str, started: float) -> bool:
        """Whether what is known of the role may be newer than what a sweep that began then shows."""
        return self._recently_written(key, started) or self._read.get(key, float("-inf")) >= started

    def _recently_written(self, key: str, at: float) -> bool:
        written = self._written.get(key)
        return written is not None and at - written < HOLD_SECONDS
