"""The page docs/troubleshooting.md: from what people see to the reason, and from there to what to do.

The text around the tables is tools/troubleshooting.md; the tables are the catalogue's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from irsa_manager.api import reasons
from irsa_manager.api.reason import Reason

OF_A_SETUP: Final = frozenset({"Ignored", "NotImplemented", "DependentsExist"})
"""Reasons that only an IRSASetup has although they are on no condition that only it has."""

TEMPLATE: Final = Path(__file__).with_suffix(".md")
"""The page as people write it, with the word TABLES where the catalogue's go."""


def page(notice: str) -> str:
    """The page, in Markdown."""
    tables = []
    for title, said, chosen in _SECTIONS:
        tables += [f"## {title}", said, _table(reason for reason in reasons.REASONS.values() if chosen(reason))]
    news = ", ".join(_link(reason.code) for reason in reasons.REASONS.values() if _news(reason))
    text = TEMPLATE.read_text().replace("TABLES", "\n\n".join(tables)).replace("NEWS", news)
    return f"<!-- {notice} -->\n\n{text}"


def of_a_setup(reason: Reason) -> bool:
    """Whether an IRSASetup can have it."""
    return "Ready" in reason.kinds and ("ProviderReady" in reason.kinds or reason.code in OF_A_SETUP)


def of_an_irsa(reason: Reason) -> bool:
    """Whether an IRSA can have it as what is wrong."""
    everywhere = {"RoleReady", "ServiceAccountsReady"} & set(reason.kinds)
    mine = "Ready" in reason.kinds and (everywhere or not of_a_setup(reason))
    return bool(mine) and reason.severity == "warning"


_SECTIONS: Final[tuple[tuple[str, str, Callable[[Reason], bool]], ...]] = (
    (
        "An IRSA isn't ready, and waits for somebody",
        "`READY` is `False` and condition `Stalled` is there: nothing improves until somebody acts. What was in force "
        "before still is.",
        lambda reason: of_an_irsa(reason) and reason.stalled,
    ),
    (
        "An IRSA isn't ready, and goes on by itself",
        "`READY` is `False` without `Stalled`: it is tried again, or follows when what it waits for is there.",
        lambda reason: of_an_irsa(reason) and not reason.stalled,
    ),
    (
        "`READY` is `Unknown`",
        "Nothing was judged yet, or nothing is looked at.",
        lambda reason: reason.code in {"Progressing", "Suspended", "Released"},
    ),
    (
        "An IRSASetup isn't ready",
        "`kubectl get irsasetup -A -o wide`. What concerns access to AWS (PermissionMissing, CredentialsInvalid) "
        "is met here as well, and means the same; that AWS throttles or can't be reached is EksOIDCNotReady here.",
        lambda reason: (
            of_a_setup(reason)
            and reason.severity == "warning"
            and (reason.code == "AudienceMissing" or not of_an_irsa(reason))
        ),
    ),
    (
        "Only an event or a line in the log says it",
        "`kubectl -n NAMESPACE get events --field-selector involvedObject.name=NAME`; the log has the same words as "
        "`code`. Warnings of the tables above are events too. The other events are news and ask for nothing: NEWS.",
        lambda reason: reason.kinds == ("event",) and not _news(reason),
    ),
    (
        "A command ends with `error`",
        "Its first line names the code. Codes of the tables above mean the same here.",
        lambda reason: reason.kinds == ("command",),
    ),
)


def _table(group: Iterable[Reason]) -> str:
    return "\n".join(["| reason | means | try first |", "|---|---|---|", *_rows(group)])


def _rows(group: Iterable[Reason]) -> Iterator[str]:
    for reason in group:
        # Without steps the last sentence of the meaning says what one may want to do.
        first = reason.steps[0] if reason.steps else f"{reason.meaning.rstrip('.').rpartition('. ')[2]}."
        more = f" [{len(reason.steps) - 1} more]({_place(reason.code)})" if len(reason.steps) > 1 else ""
        cells = (_link(reason.code), reason.summary, first + more)
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _news(reason: Reason) -> bool:
    """Whether it tells of what was done as it should be."""
    return reason.kinds == ("event",) and not reason.steps and reason.code != "DriftRepaired"


def _link(code: str) -> str:
    return f"[{code}]({_place(code)})"


def _place(code: str) -> str:
    return f"reference/reasons.md#{code.lower()}"
