"""Which key of an issuer's JWKS a token is verified with, and the verification. Pure.

Rules: IAM User Guide, "Create an OpenID Connect (OIDC) identity provider in IAM" (kid in every JWK, at most 100 RSA
and 100 EC keys), RFC 7517 sections 4 and 5, RFC 7515 section 5.2. What no key can be chosen for is answered as STS
answers when it gets no key at all.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from irsa_manager.sandbox.front.answers import Refused
from irsa_manager.sandbox.front.web_identity import ALGORITHMS, Token, not_validated, refused

MAX_KEYS: Final = 100
"""Of each key type."""

_CURVES: Final = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
_REGISTRY: Final = jws.JWSRegistry(algorithms=sorted(ALGORITHMS), strict_check_header=False)


def no_key() -> Refused:
    """No key could be had or chosen. The two spaces are STS's."""
    return refused(
        "Couldn't retrieve verification key from your identity provider,  "
        "please reference AssumeRoleWithWebIdentity documentation for requirements"
    )


def choose(document: object, token: Token) -> Mapping[str, Any]:
    """The JWK of a decoded JWKS document that a token asks for.

    Raises:
        Refused: not a JWKS, more than 100 keys of the token's type, no usable key of the token's kid, or a token
            without kid where not exactly one usable key is published.

    """
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list) or not all(isinstance(jwk, dict) for jwk in listed):
        raise no_key()
    kind = "RSA" if token.algorithm.startswith("RS") else "EC"
    if sum(1 for jwk in listed if jwk.get("kty") == kind) > MAX_KEYS:
        raise no_key()
    usable = _usable(listed)
    if token.key_id is None:
        found = next(iter(usable.values())) if len(usable) == 1 else None
    else:
        found = usable.get(token.key_id)
    if found is None or found.get("kty") != kind or found.get("crv") != _CURVES.get(token.algorithm):
        raise no_key()
    return found


def verify(jwk: Mapping[str, Any], token: Token) -> None:
    """Check the token's signature; the header's algorithm decides, what the JWK says about it is ignored.

    Raises:
        Refused: the key is no key, or the signature isn't its.

    """
    try:
        key = _public_key(jwk)
    except (JoseError, ValueError) as error:
        raise no_key() from error
    try:
        jws.deserialize_compact(token.compact, key, algorithms=[token.algorithm], registry=_REGISTRY)
    except (JoseError, ValueError) as error:
        raise not_validated() from error


def _usable(listed: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """By kid; a later key of the same kid replaces the earlier, as STS does."""
    usable: dict[str, dict[str, Any]] = {}
    for jwk in listed:
        kid = jwk.get("kid")
        if not isinstance(kid, str) or not kid:
            continue
        if jwk.get("use", "sig") == "sig" and "key_ops" not in jwk and _has_numbers(jwk) and _certificate_agrees(jwk):
            usable[kid] = jwk
        else:
            usable.pop(kid, None)
    return usable


def _has_numbers(jwk: Mapping[str, Any]) -> bool:
    names = {"RSA": ("n", "e"), "EC": ("crv", "x", "y")}.get(str(jwk.get("kty")), ("",))
    return all(isinstance(jwk.get(name), str) and jwk[name] for name in names)


def _certificate_agrees(jwk: Mapping[str, Any]) -> bool:
    """Whether x5c, where given, holds the same public key (RFC 7517 section 4.7)."""
    chain = jwk.get("x5c")
    if chain is None:
        return True
    try:
        certified = x509.load_der_x509_certificate(base64.b64decode(chain[0], validate=True)).public_key()
        stated = _public_key(jwk).public_key
    except (JoseError, ValueError, TypeError, IndexError, KeyError, binascii.Error):
        return False
    if not isinstance(certified, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey)):
        return False
    return certified.public_numbers() == stated.public_numbers()


def _public_key(jwk: Mapping[str, Any]) -> RSAKey | ECKey:
    if jwk["kty"] == "RSA":
        return RSAKey.import_key({"kty": "RSA", "n": jwk["n"], "e": jwk["e"]})
    return ECKey.import_key({"kty": "EC", "crv": jwk["crv"], "x": jwk["x"], "y": jwk["y"]})
