"""Whose credentials the controller uses, and what it says where they don't suffice."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from e2e_attackers import Belongings
from e2e_lab import Lab, spec, unique
from e2e_process import Controller

from irsa_manager.sandbox.running import RunningSandbox

READ = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
TABLE = [
    "iam:CreateRole",
    "iam:UpdateAssumeRolePolicy",
    "iam:AttachRolePolicy",
    "iam:DetachRolePolicy",
    "iam:DeleteRole",
    "iam:ListAttachedRolePolicies",
    "sts:GetCallerIdentity",
]
"""What users of the Go program have granted for mode eks."""
READS = [
    "iam:GetRole",
    "iam:ListRolePolicies",
    "iam:GetRolePolicy",
    "iam:ListRoleTags",
    "iam:ListInstanceProfilesForRole",
    "iam:GetOpenIDConnectProvider",
    "iam:GetAccountSummary",
]
SWEEPS = ["iam:GetAccountAuthorizationDetails", "iam:ListRoles"]
WRITES = ["iam:TagRole", "iam:UntagRole", "iam:PutRolePolicy", "iam:DeleteRolePolicy", "iam:UpdateRole"]


def allow(*actions: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": "*"}


def test_a_missing_permission_is_named_and_what_is_allowed_is_done(
    bare_lab: Lab, run_controller: Callable[..., Controller]
) -> None:
    lab, user = bare_lab, unique("user")
    writes = [action for action in WRITES if action != "iam:PutRolePolicy"]
    run_controller(environment=lab.aws.user(user, allow(*TABLE, *READS, *SWEEPS, *writes)))
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace, iamPolicies=["AmazonS3ReadOnlyAccess"], inlinePolicies={"read": READ}))
    irsa.wait_reason("PermissionMissing", "False")
    message = irsa.condition("Ready")["message"]
    assert "iam:PutRolePolicy is not allowed for" in message
    assert f"user/{user}" in message
    assert f"role/{role}" in message
    assert "Done so far: role, trust, 1 policy" in message
    assert irsa.condition("Stalled")["reason"] == "PermissionMissing"
    assert lab.aws.attached(role) == {"AmazonS3ReadOnlyAccess"}
    lab.wait_bound(namespace, "web", role)
    irsa.wait_event("PermissionMissing", "iam:PutRolePolicy")
    assert lab.controller.said("Traceback") == []


def test_without_the_right_to_tag_roles_are_made_without_tags_and_known_by_the_trust(
    bare_lab: Lab, run_controller: Callable[..., Controller]
) -> None:
    lab = bare_lab
    writes = [action for action in WRITES if "Tag" not in action]
    environment = lab.aws.user(unique("user"), allow(*TABLE, *READS, *SWEEPS, *writes))
    run_controller(environment=environment)
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace))
    irsa.wait_ready()
    assert lab.aws.tags(role) == {}
    irsa.patch({"iamPolicies": ["AmazonS3ReadOnlyAccess"]})
    irsa.wait_ready()
    irsa.patch({"iamRole": {"tags": {"team": "a"}}})
    irsa.wait_reason("PermissionMissing", "False")
    assert "iam:TagRole" in irsa.condition("Ready")["message"]
    irsa.patch({"iamRole": {"tags": None}})
    irsa.wait_ready()
    irsa.delete()
    irsa.wait_gone()
    assert lab.aws.role(role) is None


def test_without_the_right_to_read_the_account_roles_are_read_one_by_one(
    bare_lab: Lab, run_controller: Callable[..., Controller]
) -> None:
    lab = bare_lab
    environment = lab.aws.user(unique("user"), allow(*TABLE, *READS, *WRITES))
    controller = run_controller(environment=environment)
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace, iamPolicies=["AmazonS3ReadOnlyAccess"]))
    irsa.wait_ready()
    assert lab.controller.said("the account can't be read as a whole")
    controller.stop()
    run_controller(environment=environment)
    lab.aws.iam.detach_role_policy(RoleName=role, PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
    lab.eventually(lambda: lab.aws.attached(role) == {"AmazonS3ReadOnlyAccess"}, "drift is repaired all the same")
    irsa.delete()
    irsa.wait_gone()
    assert lab.aws.role(role) is None


def test_wrong_keys_are_said_and_nothing_is_written_until_they_are_right(
    bare_lab: Lab, run_controller: Callable[..., Controller], sandbox: RunningSandbox
) -> None:
    lab = bare_lab
    secret = unique("wrong") + "x" * 24
    controller = run_controller(environment={"AWS_SECRET_ACCESS_KEY": secret})
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace))
    irsa.wait_reason("CredentialsInvalid", "False")
    assert "SignatureDoesNotMatch" in irsa.condition("Ready")["message"]
    assert lab.account(namespace, "web") is None
    text = controller.log.read_text()
    assert secret not in text
    assert sandbox.secret_access_key not in text
    assert "Traceback" not in text
    controller.stop()
    run_controller()
    irsa.wait_ready()


def test_a_declared_role_is_switched_to(
    bare_lab: Lab, run_controller: Callable[..., Controller], sandbox: RunningSandbox
) -> None:
    lab, switched = bare_lab, unique("manager")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{sandbox.account}:root"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    arn = lab.aws.iam.create_role(RoleName=switched, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    lab.aws.iam.put_role_policy(
        RoleName=switched,
        PolicyName="iam",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow("iam:*")]}),
    )
    keys = lab.aws.user(unique("user"), {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": arn})
    controller = run_controller(environment={**keys, "AWS_ROLE_ARN": arn})
    role, namespace = unique("role"), lab.namespace()
    lab.irsa(spec(role, "web", namespace, iamPolicies=["AmazonS3ReadOnlyAccess"])).wait_ready()
    assert lab.aws.attached(role) == {"AmazonS3ReadOnlyAccess"}
    (started,) = controller.said("started")
    assert f"assumed-role/{switched}/irsa-manager" in started["identity"]
    # That role is its own: an object of this name would take its rights away, or give them to pods.
    before = Belongings(lab, [switched], [])
    for policy, name in (("Create", switched), ("Adopt", switched), ("Adopt", switched.upper())):
        irsa = lab.irsa(spec(name, "api", namespace, iamRole={"managementPolicy": policy}))
        irsa.wait_reason("IRSAFailedRoleUpdate", "False")
        assert "the manager itself runs under this role" in irsa.condition("Ready")["message"]
        irsa.delete()
        irsa.wait_gone()
    assert lab.account(namespace, "api") is None
    before.untouched()
