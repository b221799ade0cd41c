"""Tags of roles and providers.

Source: IAM User Guide, "Tags for AWS Identity and Access Management resources"; IAM API Reference, data type Tag. A
role's tag keys are one key whatever their case; a provider's two spellings are two keys.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Final

from irsa_manager.sandbox.front.answers import Refused, validation

MOST: Final = 50
"""Per role or provider."""

_PUNCTUATION: Final = frozenset("_.:/=+-@")
_TOLD: Final = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]"
_DUPLICATE: Final = "Duplicate tag keys found. Please note that Tag keys are case insensitive."

Tag = dict[str, str]
"""Key and Value."""


def given(parameters: Mapping[str, str]) -> list[Tag]:
    """The Tags parameter, in order.

    Raises:
        Refused: a key or value of a wrong length or character, a reserved key, a key without value.

    """
    found: dict[int, Tag] = {}
    for name, value in parameters.items():
        match = re.fullmatch(r"Tags\.member\.(\d{1,5})\.(Key|Value)", name, re.ASCII)
        if match:
            found.setdefault(int(match[1]), {})[match[2]] = value
    listed = [found[number] for number in sorted(found)]
    for position, tag in enumerate(listed, 1):
        if set(tag) != {"Key", "Value"}:
            raise validation("null", f"tags.{position}.member", "Member must not be null")
        _check(tag, position)
    return listed


def merge(present: Iterable[Tag], new: Iterable[Tag], *, fold: bool) -> list[Tag]:
    """Tags after new ones were put; `fold` where keys are the same whatever their case.

    Raises:
        Refused: a key twice among the new ones, or more than 50 tags afterwards.

    """
    new = list(new)
    keys = [_same(tag["Key"], fold) for tag in new]
    if len(set(keys)) != len(keys):
        raise Refused("InvalidInput", _DUPLICATE)
    merged = {_same(tag["Key"], fold): tag for tag in present}
    merged.update(zip(keys, new, strict=True))
    if len(merged) > MOST:
        raise Refused("LimitExceeded", "The number of tags has reached the maximum limit.", 409)
    return list(merged.values())


def without(present: Iterable[Tag], keys: Iterable[str], *, fold: bool) -> list[Tag]:
    """Tags after some were taken away; keys that aren't there are no error."""
    gone = {_same(key, fold) for key in keys}
    return [tag for tag in present if _same(tag["Key"], fold) not in gone]


def _check(tag: Tag, position: int) -> None:
    key, value = tag["Key"], tag["Value"]
    for text, part, least, most in ((key, "key", 1, 128), (value, "value", 0, 256)):
        member = f"tags.{position}.member.{part}"
        if len(text) < least:
            raise validation(text, member, f"Member must have length greater than or equal to {least}")
        if len(text) > most:
            raise validation(text, member, f"Member must have length less than or equal to {most}")
        if not all(letter in _PUNCTUATION or unicodedata.category(letter)[0] in "LZN" for letter in text):
            raise validation(text, member, f"Member must satisfy regular expression pattern: {_TOLD}{'*+'[least]}")
    if key.lower().startswith("aws:"):
        raise Refused("InvalidInput", f"The tag key {key} has the prefix aws:, which is reserved for AWS.")


def _same(key: str, fold: bool) -> str:
    return key.lower() if fold else key
