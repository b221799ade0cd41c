"""Messages: every failure is told with its cause, and none is blank."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from irsa_manager.api import reasons
from irsa_manager.api.errors import (
    AwsCredentials,
    AwsDenied,
    AwsError,
    AwsMissing,
    AwsRefused,
    AwsThrottled,
    AwsUnavailable,
)
from irsa_manager.api.irsa import IRSA, IRSASpec, IRSAStatus, RoleSpec, RoleStatus, ServiceAccountSpec
from irsa_manager.api.kube import Condition, Metadata
from irsa_manager.controller.carry_out import Failure
from irsa_manager.controller.telling import error_told, failure_told, happened, summary
from irsa_manager.kube.errors import KubeForbidden, KubeInvalid
from irsa_manager.plan import actions as do

ATTACH = do.AttachPolicy(role="r", reason="x", policy_arn="arn:aws:iam::aws:policy/P")
CREATE = do.CreateRole(role="r", reason="x", path="/", trust={}, description="")
ACCOUNT = do.CreateServiceAccount(namespace="n", name="s", reason="x", labels={}, annotations={})
DELETE_ACCOUNT = do.DeleteServiceAccount(namespace="n", name="s", reason="x", uid="u", resource_version="1")


def denied() -> AwsDenied:
    error = AwsDenied("PermissionMissing", "no", operation="AttachRolePolicy", action="iam:AttachRolePolicy")
    error.object, error.principal = "arn:aws:iam::1:role/r", "arn:aws:iam::1:user/u"
    return error


@pytest.mark.parametrize(
    ("action", "error", "code", "words"),
    [
        (ATTACH, AwsMissing("PolicyNotFound", "no such"), "PolicyNotFound", ["Policy P"]),
        (ATTACH, denied(), "PermissionMissing", ["iam:AttachRolePolicy", "user/u", "role/r", "role, trust"]),
        (ATTACH, AwsRefused("QuotaExceeded", "quota for PoliciesPerRole: 10"), "QuotaExceeded", ["10"]),
        (CREATE, AwsRefused("MalformedDocument", "bad JSON"), "MalformedDocument", ["the trust policy", "bad JSON"]),
        (CREATE, AwsThrottled("Throttled", "Rate exceeded", operation="CreateRole"), "Throttled", ["CreateRole"]),
        (
            CREATE,
            AwsUnavailable("AWSUnavailable", "no answer", operation="CreateRole"),
            "AWSUnavailable",
            ["no answer"],
        ),
        (
            CREATE,
            AwsCredentials("CredentialsInvalid", "x", aws_code="ExpiredToken"),
            "CredentialsInvalid",
            ["ExpiredToken"],
        ),
        (CREATE, AwsRefused("SomethingNew", "odd"), "IRSAFailedRoleUpdate", ["odd"]),
        (
            do.DeleteRole(role="r", reason="x"),
            AwsRefused("RoleInUse", "held", aws_code="DeleteConflict"),
            "RoleInUse",
            ["Role r", "may not see"],
        ),
        (ACCOUNT, KubeInvalid("x", "webhook says no"), "IRSAFailedApplyingResources", ["n/s", "webhook says no"]),
        (ACCOUNT, KubeForbidden("x", "no"), "PermissionMissing", ["serviceaccounts", "n/s"]),
        (DELETE_ACCOUNT, KubeInvalid("x", "protected"), "IRSAFailedDeletingResources", ["n/s", "protected"]),
    ],
)
def test_a_failure_is_told_with_its_cause(action, error, code, words):
    told = failure_told(Failure(action, error), (CREATE,), None)
    assert told.code == code
    for word in words:
        assert word in told.message
    assert len(told.message) <= reasons.MAX_MESSAGE


@pytest.mark.parametrize(
    "error", [denied(), AwsThrottled("Throttled", "x"), AwsError("RoleExists", "odd"), KubeInvalid("x", "no")]
)
def test_an_error_before_the_plan_is_told(error):
    told = error_told(error)
    assert told.code in reasons.REASONS
    assert told.message


def irsa(generation: int = 1) -> IRSA:
    spec = IRSASpec(cleanup=True, iam_role=RoleSpec(name="r"), service_account=ServiceAccountSpec(name="s"))
    return IRSA(Metadata(name="a", namespace="b", generation=generation), spec)


@pytest.mark.parametrize(
    ("action", "code"),
    [
        (CREATE, "RoleCreated"),
        (ATTACH, "PolicyAttached"),
        (do.DetachPolicy(role="r", reason="x", policy_arn="arn:aws:iam::aws:policy/P"), "PolicyDetached"),
        (do.PutInlinePolicy(role="r", reason="x", name="n", document={}), "PolicyAttached"),
        (do.DeleteInlinePolicy(role="r", reason="x", name="n"), "PolicyDetached"),
        (do.UpdateTrust(role="r", reason="x", trust={}), "TrustUpdated"),
        (do.SetBoundary(role="r", reason="x", boundary="b"), "RoleUpdated"),
        (do.RemoveBoundary(role="r", reason="x"), "RoleUpdated"),
        (do.UpdateRole(role="r", reason="x"), "RoleUpdated"),
        (do.TagRole(role="r", reason="x", tags={"a": "b"}), "RoleUpdated"),
        (do.UntagRole(role="r", reason="x", keys=("a",)), "RoleUpdated"),
        (do.DeleteRole(role="r", reason="x"), "RoleDeleted"),
        (ACCOUNT, "ServiceAccountCreated"),
        (
            do.PatchServiceAccount(namespace="n", name="s", reason="x", resource_version="1", annotations={"a": "b"}),
            "ServiceAccountAnnotated",
        ),
        (
            do.PatchServiceAccount(namespace="n", name="s", reason="x", resource_version="1", annotations={"a": None}),
            "ServiceAccountReleased",
        ),
        (DELETE_ACCOUNT, "ServiceAccountReleased"),
    ],
)
def test_every_action_has_its_event(action, code):
    event = happened(irsa(), action, "111122223333", "AROA1", None)
    assert event.code == code
    assert reasons.get(code).severity == "normal"
    assert event.message


def test_marks_that_an_administrator_signed_for_are_no_repair():
    role = RoleStatus(name="r", id="AROA1", trust_policy_sha256="0")
    ready = Condition("Ready", "True", "IRSAReady", "", 1, "2026-01-01T00:00:00Z")
    status = IRSAStatus(observed_generation=1, conditions=(ready,), role=role)
    tag = do.TagRole(role="r", reason="tags differed", tags={"mark": "m"})

    def told(over: str) -> str:
        signed = replace(status, record=replace(status.record, over=over))
        return happened(replace(irsa(), status=signed), tag, "111122223333", "", {}).code

    assert told("") == "DriftRepaired"
    assert told("unmarked") == "RoleUpdated"


def test_a_summary_counts():
    assert summary((CREATE, ATTACH, ATTACH, ACCOUNT)) == "role, trust, 2 policies, 1 ServiceAccount"
    assert summary(()) == "nothing"
