"""Why a statement of a trust policy doesn't apply to a token, or why that can't be told: said so that people can act.

What a value is shown as is the policy's own text, but for control characters: the policy may be a stranger's.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

from irsa_manager.api.reason import listed

Kind = Literal["differs", "denies", "undecided", "malformed"]
"""differs: a test fails. denies: an explicit Deny applies. undecided: only AWS can tell. malformed: no such policy."""


class Mismatch(Struct, frozen=True):
    """One reason.

    statement: number of the statement, from 1; 0 where it is the whole document. operator: the condition's operator as
    written, or the element (Principal, Action, NotAction, Effect, ...). key: the condition's key, or the kind of
    principal; else "". wanted: the policy's values. got: the token's value, None where it has none or it isn't known.
    note: what is malformed, absent or can't be told.
    """

    statement: int
    operator: str
    key: str = ""
    wanted: tuple[str, ...] = ()
    got: str | None = None
    kind: Kind = "differs"
    note: str = ""

    def __str__(self) -> str:
        return _printable(self._told())

    def _told(self) -> str:
        where = f"its statement {self.statement}" if self.statement else "its trust policy"
        match self.kind:
            case "denies":
                return f"{where} denies it"
            case "malformed":
                return f"{where} is malformed: {self.note}"
        verb = "tests" if self.kind == "undecided" else "wants"
        wanted = f"= {listed(self.wanted)}" if self.wanted else ""
        got = f"the token's is {self.got}" if self.got is not None else ""
        test = " ".join(filter(None, (verb, self.operator, self.key, wanted)))
        return f"{where} {test} ({'; '.join(filter(None, (got, self.note)))})"


CASE: Final = "upper and lower case count"


def differing_in_case(wanted: tuple[str, ...], got: str) -> str:
    """A note for those who would look long for the difference, else ""."""
    return CASE if any(one.lower() == got.lower() for one in wanted) else ""


def _printable(text: str) -> str:
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )
