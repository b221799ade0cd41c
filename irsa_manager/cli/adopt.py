"""`irsa-manager adopt --all-mine`: sign roles that were this cluster's and can't be known as such any more."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from irsa_manager.cli.options import Manner, Operator, Where, Yes, spread
from irsa_manager.cli.output import Colour, painted
from irsa_manager.cli.place import open_place
from irsa_manager.cli.tables import shown

if TYPE_CHECKING:
    from irsa_manager.cli.course import Course
    from irsa_manager.controller.resigning import Candidate
    from irsa_manager.kube.client import Kube
    from irsa_manager.plan.mark import MarkKeys


@spread
def adopt(
    all_mine: Annotated[bool, typer.Option("--all-mine", help="All roles that were this cluster's.")] = False,
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Only IRSAs of this namespace.")] = "",
    yes: Yes = False,
    operator_namespace: Operator = "",
    *,
    where: Where,
    manner: Manner = Manner(timeout="10m"),  # noqa: B008  (read by spread; without a sweep each role is a call)
) -> int:
    """List the roles that plainly were this cluster's but bear no mark that verifies; then sign them.

    They are the Go program's, or their mark's key is lost. For administrators: it takes get on Secret
    irsa-manager-mark and patch on irsas/status. The controller takes the roles over by itself afterwards. (To take a
    role over that somebody else made: managementPolicy: Adopt in its IRSA.)
    """
    from irsa_manager.api.errors import UsageError
    from irsa_manager.cli.course import Course
    from irsa_manager.kube.operator_namespace import operator_namespace as own

    course = Course(manner)
    if not all_mine:
        raise UsageError(
            "Usage",
            "Say what: --all-mine.",
            left="Nothing was tried.",
            hint="For a role that somebody else made set iamRole.managementPolicy: Adopt in its IRSA.",
        )
    operator = own(operator_namespace)
    return course.run(lambda course: _adopt(course, namespace, yes, operator, where))


async def _adopt(course: Course, namespace: str, yes: bool, operator: str, where: Where) -> int:
    from irsa_manager.api.errors import IrsaError, KubernetesError
    from irsa_manager.controller.resigning import candidates, sign
    from irsa_manager.controller.survey import survey
    from irsa_manager.controller.trouble import unresolved
    from irsa_manager.kube.errors import KubeForbidden
    from irsa_manager.kube.resources import IRSAS

    async with open_place(where) as place:
        course.at(f"the cluster {place.kube.server} and the account's roles to be read")
        keys = await _keys(place.kube, operator)
        irsas = await place.kube.list(IRSAS, namespace or None)
        found = await survey(place.kube, place.aws, operator, keys, drafts=irsas)
        if found.resolved.facts is None:
            told = unresolved(found.resolved)
            raise IrsaError(told.code, told.message, left="Nothing was changed.")
        listed = candidates(found, namespace)
        signing = [candidate for candidate in listed if not candidate.rival]
        if not (course.quiet and yes and signing):  # nobody is to say yes to what he hasn't seen
            shown([await place.head(found.resolved), *lines(listed)], sys.stdout)
        if not signing:
            return 0
        course.confirm("The signing", f"Sign {len(signing)}?", yes=yes)
        failed = 0
        for number, candidate in enumerate(signing):
            key, after = candidate.irsa.key, len(signing) - number - 1
            left = f"{number - failed} signed; IRSA {key} may be or not, the {after} after it aren't. Run it again."
            course.at(f"the API server to write the status of IRSA {key}", left)
            try:
                await sign(place.kube, candidate, found.resolved.facts, keys)
            except KubeForbidden as error:
                error.left = "This IRSA and those after it in the list were left as they are."
                error.hint = "Signing needs patch on irsas/status: run it as a cluster administrator."
                raise
            except KubernetesError as error:
                failed += 1
                word = painted("NOT", Colour.BAD, sys.stderr)
                print(f"{word} IRSA {candidate.irsa.key}: {error.message}", file=sys.stderr, flush=True)
            else:
                word = painted("ok", Colour.GOOD, sys.stdout)
                print(f"{word}  IRSA {candidate.irsa.key} owns role {candidate.role.name}", flush=True)
    course.aside("Next: irsa-manager status")
    return 1 if failed else 0


def lines(listed: list[Candidate]) -> list[str]:
    """The list as an administrator judges it, and what signing means."""
    if not listed:
        return ["Every role is known by its mark, or never was this cluster's: there is nothing to sign."]
    told = []
    for candidate in listed:
        role = candidate.role
        told += [
            f"IRSA {candidate.irsa.key}",
            f"  role    {role.name}  {role.id}  created {role.created or 'at an unknown time'}",
            f"  trusts  {', '.join((*candidate.trusted, *candidate.patterns)) or 'nobody of this cluster'}",
            f"  why     {candidate.why}",
        ]
        told += [f"  ! {doubt}" for doubt in candidate.doubts]
        if candidate.adopted:
            told.append("  kind    adopted: it is never deleted; what it had before isn't known any more")
        if candidate.rival:
            told.append(f"  ! not signed: IRSA {candidate.rival} would have it too; delete or rename one of them first")
    means = (
        "Signing means: from then on the role is that IRSA's. The controller rewrites its trust and policies as the "
        "spec says. The ServiceAccounts above stay bound, whatever tenancy says."
    )
    if not all(candidate.adopted for candidate in listed):
        unless = ", unless it is signed as adopted" if any(candidate.adopted for candidate in listed) else ""
        means += f" The controller deletes a role with its object if cleanup is true{unless}."
    return [*told, means]


async def _keys(kube: Kube, operator: str) -> MarkKeys:
    from irsa_manager.api.errors import KubernetesError
    from irsa_manager.controller.marks import read_mark_keys
    from irsa_manager.kube.errors import KubeForbidden

    try:
        keys = await read_mark_keys(kube, operator)
    except KubeForbidden as error:
        error.left = "Nothing was changed."
        error.hint = f"It takes get on Secret {operator}/irsa-manager-mark: run it as a cluster administrator."
        raise
    if keys is None:
        raise KubernetesError(
            "OwnershipUnknown",
            f"Secret {operator}/irsa-manager-mark has no key yet: there is nothing to sign with.",
            left="Nothing was changed.",
            hint="Start the controller: it fills the Secret. (--operator-namespace names another namespace.)",
        )
    return keys
