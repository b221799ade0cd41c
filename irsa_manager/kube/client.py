"""The Kubernetes API, as much of it as is used here: typed reads, and writes under one field manager."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import msgspec
import structlog

from irsa_manager.api import names
from irsa_manager.kube.config import find_config
from irsa_manager.kube.decode import Decoder, Page, Unreadable, WatchEvent
from irsa_manager.kube.errors import CODE_REFUSED, KubeExpired, KubeInvalid, KubeNotFound, unavailable
from irsa_manager.kube.outage import Outage
from irsa_manager.kube.resources import SERVICE_ACCOUNTS, KubeObject, Resource
from irsa_manager.kube.transport import Query, Transport

T = TypeVar("T", bound=KubeObject)
R = TypeVar("R")
Object = dict[str, Any]

PAGE: Final = 500
"""Objects a page: larger ones are slower on a server that has just started, smaller ones cost round trips."""

IDLE_SECONDS: Final = 90.0
"""A watch without a byte for this long is taken for dead: the server sends bookmarks about once a minute."""

MERGE_PATCH: Final = "application/merge-patch+json"
APPLY_PATCH: Final = "application/apply-patch+yaml"
METADATA_ONLY: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
"""https://kubernetes.io/docs/reference/using-api/api-concepts/#metadata-only-fetches"""

log = structlog.get_logger(__name__)


class Kube:
    """One API server. Every method raises the KubernetesErrors of kube.errors."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._decoders: dict[Resource[Any], Decoder[Any]] = {}
        self.outage = Outage(f"The API server {transport.server}")
        """Logs once a minute, whoever notices, that the server can't be reached."""

    @classmethod
    def connect(cls, kubeconfig: str | Path | None = None, context: str | None = None) -> Self:
        """A client for the cluster that applies (kube.config says which); raises UsageError. Sends nothing yet."""
        return cls(Transport(find_config(kubeconfig, context)))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close()

    @property
    def server(self) -> str:
        """The API server's URL."""
        return self._transport.server

    async def get(self, resource: Resource[T], namespace: str | None, name: str) -> T | None:
        """The object, or None where it isn't there."""
        try:
            return await self._one("GET", resource, namespace, name)
        except KubeNotFound:
            return None

    async def list(
        self,
        resource: Resource[T],
        namespace: str | None = None,
        label_selector: str = "",
        *,
        on_unreadable: Callable[[Unreadable], None] | None = None,
    ) -> list[T]:
        """All objects, of one namespace or of all.

        One that doesn't fit its type is left out, and told to on_unreadable (else logged).
        """
        items: list[T] = []
        async for page in self.pages(resource, namespace, label_selector):
            items += page.items
            for unreadable in page.unreadable:
                (on_unreadable or _log_unreadable)(unreadable)
        return items

    async def pages(
        self,
        resource: Resource[T],
        namespace: str | None = None,
        label_selector: str = "",
        *,
        field_selector: str = "",
        metadata_only: bool = False,
        page_size: int = PAGE,
    ) -> AsyncIterator[Page[T]]:
        """The list in pages. One more full read follows, unpaged, where the server forgets its place on the way.

        metadata_only: nothing else of the objects is sent; the type needs defaults for it.
        https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks
        """
        query: dict[str, str | int] = {"limit": page_size}
        if label_selector:
            query["labelSelector"] = label_selector
        if field_selector:
            query["fieldSelector"] = field_selector
        accept = METADATA_ONLY if metadata_only else ""
        while True:
            try:
                body = await self._request("GET", resource, namespace, verb="list", query=query, accept=accept)
            except KubeExpired:
                if "continue" not in query:
                    raise
                del query["continue"], query["limit"]
                continue
            page = self._decode(resource, body, self._decoder(resource).page)
            yield page
            if not page.more:
                return
            query["continue"] = page.more

    @asynccontextmanager
    async def watch(
        self,
        resource: Resource[T],
        version: str,
        namespace: str | None = None,
        label_selector: str = "",
        *,
        idle_seconds: float = IDLE_SECONDS,
    ) -> AsyncIterator[AsyncIterator[WatchEvent[T]]]:
        """What happened after that resourceVersion, until the server ends it (5 to 10 minutes).

        https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
        """
        query: dict[str, str | int] = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": random.randint(300, 600),  # noqa: S311  (spreads the clients, as client-go does)
        }
        if label_selector:
            query["labelSelector"] = label_selector
        decoder = self._decoder(resource)
        path = resource.path(namespace)
        async with self._transport.stream(
            path, resource=resource.plural, query=query, idle_seconds=idle_seconds
        ) as lines:
            yield (self._decode(resource, line, decoder.event) async for line in lines)

    async def create(
        self, resource: Resource[T], obj: Object, namespace: str | None = None, *, dry_run: bool = False
    ) -> T:
        """Create it, in the namespace of its metadata or the one given. dry_run: only check, as kubectl's server mode.

        Raises KubeAlreadyExists, KubeInvalid, KubeForbidden, KubeNotFound (no such namespace).
        """
        metadata = obj.get("metadata", {})
        namespace = namespace or metadata.get("namespace")
        name = metadata.get("name") or metadata.get("generateName", "")
        return await self._one("POST", resource, namespace, target_name=name, query=_writing(dry_run), body=obj)

    async def replace(self, resource: Resource[T], namespace: str | None, name: str, obj: Object) -> T:
        """Put the whole object; a resourceVersion in its metadata is the precondition (KubeConflict)."""
        return await self._one("PUT", resource, namespace, name, query=_writing(), body=obj)

    async def merge_patch(
        self,
        resource: Resource[T],
        namespace: str | None,
        name: str,
        patch: Object,
        *,
        subresource: str | None = None,
        dry_run: bool = False,
    ) -> T:
        """Set the patch's values, take away its nulls (RFC 7396).

        A metadata.resourceVersion in the patch is the precondition: KubeConflict where the object has moved on.
        """
        return await self._one(
            "PATCH",
            resource,
            namespace,
            name,
            subresource,
            query=_writing(dry_run),
            body=patch,
            content_type=MERGE_PATCH,
        )

    async def apply(
        self,
        resource: Resource[T],
        namespace: str | None,
        name: str,
        obj: Object,
        *,
        subresource: str | None = None,
        force: bool = True,
        dry_run: bool = False,
    ) -> T:
        """Server-side apply: these fields are ours and have these values; fields we applied before and left out go.

        Without force another manager's field is a KubeConflict. A metadata.uid that isn't the object's is a
        KubeConflict or KubeInvalid. apiVersion, kind and name are filled in.
        https://kubernetes.io/docs/reference/using-api/server-side-apply/
        """
        metadata = {**obj.get("metadata", {}), "name": name}
        if namespace and resource.namespaced:
            metadata["namespace"] = namespace
        body = {**obj, "apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
        query = {**_writing(dry_run), "force": "true" if force else "false"}
        return await self._one(
            "PATCH", resource, namespace, name, subresource, query=query, body=body, content_type=APPLY_PATCH
        )

    async def delete(
        self,
        resource: Resource[Any],
        namespace: str | None,
        name: str,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
    ) -> None:
        """Ask for its deletion.

        Raises KubeConflict where it isn't that uid or version any more, KubeNotFound where it's gone.
        """
        wanted = {"uid": uid, "resourceVersion": resource_version}
        preconditions = {key: value for key, value in wanted.items() if value}
        body: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if preconditions:
            body["preconditions"] = preconditions
        await self._request("DELETE", resource, namespace, name, body=body)

    async def token(
        self, namespace: str, service_account: str, audiences: Sequence[str], expiration_seconds: int
    ) -> str:
        """A fresh token of the ServiceAccount (TokenRequest); the server may make it last longer than asked.

        https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/
        """
        spec = {"audiences": [*audiences], "expirationSeconds": expiration_seconds}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        answer = await self._request("POST", SERVICE_ACCOUNTS, namespace, service_account, "token", body=body)
        token: str = msgspec.json.decode(answer)["status"]["token"]
        return token

    async def discovery_document(self) -> dict[str, Any]:
        """The cluster's OpenID provider configuration: issuer, jwks_uri and so on.

        https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#service-account-issuer-discovery
        """
        return await self._json("/.well-known/openid-configuration")

    async def server_version(self) -> str:
        """As v1.37.2."""
        return str((await self._json("/version")).get("gitVersion", ""))

    async def raw(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Any = None,
        content_type: str = "application/json",
        timeout_seconds: float | None = None,
    ) -> bytes:
        """Any request, for what has no method here; the answer's bytes."""
        return await self._transport.request(
            method, path, query=query, body=body, content_type=content_type, timeout_seconds=timeout_seconds
        )

    async def _json(self, path: str) -> dict[str, Any]:
        body = await self._transport.request("GET", path)
        try:
            return msgspec.json.decode(body, type=dict[str, Any])
        except msgspec.MsgspecError as error:
            raise unavailable(self.server, "its answer is no JSON object", verb="get", resource=path) from error

    async def _one(
        self,
        method: str,
        resource: Resource[T],
        namespace: str | None,
        name: str = "",
        subresource: str | None = None,
        *,
        target_name: str = "",
        query: Query | None = None,
        body: Any = None,
        content_type: str = "application/json",
    ) -> T:
        answer = await self._request(
            method,
            resource,
            namespace,
            name,
            subresource or "",
            target_name=target_name,
            query=query,
            body=body,
            content_type=content_type,
        )
        return self._decode(resource, answer, self._decoder(resource).object)

    async def _request(
        self,
        method: str,
        resource: Resource[Any],
        namespace: str | None,
        name: str = "",
        subresource: str = "",
        *,
        verb: str = "",
        target_name: str = "",
        query: Query | None = None,
        body: Any = None,
        content_type: str = "application/json",
        accept: str = "",
        timeout_seconds: float | None = None,
    ) -> bytes:
        target = "/".join(part for part in (namespace, name or target_name) if part)
        return await self._transport.request(
            method,
            resource.path(namespace, name, subresource),
            verb=verb,
            resource=f"{resource.plural}/{subresource}" if subresource else resource.plural,
            target=f"{resource.kind} {target}".rstrip(),
            query=query,
            body=body,
            content_type=content_type,
            accept=accept,
            timeout_seconds=timeout_seconds,
        )

    def _decoder(self, resource: Resource[T]) -> Decoder[T]:
        decoder: Decoder[T] | None = self._decoders.get(resource)
        if decoder is None:
            decoder = self._decoders[resource] = Decoder(resource)
        return decoder

    def _decode(self, resource: Resource[Any], body: bytes, decode: Callable[[bytes], R]) -> R:
        try:
            return decode(body)
        except msgspec.ValidationError as error:
            raise KubeInvalid(CODE_REFUSED, f"A stored {resource.kind} doesn't fit its type: {error}.") from error
        except msgspec.DecodeError as error:
            raise unavailable(self.server, "its answer is no JSON", verb="get", resource=resource.plural) from error


def _writing(dry_run: bool = False) -> dict[str, str]:
    query = {"fieldManager": names.FIELD_MANAGER}
    return {**query, "dryRun": "All"} if dry_run else query


def _log_unreadable(unreadable: Unreadable) -> None:
    log.warning("object left out: it doesn't fit its type", object=unreadable.key, why=unreadable.why)
