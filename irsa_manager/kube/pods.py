"""The pods that use a ServiceAccount."""

from __future__ import annotations

from typing import Final

from irsa_manager.kube.client import Kube
from irsa_manager.kube.resources import PODS

LIVING: Final = "status.phase!=Succeeded,status.phase!=Failed"
"""https://kubernetes.io/docs/concepts/overview/working-with-objects/field-selectors/#list-of-supported-fields"""


async def living_pods(kube: Kube, namespace: str, account: str) -> list[str]:
    """Names of the pods that use that ServiceAccount and aren't over. Raises KubernetesError."""
    which = f"spec.serviceAccountName={account},{LIVING}"
    pages = kube.pages(PODS, namespace, field_selector=which, metadata_only=True)
    return sorted([pod.metadata.name async for page in pages for pod in page.items])
