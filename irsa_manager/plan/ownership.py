"""Whose a role is: by signed marks on the role, else by a signed record of its unique id. Nothing else is evidence.

Rules, each tested:
1. A mark in any Sid of the trust policy, or in our tag, that verifies for this object: the role is this object's,
   made or adopted as the mark says.
2. A mark that verifies for the cluster only: another object's of this cluster; it is never written.
3. No mark, but the unique id in the status is the role's and the record's signature verifies: this object's
   (somebody edited both marks away, or an administrator signed it anew).
4. Where roles can't be read, the record alone: the best evidence there is, and the status says so.
5. What the Go program before us made bears no mark. In the operator's namespace, where only administrators write, an
   object that it has made ready owns its role; elsewhere an administrator signs first (irsa-manager adopt).
6. Anything else isn't ours: names, tags for people, dates, a status, annotations and labels prove nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import UNSET, to_builtins
from msgspec.structs import replace

from irsa_manager.api import names
from irsa_manager.api.irsa import IRSA, Adoption, BoundServiceAccount, IRSAStatus
from irsa_manager.plan.mark import MarkKeys, RecordedRole, Whose, judge, looks_like_one, record_valid
from irsa_manager.plan.observed import ObservedRole
from irsa_manager.trust.document import compact, sids


def marks(role: ObservedRole) -> list[str]:
    """Everything on a role that may be a mark."""
    tag = (role.tags or {}).get(names.TAG_MARK)
    return [*sids(role.trust), *([tag] if tag else [])]


def whose(role: ObservedRole, owner: str, account: str, keys: MarkKeys, status: IRSAStatus | None = None) -> Whose:
    """Whose that role is, seen from the object namespace/name `owner` with that status."""
    verdicts = {judge(keys, account, role.name, owner, text) for text in marks(role)}
    for verdict in (Whose.ADOPTED, Whose.MINE, Whose.CLUSTER):
        if verdict in verdicts:
            return verdict
    if status is None or not status.role.name:
        return Whose.UNMARKED
    if not role.id and not status.role.origin:
        # Noted before it was made, and whether it was can't be seen.
        return Whose.UNMARKED
    # Where roles can't be read their ids can't be compared.
    if role.id not in {"", status.role.id} or status.role.name.lower() != role.name.lower():
        return Whose.UNMARKED
    if record_valid(keys, status.record.mac, recorded(status, owner, account)):
        return Whose.ADOPTED if status.adoption is not UNSET else Whose.MINE
    return Whose.UNMARKED


def foreign_key(role: ObservedRole) -> bool:
    """Whether the role bears a mark, but none that our keys verify: of another cluster, or of a key that is lost."""
    return any(looks_like_one(text) for text in marks(role))


def upstreams(irsa: IRSA, operator_namespace: str) -> bool:
    """Whether the Go program made this object ready and nobody has taken it over yet.

    It never set observedGeneration and always listed the ServiceAccounts. All of that can be forged by who may write
    status: it counts only where administrators alone write.
    """
    status = irsa.status
    ready = status.condition("Ready")
    return (
        irsa.metadata.namespace == operator_namespace
        and names.FINALIZER in irsa.metadata.finalizers
        and status.observed_generation == 0
        and not status.record.mac
        and not status.role.name
        and ready is not None
        and ready.reason == "IRSAReady"
        and bool(status.service_accounts)
    )


def recorded(status: IRSAStatus, owner: str, account: str) -> RecordedRole:
    """What the status' record has to vouch for."""
    role = status.role
    adoption = None if status.adoption is UNSET else status.adoption
    told = extra(status.service_accounts, role.inline_policies, adoption, status.kept_bindings, role.origin)
    return RecordedRole(account, role.name, role.id, owner, role.managed, told)


def extra(
    bound: Iterable[BoundServiceAccount],
    inline: Iterable[str],
    adoption: Adoption | None = None,
    kept: Iterable[str] = (),
    origin: str = "",
) -> str:
    """The canonical text of all that a status must not lie about beside the role, for its record.

    bound: what was set on ServiceAccounts. inline: inline policies that are ours. adoption: what an adopted role had.
    kept: bindings kept at a takeover. origin: "" as long as the role is only about to be made.
    """
    told = {
        "set": {f"{b.namespace}/{b.name}": [b.annotations, b.labels] for b in bound if b.annotations or b.labels},
        "inline": sorted(inline),
        "adoption": to_builtins(adoption) if adoption is not None else {},
        "kept": sorted(kept),
        "origin": origin,
    }
    return compact(told) if any(told.values()) else ""


def trusted_status(status: IRSAStatus, owner: str, account: str, keys: MarkKeys) -> IRSAStatus:
    """The status as far as its record vouches for it: where it doesn't, without what a forger could gain by.

    A forged list of managed attributes could make the manager take a permissions boundary away, forged keys of
    annotations and labels make it strip a ServiceAccount, forged names of inline policies undo an incident response, a
    forged adoption make it write a trust of the forger's choice, forged bindings widen what a tenant may reach.
    """
    if record_valid(keys, status.record.mac, recorded(status, owner, account)):
        return status
    bare = tuple(replace(b, annotations=(), labels=()) for b in status.service_accounts)
    role = replace(status.role, managed=(), inline_policies=())
    return replace(status, role=role, service_accounts=bare, adoption=UNSET, kept_bindings=())
