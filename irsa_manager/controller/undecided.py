"""The status of an object for which nothing is decided, or nothing can be done yet: Ready says why. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from irsa_manager.api import reasons
from irsa_manager.api.irsa import IRSA, IRSAStatus
from irsa_manager.controller.conditions import condition
from irsa_manager.controller.telling import Told


def unjudged(irsa: IRSA, told: Told, now: str, *, status: str = "False") -> IRSAStatus:
    """The status where nothing could be decided: Ready says why, the rest stays as it was."""
    conditions = [c for c in irsa.status.conditions if c.type not in {"Ready", "Stalled"}]
    conditions.insert(0, condition(irsa, "Ready", status, told.code, told.message, now))
    if told.stalled:
        conditions.append(condition(irsa, "Stalled", "True", told.code, told.message, now))
    generation = irsa.metadata.generation if status == "False" else irsa.status.observed_generation
    return replace(irsa.status, observed_generation=generation, conditions=tuple(conditions))


def suspended(irsa: IRSA, now: str) -> IRSAStatus:
    """The status of a suspended object: Ready is Unknown, since nothing is looked at."""
    ready = irsa.status.condition("Ready")
    if ready is not None and ready.reason == "Suspended":
        after = unjudged(irsa, Told("Suspended", ready.message), now, status="Unknown")
        return replace(after, observed_generation=irsa.metadata.generation)
    if ready is not None and ready.status == "True":
        last = f"last Ready=True at {irsa.status.last_sync_time or ready.last_transition_time}"
    else:
        last = "it wasn't ready before"
    told = Told("Suspended", reasons.message("Suspended", last_ready=last))
    after = unjudged(irsa, told, now, status="Unknown")
    return replace(after, observed_generation=irsa.metadata.generation)


def deleting(irsa: IRSA, told: Sequence[Told], now: str) -> IRSAStatus:
    """The status of an object whose deletion waits: what holds it. What was bound isn't any more, or may not be."""
    after = unjudged(irsa, told[0], now)
    role = condition(irsa, "RoleReady", "False", told[0].code, told[0].message, now)
    ready, *others = (c for c in after.conditions if c.type not in {"RoleReady", "ServiceAccountsReady"})
    return replace(after, conditions=(ready, role, *others))


def progressing(irsa: IRSA, now: str) -> IRSAStatus:
    """The status between a change of the spec and the first result, for those who wait for it."""
    told = Told("Progressing", reasons.message("Progressing", generation=irsa.metadata.generation))
    return unjudged(irsa, told, now, status="Unknown")
