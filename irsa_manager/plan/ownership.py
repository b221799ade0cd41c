"""Whose a role is: by signed marks on the role, else by a signed record of its unique id. Nothing else is evidence.

Rules, each tested:
1. A mark in any Sid of the trust policy, or in our tag, that verifies for this object: the role is this object's.
2. A mark that verifies for the cluster only: another object's of this cluster; it is never written.
3. No mark, but the unique id in the status is the role's and the record's signature verifies: this object's
   (somebody edited both marks away).
4. Anything else isn't ours: names, tags for people, dates, a status, annotations and labels prove nothing.
"""

from __future__ import annotations

from irsa_manager.api import names
from irsa_manager.api.irsa import IRSAStatus
from irsa_manager.plan.mark import MarkKeys, RecordedRole, Whose, judge, record_valid
from irsa_manager.plan.observed import ObservedRole
from irsa_manager.trust.document import sids


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
        recorded = RecordedRole(account, role.name, role.id, owner, status.role.managed)
        if record_valid(keys, status.record.mac, recorded):
            return Whose.MINE
    return Whose.UNMARKED


def trusted_managed(status: IRSAStatus, owner: str, account: str, keys: MarkKeys) -> tuple[str, ...]:
    """The attributes that the spec had set before, if the status' record vouches for the list; else none.

    A forged list could otherwise make the manager take a permissions boundary away.
    """
    role = status.role
    recorded = RecordedRole(account, role.name, role.id, owner, role.managed)
    return role.managed if record_valid(keys, status.record.mac, recorded) else ()
