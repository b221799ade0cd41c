"""Documents on the wire: one text for one document, and nothing lost on the way back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_manager.aws.documents import decode_document, encode_document, rfc3339, trust_document

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_nothing_is_lost(document: Any) -> None:
    assert decode_document(quote(encode_document(document))) == document


@given(st.dictionaries(st.text(), values, max_size=6))
def test_the_order_of_keys_makes_no_difference(document: dict[str, Any]) -> None:
    assert encode_document(dict(reversed(document.items()))) == encode_document(document)


@given(values)
def test_iam_takes_every_character_of_it(document: Any) -> None:
    """IAM allows tab, LF, CR and U+0020 to U+00FF (policyDocumentType)."""
    assert all(" " <= character <= "~" for character in encode_document(document))


def test_nothing_that_a_quota_counts_is_wasted() -> None:
    assert encode_document({"b": [1, "x y"], "a": {}}) == '{"a":{},"b":[1,"x y"]}'


@pytest.mark.parametrize("text", ["", "%7B", "no json", "{'a': 1}"])
def test_no_document_is_none(text: str) -> None:
    assert decode_document(text) is None


@pytest.mark.parametrize(("value", "trust"), [({"a": 1}, {"a": 1}), ([], None), ("x", None), (None, None)])
def test_a_trust_policy_is_an_object(value: Any, trust: Any) -> None:
    assert trust_document(value) == trust


@given(st.datetimes(timezones=st.just(UTC)), st.integers(-14, 14))
def test_a_time_is_the_same_in_any_zone(moment: datetime, hours: int) -> None:
    if not 2 < moment.year < 9998:
        return
    elsewhere = moment.astimezone(timezone(timedelta(hours=hours)))
    assert rfc3339(elsewhere) == rfc3339(moment.isoformat()) == rfc3339(moment.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-24T18:00:00Z", "2026-11-24T18:00:00Z"),
        ("2026-11-24T18:00:00.500Z", "2026-11-24T18:00:00Z"),
        ("2026-11-24T19:00:00+01:00", "2026-11-24T18:00:00Z"),
        ("", ""),
        ("yesterday", "yesterday"),
    ],
)
def test_texts_that_are_times(text: str, expected: str) -> None:
    assert rfc3339(text) == expected
