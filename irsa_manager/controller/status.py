"""The status of an IRSA from what was decided and what came of it. Pure: the time is an argument."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from irsa_manager.api import reasons
from irsa_manager.api.irsa import IRSA, Adoption, Intent, IRSAStatus, RoleStatus
from irsa_manager.api.kube import Condition
from irsa_manager.controller.conditions import condition
from irsa_manager.controller.foretelling import former
from irsa_manager.controller.signing import signed, unsigned
from irsa_manager.controller.telling import Told
from irsa_manager.controller.undecided import unjudged
from irsa_manager.plan.decision import Decision
from irsa_manager.plan.desired import DesiredRole
from irsa_manager.plan.facts import ClusterFacts
from irsa_manager.plan.mark import MarkKeys
from irsa_manager.plan.observed import ObservedRole
from irsa_manager.plan.ownership import MADE, REFERENCED, signable, trusted_status
from irsa_manager.trust.document import sha256

SETTLING = "The role is new: for up to 15 s AWS may still refuse tokens."
SETTLE_SECONDS = 15.0
BLIND = (
    "Roles can't be read (iam:GetRole is missing): what others change is not seen; the trust policy is written anew "
    "every 10 minutes."
)
SINGLY = "Roles are read one by one (iam:GetAccountAuthorizationDetails is missing): what others change is seen later."
UNTAGGED = "Roles aren't tagged (iam:TagRole is missing): only their trust policies say whose they are."

WAITS = "ServiceAccounts are bound when the role is in order; until then those that are bound stay as they are."


def judged(
    irsa: IRSA,
    decision: Decision,
    role: ObservedRole | None,
    facts: ClusterFacts,
    keys: MarkKeys,
    *,
    role_told: Told | None,
    accounts_told: Told | None,
    ready_told: Told | None = None,
    settling: bool = False,
    notes: Sequence[str] = (),
    changed: bool,
    whole: bool,
    doubtful: bool = False,
    unanswered: bool = False,
    now: str,
) -> IRSAStatus:
    """The status after a plan was carried out, wholly or in part.

    role: as it is now, None where it isn't there or isn't ours. *_told: what is wrong, None: all is well. ready_told:
    what concerns the object as a whole. notes: what is missing though all is well. changed: something was written.
    whole: all of the plan was. doubtful: but something may have been written to the role that no read has shown.
    unanswered: nobody knows whether the role was made. now: RFC 3339.
    """
    before = irsa.status
    desired = decision.desired
    assert desired is not None  # noqa: S101  (a deletion has no status of its own)
    # What isn't signed anew stays as the record has it.
    role_status, record, retired = before.role, before.record, before.retired_roles
    adoption: Adoption | UnsetType = decision.adoption if decision.adoption is not None else UNSET
    if role is not None and decision.role_problem is None:
        role_status = _role_status(before, decision, desired.role, role, facts, whole=whole, doubtful=doubtful)
        retired = _retired(before, decision, role_status.name, whole=whole and not doubtful)
        meant = replace(
            decision.before,
            role=role_status,
            service_accounts=decision.bound,
            adoption=adoption,
            retired_roles=retired,
        )
        # Once the trust bears our own mark again, nothing is signed over any more.
        over = "" if whole else None
        record = unsigned(before) if decision.referenced else signed(keys, irsa, meant, over=over)
    good = _ready_message(decision, role, facts, settling=settling)
    if role is not None and not decision.referenced:
        good = " ".join([good, *notes])
    conditions = _conditions(irsa, role_told, accounts_told, ready_told, good, len(decision.bound), now)
    if role_told is not None and accounts_told is None and (role is None or decision.role_problem is not None):
        waits = condition(irsa, "ServiceAccountsReady", "Unknown", role_told.code, WAITS, now)
        conditions = tuple(waits if c.type == waits.type else c for c in conditions)
    after = replace(before, observed_generation=irsa.metadata.generation, issuer=facts.issuer, conditions=conditions)
    if decision.role_problem is not None or (role is None and not decision.referenced):
        # Nothing was written: what the record vouches for, and what the end rests on, must be there when it is over.
        intent = before.intent if unanswered else Intent()
        after = replace(after, intent=intent, service_account_count=len(before.service_accounts))
        return _stamped(before, after, changed=changed, now=now)
    after = replace(
        after,
        role=role_status,
        record=record,
        intent=before.intent if unanswered else Intent(),
        adoption=adoption,
        kept_bindings=decision.before.kept_bindings,
        kept_audiences=decision.before.kept_audiences,
        retired_roles=retired,
        service_accounts=decision.bound,
        service_account_count=len(decision.bound),
    )
    return _stamped(before, after, changed=changed, now=now)


def _role_status(
    before: IRSAStatus,
    decision: Decision,
    desired: DesiredRole,
    role: ObservedRole,
    facts: ClusterFacts,
    *,
    whole: bool,
    doubtful: bool,
) -> RoleStatus:
    if decision.referenced:
        return RoleStatus(name=role.name, arn=role.arn, id=role.id, account_id=facts.account, origin=REFERENCED)
    same_role = before.role.name.lower() == role.name.lower()
    ours = {*desired.inline, *_left_over(decision, role)}
    managed = desired.managed
    if (doubtful or not whole) and same_role:
        # What is to be taken back and isn't yet stays on record, or the next run would take it for somebody else's. (Of
        # inline policies that isn't needed: those that were ours are taken off whether they are seen or not.)
        managed = tuple(dict.fromkeys((*managed, *decision.before.role.managed)))
    return RoleStatus(
        name=role.name,
        arn=role.arn,
        id=role.id or (before.role.id if same_role else ""),
        account_id=facts.account,
        origin="Adopted" if decision.adopted else MADE,
        trust_policy_sha256=sha256(role.trust if role.trust is not None else desired.trust),
        attached_policies=_attached(before, desired.policies, role, whole=whole),
        inline_policies=tuple(sorted(_present(ours, role) if whole else ours)),
        foreign_inline_policies=decision.foreign_inline,
        managed=managed,
    )


def gave_back(irsa: IRSA, decision: Decision, facts: ClusterFacts, keys: MarkKeys, now: str) -> IRSAStatus:
    """After an adopted role was given back while the object lives on: it has no role now."""
    listed = signable(irsa, decision.before.service_accounts, facts.account, keys, facts.operator_namespace)
    role = RoleStatus(account_id=facts.account)
    after = replace(decision.before, role=role, service_accounts=listed, adoption=UNSET, intent=Intent())
    after = replace(after, last_sync_time=now)
    return replace(after, record=signed(keys, irsa, after))


def claimed(irsa: IRSA, role: ObservedRole, facts: ClusterFacts, keys: MarkKeys) -> IRSAStatus:
    """After a create whose answer was lost, where the intent says that the role that exists is ours."""
    before = trusted_status(irsa.status, irsa.key, facts.account, keys)
    # What was about to be put on it may be there.
    inline = before.role.inline_policies if before.role.name.lower() == role.name.lower() else ()
    status = RoleStatus(name=role.name, arn=role.arn, account_id=facts.account, origin=MADE, inline_policies=inline)
    listed = signable(irsa, before.service_accounts, facts.account, keys, facts.operator_namespace)
    after = replace(before, role=status, service_accounts=listed, intent=Intent(), adoption=UNSET)
    return replace(after, record=signed(keys, irsa, after))


def unclaimed(irsa: IRSA) -> IRSAStatus:
    """After a create that met a role of somebody else's: what was intended didn't come about."""
    return replace(irsa.status, intent=Intent())


def given_up(irsa: IRSA, now: str) -> IRSAStatus:
    """After a release: nothing of ours is claimed any more, and nothing is said to be ready that nobody looks after."""
    role = f"role {irsa.status.role.name}" if irsa.status.role.name else "no role"
    told = Told("Released", reasons.message("Released", role=role))
    after = unjudged(irsa, told, now, status="Unknown")
    ready = tuple(c for c in after.conditions if c.type == "Ready")
    return replace(
        after,
        observed_generation=irsa.metadata.generation,
        conditions=ready,
        adoption=UNSET,
        record=unsigned(irsa.status),
        intent=Intent(),
    )


def _attached(before: IRSAStatus, desired: tuple[str, ...], role: ObservedRole, *, whole: bool) -> tuple[str, ...]:
    """What is attached; where that can't be read, what was written, and what was to go and may not have gone."""
    if role.attached is not None:
        return role.attached
    return desired if whole else tuple(dict.fromkeys((*desired, *before.role.attached_policies)))


def _left_over(decision: Decision, role: ObservedRole) -> tuple[str, ...]:
    """The inline policies that were ours before: those that are still there have yet to go."""
    before = decision.before.role
    return before.inline_policies if before.name.lower() == role.name.lower() else ()


def _present(wanted: Iterable[str], role: ObservedRole) -> list[str]:
    """Of our inline policies those that are there: IAM matches their names ignoring case."""
    if role.inline is None:
        return list(wanted)
    there = {name.lower() for name in role.inline}
    return [name for name in wanted if name.lower() in there]


def _retired(before: IRSAStatus, decision: Decision, current: str, *, whole: bool) -> tuple[RoleStatus, ...]:
    """Old roles of a rename that are still there, so that they aren't forgotten.

    Until all of the plan is done also those that aren't there or aren't the object's: ServiceAccounts may still point
    to them.
    """
    mine = {role.name.lower() for role in decision.old_roles}
    return tuple(r for r in former(before, decision, current) if not whole or r.name.lower() in mine)


def _trusted(decision: Decision) -> int:
    """How many ServiceAccounts the role trusts: with managementPolicy None none is bound."""
    desired = decision.desired
    bare = desired is not None and not desired.service_accounts and not decision.referenced
    return len(desired.role.subjects) if desired is not None and bare else len(decision.bound)


def _ready_message(decision: Decision, role: ObservedRole | None, facts: ClusterFacts, *, settling: bool) -> str:
    if role is None:
        return ""
    policies = len(role.attached or ()) + len(role.inline or {}) - len(decision.foreign_inline)
    return reasons.message(
        "IRSAReady",
        note=SETTLING if settling else "",
        role=role.name,
        account=facts.account,
        service_accounts=_trusted(decision),
        policies=policies,
        source=facts.issuer_source,
    )


def _conditions(
    irsa: IRSA, role: Told | None, accounts: Told | None, ready: Told | None, good: str, bound: int, now: str
) -> tuple[Condition, ...]:
    first = role or accounts or ready
    if first is None:
        summed = condition(irsa, "Ready", "True", "IRSAReady", good, now)
    else:
        summed = condition(irsa, "Ready", "False", first.code, first.message, now)
    made = [
        summed,
        _part(irsa, "RoleReady", role, good, now),
        _part(irsa, "ServiceAccountsReady", accounts, f"{reasons.counted(bound, 'ServiceAccount')} bound.", now),
    ]
    if first is not None and first.stalled:
        made.append(condition(irsa, "Stalled", "True", first.code, first.message, now))
    return tuple(made)


def _part(irsa: IRSA, kind: str, told: Told | None, good: str, now: str) -> Condition:
    if told is None:
        return condition(irsa, kind, "True", "IRSAReady", good, now)
    return condition(irsa, kind, "False", told.code, told.message, now)


def _stamped(before: IRSAStatus, after: IRSAStatus, *, changed: bool, now: str) -> IRSAStatus:
    """lastSyncTime moves only where something was written or found different: it isn't a heartbeat."""
    if changed or before.role != after.role or not before.last_sync_time:
        return replace(after, last_sync_time=now)
    return after
