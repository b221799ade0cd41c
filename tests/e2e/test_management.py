"""Roles and ServiceAccounts that were there before: adopted, referenced, annotated, released, and given back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from e2e_lab import ROLE_ARN, Lab, spec, unique
from e2e_process import OPERATOR, Controller
from test_credentials import TABLE, allow

from irsa_manager.api import names
from irsa_manager.sandbox.running import RunningSandbox

RELEASE = {"metadata": {"annotations": {names.ANNOTATION_RELEASE: "true"}}}


def adopting(role: str, *namespaces: str, **more: Any) -> dict[str, Any]:
    wanted = spec(role, "web", *namespaces, **more)
    wanted["iamRole"] = {**wanted["iamRole"], "managementPolicy": "Adopt"}
    return wanted


def test_an_adopted_role_gets_back_what_it_had(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    before = lab.aws.foreign_role(role)
    lab.aws.iam.attach_role_policy(RoleName=role, PolicyArn="arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess")
    irsa = lab.irsa(adopting(role, namespace, iamPolicies=["AmazonS3ReadOnlyAccess"]))
    status = irsa.wait_ready()
    assert status["role"]["origin"] == "Adopted"
    assert status["role"]["id"] == before["RoleId"]
    assert lab.aws.subjects(role) == {f"{namespace}/web"}
    assert lab.aws.attached(role) == {"AmazonS3ReadOnlyAccess"}
    assert lab.aws.assume(status["role"]["arn"], lab.token(namespace, "web")) == ""
    irsa.wait_event("RoleAdopted", role)
    irsa.delete()
    irsa.wait_gone()
    after = lab.aws.role(role)
    assert after is not None
    assert after["RoleId"] == before["RoleId"]
    assert after["AssumeRolePolicyDocument"] == before["AssumeRolePolicyDocument"]
    assert lab.aws.attached(role) == {"AmazonSQSReadOnlyAccess"}
    assert not [key for key in lab.aws.tags(role) if key.startswith(names.OWN_PREFIX)]


def test_a_status_that_is_lost_makes_nobody_delete_an_adopted_role(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    lab.aws.foreign_role(role)
    irsa = lab.irsa(adopting(role, namespace))
    irsa.wait_ready()
    lab.patch(f"{irsa.path}/status", {"status": {"adoption": None, "record": None, "role": None}})
    irsa.delete()
    irsa.wait_gone()
    assert lab.aws.role(role) is not None


def test_a_referenced_role_is_never_written(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    lab.aws.foreign_role(role)
    wanted = spec(role, "web", namespace)
    wanted["iamRole"] = {"name": role, "managementPolicy": "Reference"}
    wanted.pop("iamPolicies", None)
    irsa = lab.irsa(wanted)
    irsa.wait_reason("TrustRefuses", "False")
    message = irsa.condition("Ready")["message"]
    assert f"system:serviceaccount:{namespace}:web" in message
    arn = lab.wait_bound(namespace, "web", role)["metadata"]["annotations"][ROLE_ARN]
    # What the role's owner is told to add is what he has to add.
    statement, _ = json.JSONDecoder().raw_decode(message.partition("Add: ")[2])
    trust = {"Version": "2012-10-17", "Statement": [*lab.aws.trust(role)["Statement"], statement]}
    lab.aws.iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(trust))
    assert irsa.wait_ready()["role"]["origin"] == "Referenced"
    assert lab.aws.assume(arn, lab.token(namespace, "web")) == ""
    lab.aws.reset_calls()
    irsa.delete()
    irsa.wait_gone()
    assert lab.aws.writes() == {}
    assert lab.aws.trust(role) == trust
    assert lab.account(namespace, "web") is None


def test_a_referenced_role_that_is_not_there_is_told(lab: Lab) -> None:
    wanted = spec(unique("role"), "web", lab.namespace())
    wanted["iamRole"]["managementPolicy"] = "Reference"
    wanted.pop("iamPolicies", None)
    lab.irsa(wanted).wait_reason("RoleNotFound", "False")


def test_service_accounts_may_be_waited_for_or_left_to_their_owner(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    wanted = spec(role, "web", namespace)
    wanted["serviceAccount"]["managementPolicy"] = "Annotate"
    irsa = lab.irsa(wanted)
    irsa.wait_reason("ServiceAccountMissing", "False")
    assert lab.account(namespace, "web") is None
    lab.make_account(namespace, "web", annotations={"mine": "1"})
    lab.wait_bound(namespace, "web", role)
    irsa.wait_ready()
    irsa.patch({"serviceAccount": {"managementPolicy": "None"}})
    irsa.wait_ready()
    lab.patch_account(namespace, "web", annotations={ROLE_ARN: None})
    lab.wait_sweeps()
    assert lab.annotations(namespace, "web") == {"mine": "1"}
    assert lab.aws.subjects(role) == {f"{namespace}/web"}


def test_a_released_object_leaves_everything_and_takes_up_its_role_again(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace))
    arn = irsa.wait_ready()["role"]["arn"]
    lab.patch(irsa.path, RELEASE)
    lab.eventually(lambda: not (irsa.get() or {})["metadata"].get("finalizers"), "the finalizer is gone")
    assert irsa.condition("Ready")["reason"] == "Released"
    assert {c["type"] for c in irsa.status["conditions"]} == {"Ready"}
    assert lab.aws.assume(arn, lab.token(namespace, "web")) == ""
    lab.delete_account(namespace, "web")
    lab.wait_sweeps()
    assert lab.account(namespace, "web") is None
    lab.patch(irsa.path, {"metadata": {"annotations": {names.ANNOTATION_RELEASE: None}}})
    lab.wait_bound(namespace, "web", role)
    irsa.wait_ready()


def test_a_role_whose_finalizer_was_cut_off_is_reported_and_left(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace))
    irsa.wait_ready()
    lab.patch(irsa.path, RELEASE)
    lab.eventually(lambda: not (irsa.get() or {})["metadata"].get("finalizers"), "the finalizer is gone")
    irsa.delete()
    irsa.wait_gone()
    lab.eventually(lambda: lab.controller.coded("OrphanedRole", role), "it is told")
    assert lab.aws.role(role) is not None


def test_with_the_rights_of_the_old_table_alone_roles_are_made_kept_and_removed(
    bare_lab: Lab, run_controller: Callable[..., Controller]
) -> None:
    lab = bare_lab
    run_controller(environment=lab.aws.user(unique("user"), allow(*TABLE)))
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace, iamPolicies=["AmazonS3ReadOnlyAccess"]))
    status = irsa.wait_ready()
    assert "iam:GetRole" in irsa.condition("Ready")["message"]
    assert lab.aws.assume(status["role"]["arn"], lab.token(namespace, "web")) == ""
    assert lab.aws.attached(role) == {"AmazonS3ReadOnlyAccess"}
    second = lab.namespace()
    irsa.patch({"serviceAccount": {"namespaces": [namespace, second]}, "iamPolicies": ["AmazonSQSReadOnlyAccess"]})
    irsa.wait_ready()
    assert lab.aws.subjects(role) == {f"{namespace}/web", f"{second}/web"}
    assert lab.aws.attached(role) == {"AmazonSQSReadOnlyAccess"}
    taken, other = unique("role"), lab.namespace()
    before = lab.aws.foreign_role(taken)
    lab.irsa(spec(taken, "web", other)).wait_reason("OwnershipUnknown", "False")
    assert lab.aws.trust(taken) == before["AssumeRolePolicyDocument"]
    irsa.delete()
    irsa.wait_gone()
    assert lab.aws.role(role) is None


def test_an_object_elsewhere_gets_what_its_administrators_rule_allows(lab: Lab, sandbox: RunningSandbox) -> None:
    role, home = unique("team-a"), lab.namespace(labels={"team": "a"})
    irsa = lab.irsa(spec(role, "web", home, iamPolicies=["AmazonS3ReadOnlyAccess"]), namespace=home)
    irsa.wait_reason("TenancyDenied", "False")
    assert lab.aws.role(role) is None
    assert lab.account(home, "web") is None
    rule = {
        "name": "team-a",
        "namespaceSelector": {"matchLabels": {"team": "a"}},
        "roleNames": ["team-a*"],
        "policies": ["AmazonS3ReadOnlyAccess"],
    }
    setup = lab.setup({"cleanup": False, "mode": "eks", "tenancy": {"rules": [rule]}})
    arn = irsa.wait_ready()["role"]["arn"]
    assert lab.aws.assume(arn, lab.token(home, "web")) == ""
    irsa.patch({"iamPolicies": ["AdministratorAccess"]})
    irsa.wait_reason("TenancyDenied", "False")
    assert "AdministratorAccess" in irsa.condition("Ready")["message"]
    assert lab.aws.attached(role) == {"AmazonS3ReadOnlyAccess"}
    irsa.patch({"iamPolicies": ["AmazonS3ReadOnlyAccess"], "serviceAccount": {"namespaces": ["kube-system"]}})
    irsa.wait_reason("TenancyDenied", "False")
    assert lab.account("kube-system", "web") is None
    assert setup
    assert OPERATOR not in home
