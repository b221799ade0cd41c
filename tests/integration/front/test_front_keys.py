"""An issuer's keys: how they are fetched, which one is chosen, what is no key."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from front_issuer import AUDIENCE, ISSUER, Issuer, claims, key, public, sign
from front_process import Front, code_of
from front_sts import NO_KEY, NOT_VALIDATED, invalid


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"])
def test_algorithms(assume: Any, issuer: Issuer, algorithm: str) -> None:
    made = key(algorithm, "other")
    # The JWK's own alg is ignored.
    issuer.publish([public(made, alg="RS256")])
    assert assume(sign(made, claims(), algorithm))["Audience"] == AUDIENCE


def test_keys_are_fetched_at_each_call_anonymously(assume: Any, issuer: Issuer, signing: Any) -> None:
    token = sign(signing, claims())
    assert assume(token)
    issuer.publish([public(key("RS256", "two"))])
    assert code_of(assume, WebIdentityToken=token) == invalid(NO_KEY)
    issuer.publish([public(signing)])
    issuer.asked.clear()
    assert assume(token)
    assert [path for path, _ in issuer.asked] == ["/.well-known/openid-configuration", "/keys"]
    assert not {"authorization", "cookie"} & {name for _, headers in issuer.asked for name in headers}


def _certificate_of_another_key() -> list[str]:
    import ssl

    from front_issuer import _certificate

    pem = _certificate()[0]
    return [base64.b64encode(ssl.PEM_cert_to_DER_cert(pem)).decode()]


@pytest.mark.parametrize(
    "change",
    [
        {"kid": "another"},
        {"kid": None},
        {"use": "enc"},
        {"key_ops": ["verify"]},
        {"n": None, "e": None, "x5c": ["MIIB"]},
        {"x5c": _certificate_of_another_key()},
        {"kty": "EC"},
        {"n": "AA"},
    ],
    ids="-".join,
)
def test_unusable_keys(assume: Any, issuer: Issuer, signing: Any, change: dict[str, Any]) -> None:
    issuer.publish([public(signing, **change)])
    assert code_of(assume, WebIdentityToken=sign(signing, claims())) == invalid(NO_KEY)


def test_token_without_kid_needs_a_single_key(assume: Any, issuer: Issuer, signing: Any) -> None:
    token = sign(signing, claims(), kid=None)
    assert assume(token)
    issuer.publish([public(signing), public(key("RS256", "two"))])
    assert code_of(assume, WebIdentityToken=token) == invalid(NO_KEY)
    issuer.publish([public(signing), public(key("RS256", None))])
    assert assume(token)


def test_later_key_of_a_kid_replaces_the_earlier(assume: Any, issuer: Issuer, signing: Any) -> None:
    other = key("RS256", "one")
    token = sign(signing, claims())
    issuer.publish([public(other), public(signing)])
    assert assume(token)
    issuer.publish([public(signing), public(other)])
    assert code_of(assume, WebIdentityToken=token) == invalid(NOT_VALIDATED)


def test_hundred_keys_of_a_type(assume: Any, issuer: Issuer, signing: Any) -> None:
    filler = [public(signing, kid=f"k{number}") for number in range(99)]
    elliptic = key("ES256", "elliptic")
    issuer.publish([*filler, public(signing), public(elliptic)])
    assert assume(sign(signing, claims()))
    issuer.publish([*filler, public(signing), public(signing, kid="k99"), public(elliptic)])
    assert code_of(assume, WebIdentityToken=sign(signing, claims())) == invalid(NO_KEY)
    assert assume(sign(elliptic, claims(), "ES256"))


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/keys", (404, b"")),
        ("/keys", (200, b"no json")),
        ("/keys", (200, b"[]")),
        ("/keys", (302, b"/elsewhere")),
        ("/.well-known/openid-configuration", (500, b"")),
        ("/.well-known/openid-configuration", (200, b'{"issuer": "https://other", "jwks_uri": "x"}')),
        ("/.well-known/openid-configuration", (200, json.dumps({"issuer": ISSUER}).encode())),
        (
            "/.well-known/openid-configuration",
            (200, json.dumps({"issuer": ISSUER, "jwks_uri": "https://unreachable.example.test/keys"}).encode()),
        ),
    ],
)
def test_documents_that_cannot_be_had(
    assume: Any, issuer: Issuer, signing: Any, path: str, answer: tuple[int, bytes]
) -> None:
    issuer.documents[path] = answer
    assert code_of(assume, WebIdentityToken=sign(signing, claims())) == invalid(NO_KEY)


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/keys"])
def test_issuer_that_does_not_answer(assume: Any, issuer: Issuer, signing: Any, path: str) -> None:
    """STS gives up after 5 seconds; the client's own limit is 60."""
    issuer.answering.clear()
    issuer.silent.add(path)
    try:
        assert code_of(assume, WebIdentityToken=sign(signing, claims())) == invalid(NO_KEY)
    finally:
        issuer.silent.clear()
        issuer.answering.set()
    assert assume(sign(signing, claims()))


def test_unreachable_issuer(front: Front, iam: Any, assume: Any, signing: Any) -> None:
    iam.create_open_id_connect_provider(Url="https://private.example.test", ClientIDList=[AUDIENCE])
    token = sign(signing, claims(iss="https://private.example.test"))
    assert code_of(assume, WebIdentityToken=token) == invalid(NO_KEY)


def test_issuer_of_an_unknown_ca(front: Front, iam: Any, assume: Any, issuer: Issuer, signing: Any) -> None:
    name = "https://badca.example.test"
    assert front.sandbox("PUT", "issuers", {"issuer": name, "url": issuer.url})[0] == 200
    iam.create_open_id_connect_provider(Url=name, ClientIDList=[AUDIENCE])
    issuer.publish([public(signing)], {"issuer": name, "jwks_uri": f"{name}/keys"})
    assert code_of(assume, WebIdentityToken=sign(signing, claims(iss=name))) == invalid(NO_KEY)
