"""ARNs and the names behind them, in every partition.

Rules: IAM User Guide, "IAM identifiers" (ARN forms, paths) and "Create an OpenID Connect identity provider in IAM"
(a provider's ARN is its URL without https://).
"""

from __future__ import annotations

import re

_ARN = re.compile(
    r"^arn:(?P<partition>aws[a-z-]*):(?P<service>[a-z0-9-]+):(?P<region>[^:]*):(?P<account>[^:]*):(?P<rest>.+)$"
)
_PROVIDER_ARN = re.compile(r"^arn:aws[a-z-]*:iam::[0-9]{12}:oidc-provider/(?P<host>.+)$")
_CUSTOMER = "customer/"


def account_of(arn: str) -> str:
    """The account of an ARN, "" for those that have none, and for what isn't an ARN: a status may say anything."""
    match = _ARN.match(arn)
    return match["account"] if match else ""


def provider_host(value: str) -> str:
    """The host path of an issuer or provider that is written as host path, https URL or provider ARN.

    A trailing slash is kept: to IAM `x` and `x/` are two providers.
    """
    arn = _PROVIDER_ARN.match(value)
    return arn["host"] if arn else value.removeprefix("https://")


def provider_arn(partition: str, account: str, host: str) -> str:
    """ARN of the IAM OIDC provider of an issuer's host path in an account."""
    return f"arn:{partition}:iam::{account}:oidc-provider/{host}"


def caller_role(caller: str) -> str:
    """The name of the role in a caller's ARN (assumed-role/NAME/SESSION, or role/PATH/NAME); "" for users and root."""
    kind, *rest = caller.split(":", 5)[-1].split("/")
    if kind == "assumed-role" and rest:
        return rest[0]
    return rest[-1] if kind == "role" and rest else ""


def role_arn(partition: str, account: str, path: str, name: str) -> str:
    """ARN of a role; path begins and ends with /."""
    return f"arn:{partition}:iam::{account}:role{path}{name}"


def names_role(text: str, partition: str, account: str, name: str) -> bool:
    """Whether a text is the ARN of the role of that name in that account, whatever its path; names ignore case."""
    return text.startswith(f"arn:{partition}:iam::{account}:role/") and text.lower().endswith(f"/{name}".lower())


def role_path(role: str) -> str:
    """The path in a role's ARN; it begins and ends with /."""
    path = role.partition(":role/")[2].rpartition("/")[0]
    return f"/{path}/" if path else "/"


def policy_arn(policy: str, partition: str, account: str) -> str:
    """ARN of a managed policy as users name it.

    NAME or service-role/NAME: managed by AWS. customer/[PATH/]NAME: of this account. An ARN, of any partition: itself.
    """
    if policy.startswith("arn:"):
        return policy
    if policy.startswith(_CUSTOMER):
        return f"arn:{partition}:iam::{account}:policy/{policy.removeprefix(_CUSTOMER)}"
    return f"arn:{partition}:iam::aws:policy/{policy}"


def policy_name(arn: str) -> str:
    """How users would name the policy of that ARN: the reverse of policy_arn, for messages."""
    match = _ARN.match(arn)
    if match is None or not match["rest"].startswith("policy/"):
        return arn
    name = match["rest"].removeprefix("policy/")
    return name if match["account"] == "aws" else _CUSTOMER + name
