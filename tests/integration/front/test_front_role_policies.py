"""Attached and inline policies: which exist, how many, how large, how they are spelt."""

from __future__ import annotations

import json
from typing import Any

import pytest
from front_issuer import trust
from front_process import ACCOUNT, Front, code_of

AWS = "arn:aws:iam::aws:policy/"
ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
NOT_ATTACHABLE = ("NoSuchEntity", "Policy ARN does not exist or is not attachable.", 404)


@pytest.fixture
def role(iam: Any, name: str) -> str:
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust())
    return name


@pytest.mark.parametrize(
    "policy",
    [
        "AmazonS3FullAccess",
        "AmazonS3ReadOnlyAccess",
        "AmazonSQSFullAccess",
        "AmazonSQSReadOnlyAccess",
        "AmazonDynamoDBReadOnlyAccess",
        "AdministratorAccess",
        "ReadOnlyAccess",
        "SecretsManagerReadWrite",
        "AWSDenyAll",
        "AWSCompromisedKeyQuarantineV3",
        "AmazonEKSVPCResourceController",
        "AmazonRoute53FullAccess",
        "service-role/AmazonEBSCSIDriverPolicy",
        "job-function/ViewOnlyAccess",
    ],
)
def test_policies_of_aws(iam: Any, role: str, policy: str) -> None:
    iam.attach_role_policy(RoleName=role, PolicyArn=AWS + policy)
    listed = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    assert listed == [{"PolicyName": policy.rpartition("/")[2], "PolicyArn": AWS + policy}]


@pytest.mark.parametrize(
    "arn",
    [
        f"{AWS}AmazonS3FullAcces",
        f"{AWS}amazons3fullaccess",
        f"{AWS}AmazonEBSCSIDriverPolicy",
        f"arn:aws:iam::{ACCOUNT}:policy/absent",
        f"arn:aws:iam::{ACCOUNT}:policy/AmazonS3FullAccess",
    ],
)
def test_policies_that_do_not_exist(iam: Any, role: str, arn: str) -> None:
    assert code_of(iam.attach_role_policy, RoleName=role, PolicyArn=arn) == NOT_ATTACHABLE
    assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []


def test_attaching_is_idempotent_and_detaching_is_not(iam: Any, role: str) -> None:
    arn = f"{AWS}AmazonS3FullAccess"
    iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    assert len(iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]) == 1
    iam.detach_role_policy(RoleName=role, PolicyArn=arn)
    assert code_of(iam.detach_role_policy, RoleName=role, PolicyArn=arn)[::2] == ("NoSuchEntity", 404)


def test_policies_per_role(front: Front, iam: Any, role: str) -> None:
    policies = [
        iam.create_policy(PolicyName=f"{role}-{number}", PolicyDocument=json.dumps(ALLOW))["Policy"]["Arn"]
        for number in range(12)
    ]
    for arn in policies[:10]:
        iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    told = code_of(iam.attach_role_policy, RoleName=role, PolicyArn=policies[10])
    assert told == ("LimitExceeded", "Cannot exceed quota for PoliciesPerRole: 10", 409)
    iam.attach_role_policy(RoleName=role, PolicyArn=policies[0])
    assert front.sandbox("PUT", "quotas", {"PoliciesPerRole": 11})[0] == 200
    try:
        assert iam.get_account_summary()["SummaryMap"]["AttachedPoliciesPerRoleQuota"] == 11
        iam.attach_role_policy(RoleName=role, PolicyArn=policies[10])
        told = code_of(iam.attach_role_policy, RoleName=role, PolicyArn=policies[11])
        assert told == ("LimitExceeded", "Cannot exceed quota for PoliciesPerRole: 11", 409)
    finally:
        front.sandbox("PUT", "quotas", {})


def inline(length: int) -> str:
    """An inline policy of exactly so many characters that count."""
    short = json.dumps({**ALLOW, "Id": ""}, separators=(",", ":"))
    return json.dumps({**ALLOW, "Id": "x" * (length - len(short))}, indent=4)


def test_inline_policies_share_one_quota(iam: Any, role: str) -> None:
    iam.put_role_policy(RoleName=role, PolicyName="a", PolicyDocument=inline(10000))
    iam.put_role_policy(RoleName=role, PolicyName="b", PolicyDocument=inline(240))
    told = code_of(iam.put_role_policy, RoleName=role, PolicyName="c", PolicyDocument=inline(200))
    assert told == ("LimitExceeded", f"Maximum policy size of 10240 bytes exceeded for role {role}", 409)
    iam.put_role_policy(RoleName=role, PolicyName="a", PolicyDocument=inline(9800))
    iam.put_role_policy(RoleName=role, PolicyName="c", PolicyDocument=inline(200))
    assert iam.list_role_policies(RoleName=role)["PolicyNames"] == ["a", "b", "c"]


def test_inline_names_ignore_case_and_keep_their_first_spelling(iam: Any, role: str) -> None:
    iam.put_role_policy(RoleName=role, PolicyName="Mine", PolicyDocument=json.dumps(ALLOW))
    iam.put_role_policy(RoleName=role, PolicyName="MINE", PolicyDocument=json.dumps(ALLOW, indent=2))
    assert iam.list_role_policies(RoleName=role)["PolicyNames"] == ["Mine"]
    read = iam.get_role_policy(RoleName=role, PolicyName="mine")
    assert (read["PolicyName"], read["PolicyDocument"]) == ("Mine", ALLOW)
    iam.delete_role_policy(RoleName=role, PolicyName="mINE")
    for call in (iam.get_role_policy, iam.delete_role_policy):
        told = code_of(call, RoleName=role, PolicyName="Mine")
        assert told == ("NoSuchEntity", "The role policy with name Mine cannot be found.", 404)


@pytest.mark.parametrize("bad", ["", "x" * 129, "a b", "a/b"])
def test_inline_names(iam: Any, role: str, bad: str) -> None:
    told = code_of(iam.put_role_policy, RoleName=role, PolicyName=bad, PolicyDocument=json.dumps(ALLOW))
    assert told[::2] == ("ValidationError", 400)


def changed(**elements: Any) -> dict[str, Any]:
    whole = {**ALLOW["Statement"][0], **elements}  # type: ignore[dict-item]
    return {**ALLOW, "Statement": [{name: value for name, value in whole.items() if value is not None}]}


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ("{", "This policy contains invalid Json"),
        ({"Version": "2012-10-17", "Statement": []}, "Syntax errors in policy."),
        ({"Statement": ALLOW["Statement"]}, "Syntax errors in policy."),
        (changed(Principal="*"), "Policy document should not specify a principal."),
        (changed(Resource=None), "Policy statement must contain resources."),
        (changed(Resource="bucket"), 'Resource bucket must be in ARN format or "*".'),
        (changed(Action=None), "Policy statement must contain actions."),
        (
            changed(Action="GetObject"),
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        ),
        (changed(Effect="Permit"), "Syntax errors in policy."),
        (changed(Condition={"Equals": {"a:b": "c"}}), "Invalid Condition type : Equals."),
    ],
)
def test_malformed_documents(iam: Any, role: str, document: Any, text: str) -> None:
    given = document if isinstance(document, str) else json.dumps(document)
    told = ("MalformedPolicyDocument", text, 400)
    assert code_of(iam.put_role_policy, RoleName=role, PolicyName="p", PolicyDocument=given) == told
    assert code_of(iam.create_policy, PolicyName=role, PolicyDocument=given) == told
    assert iam.list_role_policies(RoleName=role)["PolicyNames"] == []


def test_managed_policy_sizes_versions_and_names(iam: Any, name: str) -> None:
    arn = iam.create_policy(PolicyName=name, PolicyDocument=inline(6144))["Policy"]["Arn"]
    told = code_of(iam.create_policy, PolicyName=f"{name}-2", PolicyDocument=inline(6145))
    assert told == ("LimitExceeded", "Cannot exceed quota for PolicySize: 6144", 409)
    assert code_of(iam.create_policy, PolicyName=name.upper(), PolicyDocument=inline(200))[0] == "EntityAlreadyExists"
    for _ in range(4):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(ALLOW))
    told = code_of(iam.create_policy_version, PolicyArn=arn, PolicyDocument=json.dumps(ALLOW))
    assert told[::2] == ("LimitExceeded", 409)


def test_policies_grant_what_they_say(front: Front, iam: Any, name: str) -> None:
    user = front.user(name, ALLOW)
    sqs = front.client("sqs", user)
    front.client("sqs").create_queue(QueueName=name)
    assert code_of(sqs.get_queue_url, QueueName=name)[2] == 403
    # A policy that exists without a document grants nothing; one with a document grants that and no more.
    iam.attach_user_policy(UserName=name, PolicyArn=f"{AWS}AmazonKinesisFullAccess")
    assert code_of(sqs.get_queue_url, QueueName=name)[2] == 403
    iam.attach_user_policy(UserName=name, PolicyArn=f"{AWS}AmazonSQSReadOnlyAccess")
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    assert code_of(sqs.send_message, QueueUrl=url, MessageBody="x")[2] == 403
    iam.attach_user_policy(UserName=name, PolicyArn=f"{AWS}AWSDenyAll")
    assert code_of(sqs.get_queue_url, QueueName=name)[2] == 403
