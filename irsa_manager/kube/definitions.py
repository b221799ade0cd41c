"""Installing the CustomResourceDefinitions, and waiting until the API server serves them."""

from __future__ import annotations

import asyncio
from typing import Any

from irsa_manager.api import crd
from irsa_manager.api.errors import KubernetesError
from irsa_manager.kube.client import Kube
from irsa_manager.kube.errors import KubeNotFound
from irsa_manager.kube.resources import CRDS


async def install(
    kube: Kube, definitions: list[dict[str, Any]] | None = None, *, timeout_seconds: float = 30
) -> dict[str, str]:
    """Create or upgrade the definitions (default: ours), and wait until the kinds are served (0: don't wait).

    Returns "created" or "up to date" by name. Raises KubernetesError.

    Not server-side apply: rules and columns that Helm or another version of this program wrote would stay, since they
    have another owner (Kubernetes documentation, "Server-Side Apply", merge strategy). A merge patch replaces the list
    of versions as a whole, and needs no right but patch where the definition exists.
    """
    done: dict[str, str] = {}
    for definition in crd.definitions() if definitions is None else definitions:
        name = definition["metadata"]["name"]
        try:
            found = await kube.merge_patch(CRDS, None, name, {"spec": definition["spec"]})
            done[name] = "up to date"
        except KubeNotFound:
            found = await kube.create(CRDS, definition)
            done[name] = "created"
        if timeout_seconds and not found.established:
            await _established(kube, name, timeout_seconds)
    return done


async def _established(kube: Kube, name: str, timeout_seconds: float) -> None:
    try:
        async with asyncio.timeout(timeout_seconds):
            while (found := await kube.get(CRDS, None, name)) is None or not found.established:
                version = found.metadata.resource_version if found is not None else "0"
                async with kube.watch(CRDS, version) as events:
                    async for event in events:
                        if event.object and event.object.metadata.name == name and event.object.established:
                            return
    except TimeoutError as error:
        raise KubernetesError(
            "KubernetesRefused",
            f"CustomResourceDefinition {name} isn't served after {timeout_seconds:g} s.",
            left="It is installed.",
            hint=f"kubectl describe crd {name} says why.",
            object=f"CustomResourceDefinition {name}",
        ) from error
