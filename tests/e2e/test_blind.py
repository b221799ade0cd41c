"""With the least rights no role can be read: whose a role is rests on a signed record, at its making on an intent.

examples/aws-policy-eks.json is all that the controller has here.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from e2e_controllers import Controllers
from e2e_gate import Gate
from e2e_grants import ROW, Manager, StartAs
from e2e_lab import ROLE_ARN, Irsa, Lab, spec, unique
from e2e_process import DEADLINE_SECONDS, OPERATOR
from test_permissions import as_it_is
from test_soak import SOAK

from irsa_manager.api import names
from irsa_manager.plan.mark import MarkKeys, sign_intent

S3, SQS = "AmazonS3ReadOnlyAccess", "AmazonSQSFullAccess"
BLIND = "iam:GetRole is missing"


def blind(irsa: Irsa) -> None:
    """Wait until this controller has seen that it can't read the object's role: one before it may have said so too."""
    irsa.lab.wait_reconciles(irsa)
    irsa.lab.eventually(lambda: BLIND in irsa.condition("Ready").get("message", ""), f"IRSA {irsa.key} says so")


def mark_keys(lab: Lab) -> MarkKeys:
    """The controller's own keys."""
    secret = lab.get(f"/api/v1/namespaces/{OPERATOR}/secrets/{names.MARK_SECRET}") or {}
    return MarkKeys(base64.b64decode(secret["data"]["key"]))


def intend(lab: Lab, irsa: Irsa, role: str, age: timedelta) -> None:
    """What a controller leaves in the status that died right after it had sent CreateRole, so long ago."""
    time = (datetime.now(UTC) - age).strftime("%Y-%m-%dT%H:%M:%SZ")
    mac = sign_intent(mark_keys(lab), lab.aws.sandbox.account, role, irsa.key, time)
    lab.patch(f"{irsa.path}/status", {"status": {"intent": {"roleName": role, "time": time, "mac": mac}}})


def test_a_role_made_right_before_a_crash_is_ours_for_a_minute(
    bare_lab: Lab, start_as: StartAs, controllers: Controllers
) -> None:
    lab, manager = bare_lab, Manager(bare_lab.aws, ROW)
    start_as(manager)
    controllers.stop_others()
    recent, old, unsigned = (unique("role") for _ in range(3))
    irsas = {role: lab.irsa(spec(role, role, lab.namespace(), iamPolicies=[S3])) for role in (recent, old, unsigned)}
    for role in irsas:
        lab.aws.foreign_role(role)
    before = {role: as_it_is(lab, role) for role in irsas}
    intend(lab, irsas[old], old, timedelta(seconds=61))
    lab.patch(
        f"{irsas[unsigned].path}/status",
        {"status": {"intent": {"roleName": unsigned, "time": datetime.now(UTC).isoformat(), "mac": "0" * 64}}},
    )
    # The last thing before the start, as it counts for a minute only.
    intend(lab, irsas[recent], recent, timedelta(0))
    start_as(manager)
    irsas[recent].wait_ready()
    assert lab.aws.attached(recent) == {S3}
    assert lab.aws.subjects(recent)
    for role in (old, unsigned):
        irsas[role].wait_reason("OwnershipUnknown", "False")
        assert "iam:GetRole" in irsas[role].condition("Ready")["message"]
        assert as_it_is(lab, role) == before[role]
    # The key to it is iam:GetRole; then nothing is guessed any more.
    manager.grant(ROW, "read")
    for role in (old, unsigned):
        irsas[role].touch()
        irsas[role].wait_reason("RoleExists", "False")
        assert as_it_is(lab, role) == before[role]


def test_a_creation_that_is_answered_to_nobody_is_known_by_its_intent(bare_lab: Lab, start_as: StartAs) -> None:
    lab, role, namespace = bare_lab, unique("role"), bare_lab.namespace()
    # With tags, or the answer that is lost would be that they aren't allowed.
    start_as(Manager(lab.aws, ROW, "tags"))
    lab.aws.faults(drop=1.0, operations=["CreateRole"])
    irsa = lab.irsa(spec(role, "web", namespace, iamPolicies=[S3]))
    lab.eventually(lambda: lab.aws.role(role), "the role is there")
    irsa.wait_ready()
    lab.aws.faults()
    assert lab.aws.attached(role) == {S3}
    assert {"OwnershipUnknown", "RoleExists"}.isdisjoint(reason for reason, _ in irsa.events())


def test_a_role_that_somebody_makes_after_the_probe_is_not_taken(gate: Gate, bare_lab: Lab, start_as: StartAs) -> None:
    lab, role, namespace = bare_lab, unique("role"), bare_lab.namespace()
    start_as(Manager(lab.aws, ROW), gate.aws_environment())
    lab.aws.reset_calls()
    made = gate.before("CreateRole", role, lambda: lab.aws.foreign_role(role))
    irsa = lab.irsa(spec(role, "web", namespace, iamPolicies=[S3]))
    made.result(DEADLINE_SECONDS)
    before = as_it_is(lab, role)
    irsa.wait_reason("OwnershipUnknown", "False")
    irsa.touch()
    lab.eventually(lambda: lab.aws.calls().get("ListAttachedRolePolicies", 0) >= 8, "it was looked at again and again")
    assert as_it_is(lab, role) == before
    assert lab.account(namespace, "web") is None
    assert not irsa.status.get("intent")


def test_a_role_that_somebody_makes_once_ours_is_gone_is_not_taken_though_the_watch_is_late(
    gate: Gate, bare_lab: Lab, controllers: Controllers
) -> None:
    """What the API server answers when the last finalizer goes is the object as it was: no reason to look again."""
    lab, role = bare_lab, unique("role")
    manager = Manager(lab.aws, ROW)
    controllers.start({}, {**manager.environment, **gate.environment()}).wait_ready()
    irsa = lab.irsa(spec(role, "web", lab.namespace(), iamPolicies=[S3]))
    irsa.wait_ready()

    def meanwhile() -> None:
        lab.aws.foreign_role(role)
        gate.hold_news(held=True)

    made = gate.before("PATCH irsas", irsa.name, meanwhile)
    irsa.delete()
    made.result(DEADLINE_SECONDS)
    irsa.wait_gone()
    before = as_it_is(lab, role)
    lab.aws.reset_calls()
    lab.eventually(lambda: lab.aws.calls().get("ListAttachedRolePolicies", 0) >= 4, "it was looked at again and again")
    gate.hold_news(held=False)
    assert lab.aws.writes() == {}
    assert as_it_is(lab, role) == before


def test_the_old_role_of_a_rename_is_not_forgotten_where_it_can_not_be_read(bare_lab: Lab, start_as: StartAs) -> None:
    lab, manager = bare_lab, Manager(bare_lab.aws, ROW)
    first, second, namespace = unique("first"), unique("second"), lab.namespace()
    start_as(manager)
    irsa = lab.irsa(spec(first, "web", namespace, iamPolicies=[S3]))
    irsa.wait_ready()
    start_as(manager)
    blind(irsa)
    manager.without("iam:DeleteRole")
    irsa.patch({"iamRole": {"name": second}})
    irsa.wait_reason("PermissionMissing", "False")
    assert "iam:DeleteRole" in irsa.condition("Ready")["message"]
    assert lab.annotations(namespace, "web")[ROLE_ARN].endswith(second)
    assert lab.aws.subjects(first) == set()
    start_as(manager)
    irsa.wait_reason("PermissionMissing", "False")
    lab.wait_reconciles(irsa)
    assert [old["name"] for old in irsa.status["retiredRoles"]] == [first]
    manager.without()
    irsa.touch()
    lab.eventually(lambda: lab.aws.role(first) is None, "the old role is gone")
    irsa.wait_ready()
    assert lab.aws.subjects(second) == {f"{namespace}/web"}


def test_a_rename_in_the_dark_forgets_nothing_though_the_new_role_is_refused_at_first(
    bare_lab: Lab, start_as: StartAs
) -> None:
    lab, manager = bare_lab, Manager(bare_lab.aws, ROW)
    first, second, left, kept = unique("first"), unique("second"), lab.namespace(), lab.namespace()
    start_as(manager)
    path = {"path": f"/{unique('team')}/"}
    lab.make_account(left, "web", annotations={"note": "x"})
    irsa = lab.irsa(spec(first, "web", left, kept, iamRole=path, iamPolicies=[S3]))
    before = irsa.wait_ready()
    assert path["path"] in before["role"]["arn"]
    token = lab.token(left, "web")
    # The same identity again, whose controller has written nothing itself.
    start_as(manager)
    lab.wait_reconciles(irsa)
    blind(irsa)
    manager.without("iam:CreateRole")
    irsa.patch({"iamRole": {"name": second, "path": None}, "serviceAccount": {"namespaces": [kept]}})
    irsa.wait_reason("PermissionMissing", "False")
    assert "iam:CreateRole" in irsa.condition("Ready")["message"]
    refused = irsa.status
    assert [old["arn"] for old in refused["retiredRoles"]] == [before["role"]["arn"]]
    for field in ("serviceAccounts", "serviceAccountCount"):
        assert refused[field] == before[field]
    assert lab.annotations(left, "web")[ROLE_ARN] == before["role"]["arn"]
    assert lab.aws.assume(before["role"]["arn"], token) == ""
    start_as(manager)
    manager.without()
    irsa.touch()
    after = irsa.wait_ready()
    assert lab.aws.role(first) is None
    assert lab.aws.subjects(second) == {f"{kept}/web"}
    lab.wait_bound(kept, "web", second)
    # It is told by the ARN of the old role, whose path the spec no longer has.
    assert lab.annotations(left, "web") == {"note": "x"}
    assert not after.get("retiredRoles")
    assert not after.get("intent")
    # Nor is a path that can't be read taken for another one.
    assert "IRSAFailedRoleUpdate" not in [reason for reason, _ in irsa.events()]


@pytest.mark.soak
@pytest.mark.skipif(not SOAK, reason="it waits for 20 s; make soak runs it")
def test_a_role_that_is_deleted_by_hand_is_made_again_where_it_can_not_be_read(
    gate: Gate, bare_lab: Lab, start_as: StartAs
) -> None:
    lab, manager = bare_lab, Manager(bare_lab.aws, ROW)
    role, namespace = unique("role"), lab.namespace()
    start_as(manager)
    irsa = lab.irsa(spec(role, "web", namespace, iamPolicies=[S3]))
    irsa.wait_ready()
    start_as(manager, gate.aws_environment())
    blind(irsa)
    wiped = gate.before("AttachRolePolicy", role, lambda: lab.aws.wipe(role))
    irsa.patch({"iamPolicies": [S3, SQS]})
    wiped.result(DEADLINE_SECONDS)
    lab.eventually(lambda: lab.aws.attached(role) == {S3, SQS} if lab.aws.role(role) else False, "it is there again")
    irsa.wait_ready()
    assert "PermissionMissing" not in [reason for reason, _ in irsa.events()]


def test_an_adopted_role_that_can_not_be_read_lets_nobody_in_at_the_end(bare_lab: Lab, start_as: StartAs) -> None:
    lab, role, namespace = bare_lab, unique("role"), bare_lab.namespace()
    start_as(Manager(lab.aws, ROW))
    lab.aws.foreign_role(role)
    lab.aws.iam.attach_role_policy(RoleName=role, PolicyArn=f"arn:aws:iam::aws:policy/{SQS}")
    wanted = spec(role, "web", namespace, iamPolicies=[S3])
    wanted["iamRole"]["managementPolicy"] = "Adopt"
    irsa = lab.irsa(wanted)
    arn = irsa.wait_ready()["role"]["arn"]
    token = lab.token(namespace, "web")
    assert lab.aws.assume(arn, token) == ""
    assert lab.aws.attached(role) == {S3}
    irsa.delete()
    irsa.wait_gone()
    assert lab.aws.attached(role) == {SQS}
    assert "AccessDenied" in lab.aws.assume(arn, token)
