"""Look at one role, as deeply as the manager's rights allow: all of it, or only whether it is there."""

from __future__ import annotations

from irsa_manager.api.errors import AwsDenied
from irsa_manager.api.irsa import IRSA
from irsa_manager.aws.calls import Aws
from irsa_manager.aws.pacing import Priority
from irsa_manager.aws.snapshot import read_attached, read_role
from irsa_manager.controller.context import Context
from irsa_manager.controller.roles import RoleStore
from irsa_manager.controller.trouble import role_arn
from irsa_manager.plan.facts import ClusterFacts
from irsa_manager.plan.observed import ObservedRole
from irsa_manager.trust.arn import role_path


async def look(
    aws: Aws, roles: RoleStore, name: str, arn: str, *, priority: Priority = Priority.INTERACTIVE
) -> ObservedRole | None:
    """The role, None where there is none; the store learns whether roles can be read at all.

    Without iam:GetRole what the last sweep showed is the most that can be known. Where there are no sweeps, or it
    showed no such role, the probe is ListAttachedRolePolicies: the role's policies are known, everything else isn't,
    its unique id is "", and its ARN and path are taken to be those of `arn`. Raises AwsError.
    """
    try:
        role = await read_role(aws, name, priority=priority)
    except AwsDenied as denied:
        if denied.action != "iam:GetRole":
            raise
    else:
        roles.blind = False
        return role
    roles.blind = True
    swept = roles.get(name) if roles.complete else None
    if swept is not None and swept.id:
        return swept
    attached = await read_attached(aws, name, priority=priority)
    if attached is None:
        return None
    return ObservedRole(name=name, arn=arn, id="", path=role_path(arn), attached=attached)


async def look_for(context: Context, irsa: IRSA, facts: ClusterFacts, name: str) -> ObservedRole | None:
    """The same for a role that the object has, had or wants. Raises AwsError."""
    return await look(context.aws, context.view.roles, name, role_arn(irsa, facts, name))


async def doubted(context: Context, irsa: IRSA, facts: ClusterFacts, name: str) -> bool:
    """Whether what is known of that role may lack what a process before this one wrote; it is read again if it helps.

    Raises AwsError.
    """
    roles = context.view.roles
    if roles.doubtful(name) and not roles.certain_in(name) and await see(context, irsa, facts, name):
        # What was decided before that was decided without it.
        return True
    return roles.doubtful(name)


async def see(context: Context, irsa: IRSA, facts: ClusterFacts, name: str) -> bool:
    """Look at that role and note what is seen; whether it is news. Raises AwsError."""
    found, roles = await look_for(context, irsa, facts, name), context.view.roles
    if found is not None and found is roles.get(name):
        # The last sweep's, since it can't be read alone: that is no news, and no look either.
        return False
    return roles.saw(name, found)
