"""Roles that can't be read: whether one that is there is ours although nobody has answered its creation.

Rules, each tested:
1. Before CreateRole the status gets a signed intent with its time; the answer, whatever it is, ends it.
2. An intent that is found is of a creation without an answer (lost, or we died). The role that is there now counts as
   ours for INTENT_SECONDS; after that it may as well be somebody else's.
3. Where our own call is the one that IAM refuses with EntityAlreadyExists, the role isn't ours.
"""

from __future__ import annotations

from datetime import datetime

from irsa_manager.api.irsa import IRSA
from irsa_manager.controller import status as statuses
from irsa_manager.controller.context import Context
from irsa_manager.controller.trouble import spec_role
from irsa_manager.plan.facts import ClusterFacts
from irsa_manager.plan.mark import MarkKeys, intent_valid

INTENT_SECONDS = 60.0
"""How long after its probe an intent counts: what exists after longer may be somebody else's."""

SKEW_SECONDS = 5.0
"""How far in the future an intent may be: the clock of the replica that wrote it may be ahead of ours."""


def intended(irsa: IRSA, facts: ClusterFacts, keys: MarkKeys, now: str) -> bool:
    """Whether an earlier run probed, found nothing, and said so a moment ago: then what exists now is ours."""
    intent, name = irsa.status.intent, spec_role(irsa)
    if intent.role_name != name or not intent.time:
        return False
    if not intent_valid(keys, intent.mac, facts.account, name, irsa.key, intent.time):
        return False
    age = (datetime.fromisoformat(now) - datetime.fromisoformat(intent.time)).total_seconds()
    return -SKEW_SECONDS <= age < INTENT_SECONDS


async def claim(context: Context, irsa: IRSA, facts: ClusterFacts, now: str) -> IRSA:
    """The object, with the record of a role that its intent says is ours, if there is such a role."""
    role = context.view.roles.get(spec_role(irsa))
    if role is None or role.id or not intended(irsa, facts, context.keys, now):
        return irsa
    return await context.reporter.write_status(irsa, statuses.claimed(irsa, role, facts, context.keys))
