"""What has to be in a status before the first write to AWS, so that a crash in between loses nothing. Pure."""

from __future__ import annotations

from msgspec import UNSET
from msgspec.structs import replace

from irsa_manager.api.irsa import IRSA, BoundServiceAccount, Intent, IRSAStatus, RoleStatus
from irsa_manager.api.status_fields import MAX_RETIRED
from irsa_manager.controller.signing import signed
from irsa_manager.plan.decision import Decision
from irsa_manager.plan.facts import ClusterFacts
from irsa_manager.plan.mark import MarkKeys, sign_intent
from irsa_manager.plan.observed import ObservedRole
from irsa_manager.plan.ownership import MADE, REFERENCED, signable, vouched


def noting(irsa: IRSA) -> IRSAStatus:
    """That the Go program made the role, before anything else is said in the place where that is to be seen."""
    assert irsa.spec is not UNSET  # noqa: S101  (it was ready once)
    return replace(irsa.status, role=RoleStatus(name=irsa.spec.iam_role.name, origin="Created"))


def taking_over(
    irsa: IRSA, role: ObservedRole, audiences: tuple[str, ...], facts: ClusterFacts, keys: MarkKeys
) -> IRSAStatus:
    """What has to be in the status before the first write to a role that the Go program made. audiences: in use."""
    status = RoleStatus(name=role.name, arn=role.arn, id=role.id, account_id=facts.account, origin="Created")
    after = replace(irsa.status, role=status, kept_audiences=audiences)
    return replace(after, record=signed(keys, irsa, after))


def intending(irsa: IRSA, role: str, facts: ClusterFacts, keys: MarkKeys, now: str) -> IRSAStatus:
    """What has to be in the status before a role is created that can't be read afterwards."""
    mac = sign_intent(keys, facts.account, role, irsa.key, now)
    return replace(irsa.status, intent=Intent(role, now, mac))


def foretold(irsa: IRSA, decision: Decision, facts: ClusterFacts, keys: MarkKeys) -> IRSAStatus:
    """The status that has to be there before a plan's first write: all that it may set, beside what was set before.

    If the answer gets lost, or we die meanwhile and something else is asked for then, it must be known what is ours to
    take back; and what an adopted role had, to be given back. The old role of a rename moves to the retired ones.
    """
    assert decision.desired is not None  # noqa: S101  (of a living object)
    before, wanted = decision.before, decision.desired.role
    role = _foretold_role(irsa, decision, facts, keys)
    role = replace(
        role,
        attached_policies=tuple(dict.fromkeys((*role.attached_policies, *wanted.policies))),
        inline_policies=tuple(sorted({*role.inline_policies, *wanted.inline})),
        managed=tuple(dict.fromkeys((*role.managed, *wanted.managed))),
    )
    adoption = decision.adoption if decision.adopting and decision.adoption is not None else before.adoption
    listed = signable(irsa, before.service_accounts, facts.account, keys, facts.operator_namespace)
    after = replace(
        irsa.status,
        role=role,
        service_accounts=_foretold_accounts(listed, decision.bound),
        adoption=adoption,
        kept_bindings=before.kept_bindings,
        kept_audiences=before.kept_audiences,
        retired_roles=former(before, decision, role.name),
    )
    return replace(after, record=signed(keys, irsa, after))


def _foretold_role(irsa: IRSA, decision: Decision, facts: ClusterFacts, keys: MarkKeys) -> RoleStatus:
    """The role that a plan is about to write, as it is known now. Nothing is signed that only the status says."""
    assert decision.desired is not None  # noqa: S101  (of a living object)
    before, wanted, seen = decision.before.role, decision.desired.role, decision.role
    same = before.name.lower() == wanted.name.lower()
    if same and not decision.adopting and vouched(irsa.status, irsa.key, facts.account, keys):
        return before
    if seen is None:
        return RoleStatus(name=wanted.name, account_id=facts.account)
    origin = "Adopted" if decision.adopted else MADE
    return RoleStatus(name=seen.name, arn=seen.arn, id=seen.id, account_id=facts.account, origin=origin)


def _foretold_accounts(
    before: tuple[BoundServiceAccount, ...], bound: tuple[BoundServiceAccount, ...]
) -> tuple[BoundServiceAccount, ...]:
    """Those that are bound, with the keys of all annotations and labels that may be on them."""
    known = {(b.namespace, b.name): b for b in before}
    for one in bound:
        old = known.get((one.namespace, one.name))
        if old is not None:
            annotations = tuple(dict.fromkeys((*old.annotations, *one.annotations)))
            labels = tuple(dict.fromkeys((*old.labels, *one.labels)))
            known[one.namespace, one.name] = replace(old, annotations=annotations, labels=labels)
    return tuple(sorted(known.values()))


def former(before: IRSAStatus, decision: Decision, current: str) -> tuple[RoleStatus, ...]:
    """The roles of other names that a status names. Only what is plainly the object's may be signed as such.

    The others come last, those first that may yet come to light, and only as far as there is room.
    """
    known = {r.name.lower(): r for r in (*before.retired_roles, before.role) if r.name}
    known.pop(current.lower(), None)
    mine = {role.name.lower() for role in decision.old_roles}
    named = sorted(known.items(), key=lambda item: (item[0] not in mine, bool(item[1].id), item[0]))
    kept = [r if n in mine or r.origin == REFERENCED else replace(r, origin="") for n, r in named]
    return tuple(kept[:MAX_RETIRED])
