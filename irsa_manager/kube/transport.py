"""HTTP to the API server: connections, time-outs, and every failure as a KubernetesError.

lightkube supplies TLS and authentication from the kubeconfig; this adds what an operator's process needs: dead
connections are noticed, and the environment's proxies aren't used for loopback.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
import msgspec
from lightkube.config.client_adapter import AsyncClient, ConnectionParams
from lightkube.config.kubeconfig import SingleConfig
from lightkube.core.exceptions import ConfigError

from irsa_manager import __version__
from irsa_manager.kube.errors import KubeUnavailable, parse_status, refused, unavailable
from irsa_manager.kube.exec_credential import ExecCredentialAuth

CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 30.0
VERBS: Final = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}

CONNECTION_ERRORS: Final = (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, ConfigError, OSError)

Query = Mapping[str, str | int]


class Transport:
    """Requests to one API server as one user."""

    def __init__(self, config: SingleConfig) -> None:
        self.server = config.cluster.server.rstrip("/")
        self._client = AsyncClient(
            config,
            ConnectionParams(
                timeout=httpx2.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
                # As Go's net/http, so that kubectl and this agree: loopback is never sent through a proxy.
                trust_env=not _is_loopback(self.server),
            ),
        )
        user = config.user
        if user and user.exec and not (user.token or user.token_file):
            directory = config.fname.parent if config.fname else Path()
            self._client.auth = ExecCredentialAuth(user.exec, directory)
        self._client.headers["User-Agent"] = f"irsa-manager/{__version__}"

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def request(
        self,
        method: str,
        path: str,
        *,
        verb: str = "",
        resource: str = "",
        target: str = "",
        query: Query | None = None,
        body: Any = None,
        content_type: str = "application/json",
        accept: str = "",
        timeout_seconds: float | None = None,
    ) -> bytes:
        """The body of a successful answer; raises a KubernetesError for anything else.

        body: what to send, turned into JSON. accept: the form of the answer, else the server's own. verb, resource,
        target: for the error's text. timeout_seconds: the longest wait for the server, else 30.
        """
        verb, resource = verb or VERBS.get(method, method.lower()), resource or path
        timeout = httpx2.Timeout(timeout_seconds or READ_SECONDS, connect=min(CONNECT_SECONDS, timeout_seconds or 5))
        try:
            answer = await self._client.request(
                method,
                path,
                params=dict(query) if query else None,
                content=None if body is None else msgspec.json.encode(body),
                headers={
                    **({"Content-Type": content_type} if body is not None else {}),
                    **({"Accept": accept} if accept else {}),
                },
                timeout=timeout,
            )
        except CONNECTION_ERRORS as error:
            raise unavailable(self.server, describe(error), verb=verb, resource=resource, target=target) from error
        if answer.is_success:
            return answer.content
        raise self._refusal(answer, answer.content, verb, resource, target or path)

    @asynccontextmanager
    async def stream(
        self, path: str, *, resource: str, query: Query, idle_seconds: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """A watch's answer as an iterator over its lines; raises KubernetesErrors, also while it is read.

        idle_seconds: without a byte for that long the connection counts as dead (KubeUnavailable).
        """
        target = f"watch of {resource}"
        timeout = httpx2.Timeout(READ_SECONDS, connect=CONNECT_SECONDS, read=idle_seconds)
        # Without compression: the server's gzip holds events back until a block is full (seen with 1.37).
        headers = {"Accept-Encoding": "identity"}
        request = self._client.build_request("GET", path, params=dict(query), headers=headers, timeout=timeout)

        def broken(error: Exception) -> KubeUnavailable:
            return unavailable(self.server, describe(error), verb="watch", resource=resource, target=target)

        # Only what is done on the connection is caught here, never what the reader of the lines raises.
        try:
            answer = await self._client.send(request, stream=True)
        except CONNECTION_ERRORS as error:
            raise broken(error) from error
        try:
            if not answer.is_success:
                try:
                    body = await answer.aread()
                except CONNECTION_ERRORS as error:
                    raise broken(error) from error
                raise self._refusal(answer, body, "watch", resource, target)
            yield _lines(answer.aiter_bytes(), broken)
        finally:
            await answer.aclose()

    def _refusal(self, answer: httpx2.Response, body: bytes, verb: str, resource: str, target: str) -> Exception:
        return refused(
            parse_status(body, answer.status_code),
            verb=verb,
            resource=resource,
            target=target,
            server=self.server,
            retry_after=_seconds(answer.headers.get("Retry-After", "")),
        )


async def _lines(
    chunks: AsyncIterator[bytes], broken: Callable[[Exception], KubeUnavailable]
) -> AsyncGenerator[bytes, None]:
    pending: list[bytes] = []
    while True:
        try:
            chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except CONNECTION_ERRORS as error:
            raise broken(error) from error
        # A long line comes in many chunks: join once, when its end is there.
        if b"\n" not in chunk:
            pending.append(chunk)
            continue
        *whole, rest = (b"".join(pending) + chunk).split(b"\n")
        pending = [rest] if rest else []
        for line in whole:
            if line:
                yield line


def describe(error: Exception) -> str:
    """What went wrong with a connection, in a few words and without anything that was sent."""
    if isinstance(error, httpx2.ConnectTimeout):
        return "no connection within 5 s"
    if isinstance(error, httpx2.TimeoutException):
        return "no answer in time"
    if isinstance(error, httpx2.RemoteProtocolError):
        return "it closed the connection"
    text = (str(error).splitlines() or [""])[0][:200]
    if isinstance(error, ConfigError):
        return f"no credentials could be had: {text}"
    if isinstance(error, httpx2.ConnectError):
        return f"no connection ({text or 'refused'})"
    return text or type(error).__name__


def _seconds(header: str) -> float | None:
    try:
        value = float(header)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _is_loopback(server: str) -> bool:
    host = urlsplit(server).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
