"""The front's pure rules, for all inputs that Hypothesis thinks of."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_manager.sandbox.front import paging, policy_language, providers, tags, trust_document, web_identity
from irsa_manager.sandbox.front.answers import Refused, xml

NOW = 1_790_000_000


def compact(claims: Any, header: Any = None) -> str:
    parts = [json.dumps(header or {"alg": "RS256", "kid": "k"}), json.dumps(claims), "signature"]
    return ".".join(base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in parts)


def token(**changed: Any) -> web_identity.Token:
    return web_identity.parse(compact({"iss": "https://i", "sub": "s", "aud": "a", "iat": NOW, "exp": NOW, **changed}))


def outcome(call: Any, *arguments: Any) -> str:
    try:
        call(*arguments)
    except Refused as refused:
        return refused.code
    return "accepted"


@given(st.integers(-1000, 1000))
def test_expiry_tolerates_less_than_five_minutes(past: int) -> None:
    expected = "ExpiredTokenException" if past >= 300 else "accepted"
    assert outcome(web_identity.check_times, token(exp=NOW - past), NOW) == expected


@given(st.sampled_from(["iat", "nbf"]), st.integers(-1000, 1000))
def test_the_future_begins_after_five_minutes(claim: str, ahead: int) -> None:
    expected = "InvalidIdentityToken" if ahead > 300 else "accepted"
    made = token(**{"exp": NOW + 9000, claim: NOW + ahead})
    assert outcome(web_identity.check_times, made, NOW) == expected


@given(st.lists(st.text(min_size=1), min_size=1, max_size=4), st.none() | st.text(min_size=1), st.sets(st.text()))
def test_audience_is_a_client_id_or_nothing(audiences: list[str], party: str | None, clients: set[str]) -> None:
    made = token(aud=audiences, azp=party) if party else token(aud=audiences)
    try:
        chosen = web_identity.audience(made, clients)
    except Refused as refused:
        assert refused.code == "InvalidIdentityToken"
        assert (party or audiences[0]) not in clients or (party is None and len(audiences) > 1)
    else:
        assert chosen in clients
        assert chosen == (party or audiences[0])
        assert party or len(audiences) == 1


@given(st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_no_text_breaks_the_parser(text: str) -> None:
    for compact_form in (text, f"{text}.{text}.{text}", f"e30.{text}.e30"):
        assert outcome(web_identity.parse, compact_form) == "InvalidIdentityToken"


VALUE = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text(), max_size=2)


@given(st.dictionaries(st.sampled_from(["iss", "sub", "aud", "iat", "exp", "nbf", "azp"]), VALUE))
def test_any_claims_are_a_token_or_refused(claims: dict[str, Any]) -> None:
    try:
        made = web_identity.parse(compact(claims))
    except Refused as refused:
        assert refused.code == "InvalidIdentityToken"
    else:
        assert all(claims.get(name) is not None for name in web_identity.REQUIRED)
        assert isinstance(made.expires_at, int)


WORD = st.text("abcdefghij", min_size=1, max_size=8)
CONDITION = st.dictionaries(
    st.sampled_from(["StringEquals", "ForAnyValue:StringLike", "Bool", "NumericLessThanIfExists"]),
    st.dictionaries(WORD.map(lambda word: f"host:{word}"), WORD | st.lists(WORD, min_size=1, max_size=3), min_size=1),
)
STATEMENT = st.fixed_dictionaries(
    {
        "Effect": st.sampled_from(["Allow", "Deny"]),
        "Principal": st.fixed_dictionaries(
            {"AWS": st.sampled_from(["123456789012", "arn:aws:iam::123456789012:root"])}
        ),
        "Action": st.sampled_from(["sts:AssumeRole", ["sts:AssumeRole", "sts:TagSession"]]),
    },
    optional={"Condition": CONDITION},
)
POLICY = st.fixed_dictionaries(
    {"Statement": STATEMENT | st.lists(STATEMENT, min_size=1, max_size=3), "Version": st.just("2012-10-17")}
)


@given(POLICY, st.integers(0, 8))
def test_storing_a_trust_policy_changes_its_form_only(policy: dict[str, Any], indent: int) -> None:
    text = json.dumps(policy, indent=indent or None)
    stored, echoed = trust_document.check(text, lambda arn: arn.endswith(":root"))
    expected = json.loads(json.dumps(policy).replace('"123456789012"', '"arn:aws:iam::123456789012:root"'))
    assert json.loads(stored) == json.loads(echoed) == expected
    assert trust_document.check(stored, lambda _: True)[0] == stored
    assert policy_language.size(text) == policy_language.size(json.dumps(policy))


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))  # fmt: skip
def test_any_json_is_a_trust_policy_or_malformed(value: Any) -> None:
    for document in (value, {"Version": "2012-10-17", "Statement": value}):
        assert outcome(trust_document.check, json.dumps(document), lambda _: True) == "MalformedPolicyDocument"


TAGS = st.lists(st.fixed_dictionaries({"Key": st.sampled_from(["a", "A", "b", "c"]), "Value": WORD}), max_size=4)


@given(TAGS, st.booleans())
def test_merged_tags_have_each_key_once(new: list[tags.Tag], fold: bool) -> None:
    keys = [tag["Key"].lower() if fold else tag["Key"] for tag in new]
    if len(set(keys)) != len(keys):
        assert outcome(lambda: tags.merge([], new, fold=fold)) == "InvalidInput"
        return
    merged = tags.merge([], new, fold=fold)
    assert merged == new
    assert tags.merge(merged, new, fold=fold) == merged
    assert tags.without(merged, [tag["Key"] for tag in new], fold=fold) == []


@given(st.sets(WORD), st.integers(1, 10))
def test_pages_are_the_list(items: set[str], size: int) -> None:
    ordered = sorted(items)
    found: list[str] = []
    parameters = {"MaxItems": str(size)}
    while True:
        page, more = paging.page(ordered, str, parameters)
        assert len(page) <= size
        found += page
        if not more["IsTruncated"]:
            break
        parameters = {"MaxItems": str(size), "Marker": more["Marker"]}
    assert found == ordered


@given(st.text())
def test_urls_are_a_provider_or_refused(text: str) -> None:
    for url in (text, f"https://{text}", f"https://host.test/{text}"):
        try:
            kept = providers.host_and_path(url)
        except Refused as refused:
            assert refused.code == "InvalidInput"
        else:
            assert url.startswith("https://")
            assert kept
            assert not {"?", "#", "@"} & set(kept.partition("/")[0])


@given(st.text())
def test_texts_are_escaped(text: str) -> None:
    assert not {"<", ">"} & set(xml(text))
    assert xml({"Name": text}).startswith("<Name>")


def test_what_has_no_form_is_no_answer() -> None:
    with pytest.raises(TypeError, match="float"):
        xml(1.5)
