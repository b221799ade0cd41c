"""The part of a plan that is about ServiceAccounts: who is bound, who is released, and what stands in the way. Pure."""

from __future__ import annotations

from msgspec import UNSET

from irsa_manager.api.irsa import IRSA, Adoption, BoundServiceAccount, IRSAStatus
from irsa_manager.api.reasons import listed
from irsa_manager.plan import diff_accounts, diff_role, problems
from irsa_manager.plan.actions import AwsAction, KubeAction, Plan
from irsa_manager.plan.decision import Decision, Problem
from irsa_manager.plan.desired import Desired, disarmed
from irsa_manager.plan.facts import Situation
from irsa_manager.plan.observed import ObservedRole
from irsa_manager.plan.own_roles import gone_arns, in_reach, named_arns, released
from irsa_manager.plan.ownership import entry


def with_accounts(
    irsa: IRSA,
    status: IRSAStatus,
    desired: Desired,
    situation: Situation,
    actions: list[AwsAction | KubeAction],
    old: tuple[ObservedRole, ...],
    observed: ObservedRole | None,
    adoption: Adoption | None,
    inline_before: tuple[str, ...],
) -> Decision:
    """The plan for the role, and what it takes to bind and release ServiceAccounts.

    actions: what is to be done on the role. old: roles of renames, which go when nobody is bound to them any more.
    """
    assert irsa.spec is not UNSET  # noqa: S101  (incomplete() was asked first)
    policy = irsa.spec.service_account.management_policy
    before = {(b.namespace, b.name): b for b in status.service_accounts}
    held = situation.holders
    accounts = situation.service_accounts
    actions += diff_accounts.bind(desired.service_accounts, accounts, before, held, making=policy == "Create")
    for role in old:
        actions += diff_role.disarm(role, disarmed(role, irsa.key, situation), "the role was renamed")
    if policy != "None":
        wanted = {account.key for account in desired.service_accounts}
        arns = {desired.role.arn, *(role.arn for role in old), *gone_arns(status, situation)}
        referenced = irsa.spec.iam_role.management_policy == "Reference"
        mine = [*old, *([observed] if observed is not None else [])]
        found = in_reach(irsa, before, situation) if referenced else released(irsa, before, situation, mine, arns)
        leaving = found - wanted - held.keys()
        why = "no longer among the object's ServiceAccounts"
        actions += diff_accounts.release(leaving, accounts, before, arns, why)
        leaving = in_reach(irsa, before, situation) - wanted - held.keys()
        actions += diff_accounts.release(leaving, accounts, before, named_arns(irsa, situation) - arns, why)
    for role in old:
        actions += diff_role.remove(role, f"renamed to {desired.role.name}", entry(irsa.status, role.name))
    return Decision(
        plan=Plan(tuple(actions)),
        desired=desired,
        role=observed,
        accounts_problem=_accounts_problem(irsa, desired, situation, making=policy == "Create"),
        role_warning=problems.role_warning(irsa.spec, desired, observed, situation.facts),
        before=status,
        old_roles=old,
        bound=_bound(desired, situation, making=policy == "Create"),
        foreign_inline=diff_role.foreign_inline(desired.role, observed, inline_before) if observed else (),
        adoption=adoption,
    )


def _accounts_problem(irsa: IRSA, desired: Desired, situation: Situation, *, making: bool) -> Problem | None:
    held = held_by_others(
        irsa,
        desired,
        situation,
        "It was left as it is; the role and this object's other ServiceAccounts are in place.",
    )
    if held is not None:
        return held
    absent = [] if making else [a.key for a in desired.service_accounts if a.key not in situation.service_accounts]
    if absent:
        bound = len(desired.service_accounts) - len(absent)
        missing = [f"{namespace}/{name}" for namespace, name in absent]
        return Problem("ServiceAccountMissing", {"missing": missing, "bound": bound})
    if desired.reach.missing:
        missing_namespaces = desired.reach.missing
        said = (
            f"Namespace {missing_namespaces[0]} doesn't"
            if len(missing_namespaces) == 1
            else f"Namespaces {listed(missing_namespaces)} don't"
        )
        return Problem("NamespaceNotFound", {"missing": f"{said} exist", "bound": len(desired.service_accounts)})
    return None


def held_by_others(irsa: IRSA, desired: Desired, situation: Situation, left: str) -> Problem | None:
    """The first of the ServiceAccounts that others hold."""
    held = [a for a in desired.service_accounts if a.key in situation.holders]
    if not held:
        return None
    account = f"{held[0].namespace}/{held[0].name}"
    more = f" (and {len(held) - 1} more)" if len(held) > 1 else ""
    holder = problems.named(situation.holders[held[0].key], irsa, situation.facts)
    return Problem("Conflict", {"thing": f"ServiceAccount {account}{more}", "holder": holder, "left": left})


def _bound(desired: Desired, situation: Situation, *, making: bool) -> tuple[BoundServiceAccount, ...]:
    bound = []
    for account in desired.service_accounts:
        there = situation.service_accounts.get(account.key)
        if account.key in situation.holders or (there is not None and there.deleting) or (there is None and not making):
            continue
        made = there is None or there.made
        annotations, labels = diff_accounts.remembered(account, made=made)
        origin = "Created" if made else "Found"
        bound.append(BoundServiceAccount(account.namespace, account.name, origin, annotations, labels))
    return tuple(bound)
