"""What STS wants of a web identity token. Pure: no clock, no network, no store.

The caller parses the token (parse), finds the provider of `issuer`, fetches the issuer's keys, has the signature
checked (keys.verify), then asks for the audience (audience) and the times (check_times): the order in which STS was
seen to check. Sources: AWS STS API Reference, AssumeRoleWithWebIdentity; IAM User Guide, "Create an OpenID Connect
(OIDC) identity provider in IAM" and "Available keys for AWS OIDC federation"; RFC 7519; RFC 7515 section 4.1.11 (crit);
OpenID Connect Core section 2 (azp).
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from irsa_manager.sandbox.front.answers import Refused

ALGORITHMS: Final = frozenset({"RS256", "RS384", "RS512", "ES256", "ES384", "ES512"})
"""STS API Reference, AssumeRoleWithWebIdentity, WebIdentityToken."""

TOLERANCE: Final = 300
"""Seconds that STS allows each way on exp, nbf and iat."""

MAX_AGE: Final = 5 * 24 * 3600
"""Seconds after iat from which a token is too old, whatever its exp; the exact threshold isn't published."""

REQUIRED: Final = ("iss", "sub", "aud", "iat", "exp")

_NOT_A_JWT: Final = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
_NOT_VALIDATED: Final = (
    "The web identity token provided could not be validated. "
    "See the AssumeRoleWithWebIdentity documentation for requirements."
)
_SEVERAL_AUDIENCES: Final = "Token audience contains more than one audience while authorized party is not present"


def refused(message: str) -> Refused:
    """InvalidIdentityToken with a text of STS's."""
    return Refused("InvalidIdentityToken", message)


def not_validated() -> Refused:
    """A signature that doesn't verify, or an audience that isn't registered: STS tells them by the same text."""
    return refused(_NOT_VALIDATED)


@dataclass(frozen=True)
class Token:
    """A token whose shape is right; nothing in it has been verified."""

    compact: str
    algorithm: str
    key_id: str | None
    issuer: str
    subject: str
    audiences: tuple[str, ...]
    authorized_party: str | None
    issued_at: int
    expires_at: int
    not_before: int | None
    claims: Mapping[str, Any]


def parse(compact: str) -> Token:
    """The token, if it is a JWS in compact form with the claims that STS requires.

    Raises:
        Refused: not three parts of base64url, a crit header, an algorithm STS doesn't take, a missing claim, or a
            time that isn't a whole number (numbers in strings are taken).

    """
    parts = compact.split(".")
    if len(parts) != 3 or not all(parts):
        raise refused(_NOT_A_JWT)
    header, claims = _object(parts[0]), _object(parts[1])
    key_id = header.get("kid")
    if "crit" in header or header.get("alg") not in ALGORITHMS or not isinstance(key_id, (str, type(None))):
        raise refused(_NOT_A_JWT)
    for name in REQUIRED:
        if claims.get(name) is None:
            raise refused(f"Missing a required claim: {name}")
    for name in ("iss", "sub"):
        if not isinstance(claims[name], str):
            raise refused(f"Missing a required claim: {name}")
    party = claims.get("azp")
    if party is not None and not (isinstance(party, str) and party):
        raise not_validated()
    return Token(
        compact=compact,
        algorithm=header["alg"],
        key_id=key_id,
        issuer=claims["iss"],
        subject=claims["sub"],
        audiences=_audiences(claims["aud"]),
        authorized_party=party,
        issued_at=_timestamp(claims["iat"]),
        expires_at=_timestamp(claims["exp"]),
        not_before=None if claims.get("nbf") is None else _timestamp(claims["nbf"]),
        claims=claims,
    )


def audience(token: Token, client_ids: Collection[str]) -> str:
    """What the provider's client ids and the condition key :aud are compared with: azp where there is one, else aud.

    Raises:
        Refused: several audiences without azp, even if all are registered; or it isn't among the client ids.

    """
    if token.authorized_party is None and len(token.audiences) > 1:
        raise refused(_SEVERAL_AUDIENCES)
    chosen = token.authorized_party or token.audiences[0]
    if chosen not in client_ids:
        raise not_validated()
    return chosen


def check_times(token: Token, now: int) -> None:
    """Refuse a token that is over or hasn't begun; `now` is in seconds since 1970.

    Raises:
        Refused: ExpiredTokenException names STS's clock less the tolerance, and the token's expiry.

    """
    clock = now - TOLERANCE
    if clock >= token.expires_at:
        raise Refused(
            "ExpiredTokenException",
            f"Token expired: current date/time {clock} must be before the expiration date/time {token.expires_at}",
        )
    if now - token.issued_at >= MAX_AGE:
        raise Refused("ExpiredTokenException", f"Token too old: {now - token.issued_at}")
    latest = now + TOLERANCE
    if token.issued_at > latest or (token.not_before is not None and token.not_before > latest):
        raise not_validated()


def host_path(issuer: str) -> str | None:
    """An issuer as provider ARNs and condition keys spell it: without https://, nothing else changed."""
    scheme, separator, rest = issuer.partition("://")
    return rest if scheme == "https" and separator and rest else None


def _object(part: str) -> dict[str, Any]:
    try:
        raw = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
        value = json.loads(raw)
    except (binascii.Error, ValueError) as error:
        raise refused(_NOT_A_JWT) from error
    if not isinstance(value, dict):
        raise refused(_NOT_A_JWT)
    return value


def _audiences(value: object) -> tuple[str, ...]:
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not listed or not all(isinstance(one, str) for one in listed):
        raise refused("Missing a required claim: aud")
    return tuple(listed)


def _timestamp(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.isascii() and value.removeprefix("-").isdigit() and len(value) < 20:
        return int(value)
    raise refused("Invalid timestamp in token claims.")
