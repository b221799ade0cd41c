"""Trust documents: packing, comparing, reading back."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_manager.api.irsa import TrustCondition
from irsa_manager.trust import arn
from irsa_manager.trust.document import (
    ProviderTrust,
    build,
    canonical,
    deny_all,
    length,
    same,
    sha256,
    sids,
    subject,
    subjects,
)

PROVIDER = "arn:aws:iam::111122223333:oidc-provider/oidc.example.com/a"
names = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,10}[a-z0-9])?", fullmatch=True)
pairs = st.sets(st.tuples(names, names), min_size=1, max_size=40)


def trust(subjects_, audiences=("sts.amazonaws.com",)):
    return ProviderTrust(PROVIDER, "oidc.example.com/a", tuple(audiences), tuple(subjects_))


@given(pairs)
def test_packing_keeps_the_set_of_subjects(bound):
    wanted = {subject(ns, name) for ns, name in bound}
    document = build("sid", [trust(wanted)])
    assert len(document["Statement"]) == 1
    assert {s for _, s in subjects(document)} == wanted


@given(pairs, st.randoms(use_true_random=False))
def test_a_document_equals_itself_however_iam_writes_it(bound, random):
    document = build("sid", [trust(subject(*b) for b in bound)])
    stored = json.loads(json.dumps(document))
    for statement in stored["Statement"]:
        found = statement["Condition"]["StringEquals"]
        for key, value in found.items():
            values = [value] if isinstance(value, str) else value
            random.shuffle(values)
            found[key] = values
        statement["Action"] = [statement["Action"]]
        items = list(statement.items())
        random.shuffle(items)
        statement.clear()
        statement.update(items)
    if len(stored["Statement"]) == 1 and random.random() < 0.5:
        stored["Statement"] = stored["Statement"][0]
    assert same(document, stored)
    assert sha256(document) == sha256(stored)


@given(pairs, pairs)
def test_documents_of_different_subjects_differ(one, other):
    documents = [build("sid", [trust(subject(*b) for b in bound)]) for bound in (one, other)]
    assert same(*documents) == (one == other)


def test_every_allow_demands_audience_and_subject():
    document = build("m", [trust(["system:serviceaccount:a:b"])])
    (statement,) = document["Statement"]
    assert statement["Condition"]["StringEquals"] == {
        "oidc.example.com/a:aud": "sts.amazonaws.com",
        "oidc.example.com/a:sub": "system:serviceaccount:a:b",
    }
    assert sids(document) == ["m"]


def test_conditions_only_add():
    harmless = TrustCondition("StringEquals", "aws:SourceVpc", ("vpc-1",))
    widening = TrustCondition("StringEquals", "oidc.example.com/a:sub", ("*",))
    document = build("m", [trust(["system:serviceaccount:a:b"])], [harmless, widening])
    assert document["Statement"][0]["Condition"]["StringEquals"] == {
        "oidc.example.com/a:aud": "sts.amazonaws.com",
        "oidc.example.com/a:sub": "system:serviceaccount:a:b",
        "aws:SourceVpc": "vpc-1",
    }


def test_nobody_is_a_deny_that_bears_the_mark():
    document = deny_all("m", PROVIDER)
    assert subjects(document) == set()
    assert document["Statement"][0]["Effect"] == "Deny"
    assert sids(document) == ["m"]


def test_a_document_for_37_subjects_of_eks_fits_the_default_quota():
    host = "oidc.eks.eu-west-1.amazonaws.com/id/" + "E" * 32
    many = ProviderTrust(
        f"arn:aws:iam::111122223333:oidc-provider/{host}",
        host,
        ("sts.amazonaws.com",),
        tuple(subject(f"team-{i:02}", "app-sa") for i in range(37)),
    )
    assert length(build("x" * 47, [many])) < 2048


@pytest.mark.parametrize("broken", [None, [], "text", {}, {"Statement": "x"}, {"Statement": [1, {"Effect": "Allow"}]}])
def test_malformed_documents_are_read_as_trusting_nobody(broken):
    assert subjects(broken) == set()
    canonical(broken)


@pytest.mark.parametrize(
    ("text", "partition", "expected"),
    [
        ("AmazonS3FullAccess", "aws", "arn:aws:iam::aws:policy/AmazonS3FullAccess"),
        ("service-role/X", "aws-cn", "arn:aws-cn:iam::aws:policy/service-role/X"),
        ("customer/a/b", "aws-us-gov", "arn:aws-us-gov:iam::1:policy/a/b"),
        ("arn:aws-cn:iam::aws:policy/X", "aws", "arn:aws-cn:iam::aws:policy/X"),
    ],
)
def test_policies_are_named_as_users_name_them(text, partition, expected):
    assert arn.policy_arn(text, partition, "1") == expected


@pytest.mark.parametrize(
    "text", ["oidc.x/id/1", "https://oidc.x/id/1", "arn:aws-cn:iam::111122223333:oidc-provider/oidc.x/id/1"]
)
def test_a_provider_is_the_same_however_it_is_written(text):
    assert arn.provider_host(text) == "oidc.x/id/1"
