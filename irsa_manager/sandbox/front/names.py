"""Names, paths and lengths as IAM and STS constrain them.

Source: the service models (AWS IAM and STS API References, parameter constraints), which botocore ships but does not
enforce: it checks minimum lengths only, so everything else goes out to IAM.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from irsa_manager.sandbox.front.answers import Refused, validation


@dataclass(frozen=True)
class Rule:
    """A string parameter's constraint: its length between least and most, and a pattern all of it must match."""

    member: str
    least: int
    most: int
    pattern: str = r"[\s\S]*"
    told: str = ""

    def check(self, value: str) -> str:
        """The value, if it conforms.

        Raises:
            Refused: ValidationError naming the constraint.

        """
        if len(value) < self.least:
            raise validation(value, self.member, f"Member must have length greater than or equal to {self.least}")
        if len(value) > self.most:
            raise validation(value, self.member, f"Member must have length less than or equal to {self.most}")
        if not re.fullmatch(self.pattern, value, re.ASCII):
            raise validation(
                value, self.member, f"Member must satisfy regular expression pattern: {self.told or self.pattern}"
            )
        return value


ROLE_NAME: Final = Rule("roleName", 1, 64, r"[\w+=,.@-]+")
POLICY_NAME: Final = Rule("policyName", 1, 128, r"[\w+=,.@-]+")
POLICY_ARN: Final = Rule("policyArn", 20, 2048)
BOUNDARY: Final = Rule("permissionsBoundary", 20, 2048)
DOCUMENT: Final = Rule("policyDocument", 1, 131072, r"[\t\n\r\x20-\xff]+", r"[\u0009\u000A\u000D\u0020-\u00FF]+")
DESCRIPTION: Final = Rule(
    "description", 0, 1000, r"[\t\n\r\x20-\x7e\xa1-\xff]*", r"[\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*"
)
ROLE_ARN: Final = Rule("roleArn", 20, 2048)
SESSION_NAME: Final = Rule("roleSessionName", 2, 64, r"[\w+=,.@-]*")
TOKEN: Final = Rule("webIdentityToken", 4, 20000)
PROVIDER_URL: Final = Rule("url", 1, 255)
PROVIDER_ARN: Final = Rule("openIDConnectProviderArn", 20, 2048)
CLIENT_ID: Final = Rule("clientID", 1, 255)
THUMBPRINT: Final = Rule("thumbprint", 40, 40)
PATH: Final = Rule("path", 1, 512, r"(/)|(/[\x21-\x7e]+/)", r"(\u002F)|(\u002F[\u0021-\u007E]+\u002F)")
PATH_PREFIX: Final = Rule("pathPrefix", 1, 512, r"/[\x21-\x7e]*", r"\u002F[\u0021-\u007F]*")

_ROLE_ARN_FORM = re.compile(r"arn:aws[a-z-]*:iam::(?P<account>\d{12}):role(?P<path>/(?:[\x21-\x7e]+/)?)(?P<name>[^/]+)")


def path(parameters: Mapping[str, str]) -> str:
    """The Path parameter, "/" where there is none. "//" in it is refused too, as IAM does in practice.

    Raises:
        Refused: ValidationError.

    """
    value = PATH.check(parameters.get("Path", "/"))
    if "//" in value:
        raise validation(value, PATH.member, f"Member must satisfy regular expression pattern: {PATH.told}")
    return value


def required(parameters: Mapping[str, str], name: str, rule: Rule) -> str:
    """A parameter that must be there and conform.

    Raises:
        Refused: ValidationError; the constraint not met, or "Member must not be null".

    """
    if name not in parameters:
        raise Refused(
            "ValidationError",
            f"1 validation error detected: Value null at '{rule.member}' failed to satisfy constraint: "
            "Member must not be null",
        )
    return rule.check(parameters[name])


def number(parameters: Mapping[str, str], name: str, least: int, most: int) -> int | None:
    """An integer parameter within its limits; None where it is absent.

    Raises:
        Refused: ValidationError.

    """
    if name not in parameters:
        return None
    value, member = parameters[name], name[0].lower() + name[1:]
    if not re.fullmatch(r"-?\d{1,18}", value, re.ASCII):
        raise Refused("MalformedInput", f"{name} is not an integer")
    if int(value) < least:
        raise validation(value, member, f"Member must have value greater than or equal to {least}")
    if int(value) > most:
        raise validation(value, member, f"Member must have value less than or equal to {most}")
    return int(value)


@dataclass(frozen=True)
class RoleArn:
    """A role's ARN in its parts; path begins and ends with a slash."""

    arn: str
    account: str
    path: str
    name: str


def role_arn(value: str) -> RoleArn:
    """A RoleArn parameter in its parts.

    Raises:
        Refused: ValidationError, not the ARN of an IAM role.

    """
    ROLE_ARN.check(value)
    match = _ROLE_ARN_FORM.fullmatch(value)
    if not match:
        raise Refused("ValidationError", f"{value} is invalid")
    return RoleArn(value, match["account"], match["path"], match["name"])


def listed(parameters: Mapping[str, str], prefix: str) -> list[str]:
    """The members of a list parameter, PREFIX.member.1 and so on, in the order of their numbers."""
    found = []
    for name, value in parameters.items():
        match = re.fullmatch(re.escape(prefix) + r"\.member\.(\d{1,5})", name, re.ASCII)
        if match:
            found.append((int(match[1]), value))
    return [value for _, value in sorted(found)]
