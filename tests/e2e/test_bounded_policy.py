"""examples/aws-policy-bounded.json as it is documented: enough for a life of an object, and a limit for any author."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e_lab import Lab, spec, unique
from e2e_process import Controller

POLICY = Path(__file__).resolve().parents[2] / "examples" / "aws-policy-bounded.json"
BOUNDARY = "irsa-boundary"
PATH = "/irsa/prod/"
READ = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}


@pytest.fixture
def bounded(bare_lab: Lab, run_controller: Callable[..., Controller]) -> Iterator[Lab]:
    """The lab with a controller whose identity has this policy, and the setup that goes with it."""
    lab, account = bare_lab, bare_lab.aws.sandbox.account
    policy = json.loads(POLICY.read_text().replace("111122223333", account))
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    lab.aws.iam.create_policy(PolicyName=BOUNDARY, PolicyDocument=json.dumps(document))
    lab.setup({"roleDefaults": {"path": PATH, "permissionsBoundary": f"customer/{BOUNDARY}"}})
    run_controller(environment=lab.aws.user(unique("bounded"), *policy["Statement"]))
    yield lab
    # A policy can't be deleted while a role of this test is bounded by it.
    for irsa in lab.irsas:
        irsa.delete()
        irsa.wait_gone()
    lab.aws.iam.delete_policy(PolicyArn=f"arn:aws:iam::{account}:policy/{BOUNDARY}")


def test_an_object_lives_and_dies_within_the_bounds(bounded: Lab) -> None:
    role, namespace = unique("role"), bounded.namespace()
    wanted = spec(role, "web", namespace, iamPolicies=["AmazonS3ReadOnlyAccess"], inlinePolicies={"read": READ})
    irsa = bounded.irsa(wanted)
    irsa.wait_ready()
    made: dict[str, Any] = bounded.aws.role(role) or {}
    assert made["Path"] == PATH
    assert made["PermissionsBoundary"]["PermissionsBoundaryArn"].endswith(f":policy/{BOUNDARY}")
    irsa.patch({"iamPolicies": ["AmazonS3FullAccess"], "inlinePolicies": {"read": None}})
    irsa.wait_ready()
    bounded.eventually(lambda: bounded.aws.attached(role) == {"AmazonS3FullAccess"}, "the other policy is attached")
    irsa.delete()
    irsa.wait_gone()
    assert bounded.aws.role(role) is None


@pytest.mark.parametrize(
    ("asked", "missing"),
    [
        ({"iamPolicies": ["AdministratorAccess"]}, "iam:AttachRolePolicy"),
        ({"iamRole": {"path": "/"}}, "iam:CreateRole"),
        ({"iamRole": {"permissionsBoundary": "AmazonS3FullAccess"}}, "iam:CreateRole"),
        ({"iamRole": {"tags": {"team": "a"}}}, "iam:TagRole"),
    ],
    ids=["policy", "path", "boundary", "tags"],
)
def test_what_is_beyond_the_bounds_is_refused_by_aws_and_can_be_deleted(
    bounded: Lab, asked: dict[str, Any], missing: str
) -> None:
    role, namespace = unique("role"), bounded.namespace()
    irsa = bounded.irsa(spec(role, "web", namespace, **asked))
    irsa.wait_reason("PermissionMissing", "False")
    assert f"{missing} is not allowed for" in irsa.condition("Ready")["message"]
    irsa.delete()
    irsa.wait_gone()
    assert bounded.aws.role(role) is None
