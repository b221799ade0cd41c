"""Release without a controller: the same code that the controller runs, once, from a command."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

from msgspec import UNSET

from irsa_manager.api import names
from irsa_manager.api.errors import IrsaError, KubernetesError
from irsa_manager.api.irsa import IRSA
from irsa_manager.aws.calls import Aws
from irsa_manager.controller.carry_out import Hands
from irsa_manager.controller.context import Context
from irsa_manager.controller.deletion import Deletion
from irsa_manager.controller.reporter import Reporter
from irsa_manager.controller.survey import Survey
from irsa_manager.controller.trouble import SOON_SECONDS
from irsa_manager.kube.client import Kube
from irsa_manager.kube.errors import KubeConflict, KubeNotFound
from irsa_manager.kube.events import EventRecorder
from irsa_manager.kube.lease import LEASE_SECONDS
from irsa_manager.kube.resources import IRSAS, LEASES, Lease

EVENTS_SECONDS = 5.0
TRY_AGAIN_SECONDS = 0.3
PATIENCE_SECONDS = 60.0
"""For an adopted role: until IAM shows all that a controller may have written just before (see RoleStore.doubtful)."""


def live(lease: Lease | None, now: datetime) -> bool:
    """Whether a controller holds that Lease and has renewed it within its duration, by this machine's clock."""
    if lease is None or not lease.spec.holder_identity or not lease.spec.renew_time:
        return False
    age = (now - datetime.fromisoformat(lease.spec.renew_time)).total_seconds()
    return age < (lease.spec.lease_duration_seconds or LEASE_SECONDS)


async def controller_is_live(kube: Kube, namespace: str) -> bool:
    """Whether a controller of that namespace holds its Lease. Raises KubernetesError."""
    return live(await kube.get(LEASES, namespace, names.LEASE_NAME), datetime.now(UTC))


def released(irsa: IRSA | None) -> bool:
    """Whether nothing of the manager's holds the object any more."""
    return irsa is None or (names.FINALIZER not in irsa.metadata.finalizers and irsa.status.adoption is UNSET)


async def release_here(kube: Kube, aws: Aws, found: Survey, irsas: Sequence[IRSA]) -> dict[str, str]:
    """Let these go, whose annotation says so: what is wrong by namespace/name, "" where all is well.

    found: made with these objects as drafts; only adopted ones need its facts.
    """
    events = EventRecorder(kube)

    def nobody_else() -> None:
        """No controller leads: there is no Lease to lose."""

    reporter = Reporter(kube, events, found.view, guard=nobody_else, drift=lambda _kind: None)
    context = Context(
        kube=kube,
        aws=aws,
        view=found.view,
        hands=Hands(aws, kube, found.view.roles, nobody_else, wrote=found.view.wrote_account),
        reporter=reporter,
        keys=found.keys,
        resolved=lambda: found.resolved,
        wake=lambda _keys: None,
        guard=nobody_else,
    )
    sending = asyncio.create_task(events.run(), name="events")
    try:
        told = {irsa.key: await _release(kube, Deletion(context), irsa) for irsa in irsas}
        await events.drain(EVENTS_SECONDS)
        return told
    finally:
        sending.cancel()
        with suppress(asyncio.CancelledError):
            await sending


async def _release(kube: Kube, deletion: Deletion, irsa: IRSA) -> str:
    namespace, name = irsa.metadata.namespace, irsa.metadata.name
    after: IRSA | None = irsa
    again: float | None = None
    try:
        until = time.monotonic() + PATIENCE_SECONDS
        while after is not None:
            try:
                again = await deletion.release(after)
            except (KubeConflict, KubeNotFound):  # a controller without a Lease is at it too: see what is there now
                again = TRY_AGAIN_SECONDS
            after = await kube.get(IRSAS, namespace, name)
            if released(after) or again is None or again > SOON_SECONDS or time.monotonic() > until:
                break
            await asyncio.sleep(again)
    except KubernetesError as error:
        return str(error)
    except IrsaError as error:
        return error.message
    if after is None or released(after):
        return ""
    if again is not None and again <= SOON_SECONDS:
        return "IAM may still show the role as it was before: run it again."
    ready = after.status.condition("Ready")
    return ready.message if ready is not None else "Its finalizer is still there: run it again."
