"""`irsa-manager crds print|apply`: the two CustomResourceDefinitions, from the program itself."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from irsa_manager.api import crd
from irsa_manager.api.errors import KubernetesError

if TYPE_CHECKING:
    from irsa_manager.kube.client import Kube

crds = typer.Typer(
    help="The CustomResourceDefinitions of IRSA and IRSASetup.", no_args_is_help=True, add_completion=False
)


@crds.command("print")
def print_definitions(
    output: Annotated[
        Literal["yaml", "json"], typer.Option("--output", "-o", help="yaml: two documents; json: one List.")
    ] = "yaml",
) -> None:
    """Print both definitions, for kubectl apply --server-side -f - or a Git repository."""
    if output == "json":
        import msgspec

        listed = {"kind": "List", "apiVersion": "v1", "items": crd.definitions()}
        print(msgspec.json.format(msgspec.json.encode(listed)).decode())
        return
    import yaml

    print(yaml.safe_dump_all(crd.definitions(), sort_keys=False, width=110, allow_unicode=True), end="")


@crds.command("apply")
def apply_definitions(
    kubeconfig: Annotated[Path | None, typer.Option(help="A kubeconfig file; default: kubectl's.")] = None,
    context: Annotated[str | None, typer.Option(help="A context of the kubeconfig.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait until the kinds are served; 0: don't wait.")] = 30,
) -> None:
    """Install or upgrade both definitions in the cluster. IRSAs that exist stay as they are."""
    for line in asyncio.run(_apply(kubeconfig, context, timeout)):
        print(line)


async def _apply(kubeconfig: Path | None, context: str | None, timeout_seconds: float) -> list[str]:
    from irsa_manager.kube.client import Kube

    async with Kube.connect(kubeconfig, context) as kube:
        done = await install(kube, timeout_seconds=timeout_seconds)
        return [f"ok  {name} {what}  ({kube.server})" for name, what in done.items()]


async def install(
    kube: Kube, definitions: list[dict[str, Any]] | None = None, *, timeout_seconds: float = 30
) -> dict[str, str]:
    """Create or upgrade the definitions (default: ours), and wait until the kinds are served (0: don't wait).

    Returns "created" or "up to date" by name. Raises KubernetesError.

    Not server-side apply: rules and columns that Helm or another version of this program wrote would stay, since they
    have another owner (Kubernetes documentation, "Server-Side Apply", merge strategy). A merge patch replaces the list
    of versions as a whole, and needs no right but patch where the definition exists.
    """
    from irsa_manager.kube.errors import KubeNotFound
    from irsa_manager.kube.resources import CRDS

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
    from irsa_manager.kube.resources import CRDS

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
