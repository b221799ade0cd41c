"""What STS knows, before it reads a trust policy, of a ServiceAccount's token: the values of condition keys.

Source: IAM User Guide, "Available keys for AWS OIDC federation" and "AWS global condition context keys"; Service
Authorization Reference, "Actions, resources, and condition keys for AWS STS". Tokens that Kubernetes issues have no
azp, amr, email, session tags or source identity, and no other claim becomes a key.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from msgspec import Struct

from irsa_manager.trust.arn import account_of


class Token(Struct, frozen=True):
    """A token that STS has verified: what is left is the role's trust policy.

    provider_arn: the IAM OIDC provider of its issuer. host: the provider's host path, as condition keys begin.
    subject: the claim sub. audience: the one audience.
    """

    provider_arn: str
    host: str
    subject: str
    audience: str


class Unseen(Enum):
    """Why a condition key has no value here."""

    ABSENT = "the token has none"
    REQUEST = "known only when the token is exchanged"


_NEVER: Final = frozenset(
    {
        "aws:federatedprovider",  # only in later requests of the session
        "aws:principalarn",
        "sts:externalid",  # AssumeRole only
        "sts:sourceidentity",
        "sts:transitivetagkeys",
    }
)
_SET_VALUED: Final = (":amr", ":oaud")


def value_of(key: str, token: Token) -> str | Unseen:
    """The value that a condition key has for the token, whatever the key's case.

    Raises:
        IrsaError: the key asks for the account, and provider_arn isn't an ARN.

    """
    name = key.lower()
    prefix, _, claim = name.rpartition(":")
    if prefix == token.host.lower():
        return {"sub": token.subject, "aud": token.audience}.get(claim, Unseen.ABSENT)
    match name:
        case "aws:principalaccount":
            return account_of(token.provider_arn)
        case "aws:principaltype":
            return "User"
        case "aws:userid":
            return token.provider_arn
    if name in _NEVER or name.startswith("aws:requesttag/"):
        return Unseen.ABSENT
    # Keys of other issuers and other services are never set here; those of the request and of STS may be.
    return Unseen.REQUEST if name.startswith(("aws:", "sts:")) else Unseen.ABSENT


def set_valued(key: str) -> bool:
    """Whether a claim's key has a set of values, which no plain operator ever matches."""
    return key.lower().endswith(_SET_VALUED)


def of_its_issuer(key: str, token: Token) -> bool:
    """Whether the key is one of the token's own issuer."""
    return key.lower().rpartition(":")[0] == token.host.lower()
