"""Leader election: of several managers in one cluster at most one writes.

The record is client-go's (tools/leaderelection), in a Lease that old and new versions share. The rules:
- A Lease counts as free once it hasn't changed for its own duration by this process's clock: no clocks are compared.
- The leader may write until `renew_deadline` after the moment before its last successful renewal was sent; everybody
  else waits for at least `lease_duration` after that moment. What lies between is the time for calls in flight.
- Whatever goes wrong with a renewal is a failed renewal.
https://kubernetes.io/docs/concepts/architecture/leases/
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import secrets
import socket
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from irsa_manager.api import names
from irsa_manager.api.errors import KubernetesError
from irsa_manager.kube.client import Kube
from irsa_manager.kube.errors import CODE_REFUSED, KubeConflict
from irsa_manager.kube.outage import Outage
from irsa_manager.kube.resources import LEASES, Lease, LeaseSpec

LEASE_SECONDS: Final = 15.0
RENEW_DEADLINE_SECONDS: Final = 10.0
RETRY_SECONDS: Final = 2.0
"""controller-runtime's defaults, which upstream uses."""

log = structlog.get_logger(__name__)


class LeadershipLost(KubernetesError):  # noqa: N818
    """Another process may be the leader by now: this one must end, or stand for election again with fresh state."""


def steady_clock() -> float:
    """Seconds, never set, and going on while the machine sleeps where the system has such a clock (Linux)."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class LeaderElector:
    """Stands for election under one Lease.

    identity: unique for the process; by default host name and a random part. Durations in seconds, lease_duration >
    renew_deadline > retry_period. Calls to AWS and Kubernetes that write must end within lease_duration -
    renew_deadline, and be preceded by a check of valid().
    """

    def __init__(
        self,
        kube: Kube,
        namespace: str,
        *,
        identity: str = "",
        name: str = names.LEASE_NAME,
        lease_duration: float = LEASE_SECONDS,
        renew_deadline: float = RENEW_DEADLINE_SECONDS,
        retry_period: float = RETRY_SECONDS,
        clock: Callable[[], float] = steady_clock,
    ) -> None:
        if not lease_duration > renew_deadline > retry_period > 0:
            raise ValueError("lease_duration > renew_deadline > retry_period > 0 doesn't hold")
        self.identity = identity or f"{socket.gethostname()}_{secrets.token_hex(8)}"
        self._kube = kube
        self._namespace = namespace
        self._name = name
        self._lease_duration = lease_duration
        self._renew_deadline = renew_deadline
        self._retry_period = retry_period
        self._clock = clock
        self._valid_until = float("-inf")
        self._lease: Lease | None = None
        self._seen_version = ""
        self._observed_at = float("-inf")
        self._outage = Outage(f"Lease {namespace}/{name}")
        self._waits_for = ""

    def valid(self) -> bool:
        """Whether this process may write now. To be asked immediately before each write."""
        return self._clock() < self._valid_until

    async def run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Wait until elected, then run work() for as long as this is the leader.

        Returns when work returns; raises what work raises; raises LeadershipLost, after work was cancelled and has
        ended, when the Lease couldn't be renewed in time. Whichever way it ends, cancellation included, the Lease is
        given up once work has ended, so that the next process needn't wait.
        """
        await self._acquire()
        task = asyncio.create_task(work(), name="leader")
        renewal = asyncio.create_task(self._keep(), name="lease")
        try:
            await asyncio.wait({task, renewal}, return_when=asyncio.FIRST_COMPLETED)
            lost = not task.done()
        finally:
            await _end(task)
            await _end(renewal)
            await self._release()
        if not lost:
            task.result()
            return
        if not renewal.cancelled() and (bug := renewal.exception()) is not None:
            raise bug
        raise LeadershipLost(
            CODE_REFUSED,
            f"The Lease {self._namespace}/{self._name} couldn't be renewed in time; another manager may lead by now.",
            left="The work was stopped; nothing is written any more.",
        )

    async def _acquire(self) -> None:
        while True:
            if await self._attempt(self._renew_deadline):
                break
            # Jitter, so that those who wait don't ask in step.
            await asyncio.sleep(self._retry_period * random.uniform(1.0, 1.2))  # noqa: S311
        log.info("elected leader", lease=f"{self._namespace}/{self._name}", identity=self.identity)

    async def _keep(self) -> None:
        """Renew until that hasn't worked until the deadline. A renewal after it doesn't count."""
        while True:
            left = self._valid_until - self._clock()
            if left <= 0:
                log.error("leadership lost", lease=f"{self._namespace}/{self._name}", identity=self.identity)
                return
            await asyncio.sleep(min(self._retry_period, left))
            left = self._valid_until - self._clock()
            if left > 0:
                await self._attempt(left)

    async def _attempt(self, seconds: float) -> bool:
        """One attempt to acquire or renew, in that time; True where it worked. Never raises but for cancellation."""
        try:
            async with asyncio.timeout(seconds):
                worked = await self._try()
        except KubeConflict:
            # Somebody else wrote, or the answer to our own write was lost: look again at the next attempt.
            self._lease = None
            return False
        except Exception as error:  # noqa: BLE001  (whatever it is, the Lease isn't renewed)
            self._lease = None
            self._outage.failed(error)
            return False
        self._outage.over()
        return worked

    async def _try(self) -> bool:
        leading = self._valid_until > float("-inf")
        lease = self._lease if leading and self._lease is not None else await self._look()
        started = self._clock()
        if leading and started >= self._valid_until:
            return False
        if lease is None:
            made = await self._kube.create(LEASES, self._manifest(None), self._namespace)
            return self._won(made, started)
        if lease.spec.holder_identity != self.identity:
            if leading:
                # Taken from us, as by an administrator: stop at once, not at the deadline.
                self._valid_until = float("-inf")
                return False
            duration = lease.spec.lease_duration_seconds or self._lease_duration
            if lease.spec.holder_identity and started < self._observed_at + duration:
                if lease.spec.holder_identity != self._waits_for:
                    self._waits_for = lease.spec.holder_identity
                    log.info("waiting: another manager leads", leader=self._waits_for, identity=self.identity)
                return False
        return self._won(await self._kube.replace(LEASES, self._namespace, self._name, self._manifest(lease)), started)

    async def _look(self) -> Lease | None:
        """The Lease as it is. When it was first seen at this version counts for its expiry."""
        lease = await self._kube.get(LEASES, self._namespace, self._name)
        if lease is not None and lease.metadata.resource_version != self._seen_version:
            self._seen_version = lease.metadata.resource_version
            self._observed_at = self._clock()
        return lease

    def _won(self, lease: Lease, started: float) -> bool:
        self._lease = lease
        self._valid_until = started + self._renew_deadline
        return True

    async def _release(self) -> None:
        """Give the Lease up if it is still ours; a failure only makes the next process wait for its expiry."""
        was_leader = self._valid_until > float("-inf")
        self._valid_until = float("-inf")
        if not was_leader:
            return
        try:
            async with asyncio.timeout(self._retry_period):
                lease = await self._kube.get(LEASES, self._namespace, self._name)
                if lease is None or lease.spec.holder_identity != self.identity:
                    return
                manifest = self._manifest(lease)
                manifest["spec"].update(holderIdentity="", leaseDurationSeconds=1)
                await self._kube.replace(LEASES, self._namespace, self._name, manifest)
        except (KubernetesError, TimeoutError) as error:
            log.warning("the Lease wasn't given up; the next leader waits for its expiry", error=str(error))

    def _manifest(self, before: Lease | None) -> dict[str, Any]:
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        old = before.spec if before is not None else LeaseSpec()
        same = old.holder_identity == self.identity
        metadata = {"name": self._name, "namespace": self._namespace}
        if before is not None:
            metadata["resourceVersion"] = before.metadata.resource_version
        return {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": metadata,
            "spec": {
                "holderIdentity": self.identity,
                "leaseDurationSeconds": math.ceil(self._lease_duration),
                "acquireTime": (old.acquire_time if same else None) or now,
                "renewTime": now,
                "leaseTransitions": (old.lease_transitions or 0) + (0 if same or before is None else 1),
            },
        }


async def _end(task: asyncio.Task[None]) -> None:
    """Cancel it and wait until it has ended; its own exception stays in it."""
    task.cancel()
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait({task})
