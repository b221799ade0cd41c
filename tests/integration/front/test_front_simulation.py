"""SimulatePrincipalPolicy answers as IAM does now: one result per action, boundaries and context counted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from front_issuer import create
from front_process import ACCOUNT, code_of

BUCKET = "arn:aws:s3:::b"


@pytest.fixture
def role(iam: Any, name: str) -> str:
    made = create(iam, name, Path="/team/", PermissionsBoundary="arn:aws:iam::aws:policy/PowerUserAccess")
    statements = [
        {"Effect": "Allow", "Action": ["s3:GetObject", "iam:CreateRole"], "Resource": "*"},
        {"Effect": "Deny", "Action": "s3:GetObject", "Resource": f"{BUCKET}/secret"},
        {
            "Effect": "Allow",
            "Action": "sqs:*",
            "Resource": "*",
            "Condition": {"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}, "StringEquals": {"sqs:x": "1"}},
        },
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document)
    return str(made["Arn"])


def results(iam: Any, arn: str, actions: list[str], **more: Any) -> dict[str, Any]:
    answer = iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=actions, **more)
    return {one["EvalActionName"]: one for one in answer["EvaluationResults"]}


def test_one_result_per_action(iam: Any, role: str) -> None:
    resources = [f"{BUCKET}/open", f"{BUCKET}/secret"]
    found = results(iam, role, ["s3:GetObject", "s3:PutObject"], ResourceArns=resources)
    assert {name: one["EvalDecision"] for name, one in found.items()} == {
        "s3:GetObject": "explicitDeny",
        "s3:PutObject": "implicitDeny",
    }
    specific = found["s3:GetObject"]["ResourceSpecificResults"]
    assert [(one["EvalResourceName"], one["EvalResourceDecision"]) for one in specific] == [
        (f"{BUCKET}/open", "allowed"),
        (f"{BUCKET}/secret", "explicitDeny"),
    ]


def test_boundary_counts(iam: Any, role: str) -> None:
    found = results(iam, role, ["s3:GetObject", "iam:CreateRole"])
    assert found["s3:GetObject"]["EvalDecision"] == "allowed"
    assert found["iam:CreateRole"]["EvalDecision"] == "implicitDeny"
    assert not found["iam:CreateRole"]["PermissionsBoundaryDecisionDetail"]["AllowedByPermissionsBoundary"]


def test_context_must_be_given(iam: Any, role: str) -> None:
    found = results(iam, role, ["sqs:SendMessage"])["sqs:SendMessage"]
    assert found["EvalDecision"] == "implicitDeny"
    assert found["MissingContextValues"] == ["aws:TagKeys", "sqs:x"]
    entries = [
        {"ContextKeyName": "aws:TagKeys", "ContextKeyType": "stringList", "ContextKeyValues": ["a"]},
        {"ContextKeyName": "SQS:X", "ContextKeyType": "string", "ContextKeyValues": ["1"]},
    ]
    found = results(iam, role, ["sqs:SendMessage"], ContextEntries=entries)["sqs:SendMessage"]
    assert (found["EvalDecision"], found["MissingContextValues"]) == ("allowed", [])


def test_principals(iam: Any, role: str, name: str) -> None:
    # A role is found by its name, even with another path.
    by_name = f"arn:aws:iam::{ACCOUNT}:role/{name}"
    assert results(iam, by_name, ["s3:GetObject"])["s3:GetObject"]["EvalDecision"] == "allowed"
    call = iam.simulate_principal_policy
    for arn, code in (
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/session", "InvalidInput"),
        (f"arn:aws:iam::{ACCOUNT}:root", "InvalidInput"),
        (f"arn:aws:iam::{ACCOUNT}:role/absent", "NoSuchEntity"),
    ):
        assert code_of(call, PolicySourceArn=arn, ActionNames=["s3:GetObject"])[0] == code
