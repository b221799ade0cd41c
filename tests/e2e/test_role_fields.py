"""Every field of the role: set, changed, and taken out again."""

from __future__ import annotations

import json
from typing import Any

from e2e_lab import Lab, spec, unique

from irsa_manager.api import names


def document(action: str) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}


def role_of(lab: Lab, name: str) -> dict[str, Any]:
    found = lab.aws.role(name)
    assert found is not None, f"role {name} isn't there"
    return found


def test_path_is_set_when_the_role_is_made_and_is_in_its_arn(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace, iamRole={"path": "/team/a/"}))
    arn = irsa.wait_ready()["role"]["arn"]
    assert arn.endswith(f":role/team/a/{role}")
    assert role_of(lab, role)["Path"] == "/team/a/"
    assert lab.annotations(namespace, "web")["eks.amazonaws.com/role-arn"] == arn
    assert lab.aws.assume(arn, lab.token(namespace, "web")) == ""


def test_description_is_set_changed_and_given_back(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace))
    irsa.wait_ready()
    original = role_of(lab, role)["Description"]
    assert irsa.key in original
    for text in ("for the reports", "for the reports of the year"):
        irsa.patch({"iamRole": {"description": text}})
        irsa.wait_ready()
        assert role_of(lab, role)["Description"] == text
    irsa.patch({"iamRole": {"description": None}})
    irsa.wait_ready()
    assert role_of(lab, role)["Description"] == original


def test_session_duration_is_set_changed_and_given_back(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace, iamRole={"maxSessionDurationSeconds": 7200}))
    irsa.wait_ready()
    assert role_of(lab, role)["MaxSessionDuration"] == 7200
    irsa.patch({"iamRole": {"maxSessionDurationSeconds": 43200}})
    irsa.wait_ready()
    assert role_of(lab, role)["MaxSessionDuration"] == 43200
    irsa.patch({"iamRole": {"maxSessionDurationSeconds": None}})
    irsa.wait_ready()
    assert role_of(lab, role)["MaxSessionDuration"] == 3600


def test_permissions_boundary_is_set_changed_and_taken_off(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    one, two = unique("one"), unique("two")
    first, second = lab.aws.policy(one, "/bounds/"), lab.aws.policy(two)
    irsa = lab.irsa(spec(role, "web", namespace, iamRole={"permissionsBoundary": f"customer/bounds/{one}"}))
    irsa.wait_ready()
    assert role_of(lab, role)["PermissionsBoundary"]["PermissionsBoundaryArn"] == first
    irsa.patch({"iamRole": {"permissionsBoundary": second}})
    irsa.wait_ready()
    assert role_of(lab, role)["PermissionsBoundary"]["PermissionsBoundaryArn"] == second
    irsa.patch({"iamRole": {"permissionsBoundary": None}})
    irsa.wait_ready()
    assert "PermissionsBoundary" not in role_of(lab, role)


def test_tags_are_set_changed_and_taken_off_and_other_peoples_stay(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace, iamRole={"tags": {"team": "a", "cost": "1"}}))
    irsa.wait_ready()
    own = {key for key in lab.aws.tags(role) if key.startswith(names.OWN_PREFIX)}
    assert len(own) == 3
    lab.aws.iam.tag_role(RoleName=role, Tags=[{"Key": "theirs", "Value": "x"}])
    irsa.patch({"iamRole": {"tags": {"team": "b", "cost": None}}})
    irsa.wait_ready()
    expected = {"team": "b", "theirs": "x"}
    assert {k: v for k, v in lab.aws.tags(role).items() if k not in own} == expected
    irsa.patch({"iamRole": {"tags": None}})
    irsa.wait_ready()
    assert {k: v for k, v in lab.aws.tags(role).items() if k not in own} == {"theirs": "x"}
    assert own <= set(lab.aws.tags(role))


def test_policies_are_attached_by_name_path_and_arn_and_detached(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    name = unique("own")
    arn = lab.aws.policy(name, "/team/")
    policies = [f"customer/team/{name}", "AmazonS3ReadOnlyAccess", "service-role/AmazonEBSCSIDriverPolicy"]
    irsa = lab.irsa(spec(role, "web", namespace, iamPolicies=policies))
    status = irsa.wait_ready()
    assert lab.aws.attached(role) == {name, "AmazonS3ReadOnlyAccess", "AmazonEBSCSIDriverPolicy"}
    assert arn in status["role"]["attachedPolicies"]
    irsa.patch({"iamPolicies": [arn, "arn:aws:iam::aws:policy/AmazonSQSFullAccess"]})
    irsa.wait_ready()
    assert lab.aws.attached(role) == {name, "AmazonSQSFullAccess"}
    irsa.patch({"iamPolicies": []})
    irsa.wait_ready()
    assert lab.aws.attached(role) == set()


def test_inline_policies_are_put_changed_and_deleted_and_other_peoples_stay(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(
        spec(role, "web", namespace, inlinePolicies={"one": document("s3:GetObject"), "two": document("s3:PutObject")})
    )
    status = irsa.wait_ready()
    assert lab.aws.inline(role) == {"one": document("s3:GetObject"), "two": document("s3:PutObject")}
    assert status["role"]["inlinePolicies"] == ["one", "two"]
    lab.aws.iam.put_role_policy(RoleName=role, PolicyName="theirs", PolicyDocument=json.dumps(document("kms:Decrypt")))
    irsa.patch({"inlinePolicies": {"one": document("sqs:SendMessage"), "two": None}})
    irsa.wait_ready()
    found = lab.aws.inline(role)
    assert found.pop("theirs")
    assert found == {"one": document("sqs:SendMessage")}
    irsa.patch({"inlinePolicies": None})
    irsa.wait_ready()
    assert set(lab.aws.inline(role)) == {"theirs"}


def test_defaults_for_new_roles_come_from_the_setup(lab: Lab) -> None:
    name = unique("bound")
    boundary = lab.aws.policy(name)
    setup = lab.setup({"roleDefaults": {"path": "/defaults/", "permissionsBoundary": f"customer/{name}"}})
    lab.wait_condition(setup, "Ready", "EksOIDCSetupReady")
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace))
    assert irsa.wait_ready()["role"]["arn"].endswith(f":role/defaults/{role}")
    found = role_of(lab, role)
    assert found["Path"] == "/defaults/"
    assert found["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary


def test_a_new_role_name_is_made_before_the_old_role_goes_and_bindings_move(lab: Lab) -> None:
    old, new, namespace = unique("old"), unique("new"), lab.namespace()
    irsa = lab.irsa(spec(old, "web", namespace, iamPolicies=["AmazonS3ReadOnlyAccess"]))
    irsa.wait_ready()
    irsa.patch({"iamRole": {"name": new}})
    status = irsa.wait_ready()
    assert status["role"]["name"] == new
    assert status.get("retiredRoles", []) == []
    assert lab.aws.role(old) is None
    assert lab.aws.attached(new) == {"AmazonS3ReadOnlyAccess"}
    assert lab.annotations(namespace, "web")["eks.amazonaws.com/role-arn"] == status["role"]["arn"]
    assert lab.aws.assume(status["role"]["arn"], lab.token(namespace, "web")) == ""
    irsa.wait_event("RoleDeleted", old)
