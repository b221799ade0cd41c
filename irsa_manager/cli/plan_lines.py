"""A plan as people read it: one line an action, with its sign (+ added, ~ changed, - removed). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from irsa_manager.api.names import ANNOTATION_ROLE_ARN
from irsa_manager.cli.tables import paragraph
from irsa_manager.plan import actions as do
from irsa_manager.plan.decision import Decision
from irsa_manager.plan.facts import ClusterFacts
from irsa_manager.trust.arn import policy_name
from irsa_manager.trust.document import short_subject

_NAME_WIDTH = 38
SHOWN = 4
"""Subjects of a trust that a line names."""


@dataclass(frozen=True)
class PlanLine:
    """One line. sign: "+", "~", "-", or " " for what belongs to the line above.

    action: the action's name (CreateRole), "" for what is part of the one above. on: the role that it is done to.
    pods: how many use the ServiceAccount that is changed or deleted, None where that isn't known.
    """

    sign: str
    kind: str
    name: str
    note: str = ""
    action: str = ""
    on: str = ""
    pods: int | None = None

    def __str__(self) -> str:
        return f"{self._begin} {self.name:{_NAME_WIDTH}}  {self._end}".rstrip()

    def fitted(self, width: int) -> list[str]:
        """The line, or where it is longer than that, its name and below it the rest. width: 0 for no limit."""
        whole = str(self)
        if not 0 < width < len(whole):
            return [whole]
        below = " " * (len(self._begin) + 3)
        return [
            *paragraph(f"{self._begin[2:]} {self.name}", width, self._begin[:2], below),
            *(paragraph(self._end, width, below, below) if self._end else ()),
        ]

    @property
    def _begin(self) -> str:
        return f"  {self.sign} {self.kind:7}"

    @property
    def _end(self) -> str:
        return self.note if self.pods is None else f"{self.note} (used by {_pods(self.pods)})"


def plan_lines(decision: Decision, pods: Mapping[tuple[str, str], int] | None = None) -> list[PlanLine]:
    """The actions of a decision, in their order. pods: as counted, by namespace and name of their ServiceAccount."""
    lines: list[PlanLine] = []
    for action in decision.plan.actions:
        on = action.role if isinstance(action, do.AwsAction) else ""
        line = replace(_line(action), action=type(action).__name__, on=on)
        if isinstance(action, do.KubeAction) and pods is not None:
            line = replace(line, pods=pods.get((action.namespace, action.name)))
        lines.append(line)
        if isinstance(action, do.CreateRole) and decision.desired is not None:
            role = decision.desired.role
            who = ", ".join(short_subject(subject) for subject in role.subjects)
            lines.append(PlanLine(" ", "trust", f"+ {who}" if who else "nobody", f"aud {', '.join(role.audiences)}"))
    return lines


def shortened(line: PlanLine) -> PlanLine:
    """A trust of many in a line that can be read: the first few, and how many more."""
    names = line.name.split(", ")
    if line.kind != "trust" or len(names) <= SHOWN + 1:
        return line
    return replace(line, name=f"{', '.join(names[:SHOWN])} and {len(names) - SHOWN} more")


def compact(lines: list[PlanLine]) -> list[PlanLine]:
    """The same in fewer lines: the trust beside its role, things of one sign and kind beside each other."""
    short: list[PlanLine] = []
    for line in lines:
        last = short[-1] if short else None
        if last is not None and line.kind == "trust" and line.sign == " ":
            short[-1] = replace(last, name=f"{last.name}  trusts {line.name.removeprefix('+ ')}", note="")
        elif last is not None and (last.sign, last.kind) == (line.sign, line.kind):
            short[-1] = replace(last, name=f"{last.name}, {line.name}", note="")
        else:
            short.append(replace(line, note=""))
    return short


def counts(decisions: Iterable[Decision]) -> dict[str, int]:
    """How much it is: add, change, remove, and awsCalls of these."""
    actions = [action for decision in decisions for action in decision.plan.actions]
    signs = [_line(action).sign for action in actions]
    calls = sum(isinstance(action, do.AwsAction) for action in actions)
    return {"add": signs.count("+"), "change": signs.count("~"), "remove": signs.count("-"), "awsCalls": calls}


def summary(*decisions: Decision) -> str:
    """The same in words: `4 to add, 0 to change, 0 to remove; 2 AWS calls`."""
    found = counts(decisions)
    calls = found["awsCalls"]
    counted = f"{found['add']} to add, {found['change']} to change, {found['remove']} to remove"
    return f"{counted}; {calls} AWS call{'' if calls == 1 else 's'}"


def account_line(facts: ClusterFacts, region: str, *, sandbox: bool) -> str:
    """Where it is going to be written, in short."""
    return place_line(facts.account, facts.partition, region, sandbox=sandbox)


def place_line(
    account: str, partition: str, region: str, identity: str = "", cluster: str = "", *, sandbox: bool
) -> str:
    """Where it is going to be written. identity: the caller's ARN. cluster: its name, or the API server's URL."""
    line = f"On account {account} ({partition}, {region})"
    line += f" as {identity.rpartition(':')[2]}" if identity else ""
    line += f", cluster {cluster}" if cluster else ""
    return f"{line}{', SANDBOX' if sandbox else ''}"


def _pods(number: int) -> str:
    return f"{number or 'no'} pod{'' if number == 1 else 's'}"


def _line(action: do.AwsAction | do.KubeAction) -> PlanLine:
    why = action.reason
    match action:
        case do.CreateRole():
            return PlanLine("+", "role", action.role, why)
        case do.DeleteRole():
            return PlanLine("-", "role", action.role, why)
        case do.AttachPolicy():
            return PlanLine("+", "attach", policy_name(action.policy_arn), why)
        case do.DetachPolicy():
            return PlanLine("-", "attach", policy_name(action.policy_arn), why)
        case do.PutInlinePolicy():
            return PlanLine("+", "inline", action.name, why)
        case do.DeleteInlinePolicy():
            return PlanLine("-", "inline", action.name, why)
        case do.UpdateTrust():
            return PlanLine("~", "trust", action.role, why)
        case do.CreateServiceAccount():
            return PlanLine("+", "sa", f"{action.namespace}/{action.name}", why)
        case do.DeleteServiceAccount():
            return PlanLine("-", "sa", f"{action.namespace}/{action.name}", why)
        case do.PatchServiceAccount():
            bound = action.annotations.get(ANNOTATION_ROLE_ARN)
            return PlanLine("~", "sa", f"{action.namespace}/{action.name}", "+ role-arn" if bound else why)
        case do.AwsAction():
            return PlanLine("~", "role", action.role, why)
        case _:
            return PlanLine("~", "sa", f"{action.namespace}/{action.name}", why)
