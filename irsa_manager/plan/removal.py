"""The end of what an object made. Pure.

A role that the object made lets nobody in first, then ServiceAccounts go, then the role. An adopted role gets back
what it had; a referenced one was never touched. A release leaves everything as it is, but gives an adopted role back.
"""

from __future__ import annotations

from msgspec import UNSET

from irsa_manager.api.irsa import IRSA
from irsa_manager.plan import diff_accounts, diff_role
from irsa_manager.plan.actions import AwsAction, KubeAction, Plan
from irsa_manager.plan.decision import Decision
from irsa_manager.plan.desired import disarmed
from irsa_manager.plan.facts import Situation
from irsa_manager.plan.mark import Whose
from irsa_manager.plan.own_roles import given_back, gone_arns, in_reach, marked_roles, named_arns, released
from irsa_manager.plan.ownership import entry, marks, trusted_status, trusts_bound, upstreams, vouched
from irsa_manager.trust import arn


def decide_deletion(irsa: IRSA, situation: Situation) -> Decision:
    """The plan that removes what an object made. With cleanup: false nothing is done: all stays as it is."""
    spec, facts = irsa.spec, situation.facts
    if spec is UNSET or not spec.cleanup:
        return Decision(plan=Plan())
    roles = marked_roles(irsa, situation, (Whose.MINE,))
    if upstreams(irsa, facts.operator_namespace):
        named = situation.roles.get(spec.iam_role.name.lower())
        made = named and named not in roles and not marks(named) and trusts_bound(named, irsa.status)
        roles += [named] if named and made else []
    if spec.iam_role.management_policy == "Reference":
        roles = [role for role in roles if role.name.lower() != spec.iam_role.name.lower()]
    adopted = marked_roles(irsa, situation, (Whose.ADOPTED,))
    arns = {role.arn for role in (*roles, *adopted)}
    borrowed = named_arns(irsa, situation)
    status = trusted_status(irsa.status, irsa.key, facts.account, situation.keys)
    known = irsa.status.role
    vouched_for = bool(known.name) and vouched(irsa.status, irsa.key, facts.account, situation.keys)
    if spec.iam_role.name and spec.iam_role.name.lower() not in situation.roles:
        # The role is gone already, but ServiceAccounts still point to it: the name in the spec tells to what.
        path = spec.iam_role.path if spec.iam_role.path is not UNSET else facts.role_defaults.path
        gone = arn.role_arn(facts.partition, facts.account, path, spec.iam_role.name)
        (arns if vouched_for and known.name.lower() == spec.iam_role.name.lower() else borrowed).add(gone)
    if (
        vouched_for
        and known.name.lower() not in situation.roles
        and arn.names_role(known.arn, facts.partition, facts.account, known.name)
    ):
        # Its path may have been another one than the spec's; the name may be an older one.
        arns.add(known.arn)
    arns |= gone_arns(status, situation)
    if spec.iam_role.management_policy == "Reference":
        referenced = situation.roles.get(spec.iam_role.name.lower())
        borrowed |= {referenced.arn} if referenced else set()
    why = "the object is being deleted"
    actions: list[AwsAction | KubeAction] = []
    for role in roles:
        actions += diff_role.disarm(role, disarmed(role, irsa.key, situation), why)
    actions += given_back(irsa, adopted, situation, why)
    before = {(b.namespace, b.name): b for b in status.service_accounts}
    # Also what another object waits for: it makes its own, and if it goes as well nobody would take this away.
    leaving = released(irsa, before, situation, (*roles, *adopted), arns)
    actions += diff_accounts.release(leaving, situation.service_accounts, before, arns, why)
    leaving = in_reach(irsa, before, situation) - situation.holders.keys()
    actions += diff_accounts.release(leaving, situation.service_accounts, before, borrowed - arns, why)
    for role in roles:
        actions += diff_role.remove(role, why, entry(irsa.status, role.name))
    return Decision(plan=Plan(tuple(actions)), old_roles=tuple(roles))


def decide_release(irsa: IRSA, situation: Situation) -> Decision:
    """The plan of a release: nothing but that an adopted role gets back what it had."""
    adopted = marked_roles(irsa, situation, (Whose.ADOPTED,))
    return Decision(plan=Plan(tuple(given_back(irsa, adopted, situation, "the object is released", closing=False))))
