"""Roles that were given back a moment ago, maybe by a process before this one: IAM may still show them as they were.

What such a role seems to have is then what we had written, not what is its owner's. Nothing may be written to it by
that, and nothing may be taken down as what it had.
"""

from __future__ import annotations

from msgspec import UNSET

from irsa_manager.api.irsa import IRSA
from irsa_manager.controller.clock import seconds_since
from irsa_manager.controller.context import Context
from irsa_manager.controller.intents import SKEW_SECONDS
from irsa_manager.controller.looking import doubted
from irsa_manager.controller.shown import HOLD_SECONDS
from irsa_manager.controller.trouble import role_names, spec_role
from irsa_manager.plan.decision import Decision
from irsa_manager.plan.facts import Situation
from irsa_manager.plan.mark import Whose
from irsa_manager.plan.ownership import foreign_key, owner_of, trusted_status


async def unseen(context: Context, irsa: IRSA, situation: Situation, decision: Decision | None = None) -> bool:
    """Whether a role that the object would write may have been given back without IAM's showing it yet.

    Its marks say that the object has adopted it, or another one had it that is to be adopted now; and nothing says what
    it had. Where roles are read one by one the trust that bears the marks may be shown as it is now, and the policies
    as they were: of no role that is to be adopted the marks alone tell. decision: of a living object. Raises AwsError.
    """
    facts, roles = situation.facts, context.view.roles
    names = _adopted(irsa, situation)
    if decision is not None and decision.adopting:
        role = roles.get(spec_role(irsa))
        if role is not None and (roles.singly or foreign_key(role)):
            names.add(role.name)
    return any([await doubted(context, irsa, facts, name) for name in sorted(names)])


def _adopted(irsa: IRSA, situation: Situation) -> set[str]:
    """The object's roles that it has adopted by their marks, where its status doesn't say what they had."""
    facts, keys = situation.facts, situation.keys
    status = trusted_status(irsa.status, irsa.key, facts.account, keys)
    told = {status.role.name.lower()} if status.adoption is not UNSET else set()
    named = {name.lower() for name in role_names(irsa)} - told
    known = [role for name in named if (role := situation.roles.get(name)) is not None]
    namespace = facts.operator_namespace
    return {role.name for role in known if owner_of(role, irsa, facts.account, keys, namespace) is Whose.ADOPTED}


def lately(context: Context, irsa: IRSA, situation: Situation, now: str) -> bool:
    """Whether the role that is to be adopted was written a moment ago, be it by a process before this one."""
    assert irsa.spec is not UNSET  # noqa: S101  (incomplete() was asked first)
    status = trusted_status(irsa.status, irsa.key, situation.facts.account, situation.keys)
    if irsa.spec.iam_role.management_policy != "Adopt" or status.adoption is not UNSET:
        return False
    ready, roles, name = irsa.status.condition("Ready"), context.view.roles, spec_role(irsa)
    times = [irsa.status.last_sync_time, ready.last_transition_time if ready and ready.reason == "Released" else ""]
    ages = [age for time in times if (age := seconds_since(time, now)) is not None]
    if roles.young and any(-SKEW_SECONDS <= age <= HOLD_SECONDS for age in ages):
        return True
    role = roles.get(name)
    ours = role is not None and context.view.verdicts.mine(irsa, role, situation)
    return not ours and roles.settling(name)
