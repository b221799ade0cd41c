"""The policy language as far as trust and identity policies share it. Pure.

Source: IAM User Guide, "Grammar of the IAM JSON policy language" and "IAM JSON policy elements: Condition operators".
Texts are IAM's where they are known; where a rule's exact text isn't, the general "Syntax errors in policy." is used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from irsa_manager.sandbox.front.answers import Refused

VERSIONS: Final = ("2012-10-17", "2008-10-17")
_OPERATOR_NAMES: Final = frozenset(
    f"{kind}{test}".lower()
    for kind, tests in {
        "String": ("Equals", "NotEquals", "EqualsIgnoreCase", "NotEqualsIgnoreCase", "Like", "NotLike"),
        "Numeric": ("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"),
        "Date": ("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"),
        "Arn": ("Equals", "NotEquals", "Like", "NotLike"),
        "": ("Bool", "BinaryEquals", "IpAddress", "NotIpAddress"),
    }.items()
    for test in tests
)
_ORDER: Final = ("Sid", "Effect", "Principal", "Action", "NotAction", "Resource", "NotResource", "Condition")

Statement = dict[str, Any]


def malformed(text: str = "Syntax errors in policy.") -> Refused:
    """MalformedPolicyDocument with a text."""
    return Refused("MalformedPolicyDocument", text)


def parse(document: str) -> tuple[dict[str, Any], list[Statement]]:
    """A policy document and its statements; what is particular to one kind of policy isn't looked at.

    Raises:
        Refused: no JSON, a key given twice, no Version, no statement, an unknown element, an ill Sid, Effect or
            Condition.

    """
    try:
        policy = json.loads(document, object_pairs_hook=_once)
    except ValueError as error:
        raise malformed("This policy contains invalid Json") from error
    if not isinstance(policy, dict) or set(policy) - {"Version", "Id", "Statement"}:
        raise malformed()
    if policy.get("Version") not in VERSIONS:
        raise malformed("The policy failed legacy parsing" if "Version" in policy else "Syntax errors in policy.")
    statements = policy.get("Statement")
    listed = [statements] if isinstance(statements, dict) else statements
    if not isinstance(listed, list) or not listed or not all(isinstance(one, dict) for one in listed):
        raise malformed()
    seen: set[str] = set()
    for statement in listed:
        _check_common(statement, seen)
    return policy, listed


def strings(statement: Statement, element: str) -> list[str]:
    """An element's values, whether it is a string or a list.

    Raises:
        Refused: neither, or an empty list.

    """
    value = statement.get(element)
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not listed or not all(isinstance(one, str) and one for one in listed):
        raise malformed()
    return listed


def serialise(policy: Mapping[str, Any], order: tuple[str, ...] = _ORDER) -> str:
    """A document as IAM gives it back: without white space, its elements in IAM's order and not in the sender's."""
    statements = policy["Statement"]
    listed = [statements] if isinstance(statements, dict) else statements
    ordered = [
        {name: one[name] for name in sorted(one, key=lambda name: order.index(name) if name in order else len(order))}
        for one in listed
    ]
    whole = {
        "Version": policy["Version"],
        **({"Id": policy["Id"]} if "Id" in policy else {}),
        "Statement": ordered[0] if isinstance(statements, dict) else ordered,
    }
    return json.dumps(whole, separators=(",", ":"), ensure_ascii=False)


def size(document: str) -> int:
    """The characters of a document that count towards a quota (IAM User Guide, "IAM and AWS STS quotas")."""
    return len(re.sub(r"\s", "", document))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is given twice")
    return found


def _check_common(statement: Statement, seen: set[str]) -> None:
    sid = statement.get("Sid", "")
    if not isinstance(sid, str) or not re.fullmatch(r"[0-9A-Za-z]*", sid, re.ASCII):
        raise malformed(
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression "
            "[0-9A-Za-z]*"
        )
    if sid and sid in seen:
        raise malformed("Statement IDs (SID) in a single policy must be unique.")
    seen.add(sid)
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise malformed()
    if "Action" in statement and "NotAction" in statement:
        raise malformed()
    condition = statement.get("Condition", {})
    if not isinstance(condition, dict):
        raise malformed()
    for operator, tests in condition.items():
        _check_test(operator, tests)


def _check_test(operator: str, tests: object) -> None:
    bare = re.sub(r"^(forallvalues|foranyvalue):", "", operator.lower())
    if bare != "null" and bare.removesuffix("ifexists") not in _OPERATOR_NAMES:
        raise malformed(f"Invalid Condition type : {operator}.")
    if not isinstance(tests, dict) or not tests:
        raise malformed()
    for key, value in tests.items():
        if ":" not in key or not list(_values(value)):
            raise malformed()


def _values(value: object) -> Iterator[object]:
    for one in value if isinstance(value, list) else [value]:
        if not isinstance(one, (str, int, float, bool)):
            raise malformed()
        yield one
