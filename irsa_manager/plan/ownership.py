"""Whose a role is: by signed marks on the role, else by a signed record of its unique id. Nothing else is evidence.

Rules, each tested:
1. A mark in any Sid of the trust policy that verifies for this object: the role is this object's, made or adopted as
   the mark says. Who may write the trust could let himself in anyway.
2. A mark, also in our tag, that verifies for the cluster only: another object's of this cluster; it is never written.
3. No mark in the trust, but the unique id in the status is the role's and the record's signature verifies: this
   object's (somebody edited the mark away, or an administrator signed it anew). The same for the old roles of a rename.
   A tag alone isn't enough: whoever may only tag roles could put there what a role of that name once bore. Nor is a
   record of an object that was there before under the same name: its owner could have kept it. Nor is a record where
   the trust bears a mark of another key: another cluster has taken the role over. Nor, outside the operator's
   namespace, one of an adoption: the role's owner takes it back by its trust.
4. Where roles can't be read, the record alone: the best evidence there is, and the status says so.
5. What the Go program before us made bears no mark. In the operator's namespace, where only administrators write, an
   object that it has made ready owns its role, if that trusts the ServiceAccounts that it bound, until that is signed;
   elsewhere an administrator signs first (irsa-manager adopt).
6. Anything else isn't ours: names, tags for people, dates, a status, annotations and labels prove nothing.
7. Adopt takes what bears no mark that verifies, and what an object that is gone left behind, which its mark tells;
   never what the status says is the object's already and no key vouches for: what it had would be overwritten.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

from msgspec import UNSET, to_builtins
from msgspec.structs import replace

from irsa_manager.api import names
from irsa_manager.api.irsa import IRSA, Adoption, BoundServiceAccount, IRSAStatus, RoleStatus
from irsa_manager.plan.mark import MarkKeys, RecordedRole, Whose, judge, looks_like_one, record_valid
from irsa_manager.plan.observed import ObservedRole
from irsa_manager.trust.document import compact, sids, subject, subjects

MADE = "Created"
"""The origin that a status gives to a role that its object made."""

REFERENCED = "Referenced"
"""The origin of one that the object only refers to. No record vouches for it."""


def marks(role: ObservedRole) -> list[str]:
    """Everything on a role that may be a mark."""
    return [*sids(role.trust), *_tagged(role)]


def _tagged(role: ObservedRole) -> list[str]:
    tag = (role.tags or {}).get(names.TAG_MARK)
    return [tag] if tag else []


def whose(
    role: ObservedRole, owner: str, account: str, keys: MarkKeys, status: IRSAStatus | None = None, uid: str = ""
) -> Whose:
    """Whose that role is, seen from the object namespace/name `owner` with that status and uid."""
    by_trust = marked(role, owner, account, keys)
    if by_trust is not Whose.UNMARKED:
        return by_trust
    signed = status is not None and status.record.uid == uid
    known = Whose.UNMARKED
    if status is not None and signed and not marked_otherwise(role, status):
        known = _by_record(role, owner, account, keys, status)
    if known is not Whose.UNMARKED:
        return known
    by_tag = {judge(keys, account, role.name, owner, text) for text in _tagged(role)}
    return Whose.CLUSTER if Whose.CLUSTER in by_tag else Whose.UNMARKED


def marked_otherwise(role: ObservedRole, status: IRSAStatus) -> bool:
    """Whether the unmarked trust bears a mark of another key, and no administrator has signed over that one.

    Another cluster has taken the role over: two that each repair the other's trust would never end.
    """
    return any(looks_like_one(text) and text != status.record.over for text in sids(role.trust))


def marked(role: ObservedRole, owner: str, account: str, keys: MarkKeys) -> Whose:
    """Whose it is by its trust alone."""
    verdicts = {judge(keys, account, role.name, owner, text) for text in sids(role.trust)}
    return next((v for v in (Whose.ADOPTED, Whose.MINE, Whose.CLUSTER) if v in verdicts), Whose.UNMARKED)


def tagged_only(role: ObservedRole, owner: str, account: str, keys: MarkKeys) -> bool:
    """Whether the role bears the object's mark in the tag and not in the trust: no evidence, but worth a word."""
    return any(judge(keys, account, role.name, owner, text).mine for text in _tagged(role)) and not any(
        judge(keys, account, role.name, owner, text).mine for text in sids(role.trust)
    )


def _by_record(role: ObservedRole, owner: str, account: str, keys: MarkKeys, status: IRSAStatus) -> Whose:
    """Rules 3 and 4."""
    noted = entry(status, role.name)
    # Where roles can't be read their ids can't be compared.
    if not status.role.name or noted is None or role.id not in {"", noted.id}:
        return Whose.UNMARKED
    current = noted is status.role
    if (not role.id and not noted.origin) or (not current and noted.origin != MADE):
        # Noted before it was made, and whether it was can't be seen; or one that the record doesn't vouch for.
        return Whose.UNMARKED
    if vouched(status, owner, account, keys):
        # What it had may have been lost with an earlier status; that it was adopted wasn't.
        adopted = current and (status.adoption is not UNSET or status.role.origin == "Adopted")
        return Whose.ADOPTED if adopted else Whose.MINE
    return Whose.UNMARKED


def entry(status: IRSAStatus, role: str) -> RoleStatus | None:
    """What the status says of the role of that name, be it the object's role or an old one of a rename."""
    return next((r for r in (status.role, *status.retired_roles) if r.name.lower() == role.lower()), None)


def owner_of(role: ObservedRole, irsa: IRSA, account: str, keys: MarkKeys, operator_namespace: str) -> Whose:
    """Whose that role is, seen from that object.

    What an object outside the operator's namespace has adopted stays its only as long as the trust says so: the role's
    owner takes it back by its trust, and a status from before that could be put back.
    """
    found = whose(role, irsa.key, account, keys, irsa.status, irsa.metadata.uid)
    signed_since = bool(irsa.status.record.over)  # by an administrator
    borrowed = found is Whose.ADOPTED and irsa.metadata.namespace != operator_namespace and not signed_since
    if borrowed and role.trust is not None and not marked(role, irsa.key, account, keys).mine:
        return Whose.UNMARKED
    return found


def verdict(irsa: IRSA, role: ObservedRole, account: str, keys: MarkKeys, operator_namespace: str) -> Whose:
    """Whose that role is, seen from that object, with what the Go program has left (rule 5)."""
    found = owner_of(role, irsa, account, keys, operator_namespace)
    if found is not Whose.UNMARKED or foreign_key(role) or not upstreams(irsa, operator_namespace):
        return found
    return Whose.MINE if trusts_bound(role, irsa.status) else Whose.UNMARKED


def trusts_bound(role: ObservedRole, status: IRSAStatus) -> bool:
    """Whether the role's trust names every ServiceAccount of the status, as the Go program's always does.

    It tells the role that it made from one that the object names since. True where the trust can't be read.
    """
    if role.trust is None:
        return not role.id
    named = {name for _, name in subjects(role.trust)}
    return all(subject(bound.namespace, bound.name) in named for bound in status.service_accounts)


def foreign_key(role: ObservedRole) -> bool:
    """Whether anything on the role has a mark's form, whatever key made it.

    Of a role that whose() calls UNMARKED it is another cluster's, of a key that is lost, or in the tag alone.
    """
    return any(looks_like_one(text) for text in marks(role))


def left_by(role: ObservedRole, account: str, keys: MarkKeys, objects: Container[str] | None) -> str:
    """namespace/name of the object that had the role and is gone, "" where that can't be told.

    The tag only says which object to look for; the mark has to verify for it. objects: as Situation's.
    """
    holder = (role.tags or {}).get(names.TAG_OWNER, "")
    if not holder or objects is None or holder in objects:
        return ""
    return holder if any(judge(keys, account, role.name, holder, text).mine for text in sids(role.trust)) else ""


def unvouched(role: ObservedRole, irsa: IRSA, account: str, keys: MarkKeys) -> bool:
    """Whether the status says that the unmarked role is the object's, and no key vouches for that.

    It can't be proved, and the role must not be adopted (again): what an adopted one had would be lost, and what was
    made would stay at the end.
    """
    status = irsa.status
    named = status.role.id == role.id and status.role.name.lower() == role.name.lower()
    told = status.adoption is not UNSET or foreign_key(role)
    return named and told and not vouched(status, irsa.key, account, keys)


def adoptable(
    role: ObservedRole, verdict: Whose, irsa: IRSA, account: str, keys: MarkKeys, objects: Container[str] | None
) -> bool:
    """Whether managementPolicy Adopt may take a role over of which whose() says `verdict`."""
    if verdict is Whose.CLUSTER:
        return bool(left_by(role, account, keys, objects))
    return verdict is Whose.UNMARKED and not unvouched(role, irsa, account, keys)


def upstreams(irsa: IRSA, operator_namespace: str) -> bool:
    """Whether the Go program made this object ready and its role isn't signed for yet.

    It never set observedGeneration and always listed the ServiceAccounts. All of that can be forged by who may write
    status: it counts only where administrators alone write.
    """
    status = irsa.status
    if irsa.metadata.namespace != operator_namespace or not _left_behind(irsa):
        return False
    if status.role.name:
        return noted(irsa)
    ready = status.condition("Ready")
    return status.observed_generation == 0 and ready is not None and ready.reason == "IRSAReady"


def noted(irsa: IRSA) -> bool:
    """Whether the status holds that the Go program made the role, whatever else has been said since.

    A role of ours never stands there without ARN and record.
    """
    role, spec = irsa.status.role, irsa.spec
    return (
        role.origin == "Created"
        and not role.arn
        and not irsa.status.record.mac
        and spec is not UNSET
        and role.name == spec.iam_role.name
    )


def perhaps_upstreams(irsa: IRSA) -> bool:
    """Whether it looks as if the Go program had made the object's role: enough for a hint, no evidence."""
    return _left_behind(irsa) and not irsa.status.role.name


def _left_behind(irsa: IRSA) -> bool:
    status = irsa.status
    return names.FINALIZER in irsa.metadata.finalizers and not status.record.mac and bool(status.service_accounts)


def recorded(status: IRSAStatus, owner: str, account: str) -> RecordedRole:
    """What the status' record has to vouch for."""
    role = status.role
    adoption = None if status.adoption is UNSET else status.adoption
    retired = [f"{old.name}/{old.id}/{old.origin}" for old in status.retired_roles]
    told = extra(
        status.service_accounts,
        role.inline_policies,
        adoption,
        kept=status.kept_bindings,
        audiences=status.kept_audiences,
        origin=role.origin,
        retired=retired,
        over=status.record.over,
    )
    record = status.record
    return RecordedRole(account, role.name, role.id, owner, role.managed, told, record.uid, record.serial)


def extra(
    bound: Iterable[BoundServiceAccount],
    inline: Iterable[str],
    adoption: Adoption | None = None,
    kept: Iterable[str] = (),
    audiences: Iterable[str] = (),
    origin: str = "",
    retired: Iterable[str] = (),
    over: str = "",
) -> str:
    """The canonical text of all that a status must not lie about beside the role, for its record.

    bound: the ServiceAccounts that are the object's, and what was set on them. inline: inline policies that are ours.
    adoption: what an adopted role had.
    kept, audiences: bindings and audiences kept at a takeover. origin: "" as long as the role is only about to be made.
    retired: name/id/origin of old roles of a rename that aren't gone yet. over: the mark that was signed over.
    """
    told = {
        "bound": {f"{b.namespace}/{b.name}": [b.annotations, b.labels] for b in bound},
        "inline": sorted(inline),
        "adoption": to_builtins(adoption) if adoption is not None else {},
        "kept": sorted(kept),
        "audiences": sorted(audiences),
        "origin": origin,
        "retired": sorted(retired),
        **({"over": over} if over else {}),
    }
    return compact(told) if any(told.values()) else ""


def vouched(status: IRSAStatus, owner: str, account: str, keys: MarkKeys) -> bool:
    """Whether the status' record is ours: what it covers is as we wrote it."""
    return record_valid(keys, status.record.mac, recorded(status, owner, account))


def signable(
    irsa: IRSA, listed: Iterable[BoundServiceAccount], account: str, keys: MarkKeys, operator_namespace: str
) -> tuple[BoundServiceAccount, ...]:
    """Of these ServiceAccounts of the object's status those that may be signed as its own: all that are already.

    Else of a tenant's those of his own namespace: others he could list to have them deleted once the list is signed.
    """
    home = irsa.metadata.namespace
    proved = home == operator_namespace or vouched(irsa.status, irsa.key, account, keys)
    return tuple(b for b in listed if proved or b.namespace == home)


def trusted_status(status: IRSAStatus, owner: str, account: str, keys: MarkKeys) -> IRSAStatus:
    """The status as far as its record vouches for it: where it doesn't, without what a forger could gain by.

    A forged list of managed attributes could make the manager take a permissions boundary away, forged keys of
    annotations and labels make it strip a ServiceAccount, forged names of inline policies undo an incident response,
    a forged adoption make it write a trust of the forger's choice, forged bindings widen what a tenant may reach,
    forged audiences make the role accept tokens that were made for something else, a forged old role be deleted.
    """
    if vouched(status, owner, account, keys):
        return status
    bare = tuple(replace(b, annotations=(), labels=()) for b in status.service_accounts)
    role = replace(status.role, managed=(), inline_policies=())
    retired = tuple(replace(old, origin="") for old in status.retired_roles)
    return replace(
        status,
        role=role,
        service_accounts=bare,
        adoption=UNSET,
        kept_bindings=(),
        kept_audiences=(),
        retired_roles=retired,
    )
