"""`irsa-manager plan`: what the controller would do for these manifests, by the controller's own planner."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from irsa_manager.cli.options import Manner, Operator, Output, Where, spread
from irsa_manager.cli.output import Colour, painted
from irsa_manager.cli.place import open_place, print_data

SHORTEST_KEY = 16
"""Bytes."""

if TYPE_CHECKING:
    from irsa_manager.api.irsa import IRSA
    from irsa_manager.cli.course import Course
    from irsa_manager.cli.manifests import Read
    from irsa_manager.cli.pod_counts import PodCounts
    from irsa_manager.controller.survey import Verdict
    from irsa_manager.kube.client import Kube
    from irsa_manager.kube.errors import KubeDenied
    from irsa_manager.plan.mark import MarkKeys


PARTS = ("sign", "kind", "name", "note", "action", "role", "pods")
"""What programs read of a line."""

SIGNS = {"+": Colour.GOOD, "~": Colour.CHANGED, "-": Colour.BAD, "!": Colour.BAD}


@spread
def plan(
    file: Annotated[list[str], typer.Option("--file", "-f", metavar="FILE|DIR|-", help="IRSAs as YAML; repeatable.")],
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Of objects that name none.")] = "",
    mark_key: Annotated[
        Path | None, typer.Option(help="A file with the marks' key; default: Secret irsa-manager-mark.")
    ] = None,
    setup: Annotated[str, typer.Option(metavar="NS/NAME", help="As the controller's --setup.")] = "",
    operator_namespace: Operator = "",
    output: Output = "table",
    *,
    where: Where,
    manner: Manner,
) -> int:
    """Show what the controller would do for these IRSAs, and write nothing.

    Each is checked by the API server first (server dry-run). AWS: the environment, as for the controller. For a
    ServiceAccount that is changed or deleted it says how many pods use it (may you list pods?). Exit status 2 if
    something is to be written or something is wrong, 0 if there is nothing to do.
    """
    from irsa_manager.cli.course import Course
    from irsa_manager.cli.manifests import read_manifests
    from irsa_manager.kube.operator_namespace import operator_namespace as own

    course = Course(manner, as_data=output in {"json", "yaml"})
    read = read_manifests(file, namespace)
    key = _key_in(mark_key) if mark_key else None
    operator = own(operator_namespace)
    return course.run(lambda course: _plan(course, read, operator, setup, key, output, where))


async def _plan(
    course: Course, read: Read, operator: str, setup: str, key: MarkKeys | None, output: str, where: Where
) -> int:
    from irsa_manager.api import names
    from irsa_manager.api.errors import UsageError
    from irsa_manager.cli.manifests import as_stored
    from irsa_manager.cli.pod_counts import count_pods, touched
    from irsa_manager.controller.survey import survey
    from irsa_manager.kube.errors import KubeDenied, KubeForbidden

    course.aside(*(f"passed over: {other}" for other in read.passed_over))
    if not read.manifests:
        raise UsageError(
            "Usage",
            "There is no IRSA in what -f names.",
            left="Nothing was looked at.",
            hint=f"An IRSA begins with apiVersion: {names.API_VERSION}, kind: IRSA.",
        )
    async with open_place(where) as place:
        course.at(f"the API server {place.kube.server} to check the objects")
        drafts: list[IRSA] = []
        refused: list[Verdict] = []
        for manifest in read.manifests:
            try:
                drafts.append(await as_stored(place.kube, manifest))
            except KubeDenied as denied:
                refused.append(_refused(manifest.key, denied))
        try:
            keys = key or await _keys(place.kube, operator)
        except KubeForbidden:
            return _as_judged(course, place.kube.server, operator, drafts, refused, output)
        course.at(f"the cluster {place.kube.server} and the account's roles to be read")
        found = await survey(place.kube, place.aws, operator, keys, setup=setup, drafts=drafts)
        verdicts = [*(found.verdict(draft) for draft in drafts), *refused]
        course.at(f"the API server {place.kube.server} to list pods")
        pods = await count_pods(place.kube, touched(each.decision for each in verdicts if each.decision is not None))
        if output in {"json", "yaml"}:
            print_data("Plan", {**await place.told(found.resolved), **as_data(verdicts, pods)}, output)
        else:
            head = [] if course.quiet else [await place.head(found.resolved)]
            told = lines(verdicts, pods, wide=output == "wide", width=_width(output), hints=not course.quiet)
            _print([*head, *told], output)
    if pods.note:
        course.aside(pods.note)
    return 2 if any(verdict.pending for verdict in verdicts) else 0


def _refused(key: str, denied: KubeDenied) -> Verdict:
    """What the API server would say to an apply."""
    from irsa_manager.api.tenancy_policy import NAME
    from irsa_manager.controller.survey import Verdict
    from irsa_manager.controller.telling import Told

    if denied.policy == NAME:
        return Verdict(key, told=(Told("TenancyDenied", denied.said),))
    return Verdict(key, told=(Told(denied.code, f"{denied.message} {denied.hint}"),))


def _as_judged(
    course: Course, server: str, operator: str, drafts: list[IRSA], refused: list[Verdict], output: str
) -> int:
    """What the controller has said of these, for who may not read the key by which whose a role is can be told."""
    from irsa_manager.controller.survey import as_judged

    found = [as_judged(draft) for draft in drafts]
    verdicts = [*(verdict for verdict, _ in found), *refused]
    if output in {"json", "yaml"}:
        print_data("Plan", {"apiServer": server, "judgedBy": "controller", **as_data(verdicts)}, output)
    else:
        secret = f"Secret {operator}/irsa-manager-mark may not be read, so this is no plan"
        # Not only a hint: without it the rest would be taken for a plan.
        head = [f"{secret} but what the controller said last (--mark-key FILE makes one)."]
        where = [] if course.quiet else [f"On cluster {server}"]
        _print([*where, *head, *(line for verdict in verdicts for line in _of_one(verdict))], output)
    if any(verdict.told for verdict in verdicts):
        return 2
    return 0 if all(judged for _, judged in found) else 1


def _print(told: list[str], output: str) -> None:
    from irsa_manager.cli.tables import fitted

    print("\n".join(map(_coloured, fitted(told, _width(output)))))


def _width(output: str) -> int:
    from irsa_manager.cli.tables import width_of

    return 0 if output == "wide" else width_of(sys.stdout)


def _coloured(line: str) -> str:
    """The line with its sign in the sign's colour."""
    before, sign, rest = line[:2], line[2:3], line[3:]
    if before.strip() or not rest.startswith(" ") or sign not in SIGNS:
        return line
    return before + painted(sign, SIGNS[sign], sys.stdout) + rest


def lines(
    verdicts: list[Verdict],
    pods: PodCounts | None = None,
    *,
    wide: bool = False,
    width: int = 0,
    hints: bool = True,
) -> list[str]:
    """The plan as people read it, without the line that says where.

    wide: every subject of a trust. width: what its actions have to fit in, 0 for no limit. hints: say what to do next.
    """
    from irsa_manager.cli.plan_lines import summary

    told = [line for verdict in verdicts for line in _of_one(verdict, pods, wide=wide, width=width)]
    decisions = [verdict.decision for verdict in verdicts if verdict.decision is not None]
    wrong = sum(bool(verdict.told) for verdict in verdicts)
    last = f"Plan: {summary(*decisions)}."
    if wrong:
        last += f" {wrong} of {len(verdicts)} with something wrong (!)."
    if any(verdict.pending for verdict in verdicts) and not wrong and hints:
        last += " Next: kubectl apply"
    return [*told, last]


def _of_one(verdict: Verdict, pods: PodCounts | None = None, *, wide: bool = False, width: int = 0) -> list[str]:
    from irsa_manager.cli.plan_lines import plan_lines, shortened

    told = [f"IRSA {verdict.key}"]
    if verdict.note:
        told.append(f"  {verdict.note}")
    if verdict.decision is not None:
        found = plan_lines(verdict.decision, pods.of if pods else None)
        told += [part for line in found for part in (line if wide else shortened(line)).fitted(width)]
    told += [f"  ! {each.code}: {each.message}" for each in verdict.told]
    if not verdict.pending and not verdict.note:
        told.append("  nothing to do")
    return told


def as_data(verdicts: list[Verdict], pods: PodCounts | None = None) -> dict[str, Any]:
    """The plan for programs, without where."""
    from irsa_manager.cli.plan_lines import counts, plan_lines

    objects = [
        {
            "object": verdict.key,
            "note": verdict.note,
            "lines": [
                {part: getattr(line, "on" if part == "role" else part) for part in PARTS}
                for line in (plan_lines(verdict.decision, pods.of if pods else None) if verdict.decision else ())
            ],
            "problems": [{"reason": each.code, "message": each.message} for each in verdict.told],
        }
        for verdict in verdicts
    ]
    decisions = [verdict.decision for verdict in verdicts if verdict.decision is not None]
    return {"objects": objects, "counts": counts(decisions)}


def _key_in(file: Path) -> MarkKeys:
    """The key in a file. Raises UsageError."""
    from irsa_manager.api.errors import UsageError
    from irsa_manager.plan.mark import MarkKeys

    hint = "Write the bytes of entry key of Secret irsa-manager-mark into a file, base64-decoded."
    try:
        key = file.read_bytes()
    except OSError as error:
        raise UsageError("Usage", f"{file} can't be read: {error.strerror}.", hint=hint) from error
    if len(key) < SHORTEST_KEY:
        raise UsageError("Usage", f"{file} is no key: it has under {SHORTEST_KEY} bytes.", hint=hint)
    return MarkKeys(key)


async def _keys(kube: Kube, operator: str) -> MarkKeys:
    """The cluster's keys; a random one, which verifies nothing, where there is none yet. Raises KubernetesError."""
    import secrets

    from irsa_manager.controller.marks import read_mark_keys
    from irsa_manager.plan.mark import MarkKeys

    return await read_mark_keys(kube, operator) or MarkKeys(secrets.token_bytes(32))
