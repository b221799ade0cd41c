"""The plan of the sample by the one path that everything walks: look, decide."""

from __future__ import annotations

from irsa_manager.api import names
from irsa_manager.api.errors import SandboxError
from irsa_manager.api.irsa import IRSA
from irsa_manager.aws.calls import Aws
from irsa_manager.controller.marks import load_mark_keys
from irsa_manager.controller.survey import survey
from irsa_manager.kube.client import Kube
from irsa_manager.plan.decision import Decision
from irsa_manager.plan.facts import Situation
from irsa_manager.plan.planner import decide


async def plan(
    kube: Kube, aws: Aws, irsa: IRSA, namespace: str = names.DEFAULT_NAMESPACE
) -> tuple[Situation, Decision]:
    """What the controller would do for the object now, and what that was decided from.

    Raises KubernetesError, AwsError, and SandboxError where the cluster's issuer can't be told.
    """
    found = await survey(kube, aws, namespace, await load_mark_keys(kube, namespace), drafts=(irsa,))
    if found.resolved.facts is None:
        code = found.resolved.problem.code if found.resolved.problem else "SandboxFailed"
        raise SandboxError(code, "The sandbox's cluster doesn't tell its issuer.")
    situation = found.situation(irsa)
    return situation, decide(irsa, situation)
