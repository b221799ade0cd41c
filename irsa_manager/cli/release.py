"""`irsa-manager release`: give IRSAs up; everything in AWS and in the cluster stays as it is."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from irsa_manager.cli.options import Manner, Operator, Where, Yes, spread
from irsa_manager.cli.output import Colour, painted
from irsa_manager.cli.place import Place, one_key, open_place
from irsa_manager.cli.tables import fitted, shown, width_of

if TYPE_CHECKING:
    from irsa_manager.api.irsa import IRSA
    from irsa_manager.cli.course import Course
    from irsa_manager.kube.client import Kube


@spread
def release(
    target: Annotated[str, typer.Argument(metavar="[NS/NAME]", help="The IRSA.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Every IRSA of the cluster, or of -n's namespace.")] = False,
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="The IRSA's namespace.")] = "",
    yes: Yes = False,
    operator_namespace: Operator = "",
    *,
    where: Where,
    manner: Manner,
) -> int:
    """Give IRSAs up: roles, policies, trusts and annotations stay; an adopted role gets back what it had.

    Sets the annotation irsa-manager.kkb0318.github.io/release=true and waits for the controller to let go; without a
    live one it does that itself. While the annotation stands the object is left alone. Before an uninstallation:
    --all. Exit status 1 if one wasn't let go.
    """
    from irsa_manager.api.errors import UsageError
    from irsa_manager.cli.course import Course
    from irsa_manager.kube.operator_namespace import operator_namespace as own

    course = Course(manner)
    if bool(target) == everything:
        raise UsageError("Usage", "Name one IRSA, or --all.", left="Nothing was tried.", hint="Write NAMESPACE/NAME.")
    home, name = one_key(target, namespace) if target else (namespace, "")
    operator = own(operator_namespace)
    return course.run(lambda course: _release(course, home, name, yes, operator, where))


async def _release(course: Course, namespace: str, name: str, yes: bool, operator: str, where: Where) -> int:
    from msgspec import UNSET

    from irsa_manager.controller.releasing import controller_is_live
    from irsa_manager.controller.setup import Resolved

    async with open_place(where) as place:
        kube = place.kube
        course.at(f"the API server {kube.server} to list the objects")
        irsas = await _targets(kube, namespace, name)
        lives = await controller_is_live(kube, operator)
        by_itself = not lives and any(irsa.status.adoption is not UNSET for irsa in irsas)
        head = await place.head(Resolved()) if by_itself else f"On cluster {kube.server}"
        told = intention(head, irsas, lives=lives)
        # Nobody is to say yes to what he hasn't seen, however quiet he wants it.
        shown(told, sys.stderr) if irsas and not yes else course.aside(*told)
        if not irsas:
            return 0
        course.confirm("The release", f"Release {len(irsas)}?", yes=yes)
        marked = await _mark(course, kube, irsas)
        if lives:
            return await _let_go_by_controller(course, kube, marked)
        course.at("cluster and account to let the IRSAs go", f"{_stays(marked)} Run it again: it goes on.")
        wrong = await _let_go_here(place, operator, marked)
    for key, why in wrong.items():
        _tell(key, why)
    return 1 if any(wrong.values()) else 0


def _tell(key: str, wrong: str) -> None:
    word, colour = ("NOT", Colour.BAD) if wrong else ("ok", Colour.GOOD)
    line = f"{word:4}IRSA {key} let go{f': {wrong}' if wrong else ''}"
    first, *rest = fitted([line], width_of(sys.stdout))
    print("\n".join([painted(word, colour, sys.stdout) + first[len(word) :], *rest]), flush=True)


def _stays(irsas: list[IRSA]) -> str:
    return f"The annotation stays on {irsas[0].key}{f' and {len(irsas) - 1} more' if irsas[1:] else ''}."


async def _mark(course: Course, kube: Kube, irsas: list[IRSA]) -> list[IRSA]:
    """Put the annotation on each of them."""
    from irsa_manager.api import names
    from irsa_manager.kube.resources import IRSAS

    patch = {"metadata": {"annotations": {names.ANNOTATION_RELEASE: "true"}}}
    marked: list[IRSA] = []
    for irsa in irsas:
        left = (
            f"{len(marked)} of {len(irsas)} have the annotation, IRSA {irsa.key} may have it. Run it again: it goes on."
        )
        course.at(f"the API server to annotate IRSA {irsa.key}", left)
        marked.append(await kube.merge_patch(IRSAS, irsa.metadata.namespace, irsa.metadata.name, patch))
    return marked


def intention(head: str, irsas: list[IRSA], *, lives: bool) -> list[str]:
    """What is going to be done. head: where."""
    from msgspec import UNSET

    if not irsas:
        return [f"{head}: there are no IRSAs."]
    who = "the controller lets them go" if lives else "no controller is live: this command lets them go"
    lines = [f"{head}; {who}"]
    for irsa in irsas:
        role = irsa.status.role
        what = f"role {role.name} ({role.account_id}) stays as it is" if role.name else "it has no role yet"
        if irsa.status.adoption is not UNSET:
            what = f"role {role.name} ({role.account_id}) gets back what it had before it was adopted"
        lines.append(f"  release IRSA {irsa.key}: {what}")
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


async def _let_go_by_controller(course: Course, kube: Kube, irsas: list[IRSA]) -> int:
    """Wait until the controller has let all of them go, and tell of each as it goes, or is left when time is up."""
    import asyncio

    from irsa_manager.controller.releasing import released
    from irsa_manager.kube.resources import IRSAS

    waiting = {irsa.key: irsa for irsa in irsas}
    try:
        while waiting:
            for key, irsa in list(waiting.items()):
                first = next(iter(waiting))
                more = f" and {len(waiting) - 1} more" if len(waiting) > 1 else ""
                left = f"{_stays([*waiting.values()])} The controller lets go as soon as it can."
                course.at(f"the controller to let IRSA {first}{more} go", left)
                now = await kube.get(IRSAS, irsa.metadata.namespace, irsa.metadata.name)
                if now is None or released(now):
                    del waiting[key]
                    _tell(key, "")
                else:
                    waiting[key] = now
            await asyncio.sleep(0.3 if waiting else 0)
    except asyncio.CancelledError:
        for irsa in irsas:
            if irsa.key in waiting:
                # What was there before may have nothing to do with the release.
                ready, before = (each.status.condition("Ready") for each in (waiting[irsa.key], irsa))
                news = ready is not None and ready.status == "False" and ready != before
                _tell(irsa.key, f"not yet. {ready.message if ready and news else 'irsa-manager status may say more.'}")
        raise
    return 0


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
