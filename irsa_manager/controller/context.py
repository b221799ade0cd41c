"""What working on an object takes: connections, what was seen, what acts, what tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from irsa_manager.api.irsa import IRSA
from irsa_manager.aws.calls import Aws
from irsa_manager.controller.carry_out import Hands
from irsa_manager.controller.reporter import Reporter
from irsa_manager.controller.setup import Resolved
from irsa_manager.controller.view import ClusterView
from irsa_manager.kube.client import Kube
from irsa_manager.kube.resources import IRSAS
from irsa_manager.plan.mark import MarkKeys


@dataclass(frozen=True)
class Context:
    """resolved: the facts of the moment. wake: look at these objects too. guard: raises where leadership is lost.

    operator_namespace: the only one in which the Go program's objects are taken over by themselves; "" for none.
    """

    kube: Kube
    aws: Aws
    view: ClusterView
    hands: Hands
    reporter: Reporter
    keys: MarkKeys
    resolved: Callable[[], Resolved]
    wake: Callable[[set[str]], None]
    guard: Callable[[], None]
    operator_namespace: str = ""

    async def set_finalizers(self, irsa: IRSA, finalizers: list[str]) -> IRSA:
        """Write the finalizers, only if the object is still that version. Raises KubeConflict."""
        self.guard()
        version = irsa.metadata.resource_version
        patch = {"metadata": {"finalizers": finalizers or None, "resourceVersion": version}}
        written = await self.kube.merge_patch(IRSAS, irsa.metadata.namespace, irsa.metadata.name, patch)
        self.view.wrote(written)
        return written
