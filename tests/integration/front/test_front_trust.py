"""Trust policies: which documents IAM takes, how it stores them, how large they may be."""

from __future__ import annotations

import json
from typing import Any

import pytest
from front_issuer import PROVIDER, ROOT_TRUST, create, trust
from front_process import ACCOUNT, Front, code_of


def test_account_ids_come_back_as_root_arns(iam: Any, name: str) -> None:
    document = json.loads(json.dumps(ROOT_TRUST).replace(f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT))
    create(iam, name, AssumeRolePolicyDocument=json.dumps(document))
    assert iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"] == ROOT_TRUST


def test_dead_principal_shows_as_its_id(iam: Any, name: str) -> None:
    first = create(iam, name)
    document = json.dumps(ROOT_TRUST).replace(f"arn:aws:iam::{ACCOUNT}:root", first["Arn"])
    create(iam, f"{name}-2", AssumeRolePolicyDocument=document)
    iam.delete_role(RoleName=name)
    create(iam, name)
    shown = iam.get_role(RoleName=f"{name}-2")["Role"]["AssumeRolePolicyDocument"]
    assert shown["Statement"][0]["Principal"] == {"AWS": first["RoleId"]}
    told = code_of(iam.update_assume_role_policy, RoleName=f"{name}-2", PolicyDocument=json.dumps(shown))
    assert told == ("MalformedPolicyDocument", f'Invalid principal in policy: "AWS":"{first["RoleId"]}"', 400)


def statement(**changed: Any) -> Any:
    whole = {
        "Effect": "Allow",
        "Principal": {"Federated": PROVIDER},
        "Action": "sts:AssumeRoleWithWebIdentity",
        **changed,
    }
    return {"Version": "2012-10-17", "Statement": [{key: value for key, value in whole.items() if value is not None}]}


def unknown(principal: str) -> str:
    return f'Invalid principal in policy: "AWS":"arn:aws:iam::{principal}"'


SID = "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
SAME_SID = "Statement IDs (SID) in a single policy must be unique."
FEDERATED = "Federated principals must be valid domain names or SAML metadata ARNs"


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ("{", "This policy contains invalid Json"),
        ('{"Version":"2012-10-17","Version":"2012-10-17","Statement":[]}', "This policy contains invalid Json"),
        ("[]", "Syntax errors in policy."),
        ({"Statement": statement()["Statement"]}, "Syntax errors in policy."),
        ({"Version": "2012-10-17"}, "Syntax errors in policy."),
        ({"Version": "2012-10-17", "Statement": []}, "Syntax errors in policy."),
        ({"Version": "2012-10-17", "Statement": [{}]}, "Syntax errors in policy."),
        ({**statement(), "Extra": 1}, "Syntax errors in policy."),
        (statement(Resource="*"), "Has prohibited field Resource"),
        (statement(Principal=None), "Missing required field Principal"),
        (statement(Principal={}), "Syntax errors in policy."),
        (statement(Principal={"Federated": []}), "Syntax errors in policy."),
        (statement(Principal={"Federated": [1]}), "Syntax errors in policy."),
        (statement(Principal="*"), 'AssumeRolepolicy contained an invalid principal: "STAR":"*".'),
        (statement(Principal=None, NotPrincipal={"AWS": "*"}), "Allow with NotPrincipal is not allowed."),
        (statement(Principal={"Federated": "oidc.example.test/id/1"}), FEDERATED),
        (statement(Principal={"Federated": "arn:aws:iam::1:oidc-provider/x"}), FEDERATED),
        (statement(Principal={"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/"}), FEDERATED),
        (statement(Principal={"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/https://x"}), FEDERATED),
        (statement(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:role/absent"}), unknown(f"{ACCOUNT}:role/absent")),
        (statement(Principal={"AWS": "999999999999"}), unknown("999999999999:root")),
        (statement(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:role/*"}), unknown(f"{ACCOUNT}:role/*")),
        (statement(Principal={"Service": "ec2"}), 'Invalid principal in policy: "SERVICE":"ec2"'),
        (statement(Action=None), "Missing required field Action"),
        (statement(Action="s3:GetObject"), "AssumeRole policy may only specify STS AssumeRole actions."),
        (statement(Effect="allow"), "Syntax errors in policy."),
        (statement(Sid="with space"), SID),
        (statement(Condition={"StringIs": {"a:b": "c"}}), "Invalid Condition type : StringIs."),
        (statement(Condition={"StringEquals": {"nocolon": "c"}}), "Syntax errors in policy."),
        (statement(Condition={"StringEquals": {"a:b": None}}), "Syntax errors in policy."),
        (statement(Condition=[]), "Syntax errors in policy."),
        ({**statement(), "Statement": statement(Sid="A")["Statement"] * 2}, SAME_SID),
    ],
)  # fmt: skip
def test_malformed_trust(iam: Any, name: str, document: Any, text: str) -> None:
    given = document if isinstance(document, str) else json.dumps(document)
    told = code_of(create, iam=iam, name=name, AssumeRolePolicyDocument=given)
    assert told == ("MalformedPolicyDocument", text, 400)
    create(iam, name)
    assert code_of(iam.update_assume_role_policy, RoleName=name, PolicyDocument=given) == told
    assert iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"] == ROOT_TRUST


@pytest.mark.parametrize(
    "document",
    [
        statement(),
        statement(Sid="A1", Condition={"ForAnyValue:StringLikeIfExists": {"a:b": ["c", "d"]}, "Bool": {"e:f": True}}),
        {"Version": "2012-10-17", "Id": "x", "Statement": statement()["Statement"][0]},
        statement(Principal={"Service": "pods.eks.amazonaws.com"}, Action=["sts:AssumeRole", "sts:TagSession"]),
        statement(Principal={"Federated": "accounts.google.com"}),
        statement(Principal={"AWS": "*"}, Action="sts:AssumeRole"),
        statement(Effect="Deny"),
    ],
)
def test_trust_that_is_accepted(iam: Any, name: str, document: Any) -> None:
    create(iam, name, AssumeRolePolicyDocument=json.dumps(document, indent=4))
    assert iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"] == document


def test_shared_issuers_need_their_subject(iam: Any, name: str) -> None:
    host = "token.actions.githubusercontent.com"
    principal = {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{host}"}
    bare = json.dumps(statement(Principal=principal))
    assert code_of(create, iam=iam, name=name, AssumeRolePolicyDocument=bare)[0] == "MalformedPolicyDocument"
    tested = {"StringLike": {f"{host}:sub": "repo:me/mine:*"}}
    create(iam, name, AssumeRolePolicyDocument=json.dumps(statement(Principal=principal, Condition=tested)))


def padded(length: int) -> str:
    """A trust policy of exactly so many characters that count."""
    short = json.dumps(json.loads(trust(StringEquals={"a:b": ""})), separators=(",", ":"))
    filler = "x" * (length - len(short))
    return json.dumps(json.loads(trust(StringEquals={"a:b": filler})), indent=8)


def test_trust_size_quota_counts_without_white_space(front: Front, iam: Any, name: str) -> None:
    create(iam, name, AssumeRolePolicyDocument=padded(2048))
    refused = ("LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048", 409)
    assert code_of(create, iam=iam, name=f"{name}-2", AssumeRolePolicyDocument=padded(2049)) == refused
    assert code_of(iam.update_assume_role_policy, RoleName=name, PolicyDocument=padded(2049)) == refused
    assert front.sandbox("PUT", "quotas", {"ACLSizePerRole": 4096})[0] == 200
    try:
        assert iam.get_account_summary()["SummaryMap"]["AssumeRolePolicySizeQuota"] == 4096
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=padded(4096))
        told = code_of(iam.update_assume_role_policy, RoleName=name, PolicyDocument=padded(4097))
        assert told == ("LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 4096", 409)
    finally:
        assert front.sandbox("PUT", "quotas", {})[1]["ACLSizePerRole"] == 2048
