"""Each class of our errors, from an answer that the enforcing front really gives."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from aws_actions import INLINE, S3, SQS, create, trust_of
from front_process import Front

from irsa_manager.api.errors import (
    AwsCredentials,
    AwsDenied,
    AwsError,
    AwsMissing,
    AwsRefused,
    AwsUnavailable,
    UsageError,
)
from irsa_manager.aws.calls import Aws
from irsa_manager.aws.credentials import AwsKeys, AwsSettings
from irsa_manager.aws.execute import execute
from irsa_manager.aws.pacing import Pacer
from irsa_manager.aws.session import open_aws
from irsa_manager.plan.actions import AttachPolicy, AwsAction, PutInlinePolicy, SetBoundary, UpdateTrust

Limited = Callable[..., AbstractAsyncContextManager[Aws]]


async def refused(aws: Aws, action: AwsAction) -> AwsError:
    with pytest.raises(AwsError) as caught:
        await execute(aws, action)
    assert caught.value.request_id
    return caught.value


def too_long() -> dict[str, Any]:
    return trust_of(*(f"system:serviceaccount:namespace-{number}:name" for number in range(80)))


async def test_refusals_name_the_reason_and_keep_awss_words(aws: Aws, aws_front: Front, role: str) -> None:
    await execute(aws, create(role))
    absent = "arn:aws:iam::aws:policy/AmazonS3FullAcess"
    bad = {"Version": "2012-10-17", "Statement": []}
    cases: list[tuple[AwsAction, type[AwsError], str, str]] = [
        (UpdateTrust(role=role, reason="", trust=too_long()), AwsRefused, "TrustTooLarge", "ACLSizePerRole: 2048"),
        (create(f"{role}-2", trust=too_long()), AwsRefused, "TrustTooLarge", "ACLSizePerRole: 2048"),
        (UpdateTrust(role=role, reason="", trust=bad), AwsRefused, "MalformedDocument", "MalformedPolicyDocument"),
        (PutInlinePolicy(role=role, reason="", name="p", document=bad), AwsRefused, "MalformedDocument", ""),
        (AttachPolicy(role=role, reason="", policy_arn=absent), AwsMissing, "PolicyNotFound", "not attachable"),
        (SetBoundary(role=role, reason="", boundary=absent), AwsMissing, "PolicyNotFound", ""),
        (create(f"{role}-3", boundary=absent), AwsMissing, "PolicyNotFound", ""),
        (create("x" * 65), AwsRefused, "IRSAFailedRoleUpdate", "roleName"),
        (create(f"{role}-4", max_session_seconds=50000), AwsRefused, "IRSAFailedRoleUpdate", "axSessionDuration"),
    ]
    for action, kind, code, words in cases:
        error = await refused(aws, action)
        assert (type(error), error.code) == (kind, code), error
        assert words in error.message
    assert aws_front.sandbox("PUT", "quotas", {"PoliciesPerRole": 1})[0] == 200
    await execute(aws, AttachPolicy(role=role, reason="", policy_arn=S3))
    error = await refused(aws, AttachPolicy(role=role, reason="", policy_arn=SQS))
    assert (type(error), error.code) == (AwsRefused, "QuotaExceeded")
    assert "PoliciesPerRole: 1" in error.message


async def test_what_botocore_itself_refuses_is_not_sent(aws: Aws) -> None:
    with pytest.raises(AwsRefused) as caught:
        await aws.call("GetRole", RoleName=7)
    assert caught.value.aws_code == "ParamValidation"
    assert "RoleName" in caught.value.message


async def test_a_denial_names_action_principal_and_resource(limited: Limited, role: str) -> None:
    async with limited() as mine:
        identity = await mine.identity()
        error = await refused(mine, create(role, path="/team/"))
    assert isinstance(error, AwsDenied)
    assert (error.code, error.action) == ("PermissionMissing", "iam:CreateRole")
    assert error.object == f"arn:aws:iam::{identity.account}:role/team/{role}"
    assert identity.arn in error.message
    assert "Add the action" in error.hint


async def test_an_explicit_deny_is_not_cured_by_a_grant(limited: Limited, role: str) -> None:
    async with limited("iam:*", deny="iam:PutRolePolicy") as mine:
        await execute(mine, create(role))
        error = await refused(mine, PutInlinePolicy(role=role, reason="", name="p", document=INLINE))
    assert isinstance(error, AwsDenied)
    assert error.action == "iam:PutRolePolicy"
    assert "administrator" in error.hint


@pytest.mark.parametrize("keys", [AwsKeys("AKIA0000000000000000", "x" * 40), None], ids=["unknown key", "wrong secret"])
async def test_bad_keys_are_about_credentials(aws_front: Front, keys: AwsKeys | None) -> None:
    used = keys or AwsKeys(aws_front.root[0], "x" * 40)
    settings = AwsSettings(region="us-east-1", endpoint_url=aws_front.url, keys=used)
    async with open_aws(settings) as mine:
        with pytest.raises(AwsCredentials) as caught:
            await mine.identity()
    assert caught.value.code == "CredentialsInvalid"
    assert used.secret_access_key not in str(caught.value)


async def test_an_endpoint_that_nobody_serves_is_unavailable(aws_front: Front) -> None:
    settings = AwsSettings(region="us-east-1", endpoint_url="http://127.0.0.1:1", keys=AwsKeys(*aws_front.root))
    async with open_aws(settings, pacer=Pacer(500)) as mine:
        with pytest.raises(AwsUnavailable) as caught:
            await mine.call("GetAccountSummary")
    assert caught.value.code == "AWSUnavailable"


async def test_an_endpoint_that_is_no_url_is_said_at_once() -> None:
    settings = AwsSettings(region="us-east-1", endpoint_url="not a url", keys=AwsKeys("AKIA0000000000000000", "x" * 40))
    with pytest.raises(UsageError) as caught:
        async with open_aws(settings):
            raise AssertionError("it opened")
    assert "not a url" in caught.value.message
