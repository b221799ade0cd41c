"""The demo's side of the cluster: the sample object, the bystanders, and waiting for what the controller does."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import yaml

import irsa_manager
from irsa_manager.api import names
from irsa_manager.api.errors import SandboxError
from irsa_manager.api.irsa import IRSA
from irsa_manager.kube.client import Kube
from irsa_manager.kube.decode import DELETED
from irsa_manager.kube.resources import IRSAS, NAMESPACES, SERVICE_ACCOUNTS, KubeObject, Resource

T = TypeVar("T", bound=KubeObject)

FIELD_MANAGER: Final = "irsa-manager-demo"
"""Not the manager's own: what the demo makes must not look as if the manager had made it."""

SAMPLE: Final = "irsa.yaml"
TRIED_AGAIN: Final = frozenset({"AWSUnavailable", "Throttled"})
"""Reasons of Ready that say nothing of the object."""


def sample() -> dict[str, Any]:
    """The object of examples/irsa.yaml, which the wheel carries too. Raises SandboxError where it is missing."""
    packaged = resources.files(irsa_manager) / "examples" / SAMPLE
    checkout = Path(irsa_manager.__file__).parent.parent / "examples" / SAMPLE
    for place in (packaged, checkout):
        if place.is_file():
            manifest: dict[str, Any] = yaml.safe_load(place.read_text())
            return manifest
    raise SandboxError(
        "SandboxFailed", f"examples/{SAMPLE} isn't part of this installation.", hint="install irsa-manager again"
    )


def as_irsa(manifest: dict[str, Any]) -> IRSA:
    """The manifest as the planner reads it."""
    return msgspec.convert(manifest, IRSA)


async def make(kube: Kube, resource: Resource[Any], manifest: dict[str, Any]) -> None:
    """Create an object in the demo's own name. Raises KubernetesError."""
    namespace = manifest["metadata"].get("namespace")
    body = {"apiVersion": resource.api_version, "kind": resource.kind, **manifest}
    await kube.raw("POST", resource.path(namespace), query={"fieldManager": FIELD_MANAGER}, body=body)


async def make_namespace(kube: Kube, name: str) -> None:
    """Create a namespace."""
    await make(kube, NAMESPACES, {"metadata": {"name": name}})


async def make_account(kube: Kube, namespace: str, name: str) -> None:
    """Create a ServiceAccount that nobody binds to anything."""
    await make(kube, SERVICE_ACCOUNTS, {"metadata": {"namespace": namespace, "name": name}})


async def until(
    kube: Kube, resource: Resource[T], namespace: str, name: str, wanted: Callable[[T | None], bool]
) -> T | None:
    """Watch one object until `wanted` says yes of it (None: it isn't there); what it was then.

    It has no limit of its own: put it into asyncio.timeout. Raises KubernetesError.
    """
    while True:
        found = await kube.get(resource, namespace, name)
        if wanted(found):
            return found
        version = found.metadata.resource_version if found is not None else "0"
        async with kube.watch(resource, version, namespace) as events:
            async for event in events:
                gone = event.type == DELETED and event.identity.name == name
                if gone and wanted(None):
                    return None
                if event.object is not None and event.object.metadata.name == name and wanted(event.object):
                    return event.object


def judged(irsa: IRSA | None) -> bool:
    """Whether the controller has said whether the object is ready; a call that took too long is tried again."""
    ready = irsa.status.condition("Ready") if irsa is not None else None
    return ready is not None and ready.status != "Unknown" and ready.reason not in TRIED_AGAIN


async def bound_accounts(kube: Kube, manifest: dict[str, Any], role_arn: str) -> list[str]:
    """namespace/name of the sample's ServiceAccounts that exist and, with a role_arn, point to it; sorted."""
    spec = manifest["spec"]["serviceAccount"]
    found = []
    for namespace in sorted(spec["namespaces"]):
        account = await kube.get(SERVICE_ACCOUNTS, namespace, spec["name"])
        if account is None:
            continue
        if not role_arn or account.metadata.annotations.get(names.ANNOTATION_ROLE_ARN) == role_arn:
            found.append(f"{namespace}/{spec['name']}")
    return found


async def delete_sample(kube: Kube, manifest: dict[str, Any]) -> None:
    """Ask for its deletion and wait until it is gone."""
    metadata = manifest["metadata"]
    await kube.delete(IRSAS, metadata["namespace"], metadata["name"])
    await until(kube, IRSAS, metadata["namespace"], metadata["name"], lambda irsa: irsa is None)
