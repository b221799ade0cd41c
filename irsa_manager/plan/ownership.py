"""Whose a role is: by signed marks on the role, else by a signed record of its unique id. Nothing else is evidence.

Rules, each tested:
1. A mark in any Sid of the trust policy, or in our tag, that verifies for this object: the role is this object's.
2. A mark that verifies for the cluster only: another object's of this cluster; it is never written.
3. No mark, but the unique id in the status is the role's and the record's signature verifies: this object's
   (somebody edited both marks away).
4. Anything else isn't ours: names, tags for people, dates, a status, annotations and labels prove nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from irsa_manager.api import names
from irsa_manager.api.irsa import BoundServiceAccount, IRSAStatus
from irsa_manager.plan.mark import MarkKeys, RecordedRole, Whose, judge, record_valid
from irsa_manager.plan.observed import ObservedRole
from irsa_manager.trust.document import compact, sids


def marks(role: ObservedRole) -> list[str]:
    """Everything on a role that may be a mark."""
    tag = (role.tags or {}).get(names.TAG_MARK)
    return [*sids(role.trust), *([tag] if tag else [])]


def whose(role: ObservedRole, owner: str, account: str, keys: MarkKeys, status: IRSAStatus | None = None) -> Whose:
    """Whose that role is, seen from the object namespace/name `owner` with that status."""
    verdicts = {judge(keys, account, role.name, owner, text) for text in marks(role)}
    if Whose.MINE in verdicts:
        return Whose.MINE
    if Whose.CLUSTER in verdicts:
        return Whose.CLUSTER
    if status is not None and status.role.id and status.role.id == role.id:
        told = recorded(status, owner, account)
        if told.role.lower() == role.name.lower() and record_valid(keys, status.record.mac, told):
            return Whose.MINE
    return Whose.UNMARKED


def recorded(status: IRSAStatus, owner: str, account: str) -> RecordedRole:
    """What the status' record has to vouch for."""
    role = status.role
    return RecordedRole(
        account, role.name, role.id, owner, role.managed, extra(status.service_accounts, role.inline_policies)
    )


def extra(bound: Iterable[BoundServiceAccount], inline: Iterable[str]) -> str:
    """The canonical text of what was set on ServiceAccounts and of the inline policies that are ours, for a record."""
    set_on = {f"{b.namespace}/{b.name}": [b.annotations, b.labels] for b in bound if b.annotations or b.labels}
    names_ = sorted(inline)
    return compact([set_on, names_]) if set_on or names_ else ""


def trusted_status(status: IRSAStatus, owner: str, account: str, keys: MarkKeys) -> IRSAStatus:
    """The status as far as its record vouches for it: where it doesn't, without what a forger could gain by.

    A forged list of managed attributes could make the manager take a permissions boundary away, forged keys of
    annotations and labels make it strip a ServiceAccount, forged names of inline policies undo an incident response.
    """
    if record_valid(keys, status.record.mac, recorded(status, owner, account)):
        return status
    bare = tuple(replace(b, annotations=(), labels=()) for b in status.service_accounts)
    return replace(status, role=replace(status.role, managed=(), inline_policies=()), service_accounts=bare)
