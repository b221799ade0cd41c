"""The tables of `irsa-manager status`: a row for each ServiceAccount, below them why something isn't ready. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct, field

from irsa_manager.api.irsa import IRSA
from irsa_manager.api.irsasetup import IRSASetup
from irsa_manager.cli.tables import Paint, in_columns, paragraph
from irsa_manager.plan.namespaces import is_glob

HEAD = ["NAMESPACE", "SERVICEACCOUNT", "ROLE", "READY", "PODS", "LAST USED", "REASON"]
WIDE = ["IRSA", "ACCOUNT", "ORIGIN", "LAST WRITTEN", "AGE"]
READY = {"True": "yes", "False": "NO", "Unknown": "?"}


class Seen(Struct, frozen=True):
    """What was looked at besides the objects. pods: running ones by namespace and ServiceAccount, None: not seen.

    last_used: when AWS saw a role at work last, by its ARN; a role that isn't there was never used, or can't be read.
    """

    pods: Mapping[tuple[str, str], int] | None = None
    last_used: Mapping[str, datetime] = field(default_factory=dict)


def lines(
    setups: Sequence[IRSASetup],
    irsas: Sequence[IRSA],
    seen: Seen,
    now: datetime,
    *,
    wide: bool = False,
    width: int = 0,
    paint: Paint = lambda _, cell: cell,
) -> list[str]:
    """The tables, setups first; below each the messages of what isn't ready. width: of the terminal, 0 for a pipe.

    paint: as of in_columns.
    """
    told: list[str] = []
    if setups:
        rows = [["IRSASETUP", "READY", "MODE", "ACCOUNT", "REASON", "AGE"]]
        for setup in setups:
            ready, reason, _ = judged(setup)
            mode = setup.spec.mode if setup.spec else "-"
            rows.append([setup.key, READY[ready], mode, setup.status.account_id or "-", reason, _age(setup, now)])
        told += [*in_columns(rows, width, paint), *_messages(setups, width), ""]
    if not irsas:
        return [*told, "There are no IRSAs."]
    rows = [[*HEAD, *(WIDE if wide else [])]]
    for irsa in irsas:
        ready, reason, _ = judged(irsa)
        role = irsa.status.role
        used = seen.last_used.get(role.arn)
        further = [irsa.key, role.account_id or "-", role.origin or "-", irsa.status.last_sync_time or "-"]
        for namespace, name in accounts_of(irsa):
            pods = "-" if seen.pods is None else str(seen.pods.get((namespace, name), 0))
            row = [namespace, name, role_of(irsa) or "-", READY[ready], pods, _ago(used, now), reason]
            rows.append([*row, *([*further, _age(irsa, now)] if wide else [])])
    rows[1:] = sorted(rows[1:], key=lambda row: row[:2])
    return [*told, *in_columns(rows, width, paint), *_messages(irsas, width)]


def as_data(setups: Sequence[IRSASetup], irsas: Sequence[IRSA], seen: Seen) -> dict[str, Any]:
    """The same for programs."""
    return {
        "setups": [{"object": setup.key, **_data(setup)} for setup in setups],
        "irsas": [
            {
                "object": irsa.key,
                **_data(irsa),
                "role": role_of(irsa),
                "roleARN": irsa.status.role.arn,
                "lastUsed": used.isoformat() if (used := seen.last_used.get(irsa.status.role.arn)) else None,
                "serviceAccounts": [f"{b.namespace}/{b.name}" for b in irsa.status.service_accounts],
                "pods": None
                if seen.pods is None
                else sum(seen.pods.get((b.namespace, b.name), 0) for b in irsa.status.service_accounts),
            }
            for irsa in irsas
        ],
    }


def judged(thing: IRSA | IRSASetup) -> tuple[str, str, str]:
    """Status, reason and message of Ready, of this generation of the object."""
    condition = thing.status.condition("Ready")
    if condition is None:
        return "Unknown", "-", "No controller has judged it yet."
    seen = condition.observed_generation
    if seen and seen != thing.metadata.generation:
        return "Unknown", condition.reason, "It was changed since; the controller hasn't judged that yet."
    return condition.status, condition.reason, condition.message


def accounts_of(irsa: IRSA) -> list[tuple[str, str]]:
    """The ServiceAccounts that are bound; where none is, those that the spec writes out."""
    bound = [(b.namespace, b.name) for b in irsa.status.service_accounts]
    if bound or not irsa.spec:
        return bound or [("-", "-")]
    spec = irsa.spec.service_account
    return [(ns, name) for ns in spec.namespaces if not is_glob(ns) for name in spec.names] or [("-", spec.name or "-")]


def role_of(irsa: IRSA) -> str:
    """The name of the object's role, or of the one that it asks for."""
    return irsa.status.role.name or (irsa.spec.iam_role.name if irsa.spec else "")


def _data(thing: IRSA | IRSASetup) -> dict[str, str]:
    ready, reason, message = judged(thing)
    return {"ready": ready, "reason": reason, "message": message}


def _messages(things: Sequence[IRSA] | Sequence[IRSASetup], width: int) -> list[str]:
    found = [(thing.key, judged(thing)) for thing in things]
    told = [f"{key}: {message}" for key, (ready, _, message) in found if ready != "True" and message]
    return [line for text in told for line in paragraph(text, width, "  ")]


def _age(thing: IRSA | IRSASetup, now: datetime) -> str:
    made = thing.metadata.creation_timestamp
    return _ago(datetime.fromisoformat(made) if made else None, now)


def _ago(then: datetime | None, now: datetime) -> str:
    """How long ago, as kubectl prints it: the largest unit that fits."""
    if then is None:
        return "-"
    seconds = max(0, int((now - then).total_seconds()))
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"
