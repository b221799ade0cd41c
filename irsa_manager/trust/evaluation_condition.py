"""The Condition element: which of its tests a token fails, and which of them only AWS can decide.

Source: IAM User Guide, "IAM JSON policy elements: Condition operators", "Conditions with multiple context keys or
values", "Set operators for multivalued context keys" and "IAM policy elements: Variables and tags".

Operators and keys are all demanded, of a key's values one; a negated operator demands that none of them matches. A key
that isn't there fails a test, but passes a negated one, one with IfExists, and ForAllValues. What isn't understood is
undecided, never passed over.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from irsa_manager.trust.evaluation_mismatch import Mismatch, differing_in_case
from irsa_manager.trust.evaluation_token import Token, Unseen, of_its_issuer, set_valued, value_of

_TEXT: Final[dict[str, Callable[[str, str], bool]]] = {
    "stringequals": lambda got, wanted: got == wanted,
    "stringequalsignorecase": lambda got, wanted: got.lower() == wanted.lower(),
    "stringlike": lambda got, wanted: like(wanted, got),
    "bool": lambda got, wanted: got.lower() == wanted.lower(),
}
_NEGATED: Final = {
    "stringnotequals": "stringequals",
    "stringnotequalsignorecase": "stringequalsignorecase",
    "stringnotlike": "stringlike",
    "numericnotequals": "numericequals",
    "datenotequals": "dateequals",
    "arnnotequals": "arnequals",
    "arnnotlike": "arnlike",
    "notipaddress": "ipaddress",
}
_ORDERED: Final = ("lessthan", "lessthanequals", "greaterthan", "greaterthanequals")
_KNOWN: Final = frozenset(
    {*_TEXT, *_NEGATED.keys(), *_NEGATED.values(), "binaryequals"}
    | {f"{kind}{order}" for kind in ("numeric", "date") for order in _ORDERED}
)
_BOOLEANS: Final = frozenset({"true", "false"})
_QUANTIFIERS: Final = ("forallvalues", "foranyvalue")

_OPERATOR: Final = "this operator isn't judged here"
_VALUE: Final = "how AWS compares that value isn't known here"
_TWICE: Final = "one key with one operator is given twice"
_EMPTY: Final = "there is nothing to compare with"
_SET: Final = "whether the key has one value or many isn't known here"
_BOTH: Final = "the key isn't there, and ForAnyValue and IfExists contradict each other"


class MalformedPolicyError(ValueError):
    """A document that IAM can't have stored; the text says what is wrong with it."""


class _Operator(Struct, frozen=True):
    """An operator taken apart. quantifier: "", forallvalues or foranyvalue; test: its positive form, lower case."""

    quantifier: str
    test: str
    negated: bool
    if_exists: bool


def unmet(number: int, condition: object, token: Token, *, variables: bool) -> list[Mismatch]:
    """The tests of statement `number`'s Condition that the token fails or that are undecided; none: it is met.

    variables: whether `${...}` in values is a policy variable (Version 2012-10-17).

    Raises:
        MalformedPolicyError: the element isn't an object of objects of values.

    """
    if not isinstance(condition, dict):
        raise MalformedPolicyError("its Condition isn't an object")
    outcomes: dict[tuple[str, str], list[Mismatch | None]] = {}
    unclear: list[Mismatch] = []
    for operator, tests in condition.items():
        if not isinstance(tests, dict):
            raise MalformedPolicyError(f"what its {operator} compares isn't an object")
        if not tests:
            unclear.append(Mismatch(number, operator, kind="undecided", note=_EMPTY))
        for key, given in tests.items():
            if ":" not in key:
                raise MalformedPolicyError(f"its {operator} has a key without a colon, {key!r}")
            outcome = _tested(Mismatch(number, operator, key, _written(operator, given)), given, token, variables)
            outcomes.setdefault((operator.lower(), key.lower()), []).append(outcome)
    return [*filter(None, map(_together, outcomes.values())), *unclear]


def _together(outcomes: list[Mismatch | None]) -> Mismatch | None:
    """What becomes of one key with one operator, if it is given more than once in different spellings.

    Whether AWS then demands all or only one of them isn't documented: only where they agree it doesn't matter.
    """
    failed = [outcome for outcome in outcomes if outcome is not None]
    if not failed:
        return None
    if len(failed) < len(outcomes):
        return replace(failed[0], got=None, kind="undecided", note=_TWICE)
    return next((outcome for outcome in failed if outcome.kind == "undecided"), failed[0])


def _tested(test: Mismatch, given: object, token: Token, variables: bool) -> Mismatch | None:
    """None where the token passes one test; else `test`, completed by what the token has and why it fails."""
    found = value_of(test.key, token)
    operator = _parsed(test.operator)
    if operator is None:
        verdict: bool | str = _OPERATOR
    elif not test.wanted:
        verdict = _EMPTY
    elif found is Unseen.REQUEST:
        verdict = found.value
    elif operator.test == "null":
        verdict = _absence(test.wanted, found)
    elif set_valued(test.key) and not operator.quantifier:
        verdict = _plainly(operator, test.key, token)
    elif isinstance(found, str):
        verdict = _compared(operator, found, _comparable(operator, given, variables=variables))
    else:
        verdict = _without(operator)
    if verdict is True and operator is not None and None in _comparable(operator, given, variables=variables):
        verdict = _VALUE  # a variable without a value can keep the whole statement from applying
    if verdict is True:
        return None
    if isinstance(verdict, str):
        return replace(test, kind="undecided", note=verdict)
    if not isinstance(found, str):
        return replace(test, note=found.value)
    positive = operator is not None and not operator.negated and operator.test != "null"
    return replace(test, got=found, note=differing_in_case(test.wanted, found) if positive else "")


def _parsed(written: str) -> _Operator | None:
    """The parts of an operator, None for one that IAM's documentation doesn't have."""
    name = written.lower()
    if name == "null":
        return _Operator(quantifier="", test=name, negated=False, if_exists=False)
    quantifier, colon, rest = name.rpartition(":")
    if colon and quantifier not in _QUANTIFIERS:
        return None
    test = rest.removesuffix("ifexists")
    if test not in _KNOWN:
        return None
    return _Operator(quantifier, _NEGATED.get(test, test), negated=test in _NEGATED, if_exists=test != rest)


def _absence(wanted: tuple[str, ...], found: str | Unseen) -> bool | str:
    """Null: true demands that the key isn't there, false that it is."""
    asked = {value.lower() for value in wanted}
    if len(asked) != 1 or not asked <= _BOOLEANS:
        return _VALUE
    return (asked == {"true"}) == (found is Unseen.ABSENT)


def _plainly(operator: _Operator, key: str, token: Token) -> bool | str:
    """A plain operator on a key with a set of values: never met, as far as it was seen, for the token's own issuer."""
    met_by_absence = operator.negated or operator.if_exists
    return _SET if met_by_absence and not of_its_issuer(key, token) else False


def _without(operator: _Operator) -> bool | str:
    """The test of a key that isn't there."""
    if operator.quantifier == "foranyvalue":
        return _BOTH if operator.if_exists else False
    return operator.negated or operator.if_exists or operator.quantifier == "forallvalues"


def _compared(operator: _Operator, got: str, values: list[str | None]) -> bool | str:
    """The test of a key with a value; for a single value the quantifiers change nothing."""
    compare = _TEXT.get(operator.test)
    if compare is None:
        return _OPERATOR
    if any(compare(got, value) for value in values if value is not None):
        return not operator.negated
    return _VALUE if None in values else operator.negated


def _comparable(operator: _Operator, given: object, *, variables: bool) -> list[str | None]:
    """The values to compare with; None stands for one whose meaning only AWS knows."""

    def meant(value: Any) -> str | None:
        text = _text(value)
        if isinstance(value, float) or (variables and "${" in text):
            return None
        return None if operator.test == "bool" and text.lower() not in _BOOLEANS else text

    return [meant(value) for value in _values(given)]


def _written(operator: str, given: object) -> tuple[str, ...]:
    values = _values(given)
    if not all(isinstance(value, str | int | float) for value in values):
        raise MalformedPolicyError(f"its {operator} has a value that isn't text, a number or a Boolean")
    return tuple(map(_text, values))


def _values(given: object) -> list[Any]:
    return given if isinstance(given, list) else [given]


def _text(value: object) -> str:
    """A value as IAM compares it: numbers and Booleans are text (IAM JSON policy elements: Condition)."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def like(pattern: str, text: str) -> bool:
    """Whether a text matches a pattern of IAM's: * is any text, also none, ? is one character; case counts.

    Takes time in proportion to the product of the two lengths at most: the pattern may be an attacker's.
    """
    first, *others = pattern.split("*")
    if not others:
        return re.fullmatch(_literally(pattern), text, re.DOTALL) is not None
    *middle, last = others
    # The leftmost place for each part is as good as any, so each group is atomic: nothing is tried twice.
    anywhere = "".join(f"(?>.*?{_literally(part)})" for part in middle if part)
    whole = f"{_literally(first)}{anywhere}.*{_literally(last)}"
    return re.fullmatch(whole, text, re.DOTALL) is not None


def _literally(part: str) -> str:
    return "".join("." if character == "?" else re.escape(character) for character in part)
