"""What botocore raises, in the words and classes of api.errors.

Codes and their meaning: IAM API reference, "Errors" of each operation and "Common errors"; IAM User Guide,
troubleshoot_access-denied for the text of AccessDenied. Which codes mean "slow down" is botocore's own list.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    InvalidConfigError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
from botocore.parsers import ResponseParserError
from botocore.retries.standard import ThrottledRetryableChecker

from irsa_manager.api.errors import (
    AwsCredentials,
    AwsDenied,
    AwsError,
    AwsExists,
    AwsMissing,
    AwsRefused,
    AwsThrottled,
    AwsUnavailable,
)

THROTTLING: Final = frozenset(ThrottledRetryableChecker._THROTTLED_ERROR_CODES)

CREDENTIAL_CODES: Final = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidIdentityToken",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)

DENIED_CODES: Final = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized"})

TRANSIENT_CODES: Final = frozenset(
    {
        "ConcurrentModification",
        "EntityTemporarilyUnmodifiable",
        "IDPCommunicationError",
        "InternalError",
        "InternalFailure",
        "OpenIdIdpCommunicationError",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceFailure",
        "ServiceUnavailable",
    }
)
"""Nothing is wrong with the request; the same one may pass later."""

CREDENTIAL_ERRORS: Final = (
    CredentialRetrievalError,
    InvalidConfigError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)

SWITCH_OPERATIONS: Final = frozenset({"AssumeRole", "AssumeRoleWithWebIdentity"})

FROM_BOTOCORE: Final = (BotoCoreError, ClientError, ResponseParserError, LookupError, TimeoutError, OSError)
"""What a call through aiobotocore can raise besides a cancellation. aiohttp's own errors are wrapped by it;
LookupError is how its parser fails on XML that isn't the answer (a proxy's page)."""

_DENIED: Final = re.compile(
    r"^(?:User: (?P<principal>\S+) )?is not authorized to perform: (?P<action>[\w-]+:[\w*-]+)"
    r"(?: on resource: (?P<resource>.+?))?"
    r"(?P<why> (?:because|with an explicit deny).*)?\.?$",
    re.DOTALL,
)


@dataclass(frozen=True)
class Denial:
    """AWS's AccessDenied text, taken apart. Parts that the text doesn't have are empty.

    principal: the caller's ARN. action: as iam:CreateRole. resource: an ARN, or `role NAME`. why: AWS's reason.
    """

    principal: str = ""
    action: str = ""
    resource: str = ""
    why: str = ""

    @property
    def explicit(self) -> bool:
        """A policy forbids it, so that granting the action elsewhere doesn't help."""
        return "explicit deny" in self.why or "service control policy" in self.why or "boundary" in self.why


def parse_denial(text: str) -> Denial:
    """Take an AccessDenied text apart; a text of another shape gives an empty Denial."""
    found = _DENIED.match(text.strip())
    if found is None:
        loose = re.search(r"perform: (\S+)", text)
        return Denial(action=loose.group(1)) if loose else Denial()
    parts = {name: (value or "").strip() for name, value in found.groupdict().items()}
    return Denial(**parts)


def classify(exc: BaseException, operation: str) -> AwsError:
    """The error of our tree for what botocore raised while calling `operation` (as CreateRole).

    Returns it; the caller raises it `from exc`. Secrets can't be in it: botocore's texts quote neither keys nor tokens,
    and parameters are named, not shown.
    """
    if isinstance(exc, AwsError):
        return exc
    if isinstance(exc, ClientError):
        return _of_answer(exc, operation)
    if isinstance(exc, ParamValidationError):
        return AwsRefused(
            "IRSAFailedRoleUpdate",
            f"{operation} was not sent: {_one_line(str(exc))}.",
            operation=operation,
            aws_code="ParamValidation",
            hint="Correct the field that the text names.",
        )
    if isinstance(exc, CREDENTIAL_ERRORS) or _unreadable_file(exc):
        return _credentials(operation, type(exc).__name__, _one_line(str(exc)))
    if isinstance(exc, TimeoutError):
        return _unavailable(operation, "Timeout", "no answer in time")
    if isinstance(exc, (ResponseParserError, LookupError)):
        return not_of_aws(operation)
    if isinstance(exc, (ConnectionError, HTTPClientError, OSError)):
        return _unavailable(operation, type(exc).__name__, _one_line(str(exc)))
    return AwsRefused(
        "IRSAFailedRoleUpdate",
        f"{operation} failed: {type(exc).__name__}: {_one_line(str(exc))}.",
        operation=operation,
        aws_code=type(exc).__name__,
    )


def _of_answer(exc: ClientError, operation: str) -> AwsError:
    answer: dict[str, Any] = exc.response
    code = str(answer.get("Error", {}).get("Code", ""))
    text = _one_line(str(answer.get("Error", {}).get("Message", "") or ""))
    metadata = answer.get("ResponseMetadata", {})
    status = int(metadata.get("HTTPStatusCode", 0))
    request_id = str(metadata.get("RequestId", "") or "")
    # A refresh of credentials happens inside other calls; its errors are about them, not about the call.
    inner = exc.operation_name if exc.operation_name in SWITCH_OPERATIONS else ""
    name = inner if inner and inner != operation else operation

    if code in THROTTLING or status == 429:
        return AwsThrottled(
            "Throttled",
            f"AWS asks for fewer calls ({name}: {_said(code, text)}).",
            operation=operation,
            aws_code=code,
            left="The last good state is in force.",
            hint="It is tried again by itself.",
            request_id=request_id,
        )
    if code in TRANSIENT_CODES or status >= 500:
        return _unavailable(name, code, text, request_id)
    if code in CREDENTIAL_CODES or name != operation:
        return _credentials(operation, code, text, during=name if name != operation else "", request_id=request_id)
    if code in DENIED_CODES:
        return _denied(operation, code, text, request_id)
    return _refusal(operation, code, text, request_id)


def _refusal(operation: str, code: str, text: str, request_id: str) -> AwsError:
    """The answers that are about the request itself: exists, missing, too much, malformed, in use."""
    said = f"{operation}: {_said(code, text)}."
    kind: type[AwsError] = AwsRefused
    reason, left, hint = "IRSAFailedRoleUpdate", "", ""
    match code:
        case "EntityAlreadyExists":
            kind = AwsExists
            if operation == "CreateRole":
                reason, left = "RoleExists", "It was left untouched."
                hint = "Choose another name, or adopt or reference the role."
        case "NoSuchEntity":
            kind = AwsMissing
            if _about_policy(operation, text):
                reason, hint = "PolicyNotFound", "Check the policy's name, account and partition."
        case "LimitExceeded" if "ACLSizePerRole" in text:
            reason, left = "TrustTooLarge", "The previous trust policy is in force."
            hint = "Raise the quota of the trust policy's length, split the object, or match by pattern."
        case "LimitExceeded":
            reason, left = "QuotaExceeded", "What fitted is in place."
            hint = "Raise the quota in Service Quotas, or use less of it."
        case "MalformedPolicyDocument":
            reason, left = "MalformedDocument", "The previous document is in force."
            hint = "Correct the document; the text says what IAM dislikes."
        case "ValidationError" | "InvalidInput" if "olicyDocument" in text:
            reason, left = "MalformedDocument", "The previous document is in force."
            hint = "Correct the document; the text says what IAM dislikes."
        case "DeleteConflict":
            reason, left = "RoleInUse", "The role was not deleted."
            hint = "Take away what the text names, or keep the role by cleanup: false."
        case "UnmodifiableEntity":
            hint = "The role belongs to an AWS service; choose another name."
        case "PolicyNotAttachable":
            hint = "The policy is reserved for a service-linked role; choose another."
    return kind(reason, said, operation=operation, aws_code=code, left=left, hint=hint, request_id=request_id)


def _denied(operation: str, code: str, text: str, request_id: str) -> AwsDenied:
    denial = parse_denial(text)
    action = denial.action or f"{'sts' if operation == 'GetCallerIdentity' else 'iam'}:{operation}"
    who = f" for {denial.principal}" if denial.principal else ""
    where = f" on {denial.resource}" if denial.resource else ""
    why = f" ({denial.why})" if denial.why else ""
    error = AwsDenied(
        "PermissionMissing",
        f"{action} is not allowed{who}{where}{why}."
        if denial.action
        else f"{action} is not allowed: {_said(code, text)}.",
        operation=operation,
        aws_code=code,
        action=action,
        hint="A policy of the account forbids it: an administrator has to lift that."
        if denial.explicit
        else "Add the action to that identity's policy.",
        request_id=request_id,
    )
    error.object = denial.resource
    error.principal = denial.principal
    return error


def _credentials(operation: str, code: str, text: str, *, during: str = "", request_id: str = "") -> AwsCredentials:
    step = f" {during} failed:" if during else ""
    return AwsCredentials(
        "CredentialsInvalid",
        f"The AWS credentials are missing, wrong or expired ({operation}:{step} {_said(code, text)}).",
        operation=operation,
        aws_code=code,
        left="AWS is as it was; pods keep working.",
        hint="The controller's: check Secret aws-secret or its role. A command's: try `aws sts get-caller-identity`.",
        request_id=request_id,
    )


def _unavailable(operation: str, code: str, text: str, request_id: str = "") -> AwsUnavailable:
    return AwsUnavailable(
        "AWSUnavailable",
        f"AWS did not do {operation}: {_said(code, text)}.",
        operation=operation,
        aws_code=code,
        left="The last good state is in force.",
        hint="It is tried again by itself.",
        request_id=request_id,
    )


def not_of_aws(operation: str) -> AwsUnavailable:
    """The error for an answer that something else than AWS gave, such as a proxy that wants a login."""
    return _unavailable(operation, "", "the answer is not AWS's; is there a proxy, or a wrong AWS_ENDPOINT_URL?")


def _about_policy(operation: str, text: str) -> bool:
    """Whether NoSuchEntity is about the managed policy of the request and not about the role."""
    if operation not in {"AttachRolePolicy", "PutRolePermissionsBoundary", "CreateRole"}:
        return False
    return re.match(r"(the )?role\b", text, re.IGNORECASE) is None


def _unreadable_file(exc: BaseException) -> bool:
    """The web identity token's file, which botocore opens itself, isn't there or isn't ours to read."""
    return isinstance(exc, (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError))


def _said(code: str, text: str) -> str:
    text = text.rstrip(".")
    return f"{code}: {text}" if code and text else code or text or "no reason given"


def _one_line(text: str) -> str:
    return " ".join(text.split())
