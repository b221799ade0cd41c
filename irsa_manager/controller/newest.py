"""What the caches hold, and what we wrote since: the watch brings our own writes back a moment later."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from irsa_manager.api.irsa import IRSA, Record
from irsa_manager.kube.resources import ServiceAccount, key_of
from irsa_manager.plan.mark import MarkKeys
from irsa_manager.plan.ownership import vouched


class Newest:
    """The newest version of each object that is known."""

    def __init__(self) -> None:
        self.irsas: Mapping[str, IRSA] = {}
        self.accounts: Mapping[str, ServiceAccount] = {}
        self.accounts_version: Callable[[], str] = str
        """The resourceVersion up to which `accounts` shows what happened, "" where that isn't known."""
        self._written: dict[str, IRSA] = {}
        self._serials: dict[str, int] = {}
        self._let_go: dict[str, str] = {}
        self.accounts_written: dict[str, ServiceAccount] = {}

    def went(self, key: str, uid: str) -> None:
        """The IRSA is gone. uid: its last one, "" where that isn't known."""
        self._written.pop(key, None)
        self._let_go.pop(key, None)
        self._serials.pop(uid, None)

    def let_go(self, irsa: IRSA) -> None:
        """Our finalizer is off an object that is being deleted: it is gone, whatever the cache still shows.

        The API server answers that patch with the resourceVersion from before it. By the name of its role somebody else
        may make one from now on.
        """
        if irsa.key in self.irsas:
            self._let_go[irsa.key] = irsa.metadata.uid

    def account_came(self, key: str, account: ServiceAccount) -> None:
        """The cache has that version of the ServiceAccount by now."""
        written = self.accounts_written.get(key)
        if written and not _older(account.metadata.resource_version, written.metadata.resource_version):
            del self.accounts_written[key]

    def wrote(self, irsa: IRSA) -> None:
        """We wrote the object, and this is what the API server answered."""
        if irsa.key in self.irsas:
            self._written[irsa.key] = irsa
            self._serials[irsa.metadata.uid] = max(irsa.status.record.serial, self._serials.get(irsa.metadata.uid, 0))

    def believed(self, irsa: IRSA, keys: MarkKeys) -> IRSA:
        """The object; without its record where that was signed by us, but we have seen a later one: it was put back.

        The number is the last one that was seen, so that the next is a later one.

        It proves whose a role was then, not whose it is. What is found at the start is believed.
        """
        record, uid = irsa.status.record, irsa.metadata.uid
        if not record.mac and record.serial < self._serials.get(uid, 0):
            # Somebody has cleared it: numbering goes on.
            return replace(irsa, status=replace(irsa.status, record=Record(serial=self._serials[uid])))
        if record.uid != uid or not vouched(irsa.status, irsa.key, irsa.status.role.account_id, keys):
            return irsa
        latest = max(record.serial, self._serials.get(uid, 0))
        self._serials[uid] = latest
        if record.serial == latest:
            return irsa
        return replace(irsa, status=replace(irsa.status, record=Record(serial=latest)))

    def wrote_account(self, account: ServiceAccount) -> None:
        """We made or changed the ServiceAccount, and this is what the API server answered."""
        self.accounts_written[key_of(account.metadata)] = account

    def account(self, key: str) -> ServiceAccount | None:
        """The newest version of the ServiceAccount that is known: the cache's, or our own last write's.

        A deletion that follows a creation at once would leave behind what the watch hasn't brought yet. Once the cache
        has come past our write it is right about it, also where it says that the ServiceAccount is gone again.
        """
        written = self.accounts_written.get(key)
        if written is None:
            return self.accounts.get(key)
        version = self.accounts_version()
        if not version:
            # The cache is being listed anew: only what it has of this one tells how far it is.
            cached = self.accounts.get(key)
            stale = cached is None or _older(cached.metadata.resource_version, written.metadata.resource_version)
            return written if stale else cached
        if _older(version, written.metadata.resource_version):
            return written
        del self.accounts_written[key]
        return self.accounts.get(key)

    def signed_by_others(self, irsa: IRSA) -> bool:
        """Whether the record of its status isn't the one that we wrote last: an administrator has signed it."""
        written = self._written.get(irsa.key)
        return bool(irsa.status.record.mac) and (written is None or written.status.record != irsa.status.record)

    def newest(self, key: str) -> IRSA | None:
        """The newest version of the object that is known: the cache's, or our own last write's."""
        cached, written = self.irsas.get(key), self._written.get(key)
        if cached is not None and self._let_go.get(key) == cached.metadata.uid:
            return None
        if cached is None or written is None or cached.metadata.uid != written.metadata.uid:
            return cached
        if _older(cached.metadata.resource_version, written.metadata.resource_version):
            return written
        self._written.pop(key, None)
        return cached


def _older(version: str, other: str) -> bool:
    """Whether a resourceVersion is from before the other one.

    They are compared as numbers, which they are (https://kubernetes.io/docs/reference/using-api/api-concepts/
    #resource-versions); of what isn't a number nothing is said.
    """
    return version.isdigit() and other.isdigit() and int(version) < int(other)
