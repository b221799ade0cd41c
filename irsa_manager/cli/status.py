"""`irsa-manager status`: who may act as which role, which IRSAs are ready, and why the others aren't."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from irsa_manager.cli.options import Manner, Output, Where, spread
from irsa_manager.cli.output import Colour, painted
from irsa_manager.cli.place import aws_settings, check_account, one_key, print_data

if TYPE_CHECKING:
    from irsa_manager.api.irsa import IRSA
    from irsa_manager.api.irsasetup import IRSASetup
    from irsa_manager.cli.course import Course
    from irsa_manager.cli.status_lines import Seen
    from irsa_manager.kube.client import Kube

ROLES = 100
"""Roles that are read for LAST USED, one call each; more aren't, so that a large cluster's status costs AWS nothing."""

AWS_SECONDS = 5.0
"""How long AWS is waited for: what it knows is an extra, and the rest is at hand."""


@spread
def status(
    target: Annotated[str, typer.Argument(metavar="[NS/NAME]", help="One IRSA; default: all that are asked for.")] = "",
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Only this namespace's.")] = "",
    all_namespaces: Annotated[bool, typer.Option("--all-namespaces", "-A", help="All namespaces' (default).")] = False,
    output: Output = "table",
    *,
    where: Where,
    manner: Manner,
) -> int:
    """Show which ServiceAccounts have which role, and what the controller says of what isn't ready.

    PODS (may you list pods?) and LAST USED (iam:GetRole, up to 100 roles) are - where they can't be seen; a role that
    was never used has - too. Exit status 0 if all is ready, 2 if something isn't.
    """
    from irsa_manager.api.errors import UsageError
    from irsa_manager.cli.course import Course

    course = Course(manner, as_data=output in {"json", "yaml"})
    if all_namespaces and (namespace or target):
        raise UsageError(
            "Usage", "-A and a namespace exclude each other.", left="Nothing was tried.", hint="Leave -A out."
        )
    place, name = one_key(target, namespace) if target else (namespace, "")
    return course.run(lambda course: _status(course, place, name, output, where))


async def _status(course: Course, namespace: str, name: str, output: str, where: Where) -> int:
    from irsa_manager.cli.status_lines import as_data, judged, lines
    from irsa_manager.cli.tables import width_of

    setups, irsas, seen = await _read(course, namespace, name, where)
    if output in {"json", "yaml"}:
        print_data("Status", as_data(setups, irsas, seen), output)
    else:
        width = 0 if output == "wide" else width_of(sys.stdout)
        wide = output == "wide"
        print("\n".join(lines(setups, irsas, seen, datetime.now(UTC), wide=wide, width=width, paint=_in_colour)))
    verdicts = {judged(setup)[0] for setup in setups} | {judged(irsa)[0] for irsa in irsas}
    return 0 if verdicts <= {"True"} else 2


def _in_colour(head: str, cell: str) -> str:
    colours = {"yes": Colour.GOOD, "NO": Colour.BAD, "?": Colour.CHANGED}
    return painted(cell, colours.get(cell.strip()) if head == "READY" else None, sys.stdout)


async def _read(course: Course, namespace: str, name: str, where: Where) -> tuple[list[IRSASetup], list[IRSA], Seen]:
    from irsa_manager.api.errors import KubernetesError
    from irsa_manager.cli.status_lines import Seen
    from irsa_manager.kube.client import Kube
    from irsa_manager.kube.errors import CODE_REFUSED
    from irsa_manager.kube.resources import IRSAS, IRSASETUPS

    async with Kube.connect(where.kubeconfig or None, where.context or None) as kube:
        course.at(f"the API server {kube.server} to list the objects")
        setups: list[IRSASetup] = []
        if name:
            one = await kube.get(IRSAS, namespace, name)
            if one is None:
                raise KubernetesError(
                    CODE_REFUSED, f"There is no IRSA {namespace}/{name}.", hint="irsa-manager status lists all."
                )
            irsas = [one]
        else:
            setups = sorted(await kube.list(IRSASETUPS, namespace or None), key=lambda s: s.key)
            irsas = sorted(await kube.list(IRSAS, namespace or None), key=lambda i: i.key)
        course.at(f"the API server {kube.server} to list pods")
        pods = await _pods(kube, irsas)
        course.at("AWS to say when the roles were used")
        return setups, irsas, Seen(pods, await _last_used(irsas, where))


async def _pods(kube: Kube, irsas: Iterable[IRSA]) -> dict[tuple[str, str], int] | None:
    """The pods that aren't over, by namespace and ServiceAccount; None where they may not be listed."""
    import asyncio

    from irsa_manager.cli.pod_counts import AT_ONCE
    from irsa_manager.cli.status_lines import accounts_of
    from irsa_manager.kube.errors import KubeForbidden
    from irsa_manager.kube.pods import LIVING
    from irsa_manager.kube.resources import PODS

    found: dict[tuple[str, str], int] = {}
    denied: list[str] = []
    turn = asyncio.Semaphore(AT_ONCE)

    async def count(namespace: str) -> None:
        async with turn:
            if denied:
                return
            try:
                # Not account by account, as a plan does: a large cluster has many, and all of them are shown here.
                async for page in kube.pages(PODS, namespace, field_selector=LIVING):
                    for pod in page.items:
                        key = (namespace, pod.spec.service_account_name)
                        found[key] = found.get(key, 0) + 1
            except KubeForbidden:
                denied.append(namespace)

    spaces = sorted({ns for irsa in irsas for ns, _ in accounts_of(irsa) if ns != "-"})
    await asyncio.gather(*(count(space) for space in spaces))
    return None if denied else found


async def _last_used(irsas: Iterable[IRSA], where: Where) -> dict[str, datetime]:
    """When AWS saw each role at work last, by ARN; nothing where AWS can't be asked."""
    import asyncio

    from irsa_manager.api.errors import AwsError
    from irsa_manager.aws.credentials import AwsSettings
    from irsa_manager.aws.session import open_aws
    from irsa_manager.aws.snapshot import read_last_used

    arns = sorted({irsa.status.role.arn for irsa in irsas if irsa.status.role.arn})
    if not arns or len(arns) > ROLES:
        return {}
    try:
        async with (
            asyncio.timeout(AWS_SECONDS),
            open_aws(aws_settings(where, AwsSettings.from_environment(os.environ))) as aws,
        ):
            await check_account(aws, where)
            times = await asyncio.gather(*(read_last_used(aws, arn) for arn in arns))
    except (AwsError, TimeoutError):
        # The status is the API server's; what AWS could add is shown as not seen.
        return {}
    return {arn: time for arn, time in zip(arns, times, strict=True) if time is not None}
