"""`irsa-manager crds print|apply`: the two CustomResourceDefinitions, from the program itself."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Literal

import typer

from irsa_manager.api import crd
from irsa_manager.cli.durations import parse_duration

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
    timeout: Annotated[
        str, typer.Option(help="How long to wait until the kinds are served, as 30s or 2m; 0s: don't wait.")
    ] = "30s",
) -> None:
    """Install or upgrade both definitions in the cluster. IRSAs that exist stay as they are."""
    for line in asyncio.run(_apply(kubeconfig, context, parse_duration("--timeout", timeout))):
        print(line)


async def _apply(kubeconfig: Path | None, context: str | None, timeout_seconds: float) -> list[str]:
    from irsa_manager.kube.client import Kube
    from irsa_manager.kube.definitions import install

    async with Kube.connect(kubeconfig, context) as kube:
        done = await install(kube, timeout_seconds=timeout_seconds)
        return [f"ok  {name} {what}  ({kube.server})" for name, what in done.items()]
