"""`irsa-manager release`: give IRSAs up; everything in AWS and in the cluster stays as it is."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from irsa_manager.cli.place import (
    Account,
    Context,
    Endpoint,
    Kubeconfig,
    Operator,
    Place,
    Profile,
    Region,
    Where,
    Yes,
    confirm,
    one_key,
    open_place,
)

if TYPE_CHECKING:
    from irsa_manager.api.irsa import IRSA
    from irsa_manager.kube.client import Kube


def release(
    target: Annotated[str, typer.Argument(metavar="[NS/NAME]", help="The IRSA.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Every IRSA of the cluster, or of -n's namespace.")] = False,
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="The IRSA's namespace.")] = "",
    yes: Yes = False,
    timeout: Annotated[str, typer.Option(help="How long to wait for the controller.")] = "60s",
    operator_namespace: Operator = "",
    kubeconfig: Kubeconfig = "",
    context: Context = "",
    profile: Profile = "",
    region: Region = "",
    endpoint_url: Endpoint = "",
    account: Account = "",
) -> int:
    """Give IRSAs up: roles, policies, trusts and annotations stay; an adopted role gets back what it had.

    Sets the annotation irsa-manager.kkb0318.github.io/release=true and waits for the controller to let go; without a
    live one it does that itself. While the annotation stands the object is left alone. Before an uninstallation:
    --all. Exit status 1 if one wasn't let go.
    """
    import asyncio

    from irsa_manager.api.errors import UsageError
    from irsa_manager.cli.durations import parse_duration
    from irsa_manager.cli.logs import configure_logs
    from irsa_manager.kube.operator_namespace import operator_namespace as own

    configure_logs("error")
    if bool(target) == everything:
        raise UsageError("Usage", "Name one IRSA, or --all.", left="Nothing was tried.", hint="Write NAMESPACE/NAME.")
    home, name = one_key(target, namespace) if target else (namespace, "")
    seconds = parse_duration("--timeout", timeout)
    where = Where(kubeconfig, context, profile, region, endpoint_url, account)
    return asyncio.run(_release(home, name, yes, seconds, own(operator_namespace), where))


async def _release(namespace: str, name: str, yes: bool, seconds: float, operator: str, where: Where) -> int:
    from msgspec import UNSET

    from irsa_manager.api import names
    from irsa_manager.controller.releasing import controller_is_live
    from irsa_manager.controller.setup import Resolved
    from irsa_manager.kube.resources import IRSAS

    async with open_place(where) as place:
        kube = place.kube
        irsas = await _targets(kube, namespace, name)
        lives = await controller_is_live(kube, operator)
        by_itself = not lives and any(irsa.status.adoption is not UNSET for irsa in irsas)
        head = await place.head(Resolved()) if by_itself else f"On cluster {kube.server}"
        print("\n".join(intention(head, irsas, lives=lives)), file=sys.stderr)
        if not irsas:
            return 0
        confirm("The release", f"Release {len(irsas)}?", yes=yes)
        patch = {"metadata": {"annotations": {names.ANNOTATION_RELEASE: "true"}}}
        marked = [await kube.merge_patch(IRSAS, i.metadata.namespace, i.metadata.name, patch) for i in irsas]
        if lives:
            told = {irsa.key: await _let_go_by_controller(kube, irsa, seconds) for irsa in marked}
        else:
            told = await _let_go_here(place, operator, marked)
    for key, wrong in told.items():
        print(f"{'NOT' if wrong else 'ok':4}IRSA {key} {f'let go: {wrong}' if wrong else 'let go'}")
    return 1 if any(told.values()) else 0


def intention(head: str, irsas: list[IRSA], *, lives: bool) -> list[str]:
    """What is going to be done. head: where."""
    from msgspec import UNSET

    if not irsas:
        return [f"{head}: there are no IRSAs."]
    who = "the controller lets them go" if lives else "no controller is live: this command lets them go"
    lines = [f"{head}; {who}"]
    for irsa in irsas:
        role = irsa.status.role
        name = f"role {role.name} ({role.account_id})" if role.name else "no role yet"
        end = "gets back what it had before it was adopted" if irsa.status.adoption is not UNSET else "stays as it is"
        lines.append(f"  release IRSA {irsa.key}: {name} {end}")
    return lines


async def _targets(kube: Kube, namespace: str, name: str) -> list[IRSA]:
    from irsa_manager.api.errors import KubernetesError
    from irsa_manager.kube.errors import CODE_REFUSED
    from irsa_manager.kube.resources import IRSAS

    if not name:
        return sorted(await kube.list(IRSAS, namespace or None), key=lambda irsa: irsa.key)
    one = await kube.get(IRSAS, namespace, name)
    if one is None:
        raise KubernetesError(
            CODE_REFUSED,
            f"There is no IRSA {namespace}/{name}.",
            left="Nothing was changed.",
            hint="irsa-manager status lists all.",
        )
    return [one]


async def _let_go_by_controller(kube: Kube, irsa: IRSA, seconds: float) -> str:
    """Wait for the controller; what is wrong where it doesn't let go in that time."""
    import asyncio

    from irsa_manager.controller.releasing import released
    from irsa_manager.kube.resources import IRSAS

    namespace, name = irsa.metadata.namespace, irsa.metadata.name
    now: IRSA | None = irsa
    try:
        async with asyncio.timeout(seconds):
            while not released(now):
                await asyncio.sleep(0.3)
                now = await kube.get(IRSAS, namespace, name)
    except TimeoutError:
        ready = now.status.condition("Ready") if now is not None else None
        why = ready.message if ready is not None and ready.status == "False" else "irsa-manager status says more."
        return f"not within {seconds:g} s; the annotation stays. {why}"
    return ""


async def _let_go_here(place: Place, operator: str, irsas: list[IRSA]) -> dict[str, str]:
    """Do what a controller would. AWS is asked only where an adopted role is to be given back."""
    from msgspec import UNSET

    from irsa_manager.api.errors import UsageError
    from irsa_manager.controller.marks import read_mark_keys
    from irsa_manager.controller.releasing import release_here
    from irsa_manager.controller.roles import RoleStore
    from irsa_manager.controller.setup import Resolved
    from irsa_manager.controller.survey import Survey, survey
    from irsa_manager.controller.view import ClusterView
    from irsa_manager.plan.mark import MarkKeys

    plain = [irsa for irsa in irsas if irsa.status.adoption is UNSET]
    adopted = [irsa for irsa in irsas if irsa.status.adoption is not UNSET]
    nothing = Survey(ClusterView(RoleStore()), Resolved(), MarkKeys(b""))
    told = await release_here(place.kube, place.aws, nothing, plain)
    if adopted:
        keys = await read_mark_keys(place.kube, operator)
        if keys is None:
            raise UsageError(
                "OwnershipUnknown",
                "Secret irsa-manager-mark isn't there: what the adopted roles had can't be verified.",
                left="They were left as they are.",
                hint="Restore the Secret from your backup, then run it again.",
            )
        found = await survey(place.kube, place.aws, operator, keys, drafts=adopted)
        told |= await release_here(place.kube, place.aws, found, adopted)
    return told
