"""What we say of a trust policy is what the sandbox's STS does: documents are drawn, tokens really exchanged."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from typing import Any

import pytest
from botocore.exceptions import ClientError
from front_issuer import AUDIENCE, ISSUER, PROVIDER, SUBJECT, Issuer, claims, create, public, sign, trust
from front_process import ACCOUNT, Front
from front_sts import DENIED
from hypothesis import given
from hypothesis import strategies as st

from irsa_manager.trust.evaluate import Token, evaluate, suggest

HOST = ISSUER.removeprefix("https://")
OTHER = "system:serviceaccount:kube-system:app"
TOKENS = [Token(PROVIDER, HOST, subject, audience) for subject in (SUBJECT, OTHER) for audience in (AUDIENCE, "second")]
WEB_IDENTITY = "sts:AssumeRoleWithWebIdentity"

OPERATORS = [
    *("StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike"),
    *("StringNotLike", "Bool", "ArnLike", "ArnNotEquals", "NumericLessThan", "NumericNotEquals", "DateNotEquals"),
    *("IpAddress", "NotIpAddress", "BinaryEquals"),
]
operators = st.one_of(
    st.just("Null"),
    st.builds(
        "{}{}{}".format,
        st.sampled_from(["", "", "", "ForAnyValue:", "ForAllValues:"]),
        st.sampled_from(OPERATORS),
        st.sampled_from(["", "", "IfExists"]),
    ),
)
spelled = operators.flatmap(lambda operator: st.sampled_from([operator, operator, operator.lower(), operator.upper()]))
keys = st.sampled_from(
    [
        *([f"{HOST}:sub", f"{HOST}:aud", f"{HOST}:sub".upper()] * 3),
        *(f"{HOST}:{claim}" for claim in ("email", "amr", "oaud", "iss")),
        *("accounts.google.com:sub", "other.example.test/id/1:aud", f"{HOST}/:sub", "s3:prefix"),
        *("aws:PrincipalType", "aws:PrincipalAccount", "aws:userid", "aws:PrincipalArn", "aws:FederatedProvider"),
        *("aws:SourceIp", "aws:SecureTransport", "aws:CurrentTime", "aws:RequestTag/team"),
        *("sts:RoleSessionName", "sts:ExternalId", "sts:SourceIdentity", "aws:PrincipalOrgID"),
    ]
)
texts = st.sampled_from(
    [
        *(SUBJECT, OTHER, AUDIENCE, "second", SUBJECT.upper(), "system:serviceaccount:*:app", "*", "?*", ""),
        *("system:serviceaccount:default:*", "system:*:?????????p", "sts.*", "second?", "true", "False", "0", "User"),
        *(ACCOUNT, PROVIDER, "127.0.0.0/8", "2030-01-01T00:00:00Z", "${aws:userid}", "arn:aws:iam::*:oidc-provider/*"),
    ]
)
values = st.one_of(texts, st.lists(texts, min_size=1, max_size=3))
conditions = st.dictionaries(spelled, st.dictionaries(keys, values, min_size=1, max_size=2), max_size=2)
usual = st.fixed_dictionaries(
    {"StringEquals": st.just({f"{HOST}:aud": [AUDIENCE, "second"], f"{HOST}:sub": SUBJECT})},
    optional={"StringLike": st.just({f"{HOST}:sub": "system:serviceaccount:*"})},
)
elsewhere = PROVIDER.replace("/id/1", "/id/2")
principals = st.sampled_from(
    [
        *([{"Federated": PROVIDER}] * 6),
        {"Federated": [elsewhere, PROVIDER]},
        {"Federated": elsewhere},
        {"Federated": f"{PROVIDER}/"},
        {"Federated": PROVIDER.replace("/id/1", "/ID/1")},
        {"AWS": "*"},
        {"AWS": ACCOUNT},
        {"Service": "ec2.amazonaws.com"},
        {"Service": "ec2.amazonaws.com", "Federated": PROVIDER},
    ]
)
named = st.sampled_from(
    [WEB_IDENTITY, WEB_IDENTITY, WEB_IDENTITY.upper(), "sts:*", "sts:Assume?ole*", "sts:AssumeRole", "sts:TagSession"]
)
actions = st.one_of(named, st.lists(named, min_size=1, max_size=2))


@st.composite
def statements(draw: st.DrawFn) -> dict[str, Any]:
    made: dict[str, Any] = {
        "Effect": draw(st.sampled_from(["Allow", "Allow", "Allow", "Deny"])),
        "Principal": draw(principals),
        draw(st.sampled_from(["Action", "Action", "Action", "Action", "NotAction"])): draw(actions),
    }
    condition = draw(st.one_of(usual, conditions, conditions))
    return {**made, "Condition": condition} if condition or draw(st.booleans()) else made


documents = st.fixed_dictionaries(
    {
        "Version": st.sampled_from(["2012-10-17", "2012-10-17", "2008-10-17"]),
        "Statement": st.one_of(statements(), st.lists(statements(), min_size=1, max_size=3)),
    }
)


@pytest.fixture(scope="module")
def exchange(front: Front, iam: Any, issuer_server: Issuer, signing: Any) -> Any:
    """Whether STS gives credentials for a token of a subject and audience while a role has a trust policy."""
    issuer_server.publish([public(signing)])
    role = create(iam, "verdicts", AssumeRolePolicyDocument=trust())
    sts = front.client("sts")

    @cache
    def signed(subject: str, audience: str) -> str:
        return sign(signing, claims(sub=subject, aud=[audience]))

    def put(document: Any) -> None:
        iam.update_assume_role_policy(RoleName="verdicts", PolicyDocument=json.dumps(document))

    def admitted(token: Token) -> bool:
        try:
            sts.assume_role_with_web_identity(
                RoleArn=role["Arn"], RoleSessionName="verdicts", WebIdentityToken=signed(token.subject, token.audience)
            )
        except ClientError as error:
            # Any other refusal would mean that the trust policy wasn't what was asked.
            told = error.response
            assert (told["Error"]["Code"], told["Error"]["Message"], 403) == DENIED
            return False
        return True

    yield put, admitted
    iam.delete_role(RoleName="verdicts")


def test_a_verdict_is_what_sts_answers(exchange: Any) -> None:
    put, admitted = exchange
    told: Counter[bool | None] = Counter()

    @given(documents)
    def agree(document: Any) -> None:
        put(document)
        for token in TOKENS:
            verdict = evaluate(document, token)
            told[verdict.allowed] += 1
            if verdict.allowed is not None:
                assert admitted(token) is verdict.allowed, verdict

    agree()
    assert min(told[True], told[False], told[None]) > 20, told


def test_what_is_suggested_lets_the_token_in(exchange: Any) -> None:
    put, admitted = exchange
    told: Counter[bool] = Counter()

    @given(documents, st.sampled_from(TOKENS))
    def helped(document: Any, token: Token) -> None:
        found = document["Statement"]
        added = suggest(document, token)
        told[added is not None] += 1
        if added is None:
            put(document)
            assert not admitted(token)
            return
        mended = {**document, "Statement": [*(found if isinstance(found, list) else [found]), added]}
        put(mended)
        if evaluate(mended, token).allowed is not None:
            assert admitted(token)

    helped()
    assert min(told[True], told[False]) > 3, told
