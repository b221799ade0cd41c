"""What is taken out of an object goes, also where the first try to take it away failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from e2e_lab import ROLE_ARN, Lab, spec, unique
from e2e_process import Controller

from irsa_manager.controller.status import SETTLING

READ = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
MANAGED: dict[str, dict[str, Any]] = {
    "UntagRole": {"tags": {"team": "a"}},
    "UpdateRole": {"description": "for the reports", "maxSessionDurationSeconds": 7200},
    "DeleteRolePermissionsBoundary": {"permissionsBoundary": "AmazonS3ReadOnlyAccess"},
}


@pytest.mark.parametrize("operation", list(MANAGED))
def test_an_attribute_of_the_role_is_taken_back_after_a_failure(lab: Lab, operation: str) -> None:
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace, iamRole=MANAGED[operation]))
    irsa.wait_ready()
    lab.aws.faults(error=1.0, operations=[operation])
    irsa.patch({"iamRole": dict.fromkeys(MANAGED[operation])})
    irsa.wait_reason("AWSUnavailable", "False")
    lab.aws.faults()
    irsa.wait_ready()
    found = lab.aws.role(role)
    assert found is not None
    assert "team" not in lab.aws.tags(role)
    assert found["Description"] != "for the reports"
    assert found["MaxSessionDuration"] == 3600
    assert "PermissionsBoundary" not in found


def test_an_inline_policy_is_deleted_after_a_failure(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace, inlinePolicies={"read": READ}))
    irsa.wait_ready()
    lab.aws.faults(error=1.0, operations=["DeleteRolePolicy"])
    irsa.patch({"inlinePolicies": {"read": None}})
    irsa.wait_reason("AWSUnavailable", "False")
    lab.aws.faults()
    irsa.wait_ready()
    assert lab.aws.inline(role) == {}


@pytest.mark.parametrize("found", [True, False])
def test_a_serviceaccount_is_released_after_a_failure(lab: Lab, found: bool) -> None:
    role, one, two = unique("role"), lab.namespace(), lab.namespace()
    if found:
        lab.make_account(one, "web", annotations={"note": "x"})
    irsa = lab.irsa(spec(role, "web", one, two, serviceAccount={"token": {"expirationSeconds": 3600}}))
    arn = irsa.wait_ready()["role"]["arn"]
    lab.wait_bound(one, "web", role)
    lab.aws.faults(error=1.0, operations=["UpdateAssumeRolePolicy"])
    irsa.patch({"serviceAccount": {"namespaces": [two]}})
    irsa.wait_reason("AWSUnavailable", "False")
    # It is still in the trust, so it must not be taken away from its pods yet.
    assert lab.annotations(one, "web")[ROLE_ARN] == arn
    lab.aws.faults()
    irsa.wait_ready()
    if found:
        lab.wait_annotations(one, "web", {"note": "x"})
    else:
        lab.wait_no_account(one, "web")
    assert lab.aws.subjects(role) == {f"{two}/web"}
    lab.eventually(lambda: irsa.status["serviceAccountCount"] == 1, "one is bound")


@pytest.mark.parametrize("inline", [{}, {"read": READ}])
def test_the_old_role_of_a_rename_goes_after_a_failure(lab: Lab, inline: dict[str, Any]) -> None:
    old, new, namespace = unique("old"), unique("new"), lab.namespace()
    irsa = lab.irsa(spec(old, "web", namespace, iamPolicies=["AmazonS3ReadOnlyAccess"], inlinePolicies=inline))
    irsa.wait_ready()
    lab.aws.faults(error=1.0, operations=["DetachRolePolicy"])
    irsa.patch({"iamRole": {"name": new}, "inlinePolicies": {f"new-{name}": READ for name in inline}})
    irsa.wait_reason("AWSUnavailable", "False")
    assert [role["name"] for role in irsa.status["retiredRoles"]] == [old]
    assert [s["Effect"] for s in lab.aws.trust(old)["Statement"]] == ["Deny"]
    lab.wait_bound(namespace, "web", new)
    lab.aws.faults()
    irsa.wait_ready()
    assert lab.aws.role(old) is None
    assert irsa.status.get("retiredRoles", []) == []


def test_the_old_role_of_a_rename_goes_though_the_new_one_could_not_be_made_at_first(lab: Lab) -> None:
    old, new, namespace = unique("old"), unique("new"), lab.namespace()
    irsa = lab.irsa(spec(old, "web", namespace))
    irsa.wait_ready()
    lab.aws.faults(error=1.0, operations=["CreateRole"])
    irsa.patch({"iamRole": {"name": new}})
    irsa.wait_reason("AWSUnavailable", "False")
    assert lab.aws.subjects(old) == {f"{namespace}/web"}
    lab.aws.faults()
    irsa.wait_ready()
    assert lab.aws.role(old) is None
    assert lab.aws.subjects(new) == {f"{namespace}/web"}


def test_an_inline_policy_whose_writing_was_answered_to_nobody_is_ours(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace))
    irsa.wait_ready()
    lab.aws.faults(drop=1.0, operations=["PutRolePolicy"])
    irsa.patch({"inlinePolicies": {"read": READ}})
    irsa.wait_reason("AWSUnavailable", "False")
    assert lab.aws.inline(role) == {"read": READ}
    irsa.patch({"inlinePolicies": None})
    irsa.wait_ready()
    lab.aws.faults()
    assert lab.aws.inline(role) == {}


@pytest.mark.parametrize("first", [True, False])
def test_a_role_made_without_an_answer_goes_when_the_name_is_changed_meanwhile(lab: Lab, first: bool) -> None:
    one, two, three, namespace = unique("one"), unique("two"), unique("three"), lab.namespace()
    # Neither the answer to its creation nor any look at it gets through.
    lost = {"drop": 1.0, "operations": ["CreateRole", "GetRole", "GetAccountAuthorizationDetails"]}
    if first:
        lab.aws.faults(**lost)
        irsa = lab.irsa(spec(two, "web", namespace))
    else:
        irsa = lab.irsa(spec(one, "web", namespace))
        irsa.wait_ready()
        lab.aws.faults(**lost)
        irsa.patch({"iamRole": {"name": two}})
    irsa.wait_reason("AWSUnavailable", "False")
    irsa.patch({"iamRole": {"name": three}})
    irsa.wait_reason("AWSUnavailable", "False")
    lab.aws.faults()
    irsa.wait_ready()
    assert lab.aws.subjects(three) == {f"{namespace}/web"}
    assert lab.aws.role(two) is None
    assert lab.aws.role(one) is None
    assert irsa.status.get("retiredRoles", []) == []


def test_a_role_that_aws_does_not_show_yet_is_not_forgotten_by_a_deletion(
    lab: Lab, restart: Callable[[], object]
) -> None:
    role, namespace = unique("role"), lab.namespace()
    new = lab.irsa(spec(unique("new"), "web", lab.namespace()))
    new.wait_ready()
    assert SETTLING in new.condition("Ready")["message"]
    lab.aws.faults(consistency=10.0)
    irsa = lab.irsa(spec(role, "web", namespace))
    irsa.wait_ready()
    # A new process hasn't made the role itself, and all that it can read says that there is none.
    restart()
    irsa.delete()
    irsa.wait_gone()
    lab.aws.faults()
    assert lab.aws.role(role) is None
    # Meanwhile a role that was new isn't any more, and that is no longer said, whoever made it.
    lab.eventually(lambda: SETTLING not in new.condition("Ready")["message"], "nothing is said of tokens")
    assert new.condition("Ready")["status"] == "True"


def test_a_rename_ends_though_somebody_has_deleted_the_old_role_unseen(
    lab: Lab, run_controller: Callable[..., Controller]
) -> None:
    old, new, left, kept = unique("old"), unique("new"), lab.namespace(), lab.namespace()
    irsa = lab.irsa(spec(old, "web", left, kept))
    irsa.wait_ready()
    # One that has seen the role at its start and sees no more for minutes.
    run_controller({"--sweep-interval": "10m"})
    lab.eventually(lambda: lab.sweeps() >= 1, "it has swept")
    lab.wait_reconciles(irsa)
    lab.aws.wipe(old)
    irsa.patch({"iamRole": {"name": new}, "serviceAccount": {"namespaces": [kept]}})
    status = irsa.wait_ready()
    assert not status.get("retiredRoles")
    assert lab.aws.subjects(new) == {f"{kept}/web"}
    assert lab.account(left, "web") is None
    assert lab.aws.role(old) is None
    # It is as it was asked for: nothing is wrong, and nobody is told so.
    assert not [message for reason, message in irsa.events() if reason in {"AWSUnavailable", "IRSAFailedRoleUpdate"}]


def referring(role: str, account: str, *namespaces: str) -> dict[str, Any]:
    wanted = spec(role, account, *namespaces, iamRole={"managementPolicy": "Reference"})
    del wanted["iamPolicies"]
    return wanted


def test_what_was_bound_to_a_referenced_role_goes_though_the_object_has_asked_for_another_since(lab: Lab) -> None:
    shared, taken, namespace = unique("shared"), unique("taken"), lab.namespace()
    lab.aws.foreign_role(shared)
    lab.irsa(spec(taken, "other", lab.namespace())).wait_ready()
    irsa = lab.irsa(referring(shared, "web", namespace))
    lab.wait_bound(namespace, "web", shared)
    irsa.patch({"iamRole": {"name": taken, "managementPolicy": "Create"}})
    irsa.wait_reason("Conflict", "False")
    irsa.delete()
    irsa.wait_gone()
    assert lab.account(namespace, "web") is None


@pytest.mark.parametrize("policy", ["Reference", "Create"])
def test_what_was_bound_to_a_referenced_role_goes_with_the_change_that_leaves_both(lab: Lab, policy: str) -> None:
    shared, next_, namespace = unique("shared"), unique("next"), lab.namespace()
    lab.aws.foreign_role(shared)
    if policy == "Reference":
        lab.aws.foreign_role(next_)
    irsa = lab.irsa(referring(shared, "web", namespace))
    lab.wait_bound(namespace, "web", shared)
    if policy == "Create":
        # The first try gets as far as the new role.
        lab.aws.faults(error=1.0, operations=["AttachRolePolicy"])
    change = {"iamRole": {"name": next_, "managementPolicy": policy}, "serviceAccount": {"name": "app"}}
    irsa.patch({**change, **({"iamPolicies": ["AmazonS3ReadOnlyAccess"]} if policy == "Create" else {})})
    if policy == "Create":
        irsa.wait_reason("AWSUnavailable", "False")
        lab.aws.faults()
    lab.wait_bound(namespace, "app", next_)
    lab.eventually(lambda: lab.account(namespace, "web") is None, "what left the object is gone")


def test_what_was_bound_to_a_role_goes_though_somebody_has_made_another_in_its_place(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace))
    irsa.wait_ready()
    lab.aws.wipe(role)
    theirs = lab.aws.foreign_role(role)
    irsa.touch()
    irsa.wait_reason("RoleExists", "False")
    irsa.delete()
    irsa.wait_gone()
    assert lab.account(namespace, "web") is None
    assert lab.aws.role(role) == theirs


def test_a_role_goes_whose_maker_was_killed_before_it_was_noted_and_whose_name_was_changed_meanwhile(
    bare_lab: Lab, run_controller: Callable[..., Controller]
) -> None:
    lab, one, two, namespace = bare_lab, unique("one"), unique("two"), bare_lab.namespace()
    controller = run_controller()
    # It waits for this answer with the role made and nothing told of it.
    lab.aws.faults(latency=30.0, operations=["AttachRolePolicy"])
    irsa = lab.irsa(spec(one, "web", namespace, iamPolicies=["AmazonS3ReadOnlyAccess"]))
    lab.eventually(lambda: lab.aws.role(one) is not None, "the role is made")
    controller.kill()
    irsa.patch({"iamRole": {"name": two}})
    lab.aws.faults()
    run_controller()
    irsa.wait_ready()
    assert lab.aws.role(one) is None
    assert lab.aws.subjects(two) == {f"{namespace}/web"}
