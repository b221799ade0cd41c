"""Conditions of trust policies: a table for each rule of IAM's, and what must never be guessed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from irsa_manager.trust.evaluate import Token, evaluate
from irsa_manager.trust.evaluation_condition import like

ACCOUNT = "111122223333"
HOST = "oidc.eks.eu-west-1.amazonaws.com/id/ABC"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{HOST}"
SUBJECT = "system:serviceaccount:shop:cart"
AUDIENCE = "sts.amazonaws.com"
TOKEN = Token(PROVIDER, HOST, SUBJECT, AUDIENCE)
SUB, AUD = f"{HOST}:sub", f"{HOST}:aud"
ABSENT = f"{HOST}:email"
ELSE = "system:serviceaccount:shop:till"

ADMITS, REFUSES, CANT_TELL = True, False, None


def allowed(condition: Any, token: Token = TOKEN, version: str = "2012-10-17") -> bool | None:
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": PROVIDER},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": condition,
    }
    return evaluate({"Version": version, "Statement": [statement]}, token).allowed


@pytest.mark.parametrize(
    ("operator", "value", "verdict"),
    [
        ("StringEquals", SUBJECT, ADMITS),
        ("StringEquals", SUBJECT.upper(), REFUSES),
        ("StringEquals", "system:serviceaccount:shop:*", REFUSES),
        ("StringEquals", [ELSE, SUBJECT], ADMITS),
        ("StringEquals", [ELSE], REFUSES),
        ("StringNotEquals", SUBJECT, REFUSES),
        ("StringNotEquals", ELSE, ADMITS),
        ("StringNotEquals", [ELSE, SUBJECT], REFUSES),
        ("StringNotEquals", SUBJECT.upper(), ADMITS),
        ("StringEqualsIgnoreCase", SUBJECT.upper(), ADMITS),
        ("StringEqualsIgnoreCase", ELSE, REFUSES),
        ("StringNotEqualsIgnoreCase", SUBJECT.upper(), REFUSES),
        ("StringNotEqualsIgnoreCase", ELSE, ADMITS),
        ("StringLike", "system:serviceaccount:shop:*", ADMITS),
        ("StringLike", "system:*:cart", ADMITS),
        ("StringLike", "system:serviceaccount:shop:car?", ADMITS),
        ("StringLike", "system:serviceaccount:shop:cart?", REFUSES),
        ("StringLike", "SYSTEM:*", REFUSES),
        ("StringLike", "serviceaccount", REFUSES),
        ("StringLike", "*", ADMITS),
        ("StringLike", "", REFUSES),
        ("StringLike", ["x*", "*:cart"], ADMITS),
        ("StringNotLike", "*:cart", REFUSES),
        ("StringNotLike", ["x*", "y*"], ADMITS),
        ("StringNotLike", ["x*", "*:cart"], REFUSES),
        ("stringlike", "*:cart", ADMITS),
        ("STRINGNOTLIKE", "*:cart", REFUSES),
        ("Bool", "true", REFUSES),
        ("Bool", False, REFUSES),
        ("Null", "false", ADMITS),
        ("Null", False, ADMITS),
        ("Null", "true", REFUSES),
        ("Null", "TRUE", REFUSES),
        ("Null", ["true", "true"], REFUSES),
    ],
)
def test_operators_on_a_claim_that_is_there(operator: str, value: Any, verdict: bool) -> None:
    assert allowed({operator: {SUB: value}}) is verdict


@pytest.mark.parametrize("quantifier", ["ForAnyValue:", "ForAllValues:", "foranyvalue:"])
@pytest.mark.parametrize("if_exists", ["", "IfExists", "ifexists"])
@pytest.mark.parametrize(
    ("operator", "value", "verdict"),
    [
        ("StringEquals", SUBJECT, ADMITS),
        ("StringEquals", ELSE, REFUSES),
        ("StringLike", ["*:till", "*:cart"], ADMITS),
        ("StringNotLike", "*:cart", REFUSES),
        ("StringNotEquals", [ELSE, SUBJECT], REFUSES),
        ("StringNotEquals", [ELSE, "x"], ADMITS),
    ],
)
def test_quantifiers_and_if_exists_change_nothing_for_one_value(
    quantifier: str, if_exists: str, operator: str, value: Any, verdict: bool
) -> None:
    assert allowed({f"{quantifier}{operator}{if_exists}": {SUB: value}}) is verdict


@pytest.mark.parametrize("key", [ABSENT, "other.example.com/id/1:sub", f"{HOST}/:sub", "sts:ExternalId", "s3:prefix"])
@pytest.mark.parametrize(
    ("operator", "verdict"),
    [
        ("StringEquals", REFUSES),
        ("StringLike", REFUSES),
        ("Bool", REFUSES),
        ("NumericLessThan", REFUSES),
        ("DateGreaterThan", REFUSES),
        ("IpAddress", REFUSES),
        ("ArnLike", REFUSES),
        ("BinaryEquals", REFUSES),
        ("StringNotEquals", ADMITS),
        ("StringNotLike", ADMITS),
        ("StringNotEqualsIgnoreCase", ADMITS),
        ("NumericNotEquals", ADMITS),
        ("DateNotEquals", ADMITS),
        ("ArnNotLike", ADMITS),
        ("ArnNotEquals", ADMITS),
        ("NotIpAddress", ADMITS),
        ("StringEqualsIfExists", ADMITS),
        ("NumericLessThanIfExists", ADMITS),
        ("ForAllValues:StringEquals", ADMITS),
        ("ForAllValues:StringNotEquals", ADMITS),
        ("ForAnyValue:StringEquals", REFUSES),
        ("ForAnyValue:StringNotEquals", REFUSES),
        ("ForAllValues:StringEqualsIfExists", ADMITS),
        ("ForAnyValue:StringEqualsIfExists", CANT_TELL),
    ],
)
def test_operators_on_a_key_that_is_not_there(key: str, operator: str, verdict: bool | None) -> None:
    assert allowed({operator: {key: "x"}}) is verdict


@pytest.mark.parametrize(("value", "verdict"), [("true", ADMITS), (True, ADMITS), ("false", REFUSES), (False, REFUSES)])
def test_null_on_a_key_that_is_not_there(value: Any, verdict: bool) -> None:
    assert allowed({"Null": {ABSENT: value}}) is verdict


@pytest.mark.parametrize("claim", ["amr", "oaud", "AMR"])
@pytest.mark.parametrize(
    ("operator", "own", "other"),
    [
        ("StringEquals", REFUSES, REFUSES),
        ("StringNotEquals", REFUSES, CANT_TELL),
        ("StringEqualsIfExists", REFUSES, CANT_TELL),
        ("ForAllValues:StringEquals", ADMITS, ADMITS),
        ("ForAnyValue:StringLike", REFUSES, REFUSES),
    ],
)
def test_keys_with_a_set_of_values_need_a_quantifier(claim: str, operator: str, own: bool, other: bool | None) -> None:
    assert allowed({operator: {f"{HOST}:{claim}": "x"}}) is own
    assert allowed({operator: {f"other.example.com/id/1:{claim}": "x"}}) is other


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (SUB.upper(), SUBJECT),
        (SUB.lower(), SUBJECT),
        (AUD, AUDIENCE),
        (AUD, ["x", AUDIENCE]),
        ("aws:principalaccount", ACCOUNT),
        ("aws:PrincipalAccount", int(ACCOUNT)),
        ("aws:PrincipalType", "User"),
        ("aws:UserId", PROVIDER),
    ],
)
def test_keys_that_sts_sets(key: str, value: Any) -> None:
    assert allowed({"StringEquals": {key: value}}) is True
    assert allowed({"StringNotEquals": {key: value}}) is False
    assert allowed({"StringEquals": {key: "different"}}) is False
    assert allowed({"Null": {key: "true"}}) is False


@pytest.mark.parametrize(
    "key",
    ["aws:FederatedProvider", "aws:PrincipalArn", "aws:RequestTag/team", "sts:SourceIdentity", "sts:TransitiveTagKeys"],
)
def test_keys_that_sts_never_sets_for_service_accounts(key: str) -> None:
    assert allowed({"StringLike": {key: "*"}}) is False
    assert allowed({"StringNotEquals": {key: "x"}}) is True
    assert allowed({"Null": {key: "true"}}) is True


def test_all_operators_and_keys_are_demanded() -> None:
    both = {"StringEquals": {SUB: SUBJECT, AUD: AUDIENCE}, "StringLike": {SUB: "system:*"}}
    assert allowed(both) is True
    assert allowed({**both, "StringNotLike": {SUB: "*:cart"}}) is False
    assert allowed({**both, "StringEquals": {SUB: SUBJECT, AUD: "x"}}) is False
    assert allowed({**both, "StringEquals": {SUB: ELSE, AUD: AUDIENCE}}) is False
    assert allowed({}) is True


@pytest.mark.parametrize(
    "condition",
    [
        {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
        {"StringEquals": {"aws:SourceVpc": "vpc-1"}},
        {"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}},
        {"Bool": {"aws:SecureTransport": "true"}},
        {"DateLessThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}},
        {"StringLike": {"sts:RoleSessionName": "*"}},
        {"StringEqualsIfExists": {"aws:SourceVpce": "vpce-1"}},
        {"Null": {"aws:SourceVpc": "true"}},
        {"StringEquals": {"aws:ANewKey": "x"}},
    ],
)
def test_what_only_the_request_has_is_left_open(condition: Any) -> None:
    assert allowed(condition) is None
    assert allowed({**condition, "StringLike": {SUB: "*:till"}}) is False, "one failing test settles it"


@pytest.mark.parametrize(
    "condition",
    [
        {"StringResembles": {SUB: SUBJECT}},
        {"ForMostValues:StringEquals": {SUB: SUBJECT}},
        {"ForAnyValue:Null": {SUB: "false"}},
        {"NullIfExists": {SUB: "false"}},
        {"": {SUB: SUBJECT}},
        {"NumericEquals": {SUB: "1"}},
        {"NumericNotEquals": {AUD: "1"}},
        {"DateGreaterThan": {AUD: "2020-01-01"}},
        {"IpAddress": {AUD: "0.0.0.0/0"}},
        {"ArnLike": {SUB: "system:*:*:*:*:*"}},
        {"ArnNotLike": {"aws:userid": "arn:aws:iam::*"}},
        {"BinaryEquals": {SUB: "c3lzdGVt"}},
        {"Bool": {SUB: "perhaps"}},
        {"Null": {SUB: "perhaps"}},
        {"Null": {SUB: ["true", "false"]}},
        {"StringEquals": {SUB: []}},
        {"Null": {SUB: []}},
        {"StringEquals": {}},
        {"StringEquals": {AUD: 1.5}},
    ],
)
def test_what_is_not_understood_is_left_open(condition: Any) -> None:
    assert allowed(condition) is None


@pytest.mark.parametrize(
    ("condition", "verdict"),
    [
        ({"StringLike": {SUB: "system:serviceaccount:${aws:x}:*"}}, CANT_TELL),
        ({"StringNotLike": {SUB: "system:serviceaccount:${aws:x}:*"}}, CANT_TELL),
        ({"StringEquals": {SUB: ["${*}", SUBJECT]}}, CANT_TELL),
        ({"StringNotEquals": {SUB: ["${aws:x}", SUBJECT]}}, REFUSES),
        ({"StringEquals": {ABSENT: "${aws:x}"}}, REFUSES),
        ({"StringNotEquals": {ABSENT: "${aws:x}"}}, CANT_TELL),
        ({"StringEqualsIfExists": {ABSENT: "${aws:x}"}}, CANT_TELL),
    ],
)
def test_policy_variables_are_left_open(condition: Any, verdict: bool | None) -> None:
    assert allowed(condition) is verdict


def test_policies_of_2008_have_no_variables() -> None:
    odd = Token(PROVIDER, HOST, SUBJECT, "${aws:x}")
    assert allowed({"StringEquals": {AUD: "${aws:x}"}}, odd, "2008-10-17") is True
    assert allowed({"StringEquals": {AUD: "${aws:x}"}}, odd, "2012-10-17") is None


@pytest.mark.parametrize(
    ("condition", "verdict"),
    [
        ({"StringEquals": {SUB: SUBJECT, SUB.upper(): SUBJECT}}, ADMITS),
        ({"StringEquals": {SUB: ELSE, SUB.upper(): ELSE}}, REFUSES),
        ({"StringEquals": {SUB: SUBJECT, SUB.upper(): ELSE}}, CANT_TELL),
        ({"StringEquals": {SUB: ELSE}, "stringequals": {SUB: SUBJECT}}, CANT_TELL),
        ({"StringEquals": {SUB: ELSE}, "stringequals": {SUB: "${aws:x}"}}, CANT_TELL),
        ({"StringEquals": {SUB: ELSE}, "StringLike": {SUB: "*"}}, REFUSES),
    ],
)
def test_one_key_spelled_twice_is_settled_only_where_both_agree(condition: Any, verdict: bool | None) -> None:
    assert allowed(condition) is verdict


def model(pattern: str, text: str) -> bool:
    """The meaning of a pattern, as slow as it is plain: which starts of the text the pattern so far can match."""
    reached = {0}
    for character in pattern:
        if character == "*":
            reached = {end for start in reached for end in range(start, len(text) + 1)}
        else:
            reached = {at + 1 for at in reached if at < len(text) and character in (text[at], "?")}
    return len(text) in reached


@given(st.text("ab*?.\n", max_size=12), st.text("ab.\n", max_size=12))
@example("*ab*?b", "aabab\n")
def test_patterns_mean_what_they_say(pattern: str, text: str) -> None:
    assert like(pattern, text) is model(pattern, text)


@pytest.mark.parametrize("pattern", ["*a" * 2000 + "b", "a*" * 2000 + "b", "*" * 4000 + "b", "*?" * 1000 + "b*"])
def test_a_strangers_pattern_does_not_hang_the_operator(pattern: str) -> None:
    """With backtracking these would take longer than the universe has lasted."""
    assert like(pattern, "a" * 1500) is False
