"""Deletion in its order, what holds it up, and objects that are suspended."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from e2e_lab import ROLE_ARN, Irsa, Lab, spec, unique
from test_commands import run
from test_management import RELEASE


def test_a_deletion_first_lets_nobody_in_any_more(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace, iamPolicies=["AmazonS3ReadOnlyAccess"]))
    arn = irsa.wait_ready()["role"]["arn"]
    token = lab.token(namespace, "web")
    lab.aws.faults(error=1.0, operations=["DetachRolePolicy"])
    irsa.delete()
    lab.eventually(
        lambda: [s["Effect"] for s in lab.aws.trust(role)["Statement"]] == ["Deny"], "the role trusts nobody"
    )
    assert lab.aws.assume(arn, token).startswith("AccessDenied")
    lab.eventually(lambda: lab.account(namespace, "web") is None, "the ServiceAccount is gone")
    irsa.wait_reason("AWSUnavailable", "False")
    assert lab.aws.attached(role) == {"AmazonS3ReadOnlyAccess"}
    assert irsa.get() is not None
    lab.aws.faults()
    irsa.touch()
    irsa.wait_gone()
    assert lab.aws.role(role) is None


def test_a_role_in_an_instance_profile_keeps_the_finalizer_until_it_is_freed(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace, iamPolicies=["AmazonS3ReadOnlyAccess"]))
    irsa.wait_ready()
    lab.aws.iam.create_instance_profile(InstanceProfileName=f"{role}-profile")
    lab.aws.iam.add_role_to_instance_profile(InstanceProfileName=f"{role}-profile", RoleName=role)
    irsa.delete()
    irsa.wait_reason("RoleInUse", "False")
    assert f"instance profile {role}-profile" in irsa.condition("Ready")["message"]
    assert irsa.condition("Stalled")["reason"] == "RoleInUse"
    assert irsa.condition("RoleReady")["reason"] == "RoleInUse"
    assert lab.aws.attached(role) == set()
    assert lab.account(namespace, "web") is None
    irsa.wait_event("RoleInUse", role)
    lab.aws.iam.remove_role_from_instance_profile(InstanceProfileName=f"{role}-profile", RoleName=role)
    irsa.wait_gone()
    assert lab.aws.role(role) is None


def without_cleanup(lab: Lab, irsa: Irsa) -> None:
    irsa.patch({"cleanup": False})


def annotated(lab: Lab, irsa: Irsa) -> None:
    lab.patch(irsa.path, RELEASE)


def commanded(lab: Lab, irsa: Irsa) -> None:
    done = run(lab, "release", irsa.key, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"IRSA {irsa.key} let go" in done.stdout


@pytest.mark.parametrize("let_go", [without_cleanup, annotated, commanded])
def test_a_deletion_that_is_held_up_can_be_let_go(lab: Lab, let_go: Callable[[Lab, Irsa], None]) -> None:
    """Security B12: no object, and no namespace with it, is Terminating for ever."""
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace))
    irsa.wait_ready()
    lab.aws.iam.create_instance_profile(InstanceProfileName=f"{role}-profile")
    lab.aws.iam.add_role_to_instance_profile(InstanceProfileName=f"{role}-profile", RoleName=role)
    irsa.delete()
    irsa.wait_reason("RoleInUse")
    held = lab.aws.role(role)
    let_go(lab, irsa)
    irsa.wait_gone()
    assert held is not None
    assert lab.aws.role(role) == held
    # It was shut before, and stays so.
    assert [s["Effect"] for s in held["AssumeRolePolicyDocument"]["Statement"]] == ["Deny"]


def test_policies_that_others_attached_go_with_the_role(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace))
    irsa.wait_ready()
    lab.aws.iam.attach_role_policy(RoleName=role, PolicyArn="arn:aws:iam::aws:policy/AWSDenyAll")
    lab.aws.iam.put_role_policy(
        RoleName=role,
        PolicyName="theirs",
        PolicyDocument='{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}',
    )
    irsa.delete()
    irsa.wait_gone()
    assert lab.aws.role(role) is None


def test_an_object_whose_role_somebody_deleted_goes_without_trouble(lab: Lab, restart: Callable[[], object]) -> None:
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace))
    irsa.wait_ready()
    irsa.patch({"suspend": True})
    irsa.wait_reason("Suspended")
    restart()
    lab.aws.iam.delete_role(RoleName=role)
    irsa.delete()
    irsa.patch({"suspend": False})
    irsa.wait_gone()
    assert lab.account(namespace, "web") is None


def test_a_suspended_object_is_not_written_and_its_deletion_waits(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace, iamPolicies=["AmazonS3ReadOnlyAccess"]))
    arn = irsa.wait_ready()["role"]["arn"]
    irsa.patch({"suspend": True})
    irsa.wait_reason("Suspended", "Unknown")
    assert "last Ready=True at" in irsa.condition("Ready")["message"]
    lab.aws.reset_calls()
    irsa.patch({"iamPolicies": ["AmazonSQSFullAccess"], "serviceAccount": {"additionalNames": ["more"]}})
    lab.patch_account(namespace, "web", annotations={ROLE_ARN: None})
    irsa.wait_reason("Suspended")
    irsa.delete()
    lab.wait_sweeps(3)
    assert lab.aws.writes() == {}
    assert lab.annotations(namespace, "web") == {}
    assert lab.account(namespace, "more") is None
    assert lab.aws.attached(role) == {"AmazonS3ReadOnlyAccess"}
    found = irsa.get()
    assert found is not None
    assert found["metadata"]["deletionTimestamp"]
    irsa.patch({"suspend": False})
    irsa.wait_gone()
    assert lab.aws.role(role) is None
    assert arn.endswith(role)


def test_what_drifted_under_suspension_is_repaired_after_it(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace, suspend=True))
    irsa.wait_reason("Suspended", "Unknown")
    assert lab.aws.role(role) is None
    assert lab.account(namespace, "web") is None
    irsa.patch({"suspend": False})
    arn = irsa.wait_ready()["role"]["arn"]
    irsa.patch({"suspend": True})
    irsa.wait_reason("Suspended")
    lab.delete_account(namespace, "web")
    lab.wait_sweeps()
    assert lab.account(namespace, "web") is None
    irsa.patch({"suspend": False})
    irsa.wait_ready()
    assert lab.annotations(namespace, "web") == {ROLE_ARN: arn}
