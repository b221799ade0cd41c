"""Who gets a role that several objects want while it is nobody's yet. Pure.

A role that is there is told by its marks whose it is. For one that isn't, or that is yet to be adopted, the order is,
each rule tested:
1. who had it, by the signed record in its status: a role deleted by hand doesn't go to who has waited for it;
2. who is older, then who comes first by name.
Only who would make it counts: an object that is denied, suspended, released, incomplete or going keeps nobody waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import UNSET

from irsa_manager.api import names
from irsa_manager.api.irsa import IRSA
from irsa_manager.plan.facts import Situation
from irsa_manager.plan.ownership import vouched
from irsa_manager.plan.planner import incomplete, permitted


def goes_before(
    irsa: IRSA,
    others: Iterable[IRSA],
    situation: Situation,
    may: Callable[[IRSA, Situation], bool] = permitted,
) -> str:
    """namespace/name of the object that gets the role which this one wants too, "" where none goes before it.

    others: the objects that have or had a role of that name. may: permitted, or what remembers its answers.
    """
    if irsa.spec is UNSET:
        return ""
    name = irsa.spec.iam_role.name.lower()
    contenders = [
        other
        for other in others
        if other.key != irsa.key and (_holds_unread(other, name, situation) or _would_make(other, name, situation, may))
    ]
    if not contenders:
        return ""
    first = min([irsa, *contenders], key=lambda contender: _rank(contender, name, situation))
    return "" if first.key == irsa.key else first.key


def _would_make(irsa: IRSA, role: str, situation: Situation, may: Callable[[IRSA, Situation], bool]) -> bool:
    spec, metadata = irsa.spec, irsa.metadata
    if spec is UNSET or incomplete(spec) or spec.suspend or spec.iam_role.name.lower() != role:
        return False
    if metadata.deleting or metadata.annotations.get(names.ANNOTATION_RELEASE) == "true":
        return False
    observed = situation.roles.get(role)
    wanted = ("Create", "Adopt") if observed is None else ("Adopt",)
    if spec.iam_role.management_policy not in wanted:
        return False
    return may(irsa, situation)


def _holds_unread(irsa: IRSA, role: str, situation: Situation) -> bool:
    """Whether the role can't be read and the object's record says that it has it: no mark can say so."""
    observed = situation.roles.get(role)
    return observed is not None and not observed.id and _had(irsa, role, situation)


def _had(irsa: IRSA, role: str, situation: Situation) -> bool:
    status = irsa.status
    return (
        status.role.name.lower() == role
        and bool(status.role.id or status.role.origin)
        and status.record.uid == irsa.metadata.uid
        and vouched(status, irsa.key, situation.facts.account, situation.keys)
    )


def _rank(irsa: IRSA, role: str, situation: Situation) -> tuple[bool, str, str]:
    return (not _had(irsa, role, situation), irsa.metadata.creation_timestamp, irsa.key)
