"""Would STS let this token in: statements, whole policies, reasons in words, and what to add."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from irsa_manager.trust.document import ProviderTrust, build, deny_all, subject
from irsa_manager.trust.evaluate import Mismatch, Token, Verdict, evaluate, suggest

ACCOUNT = "111122223333"
HOST = "oidc.eks.eu-west-1.amazonaws.com/id/ABC"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{HOST}"
SUBJECT = "system:serviceaccount:shop:cart"
AUDIENCE = "sts.amazonaws.com"
TOKEN = Token(PROVIDER, HOST, SUBJECT, AUDIENCE)
SUB, AUD = f"{HOST}:sub", f"{HOST}:aud"
ACTION = "sts:AssumeRoleWithWebIdentity"
USUAL = {"StringEquals": {AUD: AUDIENCE, SUB: SUBJECT}}
FROM_OFFICE = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
EC2 = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}


def statement(**changed: Any) -> dict[str, Any]:
    """An Allow for the token's provider; a value None takes an element away."""
    whole = {"Effect": "Allow", "Principal": {"Federated": PROVIDER}, "Action": ACTION, **changed}
    return {element: value for element, value in whole.items() if value is not None}


def policy(*statements: Any, **changed: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements), **changed}


def said(document: Any) -> list[str]:
    return [str(reason) for reason in evaluate(document, TOKEN).reasons]


@pytest.mark.parametrize(
    ("principal", "verdict"),
    [
        ({"Federated": PROVIDER}, True),
        ({"Federated": [f"{PROVIDER}D", PROVIDER]}, True),
        ({"Federated": PROVIDER, "AWS": "*"}, True),
        ({"Federated": PROVIDER.replace("ABC", "abc")}, False),
        ({"Federated": f"{PROVIDER}/"}, False),
        ({"Federated": PROVIDER.replace(ACCOUNT, "444455556666")}, False),
        ({"Federated": PROVIDER.replace("arn:aws:", "arn:aws-cn:")}, False),
        ({"Federated": HOST}, False),
        ({"Federated": "*"}, False),
        ({"Federated": PROVIDER[:-1] + "*"}, False),
        ({"Service": "ec2.amazonaws.com"}, False),
        ({"AWS": "*"}, False),
        ({"AWS": PROVIDER}, False),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, False),
        ("*", False),
    ],
)
def test_only_the_exact_provider_lets_tokens_in(principal: Any, verdict: bool) -> None:
    assert evaluate(policy(statement(Principal=principal)), TOKEN).allowed is verdict


@pytest.mark.parametrize(
    ("principal", "verdict"),
    [
        ({"Federated": PROVIDER}, False),
        ({"Federated": ["x", PROVIDER]}, False),
        ({"Federated": f"{PROVIDER}/"}, True),
        ({"Service": "ec2.amazonaws.com"}, True),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:role/admin"}, True),
        ({"AWS": "444455556666"}, True),
        ({"AWS": ["x", "*"]}, None),
        ("*", None),
        ({"AWS": ACCOUNT}, None),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, None),
    ],
)
def test_whom_a_deny_reaches(principal: Any, verdict: bool | None) -> None:
    deny = statement(Effect="Deny", Principal=principal)
    assert evaluate(policy(statement(), deny), TOKEN).allowed is verdict


@pytest.mark.parametrize(
    ("actions", "named"),
    [
        (ACTION, True),
        (ACTION.upper(), True),
        ("sts:*", True),
        ("STS:assumerole*", True),
        ("*", True),
        ("sts:AssumeRoleWith?ebIdentity", True),
        (["sts:TagSession", ACTION], True),
        ("sts:AssumeRole", False),
        ("sts:AssumeRoleWithSAML", False),
        (["sts:TagSession", "sts:AssumeRole?"], False),
        ("s3:*", False),
        ("", False),
    ],
)
def test_actions(actions: Any, named: bool) -> None:
    assert evaluate(policy(statement(Action=actions)), TOKEN).allowed is named
    assert evaluate(policy(statement(Action=None, NotAction=actions)), TOKEN).allowed is not named


def test_an_explicit_deny_wins_wherever_it_stands() -> None:
    allow, deny = statement(Condition=USUAL), statement(Effect="Deny", Condition={"StringLike": {SUB: "*:cart"}})
    assert evaluate(policy(allow), TOKEN) == Verdict(True, 1)
    assert evaluate(policy(EC2, allow), TOKEN) == Verdict(True, 2)
    assert evaluate(policy(deny, allow), TOKEN).statement == 1
    assert evaluate(policy(allow, deny), TOKEN).statement == 2
    assert evaluate(policy(allow, deny), TOKEN).allowed is False
    assert evaluate(policy(allow, statement(Effect="Deny", Condition={"StringLike": {SUB: "*:till"}})), TOKEN).allowed


@pytest.mark.parametrize(
    ("statements", "verdict", "number"),
    [
        ([statement(Condition=FROM_OFFICE)], None, 1),
        ([statement(Condition=FROM_OFFICE), statement()], True, 2),
        ([statement(), statement(Effect="Deny", Condition=FROM_OFFICE)], None, 2),
        ([statement(Condition=FROM_OFFICE), statement(Effect="Deny", Condition=FROM_OFFICE)], None, 1),
        ([EC2, statement(Effect="Deny", Condition=FROM_OFFICE)], False, None),
        ([statement(Condition=FROM_OFFICE), statement(Effect="Deny")], False, 2),
        ([EC2], False, None),
        ([statement(Effect="Deny", Principal={"Service": "x.amazonaws.com"})], False, None),
        ([statement(Principal=None, NotPrincipal={"Federated": "x"})], None, 1),
        ([statement(), statement(Effect="Deny", Principal=None, NotPrincipal={"Federated": "x"})], None, 2),
        ([statement(Resource="*")], None, 1),
        ([statement(Principal={"Federated": "x"}, Limits={})], False, None),
    ],
)
def test_which_statement_decides(statements: list[Any], verdict: bool | None, number: int | None) -> None:
    found = evaluate(policy(*statements), TOKEN)
    assert (found.allowed, found.statement) == (verdict, number)


@pytest.mark.parametrize("version", ["2012-10-17", "2008-10-17", None])
def test_forms_of_whole_policies(version: str | None) -> None:
    members = {"Version": version} if version else {}
    assert evaluate({**members, "Id": "x", "Statement": statement()}, TOKEN).allowed is True
    assert evaluate({**members, "Statement": [statement()]}, TOKEN).allowed is True
    assert evaluate({**members, "Statement": statement(), "Scope": "x"}, TOKEN).allowed is None


STATEMENTS = "its Statement isn't an object or a list of objects"
PRINCIPAL = "its Principal isn't an object that names one"
ACTIONS = "it wants exactly one of Action and NotAction"
VALUE = "its StringEquals has a value that isn't text, a number or a Boolean"
OBJECT = "it isn't a JSON object"
VERSION = "its Version isn't one of IAM's"
TEXTS = "isn't text or a list of texts"


@pytest.mark.parametrize(
    ("document", "where", "told"),
    [
        (None, 0, OBJECT),
        ('{"Version":"2012-10-17"}', 0, OBJECT),
        ([statement()], 0, OBJECT),
        ({}, 0, STATEMENTS),
        (policy(), 0, STATEMENTS),
        (policy(statement(), "x"), 0, STATEMENTS),
        (policy(statement(), Version="2020-01-01"), 0, VERSION),
        (policy(statement(), Version=["2012-10-17"]), 0, VERSION),
        (policy(statement(Effect="allow")), 1, "its Effect is neither Allow nor Deny"),
        (policy(statement(), statement(Effect=None)), 2, "its Effect is neither Allow nor Deny"),
        (policy(statement(Principal=None)), 1, PRINCIPAL),
        (policy(statement(Principal=PROVIDER)), 1, PRINCIPAL),
        (policy(statement(Principal={})), 1, PRINCIPAL),
        (policy(statement(Principal={"Federated": [1]})), 1, f"its Principal.Federated {TEXTS}"),
        (policy(statement(Principal={"Federated": []})), 1, f"its Principal.Federated {TEXTS}"),
        (policy(statement(Action=None)), 1, ACTIONS),
        (policy(statement(NotAction="sts:*")), 1, ACTIONS),
        (policy(statement(Action={"a": "b"})), 1, f"its Action {TEXTS}"),
        (policy(statement(Condition=[])), 1, "its Condition isn't an object"),
        (policy(statement(Condition={"StringEquals": SUBJECT})), 1, "what its StringEquals compares isn't an object"),
        (policy(statement(Condition={"Null": {"sub": "true"}})), 1, "its Null has a key without a colon, 'sub'"),
        (policy(statement(Condition={"StringEquals": {SUB: {}}})), 1, VALUE),
        (policy(statement(Condition={"StringEquals": {SUB: [SUBJECT, None]}})), 1, VALUE),
    ],
)  # fmt: skip
def test_malformed_policies_let_nobody_in(document: Any, where: int, told: str) -> None:
    assert evaluate(document, TOKEN).allowed is False
    assert said(document) == [f"its {f'statement {where}' if where else 'trust policy'} is malformed: {told}"]
    assert suggest(document, TOKEN) is None


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (
            policy(statement(Condition={"StringEquals": {SUB: "serviceaccount:shop:cart", AUD: "x"}})),
            [
                f"its statement 1 wants StringEquals {SUB} = serviceaccount:shop:cart (the token's is {SUBJECT})",
                f"its statement 1 wants StringEquals {AUD} = x (the token's is {AUDIENCE})",
            ],
        ),
        (
            policy(statement(Condition={"StringLike": {SUB: "system:serviceaccount:Shop:cart"}})),
            [
                f"its statement 1 wants StringLike {SUB} = system:serviceaccount:Shop:cart "
                f"(the token's is {SUBJECT}; upper and lower case count)"
            ],
        ),
        (
            policy(statement(Condition={"StringNotEqualsIgnoreCase": {SUB: SUBJECT.upper()}})),
            [f"its statement 1 wants StringNotEqualsIgnoreCase {SUB} = {SUBJECT.upper()} (the token's is {SUBJECT})"],
        ),
        (
            policy(statement(Condition={"StringEquals": {SUB: [f"s{n}" for n in range(9)]}})),
            [f"its statement 1 wants StringEquals {SUB} = s0, s1, s2, s3, s4 and 4 more (the token's is {SUBJECT})"],
        ),
        (
            policy(statement(Condition={"StringLike": {SUB: "a\u001b[2J\nb"}})),
            [f"its statement 1 wants StringLike {SUB} = a\\x1b[2J\\nb (the token's is {SUBJECT})"],
        ),
        (
            policy(statement(Condition={"Bool": {f"{HOST}:email": True}})),
            [f"its statement 1 wants Bool {HOST}:email = true (the token has none)"],
        ),
        (
            policy(EC2, statement(Condition={"Null": {AUD: "true"}})),
            [
                f"its statement 2 wants Null {AUD} = true (the token's is {AUDIENCE})",
                f"its statement 1 wants Principal Service = ec2.amazonaws.com (the token's is {PROVIDER})",
                f"its statement 1 wants Action = sts:AssumeRole (asked for is {ACTION})",
            ],
        ),
        (
            policy(statement(Action="sts:TagSession"), statement(Principal={"Federated": PROVIDER.lower()})),
            [
                f"its statement 1 wants Action = sts:TagSession (asked for is {ACTION})",
                f"its statement 2 wants Principal Federated = {PROVIDER.lower()} "
                f"(the token's is {PROVIDER}; upper and lower case count)",
            ],
        ),
        (
            policy(statement(Action="sts:TagSession"), statement(Condition={"StringEquals": {AUD: "x"}})),
            [
                f"its statement 2 wants StringEquals {AUD} = x (the token's is {AUDIENCE})",
                f"its statement 1 wants Action = sts:TagSession (asked for is {ACTION})",
            ],
        ),
        (
            policy(statement(), statement(Effect="Deny", Condition=USUAL)),
            ["its statement 2 denies it"],
        ),
        (
            policy(statement(Condition={**FROM_OFFICE, **USUAL})),
            ["its statement 1 tests IpAddress aws:SourceIp = 10.0.0.0/8 (known only when the token is exchanged)"],
        ),
        (
            policy(statement(Condition={**FROM_OFFICE, "StringEquals": {AUD: "x"}})),
            [f"its statement 1 wants StringEquals {AUD} = x (the token's is {AUDIENCE})"],
        ),
        (
            policy(statement(Condition={"StringResembles": {SUB: "x"}})),
            [f"its statement 1 tests StringResembles {SUB} = x (this operator isn't judged here)"],
        ),
        (policy(statement(Effect="Deny", Principal={"Service": "x.amazonaws.com"})), []),
        (policy(statement()), []),
    ],
)
def test_reasons_in_words(document: Any, told: list[str]) -> None:
    assert said(document) == told


def test_a_reason_has_its_parts() -> None:
    (reason,) = evaluate(policy(statement(Condition={"StringLike": {SUB: ["a", "b"]}})), TOKEN).reasons
    assert reason == Mismatch(1, "StringLike", SUB, ("a", "b"), SUBJECT)


def test_what_is_suggested_is_what_we_would_write() -> None:
    assert suggest(policy(EC2), TOKEN) == statement(Condition=USUAL)


def test_nothing_is_suggested_where_it_would_not_help() -> None:
    assert suggest(policy(statement(), statement(Effect="Deny")), TOKEN) is None
    assert suggest(deny_all("mark", PROVIDER), TOKEN) is None


names = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)
pairs = st.tuples(names, names)


@given(st.sets(pairs, min_size=1, max_size=20), pairs)
def test_what_we_build_lets_in_its_subjects_and_nobody_else(
    bound: set[tuple[str, str]], other: tuple[str, str]
) -> None:
    document = build("mark", [ProviderTrust(PROVIDER, HOST, (AUDIENCE,), tuple(subject(*pair) for pair in bound))])
    for pair in bound | {other}:
        assert evaluate(document, Token(PROVIDER, HOST, subject(*pair), AUDIENCE)).allowed is (pair in bound)
        assert evaluate(document, Token(PROVIDER, HOST, subject(*pair), "x")).allowed is False
        assert evaluate(document, Token(f"{PROVIDER}/", f"{HOST}/", subject(*pair), AUDIENCE)).allowed is False


conditions = st.dictionaries(
    st.sampled_from(["StringEquals", "StringNotLike", "StringLikeIfExists", "StringResembles", "Null", "IpAddress"]),
    st.dictionaries(
        st.sampled_from([SUB, AUD, f"{HOST}:email", "aws:SourceIp", "sts:ExternalId"]),
        st.sampled_from([SUBJECT, AUDIENCE, "*", "system:*", "true", "false", "${aws:x}", [], [SUBJECT, "x"]]),
        max_size=2,
    ),
    max_size=2,
)
statements = st.builds(
    lambda effect, principal, action, condition: statement(
        Effect=effect, Principal=principal, Action=action, Condition=condition
    ),
    st.sampled_from(["Allow", "Allow", "Deny"]),
    st.sampled_from([{"Federated": PROVIDER}, {"Federated": PROVIDER}, {"AWS": "*"}, {"Service": "x.amazonaws.com"}]),
    st.sampled_from([ACTION, "sts:*", "sts:AssumeRole"]),
    conditions,
)
policies = st.lists(statements, min_size=1, max_size=4)


@given(policies)
def test_the_suggested_statement_helps(found: list[Any]) -> None:
    added = suggest(policy(*found), TOKEN)
    if added is None:
        assert evaluate(policy(*found), TOKEN).allowed is False
        return
    verdict = evaluate(policy(*found, added), TOKEN)
    denies = [one for one in found if one["Effect"] == "Deny"]
    # Only a Deny that can't be told leaves it open: then the Denies alone, with an Allow of everything, do too.
    assert verdict.allowed is evaluate(policy(*denies, statement()), TOKEN).allowed
    assert verdict.allowed is not False


@given(policies, st.randoms(use_true_random=False))
def test_the_order_of_statements_is_no_matter(found: list[Any], random: Any) -> None:
    shuffled = list(found)
    random.shuffle(shuffled)
    assert evaluate(policy(*shuffled), TOKEN).allowed is evaluate(policy(*found), TOKEN).allowed


@given(policies, statements)
def test_another_deny_lets_nobody_in_and_another_allow_keeps_nobody_out(found: list[Any], more: Any) -> None:
    before, after = evaluate(policy(*found), TOKEN).allowed, evaluate(policy(*found, more), TOKEN).allowed
    ranked = {False: 0, None: 1, True: 2}
    if more["Effect"] == "Deny":
        assert ranked[after] <= ranked[before]
    else:
        assert ranked[after] >= ranked[before]


@given(policies, st.sampled_from(["StringResembles", "ForSomeValues:StringLike"]))
def test_an_operator_that_is_not_known_is_never_passed_over(found: list[Any], operator: str) -> None:
    """With such a test in every statement nothing is allowed, and nothing is denied, for certain."""
    assume(any(one["Effect"] == "Allow" for one in found))
    strange = [{**one, "Condition": {**one["Condition"], operator: {SUB: SUBJECT}}} for one in found]
    verdict = evaluate(policy(*strange), TOKEN)
    assert verdict.allowed is not True
    assert all(reason.kind != "denies" for reason in verdict.reasons)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    json_values
    | st.builds(policy, json_values)
    | st.fixed_dictionaries(
        {"Statement": st.dictionaries(st.sampled_from([*statement(), "Condition", "NotAction"]), json_values)}
    )
    | st.builds(policy, st.builds(statement, Principal=json_values))
    | st.builds(policy, st.builds(statement, Condition=json_values))
)
def test_nothing_that_json_can_say_is_let_in_by_mistake(document: Any) -> None:
    verdict = evaluate(document, TOKEN)
    assert verdict.allowed is not True or document["Statement"][0].get("Condition", {}) == {}
    assert all(str(reason).isprintable() for reason in verdict.reasons)
    suggest(document, TOKEN)
