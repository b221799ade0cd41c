"""The plan of the sample by the one path that everything walks: look, decide."""

from __future__ import annotations

from irsa_manager.api import names
from irsa_manager.api.errors import SandboxError
from irsa_manager.api.irsa import IRSA
from irsa_manager.aws.calls import Aws
from irsa_manager.aws.snapshot import sweep
from irsa_manager.controller.marks import load_mark_keys
from irsa_manager.controller.setup import SetupResolver
from irsa_manager.controller.view import observe
from irsa_manager.kube.client import Kube
from irsa_manager.kube.resources import IRSASETUPS, NAMESPACES, SERVICE_ACCOUNTS
from irsa_manager.plan.facts import NamespaceFact, Situation
from irsa_manager.plan.planner import Decision, decide


async def look(kube: Kube, aws: Aws, namespace: str = names.DEFAULT_NAMESPACE) -> Situation:
    """Cluster and account as they are now, for an operator of that namespace.

    Raises KubernetesError, AwsError, and SandboxError where the cluster's issuer can't be told.
    """
    keys = await load_mark_keys(kube, namespace)
    resolved = await SetupResolver(kube, aws, namespace, "").resolve(await kube.list(IRSASETUPS), ())
    if resolved.error is not None:
        raise resolved.error
    if resolved.facts is None:
        code = resolved.problem.code if resolved.problem else "SandboxFailed"
        raise SandboxError(code, "The sandbox's cluster doesn't tell its issuer.")
    spaces = await kube.list(NAMESPACES)
    accounts = [observe(account) for account in await kube.list(SERVICE_ACCOUNTS)]
    return Situation(
        facts=resolved.facts,
        keys=keys,
        namespaces={n.metadata.name: NamespaceFact(n.metadata.labels, n.terminating) for n in spaces},
        roles=(await sweep(aws, descriptions=False)).roles,
        service_accounts={(account.namespace, account.name): account for account in accounts},
    )


async def plan(kube: Kube, aws: Aws, irsa: IRSA) -> tuple[Situation, Decision]:
    """What the controller would do for the object now, and what that was decided from. Raises as look does."""
    situation = await look(kube, aws)
    return situation, decide(irsa, situation)
