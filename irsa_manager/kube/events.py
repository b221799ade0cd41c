"""Events: what was done to an object, or what is wrong with it, where `kubectl describe` shows it.

An event is a courtesy: it never delays or fails the work that it tells of.
https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/ (written as core/v1, which upstream's
role allows)
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, Literal

import structlog
from msgspec import Struct

from irsa_manager.api.errors import KubernetesError
from irsa_manager.api.kube import Metadata
from irsa_manager.kube.client import Kube
from irsa_manager.kube.errors import KubeForbidden, KubeNotFound, KubeThrottled, KubeUnavailable
from irsa_manager.kube.resources import EVENTS, Resource

LONGEST_MESSAGE: Final = 1024
"""The API server's limit for a message, in bytes of UTF-8 (ValidateEvent)."""

REPEAT_SECONDS: Final = 3600.0
WAITING: Final = 1000
REMEMBERED: Final = 10_000

TERMINATING: Final = "being terminated"
"""The API server's word (403) for a create in a namespace that is going."""

EventType = Literal["Normal", "Warning"]

log = structlog.get_logger(__name__)


class _Pending(Struct, frozen=True):
    kind: str
    namespace: str
    name: str
    uid: str
    api_version: str
    type: EventType
    reason: str
    message: str
    time: str


class EventRecorder:
    """Sends events while run() runs. The same event about the same object isn't repeated within the hour.

    counts: how many were "sent", "repeated" (left out), "dropped" (the queue was full), "forbidden" and "failed".
    """

    def __init__(
        self, kube: Kube, *, component: str = "irsa-manager", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._kube = kube
        self._component = component
        self._instance = socket.gethostname()
        self._clock = clock
        self._queue: asyncio.Queue[_Pending] = asyncio.Queue(WAITING)
        self._sent: OrderedDict[tuple[str, str, str], float] = OrderedDict()
        self._complained: set[str] = set()
        self.counts: Counter[str] = Counter()

    def record(
        self,
        kind: str,
        namespace: str,
        name: str,
        uid: str,
        api_version: str,
        type: EventType,
        reason: str,
        message: str,
    ) -> None:
        """Tell of something that concerns the object; returns at once and never raises.

        namespace: "" for objects without one. reason: CamelCase, one of the catalogue. message: cut at 1,024 bytes.
        """
        message = _cut(message)
        same = (uid or f"{kind}/{namespace}/{name}", reason, message)
        if self._repeats(same):
            self.counts["repeated"] += 1
            return
        pending = _Pending(kind, namespace, name, uid, api_version, type, reason, message, _now())
        try:
            self._queue.put_nowait(pending)
        except asyncio.QueueFull:
            self._sent.pop(same, None)
            self.counts["dropped"] += 1
            self._complain("dropped", "events are dropped: too many wait to be sent", None)

    def record_about(
        self, resource: Resource[Any], metadata: Metadata, *, type: EventType, reason: str, message: str
    ) -> None:
        """The same of an object of ours, which tells itself what it is."""
        self.record(
            kind=resource.kind,
            namespace=metadata.namespace,
            name=metadata.name,
            uid=metadata.uid,
            api_version=resource.api_version,
            type=type,
            reason=reason,
            message=message,
        )

    async def run(self) -> None:
        """Send what is recorded, until cancelled."""
        while True:
            pending = await self._queue.get()
            try:
                await self._send(pending)
            finally:
                self._queue.task_done()

    async def drain(self, seconds: float) -> bool:
        """Wait until all that was recorded was sent, at most so long; whether it was. run() must be running."""
        try:
            async with asyncio.timeout(seconds):
                await self._queue.join()
        except TimeoutError:
            return False
        return True

    def _repeats(self, same: tuple[str, str, str]) -> bool:
        now = self._clock()
        while self._sent:
            oldest = next(iter(self._sent.values()))
            if now - oldest < REPEAT_SECONDS and len(self._sent) <= REMEMBERED:
                break
            self._sent.popitem(last=False)
        if same in self._sent:
            return True
        self._sent[same] = now
        return False

    async def _send(self, pending: _Pending) -> None:
        manifest = self._manifest(pending)
        for attempt in range(3):
            try:
                await self._kube.create(EVENTS, manifest)
            except (KubeThrottled, KubeUnavailable) as error:
                if attempt == 2:
                    self._failed("failed", error)
                else:
                    await asyncio.sleep(min(5.0, getattr(error, "retry_after", 1.0)))
            except (KubeForbidden, KubeNotFound) as error:
                if isinstance(error, KubeForbidden) and TERMINATING not in error.message:
                    self._failed("forbidden", error)
                    return
                # The namespace goes or has gone, and with it whoever would have read this.
                log.debug("event without a namespace", error=str(error))
                self.counts["failed"] += 1
                return
            except KubernetesError as error:
                self._failed("failed", error)
                return
            else:
                self.counts["sent"] += 1
                return

    def _failed(self, outcome: str, error: KubernetesError) -> None:
        self.counts[outcome] += 1
        self._complain(outcome, "events can't be written; the work goes on without them", error)

    def _complain(self, outcome: str, text: str, error: KubernetesError | None) -> None:
        if outcome not in self._complained:
            self._complained.add(outcome)
            log.warning(text, error=str(error) if error is not None else None)

    def _manifest(self, event: _Pending) -> dict[str, Any]:
        # An event about an object without a namespace lives in "default" (ValidateEvent).
        namespace = event.namespace or "default"
        return {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.kind,
            # A name has at most 253 characters, and no part of it ends in a dash.
            "metadata": {"name": f"{event.name[:230].rstrip('-.')}.{secrets.token_hex(8)}", "namespace": namespace},
            "involvedObject": {
                "apiVersion": event.api_version,
                "kind": event.kind,
                "namespace": event.namespace,
                "name": event.name,
                "uid": event.uid,
            },
            "type": event.type,
            "reason": event.reason,
            "message": event.message,
            "source": {"component": self._component},
            "reportingComponent": self._component,
            "reportingInstance": self._instance,
            "firstTimestamp": event.time,
            "lastTimestamp": event.time,
            "count": 1,
        }


def _cut(message: str) -> str:
    encoded = message.encode()
    if len(encoded) <= LONGEST_MESSAGE:
        return message
    mark = "…"
    return encoded[: LONGEST_MESSAGE - len(mark.encode())].decode(errors="ignore") + mark


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
