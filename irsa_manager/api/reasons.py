"""The catalogue of reasons: look-up, messages, and whom an object may be named to.

    reasons.message("RoleExists", role="reports", account="111122223333", evidence="created 2026-01-02")

The entries are in api.catalogue; docs/reference/reasons.md and `irsa-manager help CODE` are made of them.
"""

from __future__ import annotations

import difflib
from typing import Final

from irsa_manager.api.catalogue import access, bindings, changes, commands, roles
from irsa_manager.api.reason import MAX_MESSAGE, Kind, Reason, counted, listed

__all__ = [
    "GROUPS",
    "MAX_MESSAGE",
    "REASONS",
    "Kind",
    "Reason",
    "counted",
    "get",
    "listed",
    "message",
    "nearest",
    "parts",
    "visible",
]

GROUPS: Final[tuple[tuple[str, tuple[Reason, ...]], ...]] = (
    ("The role", roles.REASONS),
    ("ServiceAccounts and the cluster's setup", bindings.REASONS),
    ("Access to AWS and Kubernetes", access.REASONS),
    ("What was changed", changes.REASONS),
    ("Commands", commands.REASONS),
)
"""Title and entries of each part of the catalogue, in the order of the reference."""

REASONS: Final[dict[str, Reason]] = {reason.code: reason for _, group in GROUPS for reason in group}


def get(code: str) -> Reason:
    """The entry of that code. KeyError: there is none."""
    return REASONS[code]


def message(code: str, /, *, note: str = "", **values: object) -> str:
    """The message of that code, filled in, at most MAX_MESSAGE characters.

    values: as Reason.fields names them; a number of things is an int, a list of names a sequence. note: one more
    sentence on what happened. KeyError: no such code. TypeError: a value is missing.
    """
    return REASONS[code].message(values, note)


def parts(code: str, /, **values: object) -> tuple[str, str, str]:
    """What happened, what was left and what to do next: IrsaError's message, left and hint.

    KeyError: no such code. TypeError: a value is missing.
    """
    return REASONS[code].parts(values)


def nearest(code: str, number: int = 3) -> list[str]:
    """Codes that look like `code`, the likeliest first; case doesn't count."""
    folded = {known.lower(): known for known in REASONS}
    wanted = code.lower()
    close = difflib.get_close_matches(wanted, folded, n=number, cutoff=0.5)
    close += [known for known in folded if len(wanted) > 2 and wanted in known and known not in close]
    return [folded[known] for known in close[:number]]


def visible(kind: str, namespace: str, name: str, *, to: str, operator: str) -> str:
    """How an object is named in a message that people of namespace `to` read.

    Only they themselves and administrators, who alone read the operator's namespace, may learn the names of objects:
    whoever may read an IRSA need not be allowed to read another namespace's. kind: as IRSA.
    """
    if to in (namespace, operator):
        return f"{kind} {namespace}/{name}"
    article = "an" if kind[:1] in "AEIOU" else "a"
    return f"{article} {kind} of another namespace"
