"""Answers and watch lines into typed objects. One that doesn't fit its type never spoils the others.

An object stored before a rule existed may not fit (CRD validation ratchets and isn't applied to what is stored):
it is set aside as Unreadable, with its key and version, and the rest goes on.
"""

from __future__ import annotations

from typing import Final, Generic, TypeVar

import msgspec
from msgspec import Raw, Struct, field

from irsa_manager.kube.errors import Status
from irsa_manager.kube.nesting import cut_deep
from irsa_manager.kube.resources import KubeObject, Resource

T = TypeVar("T", bound=KubeObject)

BOOKMARK: Final = "BOOKMARK"
ERROR: Final = "ERROR"
DELETED: Final = "DELETED"


class Identity(Struct, rename="camel"):
    """Just enough of metadata to know which object and which version it is."""

    name: str = ""
    namespace: str = ""
    resource_version: str = ""

    @property
    def key(self) -> str:
        """namespace/name, or the name alone where there is no namespace."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class _Identified(Struct):
    metadata: Identity


class Unreadable(Struct, frozen=True):
    """An object that doesn't fit its type. why: what is wrong, with the path in the object."""

    key: str
    resource_version: str
    why: str


class ListMeta(Struct, rename={"resource_version": "resourceVersion", "more": "continue"}):
    """metav1.ListMeta. more: the token for the next page, "" on the last."""

    resource_version: str = ""
    more: str = ""


class _RawList(Struct):
    metadata: ListMeta
    items: list[Raw] | None = None


class _ListMetaOnly(Struct):
    metadata: ListMeta


class _RawEvent(Struct):
    type: str
    object: Raw


class Page(Struct, Generic[T]):
    """One page of a list. version: of the whole list; a watch goes on from there."""

    items: list[T]
    version: str = ""
    more: str = ""
    unreadable: list[Unreadable] = field(default_factory=list)


class WatchEvent(Struct, Generic[T]):
    """One line of a watch.

    object is None for BOOKMARK (only `identity.resource_version` counts), for ERROR (see `status`), for DELETED
    (the identity is enough), and for an object that doesn't fit its type (see `unreadable`).
    """

    type: str
    identity: Identity = field(default_factory=Identity)
    object: T | None = None
    status: Status | None = None
    unreadable: Unreadable | None = None


class Decoder(Generic[T]):
    """Decodes answers about one resource."""

    def __init__(self, resource: Resource[T]) -> None:
        self._object = msgspec.json.Decoder(resource.type)
        self._items = msgspec.json.Decoder(_items_of(resource))
        self._raw_list = msgspec.json.Decoder(_RawList)
        self._list_meta = msgspec.json.Decoder(_ListMetaOnly)
        self._event = msgspec.json.Decoder(_RawEvent)
        self._identified = msgspec.json.Decoder(_Identified)
        self._status = msgspec.json.Decoder(Status)

    def object(self, body: bytes | Raw) -> T:
        """One object; raises msgspec.ValidationError or DecodeError where it doesn't fit."""
        try:
            return self._object.decode(body)
        except RecursionError:
            return self._object.decode(cut_deep(bytes(body)))

    def page(self, body: bytes) -> Page[T]:
        """One page of a list; raises msgspec.MsgspecError only where the body isn't a list at all."""
        try:
            whole = self._items.decode(body)
        except RecursionError:
            return self.page(cut_deep(body))
        except msgspec.ValidationError:
            return self._page_by_item(body)
        return Page(items=whole.items or [], version=whole.metadata.resource_version, more=whole.metadata.more)

    def _page_by_item(self, body: bytes) -> Page[T]:
        raw = self._raw_list.decode(body)
        page: Page[T] = Page(items=[], version=raw.metadata.resource_version, more=raw.metadata.more)
        for item in raw.items or ():
            try:
                page.items.append(self.object(item))
            except msgspec.ValidationError as error:
                identity = self._identified.decode(item).metadata
                page.unreadable.append(Unreadable(identity.key, identity.resource_version, str(error)))
        return page

    def event(self, line: bytes) -> WatchEvent[T]:
        """One line of a watch; raises msgspec.MsgspecError where it isn't one."""
        try:
            raw = self._event.decode(line)
        except RecursionError:
            return self.event(cut_deep(line))
        if raw.type == ERROR:
            return WatchEvent(raw.type, status=self._status.decode(raw.object))
        if raw.type in (BOOKMARK, DELETED):
            return WatchEvent(raw.type, self._identified.decode(raw.object).metadata)
        try:
            decoded = self.object(raw.object)
        except msgspec.ValidationError as error:
            identity = self._identified.decode(raw.object).metadata
            unreadable = Unreadable(identity.key, identity.resource_version, str(error))
            return WatchEvent(raw.type, identity, unreadable=unreadable)
        metadata = decoded.metadata
        identity = Identity(metadata.name, metadata.namespace, metadata.resource_version)
        return WatchEvent(raw.type, identity, decoded)


class _TypedList(Struct, Generic[T]):
    # "items": null is how some servers write an empty last page.
    metadata: ListMeta
    items: list[T] | None = None


def _items_of(resource: Resource[T]) -> type[_TypedList[T]]:
    return _TypedList[resource.type]  # type: ignore[name-defined]
