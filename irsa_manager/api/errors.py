"""Errors, one tree.

IrsaError                 anything that a person is told: code, message, left, hint
├── UsageError            the command line or its input is wrong; nothing was tried
├── SandboxError          the local cluster or the local AWS can't do what was asked
├── KubernetesError       the API server refused or can't be reached
└── AwsError              an AWS call failed
    ├── AwsThrottled      asked to slow down; try again later
    ├── AwsUnavailable    5xx, time-out, lost connection: the call may or may not have taken effect
    ├── AwsDenied         the caller may not do this; `action` names the missing permission
    ├── AwsCredentials    credentials missing, wrong or expired
    ├── AwsExists         the name is taken (also by our own create whose answer was lost)
    ├── AwsMissing        the thing isn't there (or isn't visible yet)
    └── AwsRefused        anything else IAM says no to; `aws_code` tells which

A code is a reason of the catalogue (api.reasons): `irsa-manager help CODE` explains it.
"""

from __future__ import annotations


class IrsaError(Exception):
    """Something went wrong and a person should know.

    code: a reason of the catalogue. message: what happened, to which object. left: what was left as it was.
    hint: what to do next. object: kind and name it is about. request_id: AWS's id of the call, for support.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        left: str = "",
        hint: str = "",
        object: str = "",
        request_id: str = "",
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.left = left
        self.hint = hint
        self.object = object
        self.request_id = request_id

    def __str__(self) -> str:
        return " ".join(part for part in (self.message, self.left, self.hint) if part)


class UsageError(IrsaError):
    """The command line or its input is wrong; nothing was tried."""


class SandboxError(IrsaError):
    """The local cluster or the local AWS can't do what was asked."""


class KubernetesError(IrsaError):
    """The API server refused or can't be reached."""


class AwsError(IrsaError):
    """An AWS call failed.

    operation: API operation, as CreateRole. aws_code: the service's error code. action: the permission that is
    missing (AwsDenied), as iam:CreateRole.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        operation: str = "",
        aws_code: str = "",
        action: str = "",
        left: str = "",
        hint: str = "",
        request_id: str = "",
    ) -> None:
        super().__init__(code, message, left=left, hint=hint, request_id=request_id)
        self.operation = operation
        self.aws_code = aws_code
        self.action = action
        self.principal = ""
        """ARN of the caller that may not do it, where AWS names it."""


class AwsThrottled(AwsError):  # noqa: N818
    """AWS asks for fewer calls."""


class AwsUnavailable(AwsError):  # noqa: N818
    """5xx, time-out or a lost connection: whether the call took effect isn't known."""


class AwsDenied(AwsError):  # noqa: N818
    """The caller may not do this."""


class AwsCredentials(AwsError):  # noqa: N818
    """Credentials are missing, wrong or expired."""


class AwsExists(AwsError):  # noqa: N818
    """EntityAlreadyExists: taken, perhaps by our own create whose answer was lost."""


class AwsMissing(AwsError):  # noqa: N818
    """NoSuchEntity: not there, or not visible yet."""


class AwsRefused(AwsError):  # noqa: N818
    """Anything else that AWS says no to: limits, malformed documents, conflicts."""
