"""An OIDC issuer of the tests' own: HTTPS with its own CA, any documents, any keys, any token."""

from __future__ import annotations

import base64
import contextlib
import datetime
import http.server
import ipaddress
import json
import ssl
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from front_process import ACCOUNT
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

ISSUER = "https://oidc.example.test/id/1"
AUDIENCE = "sts.amazonaws.com"
SUBJECT = "system:serviceaccount:default:app"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER.removeprefix('https://')}"
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
ALL = jws.JWSRegistry(algorithms=["RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "HS256"])
ALL.strict_check_header = False


def key(algorithm: str, kid: str | None) -> RSAKey | ECKey:
    """A new signing key for an algorithm."""
    given = {"kid": kid} if kid else None
    if algorithm.startswith(("RS", "PS")):
        return RSAKey.generate_key(2048, given, private=True, auto_kid=False)
    return ECKey.generate_key(_CURVES[algorithm], given, private=True, auto_kid=False)


def public(signing: RSAKey | ECKey, **extra: Any) -> dict[str, Any]:
    """The JWK to publish for a key; a value None takes a member away."""
    jwk = {**signing.as_dict(private=False), "use": "sig", **extra}
    return {name: value for name, value in jwk.items() if value is not None}


def claims(**changed: Any) -> dict[str, Any]:
    """Claims as Kubernetes issues them; a value None takes a claim away."""
    now = int(time.time())
    made = {"iss": ISSUER, "sub": SUBJECT, "aud": [AUDIENCE], "iat": now, "nbf": now, "exp": now + 3600, **changed}
    return {name: value for name, value in made.items() if value is not None}


def sign(signing: Any, body: dict[str, Any], algorithm: str = "RS256", **header: Any) -> str:
    """A token; the header's kid is the key's unless given (None: no kid)."""
    protected = {"alg": algorithm, "kid": signing.kid, **header}
    return jws.serialize_compact(
        {name: value for name, value in protected.items() if value is not None},
        json.dumps(body),
        signing,
        registry=ALL,
    )


class Issuer:
    """Serves documents over HTTPS on 127.0.0.1; tests change `documents` between calls."""

    def __init__(self) -> None:
        self.documents: dict[str, tuple[int, bytes]] = {}
        self.silent: set[str] = set()
        """Paths that aren't answered until `answering` is set."""
        self.answering = threading.Event()
        self.asked: list[tuple[str, dict[str, str]]] = []
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                if self.path in issuer.silent:
                    issuer.answering.wait(60)
                status, body = issuer.documents.get(self.path, (404, b"{}"))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                if 300 <= status < 400:
                    self.send_header("Location", body.decode())
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: Any) -> None:
                """Nothing: the tests look at `asked`."""

        self.ca_pem, chain = _certificate()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory) / "chain.pem"
            file.write_bytes(chain)
            context.load_cert_chain(file)
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def publish(self, keys: Any, discovery: Any = None) -> None:
        """Publish a key set (a list of JWKs, or any document) under a discovery document."""
        found = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"} if discovery is None else discovery
        self.documents["/.well-known/openid-configuration"] = (200, json.dumps(found).encode())
        document = {"keys": keys} if isinstance(keys, list) else keys
        self.documents["/keys"] = (200, json.dumps(document).encode())

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=10)


@contextlib.contextmanager
def running() -> Any:
    """An issuer for the time of the block."""
    issuer = Issuer()
    try:
        yield issuer
    finally:
        issuer.close()


def unsigned(header: dict[str, Any], body: Any, signature: bytes = b"x") -> str:
    """Three parts with any header and body; the signature is nobody's."""
    parts = [json.dumps(header).encode(), json.dumps(body).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def _certificate() -> tuple[str, bytes]:
    """A CA, and a chain file (key, certificate) for 127.0.0.1 that it signed."""
    now = datetime.datetime.now(datetime.UTC)

    def build(name: str, issuer: str, public_key: Any, signer: Any, ca: bool) -> x509.Certificate:
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
            .add_extension(
                x509.KeyUsage(
                    digital_signature=True,
                    content_commitment=False,
                    key_encipherment=False,
                    data_encipherment=False,
                    key_agreement=False,
                    key_cert_sign=ca,
                    crl_sign=ca,
                    encipher_only=False,
                    decipher_only=False,
                ),
                critical=True,
            )
            .sign(signer, hashes.SHA256())
        )

    ca_key, leaf_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = build("tests CA", "tests CA", ca_key.public_key(), ca_key, ca=True)
    leaf = build("127.0.0.1", "tests CA", leaf_key.public_key(), ca_key, ca=False)
    pem = serialization.Encoding.PEM
    secret = leaf_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return authority.public_bytes(pem).decode(), secret + leaf.public_bytes(pem)


def trust(**condition: Any) -> str:
    """A trust policy for the tests' issuer; by default for its usual audience and subject."""
    host = ISSUER.removeprefix("https://")
    tested = condition or {"StringEquals": {f"{host}:aud": AUDIENCE, f"{host}:sub": SUBJECT}}
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": PROVIDER},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": tested,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


ROOT_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    ],
}
"""Trusts the account itself."""


def create(iam: Any, name: str, **changed: Any) -> Any:
    """A role that trusts its account, unless told otherwise."""
    return iam.create_role(**{"RoleName": name, "AssumeRolePolicyDocument": json.dumps(ROOT_TRUST), **changed})["Role"]
