"""The tokens that no cluster would give: each is wrong in the one way that it should be, and right in all others."""

from __future__ import annotations

import json

import pytest
from joserfc import jwt
from joserfc.errors import BadSignatureError
from joserfc.jwk import KeySet, RSAKey

from irsa_manager.sandbox.demo import tokens

ISSUER = "https://oidc.example.test/id/A"
NOW = 1_800_000_000
CLAIMS = {"iss": ISSUER, "sub": "system:serviceaccount:default:irsa1-sa", "aud": ["sts.amazonaws.com"], "jti": "x"}


@pytest.fixture(scope="module")
def cluster_key() -> RSAKey:
    return tokens.new_key("cluster")


@pytest.fixture(scope="module")
def own_key() -> RSAKey:
    return tokens.new_key("demo")


@pytest.fixture(scope="module")
def real(cluster_key: RSAKey) -> str:
    times = {"iat": NOW, "nbf": NOW, "exp": NOW + 600}
    return jwt.encode({"alg": "RS256", "kid": "cluster"}, {**CLAIMS, **times}, cluster_key)


@pytest.mark.parametrize("seconds", [301, 360, 86_400])
def test_an_expired_token_differs_in_its_times_only(real: str, cluster_key: RSAKey, seconds: int) -> None:
    made = tokens.expired(real, cluster_key.as_pem(private=True).decode(), now=NOW, seconds=seconds)
    token = jwt.decode(made, cluster_key)
    assert token.header["kid"] == "cluster"
    assert {k: v for k, v in token.claims.items() if k not in {"iat", "nbf", "exp"}} == CLAIMS
    assert token.claims["exp"] == NOW - seconds
    assert token.claims["iat"] == token.claims["nbf"] < token.claims["exp"]


def test_a_forged_token_differs_in_its_signature_only(real: str, cluster_key: RSAKey, own_key: RSAKey) -> None:
    made = tokens.forged(real, own_key)
    assert tokens.read(made)[1] == tokens.read(real)[1]
    assert tokens.read(made)[0]["kid"] == "cluster"
    with pytest.raises(BadSignatureError):
        jwt.decode(made, cluster_key)
    jwt.decode(made, own_key)


def test_a_foreign_token_is_good_by_the_documents_of_its_issuer(own_key: RSAKey) -> None:
    issuer = "https://s3-us-east-1.amazonaws.com/demo-issuer"
    made = tokens.foreign(issuer, CLAIMS["sub"], "sts.amazonaws.com", own_key, now=NOW)
    documents = tokens.issuer_documents(issuer, own_key)
    discovery = json.loads(documents[".well-known/openid-configuration"])
    published = json.loads(documents[discovery["jwks_uri"].removeprefix(f"{issuer}/")])
    token = jwt.decode(made, KeySet.import_key_set(published))
    assert (token.claims["iss"], token.claims["sub"]) == (discovery["issuer"], CLAIMS["sub"])
    assert discovery["issuer"] == issuer


def test_an_issuer_publishes_nothing_private(own_key: RSAKey) -> None:
    (key,) = json.loads(tokens.issuer_documents(ISSUER, own_key)["openid/v1/jwks"])["keys"]
    assert not key.keys() & {"d", "p", "q", "dp", "dq", "qi", "oth"}
    assert key["kid"] == "demo"
