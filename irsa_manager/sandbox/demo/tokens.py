"""Tokens that no cluster would give: expired, forged, of another issuer. Pure: no clock, no network.

RFC 7515 (JWS), RFC 7517 (JWK), RFC 7519 (JWT); OpenID Connect Discovery 1.0 section 3 for the issuer's documents.
"""

from __future__ import annotations

import base64
import json
from typing import Any, Final

from joserfc import jwt
from joserfc.jwk import RSAKey

ALGORITHM: Final = "RS256"
LIFETIME: Final = 3600
"""Seconds."""

Claims = dict[str, Any]


def new_key(key_id: str) -> RSAKey:
    """A fresh RSA key of 2,048 bits that says what it is for."""
    return RSAKey.generate_key(2048, {"kid": key_id, "use": "sig", "alg": ALGORITHM})


def read(token: str) -> tuple[Claims, Claims]:
    """Header and claims of a compact token, unverified: it is one that we asked for ourselves."""
    header, claims, _ = token.split(".")
    return _part(header), _part(claims)


def _part(text: str) -> Claims:
    decoded: Claims = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return decoded


def expired(token: str, cluster_key_pem: str, *, now: int, seconds: int) -> str:
    """The same token, signed anew with the cluster's key, as if it had ended `seconds` before `now`."""
    header, claims = read(token)
    end = now - seconds
    times = {"iat": end - LIFETIME, "nbf": end - LIFETIME, "exp": end}
    return _sign(str(header["kid"]), {**claims, **times}, RSAKey.import_key(cluster_key_pem))


def forged(token: str, key: RSAKey) -> str:
    """The same claims under the cluster's key id, signed with another key."""
    header, claims = read(token)
    return _sign(str(header["kid"]), claims, key)


def foreign(issuer: str, subject: str, audience: str, key: RSAKey, *, now: int) -> str:
    """A flawless token of another issuer that names the same subject."""
    claims = {"iss": issuer, "sub": subject, "aud": [audience], "iat": now, "nbf": now, "exp": now + LIFETIME}
    return _sign(str(key.kid), claims, key)


def _sign(key_id: str, claims: Claims, key: RSAKey) -> str:
    return jwt.encode({"alg": ALGORITHM, "typ": "JWT", "kid": key_id}, claims, key, algorithms=[ALGORITHM])


def issuer_documents(issuer: str, key: RSAKey) -> dict[str, str]:
    """What an issuer publishes, by path below its URL: discovery document and public keys."""
    discovery = {
        "issuer": issuer,
        "jwks_uri": f"{issuer}/openid/v1/jwks",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
    }
    return {
        ".well-known/openid-configuration": json.dumps(discovery),
        "openid/v1/jwks": json.dumps({"keys": [key.as_dict(private=False)]}),
    }
