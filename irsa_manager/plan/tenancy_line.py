"""The YAML of a tenancy rule on one line, as a message shows it and an administrator pastes it.

Flow style, whose plain scalars are restricted here to words that mean no number, date, boolean or null in YAML 1.1 or
1.2 (yaml.org, "YAML 1.2.2", 7.3.3 and 10.3); everything else is quoted as JSON, which YAML contains.
"""

from __future__ import annotations

import json
import re
from typing import Any

from msgspec import to_builtins

from irsa_manager.api.irsasetup import TenancyRule

MAX_LINE = 560
"""Characters of a line: an event's message has 1,024, and must also say what was refused (api.reason)."""

_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_+=.@*/-]*")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


def whole(rule: TenancyRule) -> str:
    """The rule as an item of spec.tenancy.rules."""
    fields, left_out = _short(to_builtins(rule), "name", "namespaceSelector")
    return f"- {_flow(fields)}{_rest(left_out)}"


def changes(before: TenancyRule, after: TenancyRule) -> str:
    """The fields of the rule that have to be written anew."""
    old, new = to_builtins(before), to_builtins(after)
    fields, left_out = _short({field: value for field, value in new.items() if old.get(field) != value})
    return f"{_flow(fields) if fields else ''}{_rest(left_out)}".lstrip(" ,")


def _short(fields: dict[str, Any], *kept: str) -> tuple[dict[str, Any], list[str]]:
    """The fields that fit, and the names of those that don't, the longest left out first."""
    left_out: list[str] = []
    while len(_flow(fields)) > MAX_LINE and fields.keys() - set(kept):
        longest = max((f for f in fields if f not in kept), key=lambda f: len(_flow(fields[f])))
        fields = {field: value for field, value in fields.items() if field != longest}
        left_out.append(longest)
    return fields, left_out


def _rest(left_out: list[str]) -> str:
    return f", and {' and '.join(left_out)} for what the object asks for (too long to show)" if left_out else ""


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(key)}: {_flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    return _scalar(str(value))


def _scalar(text: str) -> str:
    return text if _PLAIN.fullmatch(text) and text.lower() not in _WORDS else json.dumps(text)
