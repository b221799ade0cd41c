"""Fetching an issuer's documents as STS does: anonymously, at each call, within 5 seconds.

An issuer is reachable here if it was registered (a mapping from its public name to where it is served on this
machine) or if it is a bucket of the emulated S3; any other is as unreachable as a private issuer is for AWS.
Sources: OpenID Connect Discovery 1.0 sections 4.1 and 4.3; AWS re:Post, "InvalidIdentityToken" (5 seconds, public
reachability); S3 User Guide, "Virtual hosting of buckets" (the three forms of a bucket's URL).
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import aiohttp

from irsa_manager.sandbox.front.config import Issuer
from irsa_manager.sandbox.front.keys import no_key

TIMEOUT: Final = 5.0
"""Seconds for each document."""

_LIMIT: Final = 1024 * 1024
_REGION = r"(?P<region>[a-z]{2}(?:-[a-z]+)+-\d)"
_BUCKET = r"(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])"
_S3_FORMS: Final = (
    re.compile(rf"https://s3[.-]{_REGION}\.amazonaws\.com/{_BUCKET}(?P<path>/.*)"),
    # A dot in the name would not match the certificate *.s3.REGION.amazonaws.com.
    re.compile(rf"https://(?P<bucket>[a-z0-9][a-z0-9-]{{1,61}}[a-z0-9])\.s3\.{_REGION}\.amazonaws\.com(?P<path>/.*)"),
)

ReadBucket = Callable[[str, str, str], Awaitable[bytes | None]]
"""(region, bucket, path) -> the object as an anonymous caller gets it; None if he doesn't."""


class Issuers:
    """The issuers that can be reached, by their public names."""

    def __init__(self, known: Iterable[Issuer], read_bucket: ReadBucket) -> None:
        self._known: dict[str, tuple[str, ssl.SSLContext]] = {}
        self._read_bucket = read_bucket
        for issuer in known:
            self.register(issuer)

    def register(self, issuer: Issuer) -> None:
        """Make an issuer reachable, or reach it elsewhere from now on.

        Raises:
            ValueError: its name or address isn't https, or ca_pem holds no certificate.

        """
        for what, address in (("issuer", issuer.issuer), ("url", issuer.url)):
            if not address.startswith("https://"):
                raise ValueError(f"{what} {address!r} does not begin with https://")
        try:
            context = ssl.create_default_context(cadata=issuer.ca_pem or None)
        except ssl.SSLError as error:
            raise ValueError(f"ca_pem of {issuer.issuer} holds no certificate: {error}") from error
        self._known[issuer.issuer.rstrip("/")] = (issuer.url.rstrip("/"), context)

    def names(self) -> list[str]:
        """The registered issuers."""
        return sorted(self._known)

    async def keys(self, issuer: str) -> object:
        """The decoded JWKS that an issuer publishes now.

        Raises:
            Refused: discovery document or keys can't be had, aren't JSON, or the document is another issuer's.

        """
        document = _json(await self._fetch(f"{issuer.rstrip('/')}/.well-known/openid-configuration"))
        if not isinstance(document, dict) or document.get("issuer") != issuer:
            raise no_key()
        jwks_uri = document.get("jwks_uri")
        if not isinstance(jwks_uri, str):
            raise no_key()
        return _json(await self._fetch(jwks_uri))

    async def _fetch(self, url: str) -> bytes:
        for form in _S3_FORMS:
            if match := form.fullmatch(url):
                found = await self._read_bucket(match["region"], match["bucket"], match["path"])
                if found is None:
                    raise no_key()
                return found
        # The longest name first: an issuer may lie under another one's path.
        for name in sorted(self._known, key=len, reverse=True):
            if url.startswith(f"{name}/"):
                address, context = self._known[name]
                return await _get(address + url.removeprefix(name), context)
        raise no_key()


async def _get(url: str, context: ssl.SSLContext) -> bytes:
    """A document over HTTPS: no credentials, no cookies, no redirects, no proxy.

    Whatever type it has: the API server gives its keys as application/jwk-set+json, to nobody who wants only JSON.
    """
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT), trust_env=False) as session,
            session.get(url, ssl=context, allow_redirects=False) as answer,
        ):
            if answer.status != 200:
                raise no_key()
            body = b""
            async for chunk in answer.content.iter_chunked(65536):
                body += chunk
                if len(body) > _LIMIT:
                    raise no_key()
            return body
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
        raise no_key() from error


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError as error:
        raise no_key() from error
