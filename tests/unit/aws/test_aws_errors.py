"""AWS's texts taken apart, and the classes of errors that no local AWS can be made to give."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from hypothesis import given
from hypothesis import strategies as st

from irsa_manager.api.errors import (
    AwsCredentials,
    AwsDenied,
    AwsError,
    AwsMissing,
    AwsRefused,
    AwsThrottled,
    AwsUnavailable,
)
from irsa_manager.aws.calls import outcome
from irsa_manager.aws.errors import THROTTLING, Denial, classify, parse_denial

ROLES_QUOTA = "Cannot exceed quota for RolesPerAccount: 1000"
NO_ROLE = "The role with name my-policy cannot be found."
NO_POLICY = "Policy ARN does not exist or is not attachable."
CATCH_ALL = "IRSAFailedRoleUpdate"
ME = "arn:aws:sts::123456789012:assumed-role/m/s"
ROLE = "arn:aws:iam::123456789012:role/r"


def answered(code: str, text: str = "Words.", status: int = 400, operation: str = "CreateRole") -> ClientError:
    response: Any = {
        "Error": {"Code": code, "Message": text},
        "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": "r-1"},
    }
    return ClientError(response, operation)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            f"User: {ME} is not authorized to perform: iam:CreateRole on resource: {ROLE} because no identity-based "
            "policy allows the iam:CreateRole action",
            Denial(ME, "iam:CreateRole", ROLE, "because no identity-based policy allows the iam:CreateRole action"),
        ),
        (
            f"User: {ME} is not authorized to perform: iam:GetRole on resource: role r because no identity-based "
            "policy allows the iam:GetRole action",
            Denial(ME, "iam:GetRole", "role r", "because no identity-based policy allows the iam:GetRole action"),
        ),
        (
            f"User: {ME} is not authorized to perform: iam:PutRolePolicy on resource: {ROLE} with an explicit deny in "
            "a service control policy",
            Denial(ME, "iam:PutRolePolicy", ROLE, "with an explicit deny in a service control policy"),
        ),
        (
            f"User: {ME} is not authorized to perform: iam:TagRole on resource: {ROLE}",
            Denial(ME, "iam:TagRole", ROLE, ""),
        ),
        (f"User: {ME} is not authorized to perform: iam:ListRoles", Denial(ME, "iam:ListRoles", "", "")),
        ("You may not. perform: iam:X, really", Denial(action="iam:X,")),
        ("Access Denied", Denial()),
        ("", Denial()),
    ],
)
def test_a_denial_is_taken_apart(text: str, expected: Denial) -> None:
    assert parse_denial(text) == expected


@given(st.text())
def test_no_text_is_too_odd(text: str) -> None:
    parse_denial(text)
    assert isinstance(classify(answered("AccessDenied", text, 403), "CreateRole"), AwsDenied)


def test_a_denial_that_names_nothing_is_about_the_call() -> None:
    error = classify(answered("AccessDenied", "Access Denied", 403), "CreateRole")
    assert (error.code, error.action) == ("PermissionMissing", "iam:CreateRole")


@pytest.mark.parametrize(
    ("why", "admin"),
    [
        ("because no identity-based policy allows the iam:X action", False),
        ("with an explicit deny in an identity-based policy", True),
        ("because no permissions boundary allows the iam:X action", True),
        ("because no service control policy allows the iam:X action", True),
    ],
)
def test_the_hint_fits_the_kind_of_denial(why: str, admin: bool) -> None:
    text = f"User: {ME} is not authorized to perform: iam:X on resource: {ROLE} {why}"
    error = classify(answered("AccessDenied", text, 403), "X")
    assert ("administrator" in error.hint) == admin


@pytest.mark.parametrize(
    ("exc", "operation", "kind", "code"),
    [
        *((answered(code), "CreateRole", AwsThrottled, "Throttled") for code in sorted(THROTTLING)),
        (answered("Whatever", status=429), "CreateRole", AwsThrottled, "Throttled"),
        (answered("LimitExceeded", ROLES_QUOTA, 409), "CreateRole", AwsRefused, "QuotaExceeded"),
        (answered("ConcurrentModification", status=409), "TagRole", AwsUnavailable, "AWSUnavailable"),
        (answered("EntityTemporarilyUnmodifiable", status=409), "CreateRole", AwsUnavailable, "AWSUnavailable"),
        (answered("ServiceFailure", status=500), "CreateRole", AwsUnavailable, "AWSUnavailable"),
        (answered("Unheard", status=502), "CreateRole", AwsUnavailable, "AWSUnavailable"),
        (answered("ExpiredToken", status=403), "GetRole", AwsCredentials, "CredentialsInvalid"),
        (answered("SignatureDoesNotMatch", status=403), "GetRole", AwsCredentials, "CredentialsInvalid"),
        (answered("AccessDenied", status=403, operation="AssumeRole"), "GetRole", AwsCredentials, "CredentialsInvalid"),
        (answered("Throttling", operation="AssumeRole"), "GetRole", AwsThrottled, "Throttled"),
        (answered("ServiceFailure", status=500, operation="AssumeRole"), "GetRole", AwsUnavailable, "AWSUnavailable"),
        (answered("UnmodifiableEntity"), "AttachRolePolicy", AwsRefused, CATCH_ALL),
        (answered("PolicyNotAttachable"), "AttachRolePolicy", AwsRefused, CATCH_ALL),
        (answered("NoSuchEntity", NO_ROLE, 404), "AttachRolePolicy", AwsMissing, CATCH_ALL),
        (answered("NoSuchEntity", NO_POLICY, 404), "AttachRolePolicy", AwsMissing, "PolicyNotFound"),
        (answered("NoSuchEntity", "Not found.", 404), "DetachRolePolicy", AwsMissing, CATCH_ALL),
        (answered("ValidationError", "at policyDocument"), "PutRolePolicy", AwsRefused, "MalformedDocument"),
        (answered("NewlyInvented"), "CreateRole", AwsRefused, CATCH_ALL),
        (answered(""), "CreateRole", AwsRefused, CATCH_ALL),
        (ReadTimeoutError(endpoint_url="http://x"), "GetRole", AwsUnavailable, "AWSUnavailable"),
        (TimeoutError(), "GetRole", AwsUnavailable, "AWSUnavailable"),
        (ConnectionResetError(104, "reset"), "GetRole", AwsUnavailable, "AWSUnavailable"),
        (FileNotFoundError(2, "No such file", "/token"), "GetRole", AwsCredentials, "CredentialsInvalid"),
    ],
)
def test_each_failure_has_its_class_and_reason(exc: Exception, operation: str, kind: type[AwsError], code: str) -> None:
    error = classify(exc, operation)
    assert (type(error), error.code) == (kind, code)
    assert outcome(error)
    if isinstance(exc, ClientError):
        assert error.request_id == "r-1"
        assert error.aws_code == exc.response["Error"]["Code"]


def test_an_error_of_ours_stays_what_it_is() -> None:
    error = AwsMissing("X", "gone")
    assert classify(error, "GetRole") is error
