"""Eventual consistency on demand: for some seconds after a write, reads see what was before it.

Source: IAM User Guide, "Troubleshoot IAM", "Changes that I make are not always immediately visible". Writes always
act on the present state, as IAM's do: a name just taken is taken, though GetRole doesn't find the role yet.
"""

from __future__ import annotations

import contextlib
import copy
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from irsa_manager.sandbox.front.emulator import Emulator
from irsa_manager.sandbox.front.faults import Faults

_STORES: Final = ("_roles", "_oidc_providers", "_policies")
_NAMED: Final = ("RoleName", "OpenIDConnectProviderArn", "PolicyArn")
_READS: Final = ("Get", "List", "Simulate", "Generate")

Key = tuple[str, str]
"""Account, and the record's name or ARN."""


@dataclass(frozen=True)
class _Change:
    when: float
    store: str
    key: Key
    before: Any
    """The record before the write; None where there was none."""


class Consistency:
    """Remembers what writes replaced, and shows it to reads for as long as the fault says."""

    def __init__(self, emulator: Emulator, faults: Faults, clock: Callable[[], float] = time.monotonic) -> None:
        self._emulator = emulator
        self._faults = faults
        self._clock = clock
        self._changes: deque[_Change] = deque()

    @contextlib.contextmanager
    def around(self, operation: str, parameters: Mapping[str, str]) -> Iterator[None]:
        """Carry out an operation inside: a read sees the past, a write is remembered."""
        if operation.startswith((*_READS, "AssumeRole")):
            with self._past(operation):
                yield
        elif self._faults.setting.consistency:
            account = self._emulator.responses.get_account_id()
            named = {(account, parameters[name]) for name in _NAMED if name in parameters}
            before = {store: self._copy(store, named) for store in _STORES}
            yield
            self._remember(before, named)
        else:
            yield

    def _data(self, store: str) -> dict[Key, Any]:
        data: dict[Key, Any] = getattr(self._emulator.iam, store)._data
        return data

    def _copy(self, store: str, named: set[Key]) -> dict[Key, Any]:
        """All records by key; those that the request names, and may change in place, as copies."""
        data = self._data(store)
        return {key: copy.deepcopy(record) if key in named else record for key, record in data.items()}

    def _remember(self, before: dict[str, dict[Key, Any]], named: set[Key]) -> None:
        now = self._clock()
        for store in _STORES:
            after = self._data(store)
            for key in (before[store].keys() ^ after.keys()) | (named & after.keys()):
                old = before[store].get(key)
                if old != after.get(key):
                    self._changes.append(_Change(now, store, key, old))

    @contextlib.contextmanager
    def _past(self, operation: str) -> Iterator[None]:
        """Swap the stores' contents for what they were; handlers run without awaiting, so nobody else sees it."""
        seconds = self._faults.setting.consistency if self._faults.setting.concerns(operation) else 0.0
        since = self._clock() - seconds
        while self._changes and self._changes[0].when <= since and seconds:
            self._changes.popleft()
        if not seconds or not self._changes:
            yield
            return
        present = {store: self._data(store) for store in _STORES}
        past = {store: dict(data) for store, data in present.items()}
        for change in reversed(self._changes):
            if change.before is None:
                past[change.store].pop(change.key, None)
            else:
                past[change.store][change.key] = change.before
        try:
            for store, data in past.items():
                getattr(self._emulator.iam, store)._data = data
            yield
        finally:
            for store, data in present.items():
                getattr(self._emulator.iam, store)._data = data
