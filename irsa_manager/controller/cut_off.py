"""Pods lose their Kubernetes API tokens with a ServiceAccount that is deleted: who they are is said before.

Only what may be listed is named; that it isn't known is no reason to keep a ServiceAccount that isn't asked for.
"""

from __future__ import annotations

import structlog

from irsa_manager.api.errors import KubernetesError
from irsa_manager.api.irsa import IRSA
from irsa_manager.controller.carry_out import Outcome
from irsa_manager.controller.context import Context
from irsa_manager.kube.pods import living_pods
from irsa_manager.plan import actions as do
from irsa_manager.plan.actions import KubeAction, Plan

NAMED = 5
"""Pods that the event names."""

log = structlog.get_logger("irsa_manager.controller")


async def carry_out(context: Context, irsa: IRSA, plan: Plan) -> Outcome:
    """Do the plan's actions, with a Warning just before a ServiceAccount is deleted that pods use."""
    denied = False

    async def warn(action: KubeAction) -> None:
        nonlocal denied
        if denied or not isinstance(action, do.DeleteServiceAccount) or context.reporter.told_of(irsa, action.uid):
            return
        key = f"{action.namespace}/{action.name}"
        try:
            pods = await living_pods(context.kube, action.namespace, action.name)
        except KubernetesError as error:
            log.debug("pods couldn't be listed", serviceAccount=key, error=error.message)
            denied = True
            return
        if pods:
            context.reporter.in_use(irsa, key, action.uid, len(pods), _named(pods))

    return await context.hands.carry_out(plan, warn)


def _named(pods: list[str]) -> str:
    more = f" and {len(pods) - NAMED} more" if len(pods) > NAMED else ""
    return f"{', '.join(pods[:NAMED])}{more}"
