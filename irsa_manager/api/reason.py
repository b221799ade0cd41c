"""What one entry of the catalogue is, and how its message is filled in.

A code is at the same time a condition's reason, an event's reason, the code of a command's error, of a log line, and a
section of docs/reference/reasons.md. A message says, in this order: what happened to which object, what was left as it
was, what to do next.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from msgspec import Struct

MAX_MESSAGE: Final = 1024
"""Characters that an event's message may have (Kubernetes API reference, events.k8s.io/v1, note)."""

_SHOWN: Final = 5
_SHORTEST: Final = 12
_NOTE: Final = ""  # no template can use this name

Kind = Literal["Ready", "RoleReady", "ServiceAccountsReady", "ProviderReady", "Stalled", "event", "command"]
"""Where a code is met: the type of a condition, an event, or the error of a command."""


class Reason(Struct, frozen=True, kw_only=True):
    """One entry of the catalogue.

    code: the reason, as it is printed. kinds: where it is met. severity: an event's type, lower case. stalled: nothing
    improves until somebody acts. summary: one line. meaning: what happened, why, and what was left alone. steps: what
    to do, in order. what, left, next: the three parts of the message, str.format templates.
    """

    code: str
    kinds: tuple[Kind, ...]
    severity: Literal["normal", "warning"] = "warning"
    stalled: bool = False
    summary: str
    meaning: str
    steps: tuple[str, ...] = ()
    what: str
    left: str = ""
    next: str = ""

    @property
    def event_type(self) -> Literal["Normal", "Warning"]:
        """As events spell the severity."""
        return "Warning" if self.severity == "warning" else "Normal"

    @property
    def template(self) -> str:
        """The three parts as one template, as the reference shows it."""
        return " ".join(part for part in (self.what, self.left, self.next) if part)

    @property
    def readable(self) -> str:
        """The template as people read it: `Role ROLE exists in ACCOUNT`."""
        pieces = string.Formatter().parse(self.template)
        return "".join(f"{text}{_placeholder(name, spec)}" for text, name, spec, _ in pieces)

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the values that the message needs, in the order of their first use."""
        names = (name for _, name, _, _ in string.Formatter().parse(self.template) if name)
        return tuple(dict.fromkeys(names))

    def parts(self, values: Mapping[str, Any]) -> tuple[str, str, str]:
        """What happened, what was left and what is next, filled in. TypeError: a value is missing."""
        missing = [name for name in self.fields if name not in values]
        if missing:
            raise TypeError(f"the message of {self.code} needs {', '.join(missing)}")
        formatter = _Formatter()
        what = formatter.vformat(self.what, (), values)
        if self.what.endswith("}") and not what.endswith((".", "!", "?", "…")):
            # What others say need not be a sentence, and more follows.
            what += "."
        return (
            what,
            formatter.vformat(self.left, (), values),
            formatter.vformat(self.next, (), values),
        )

    def message(self, values: Mapping[str, Any], note: str = "") -> str:
        """The filled-in message, at most MAX_MESSAGE characters: the longest values are shortened, the advice never.

        note: one more sentence on what happened, put after the first part. TypeError: a value is missing.
        """
        shown: dict[str, Any] = {name: values[name] for name in self.fields if name in values} | {_NOTE: note}
        while True:
            what, left, next_ = self.parts(shown)
            text = " ".join(part for part in (what, _text(shown[_NOTE]), left, next_) if part)
            excess = len(text) - MAX_MESSAGE
            if excess <= 0:
                return text
            longest = max(shown, key=lambda name: len(_text(shown[name])))
            length = len(_text(shown[longest]))
            if length <= _SHORTEST:  # the templates alone are too long, which a test of the catalogue excludes
                return _shorten(text, MAX_MESSAGE)
            shown[longest] = _shorten(_text(shown[longest]), max(_SHORTEST, length - excess))


def counted(number: int, noun: str) -> str:
    """`counted(1, "policy")` is "1 policy", `counted(3, "policy")` "3 policies"."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {_plural(noun)}"


def listed(items: Sequence[str]) -> str:
    """The first items, and how many more there are."""
    more = len(items) - _SHOWN
    if more <= 0:
        return ", ".join(items)
    return f"{', '.join(items[:_SHOWN])} and {more:,} more"


class _Formatter(string.Formatter):
    """str.format, where `{n:policy}` counts policies and a list is written out as far as it is short."""

    def format_field(self, value: Any, format_spec: str) -> str:
        """A number with a noun as its format is counted; everything else is written as it is."""
        if isinstance(value, int) and not isinstance(value, bool):
            return format(value, format_spec) if format_spec in ("", ",") else counted(value, format_spec)
        return _text(value)


def _placeholder(name: str | None, spec: str | None) -> str:
    if not name:
        return ""
    counts = spec not in (None, "", ",")
    return f"N {_plural(spec)}" if spec and counts else name.upper().replace("_", "-")


def _plural(noun: str) -> str:
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence):
        return listed([str(item) for item in value])
    return str(value)


def _shorten(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
