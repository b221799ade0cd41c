"""A copy of all objects of one kind, kept up to date: list, watch, resume, list again.

client-go's terms (tools/cache). What is particular: a change found by a new list is told like one that was watched,
deletions included; an object that doesn't fit its type is kept as it was last known; nothing ends quietly.
https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from typing import Final, Generic, TypeVar

import structlog

from irsa_manager.api.errors import KubernetesError
from irsa_manager.kube.client import IDLE_SECONDS, PAGE, Kube
from irsa_manager.kube.decode import BOOKMARK, DELETED, ERROR, Page, Unreadable, WatchEvent
from irsa_manager.kube.errors import KubeExpired, KubeThrottled, KubeUnavailable, refused
from irsa_manager.kube.outage import Outage
from irsa_manager.kube.resources import KubeObject, Resource, key_of

T = TypeVar("T", bound=KubeObject)
OnChange = Callable[[str, T | None, T | None], None]

FIRST_DELAY_SECONDS: Final = 0.1
LONGEST_DELAY_SECONDS: Final = 5.0
HEALTHY_SECONDS: Final = 10.0
"""A watch that lasted this long, or brought anything, wasn't a failure."""

log = structlog.get_logger(__name__)


class Reflector(Generic[T]):
    """Keeps `store` equal to the API server's objects while run() runs.

    on_change(key, old, new) is called for each difference, in the server's order for one key: old None = new to us, new
    None = gone. It mustn't block. old and new may have different uids: deleted and made again, unseen. What it raises
    ends run(). store maps keys ("namespace/name", or "name") to objects; don't change it. unreadable maps keys of
    objects that don't fit their type to what is wrong: they are in the store as last known, or not at all, and are
    never told as gone while they exist.
    """

    def __init__(
        self,
        kube: Kube,
        resource: Resource[T],
        on_change: OnChange[T],
        *,
        namespace: str | None = None,
        label_selector: str = "",
        page_size: int = PAGE,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._kube = kube
        self._resource = resource
        self._on_change = on_change
        self._namespace = namespace
        self._label_selector = label_selector
        self._page_size = page_size
        self._idle_seconds = idle_seconds
        self._refused = Outage(f"The list of {resource.plural}")
        self._failures = 0
        self._version = ""
        self.store: dict[str, T] = {}
        self.unreadable: dict[str, str] = {}
        self.synced = asyncio.Event()
        """Set once the first list is complete; stays set."""
        self.lists = 0
        """Complete lists so far."""

    @property
    def version(self) -> str:
        """The resourceVersion up to which `store` shows what happened; "" before the first list."""
        return self._version

    def __len__(self) -> int:
        return len(self.store)

    def __iter__(self) -> Iterator[T]:
        return iter(self.store.values())

    async def run(self) -> None:
        """List and watch until cancelled. Raises only what on_change raised, or a bug: never ends by itself."""
        while True:
            try:
                if not self._version:
                    await self._list()
                await self._watch()
            except KubeExpired:
                self._version = ""
                await asyncio.sleep(self._delay())
            except KubeThrottled as error:
                # The server says when; a back-off on top would only lose time.
                self._log_failure(error)
                await asyncio.sleep(error.retry_after * random.uniform(1.0, 1.2))  # noqa: S311
            except KubernetesError as error:
                self._log_failure(error)
                await asyncio.sleep(self._delay())

    async def _list(self) -> None:
        seen: set[str] = set()
        version = ""
        async for page in self._kube.pages(
            self._resource, self._namespace, self._label_selector, page_size=self._page_size
        ):
            self._take_page(page, seen)
            version = page.version
            # A page is decoded and compared in one go: let others have the loop in between.
            await asyncio.sleep(0)
        for key in [key for key in self.store if key not in seen]:
            self._remove(key)
        for key in [key for key in self.unreadable if key not in seen]:
            del self.unreadable[key]
        self._version = version
        self._log_success()
        self.lists += 1
        self.synced.set()

    def _take_page(self, page: Page[T], seen: set[str]) -> None:
        for item in page.items:
            key = key_of(item.metadata)
            seen.add(key)
            self._put(key, item)
        for unreadable in page.unreadable:
            seen.add(unreadable.key)
            self._set_aside(unreadable)

    async def _watch(self) -> None:
        started = time.monotonic()
        heard = False
        try:
            async with self._kube.watch(
                self._resource,
                self._version,
                self._namespace,
                self._label_selector,
                idle_seconds=self._idle_seconds,
            ) as events:
                async for event in events:
                    self._take(event)
                    if not heard:
                        heard = True
                        self._log_success()
        finally:
            if heard or time.monotonic() - started >= HEALTHY_SECONDS:
                self._failures = 0
        if not heard:
            # A server that accepts watches and ends them at once mustn't be asked in a tight loop.
            await asyncio.sleep(self._delay())

    def _take(self, event: WatchEvent[T]) -> None:
        if event.type == ERROR:
            status = event.status
            assert status is not None  # noqa: S101  (the decoder sets it for this type)
            raise refused(
                status,
                verb="watch",
                resource=self._resource.plural,
                target=f"watch of {self._resource.plural}",
                server=self._kube.server,
            )
        if event.type == DELETED:
            self._remove(event.identity.key)
        elif event.unreadable is not None:
            self._set_aside(event.unreadable)
        elif event.object is not None:
            self._put(event.identity.key, event.object)
        elif event.type != BOOKMARK:
            log.warning("watch event of an unknown type", type=event.type, resource=self._resource.plural)
        # Only after the callback: what it raises leaves the event untaken.
        self._version = event.identity.resource_version or self._version

    def _put(self, key: str, new: T) -> None:
        self.unreadable.pop(key, None)
        old = self.store.get(key)
        if old is not None and old.metadata.resource_version == new.metadata.resource_version:
            return
        self.store[key] = new
        self._on_change(key, old, new)

    def _remove(self, key: str) -> None:
        self.unreadable.pop(key, None)
        old = self.store.pop(key, None)
        if old is not None:
            self._on_change(key, old, None)

    def _set_aside(self, unreadable: Unreadable) -> None:
        if self.unreadable.get(unreadable.key) != unreadable.why:
            self.unreadable[unreadable.key] = unreadable.why
            log.warning(
                "object isn't taken in: it doesn't fit its type; kept as it was last known",
                object=f"{self._resource.kind} {unreadable.key}",
                why=unreadable.why,
            )

    def _delay(self) -> float:
        window = min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** min(self._failures, 10))
        self._failures += 1
        return random.uniform(0.0, window)  # noqa: S311  (spreads the load)

    def _log_failure(self, error: KubernetesError) -> None:
        outage = self._kube.outage if isinstance(error, KubeUnavailable | KubeThrottled) else self._refused
        outage.failed(error)

    def _log_success(self) -> None:
        self._kube.outage.over()
        self._refused.over()
