"""What is told on IRSASetups: their statuses, their finalizers, warnings, and roles that are left without an object."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
import structlog

from irsa_manager.api import names, reasons
from irsa_manager.api.errors import KubernetesError
from irsa_manager.api.irsasetup import IRSASetup, IRSASetupStatus
from irsa_manager.controller.clock import now
from irsa_manager.controller.orphans import orphans
from irsa_manager.controller.setup import Resolved
from irsa_manager.controller.setup_status import setup_status
from irsa_manager.controller.view import ClusterView
from irsa_manager.kube.client import Kube
from irsa_manager.kube.errors import KubeConflict, KubeNotFound
from irsa_manager.kube.events import EventRecorder
from irsa_manager.kube.lease import LeadershipLost
from irsa_manager.kube.resources import IRSASETUPS
from irsa_manager.plan.mark import MarkKeys
from irsa_manager.plan.ownership import left_by

log = structlog.get_logger("irsa_manager.controller")


class SetupReporter:
    """Tells people on the IRSASetups. setups: all of the cluster. guard: raises where we may not write any more."""

    def __init__(
        self,
        kube: Kube,
        events: EventRecorder,
        setups: Mapping[str, IRSASetup],
        view: ClusterView,
        *,
        guard: Callable[[], None],
    ) -> None:
        self._kube = kube
        self._events = events
        self._setups = setups
        self._view = view
        self._guard = guard
        self._orphans: set[str] = set()

    async def write(self, resolved: Resolved, swept: float) -> bool:
        """Write what differs. Whether all was written that could be: False where a setup has moved on meanwhile.

        swept: time of the last whole sweep, 0 for none.
        """
        at = now()
        dependents = sorted(self._view.irsas)
        whole = True
        for setup in list(self._setups.values()):
            after = setup_status(setup, resolved, dependents, swept, at)
            try:
                await self._finalize(setup, resolved, dependents)
                if after != setup.status:
                    self._guard()
                    body = {"status": msgspec.to_builtins(after)}
                    meta = setup.metadata
                    await self._kube.apply(IRSASETUPS, meta.namespace, meta.name, body, subresource="status")
                    self._tell(setup, after)
            except LeadershipLost:
                raise
            except (KubeConflict, KubeNotFound):
                # It has moved on: its next version comes through the watch.
                whole = False
            except KubernetesError as error:
                log.warning("a status couldn't be written", object=f"IRSASetup {setup.key}", error=str(error))
        return whole

    def tell_orphans(self, resolved: Resolved, keys: MarkKeys) -> int:
        """Tell of roles that bear our mark and that are no object's, once each; how many there are now."""
        facts, setup = resolved.facts, resolved.setup
        assert facts is not None  # noqa: S101  (the caller has asked)
        roles = self._view.roles.roles.values()
        found = orphans(roles, keys, facts.account, lambda role: self._view.owned(role, facts, keys))
        new = [role for role in found if role.id not in self._orphans]
        if new:
            # One that was let go is gone, though the watch hasn't said so yet.
            there = {key for key in self._view.irsas if self._view.newest(key) is not None}
            for role in new:
                holder = left_by(role, facts.account, keys, there.union(self._view.unreadable_irsas))
                irsa = f"IRSA {holder}" if holder else "its IRSA"
                message = reasons.message("OrphanedRole", role=role.name, account=facts.account, irsa=irsa)
                log.warning(message, code="OrphanedRole", role=role.name)
                if setup is not None:
                    self._event(setup, "OrphanedRole", message)
        self._orphans = {role.id for role in found}
        return len(found)

    async def _finalize(self, setup: IRSASetup, resolved: Resolved, dependents: list[str]) -> None:
        """The setup that counts stays while IRSAs rest on it; upstream's finalizer on others goes with them."""
        meta = setup.metadata
        # On a setup that names no usable issuer nothing can rest, and waiting for each other they would wait for ever.
        counts = setup.key not in resolved.ignored and resolved.problem is None
        finalizers = list(meta.finalizers)
        if meta.deleting and names.FINALIZER in finalizers and not (counts and dependents):
            finalizers.remove(names.FINALIZER)
        elif not meta.deleting and counts and names.FINALIZER not in finalizers:
            finalizers.append(names.FINALIZER)
        if finalizers == meta.finalizers:
            return
        self._guard()
        patch = {"metadata": {"finalizers": finalizers or None, "resourceVersion": meta.resource_version}}
        await self._kube.merge_patch(IRSASETUPS, meta.namespace, meta.name, patch)

    def _tell(self, setup: IRSASetup, after: IRSASetupStatus) -> None:
        ready = next(c for c in after.conditions if c.type == "Ready")
        before = setup.status.condition("Ready")
        if before is not None and before.reason == ready.reason:
            return
        if reasons.get(ready.reason).event_type == "Warning":
            log.warning(ready.message, object=f"IRSASetup {setup.key}", code=ready.reason)
            self._event(setup, ready.reason, ready.message)

    def _event(self, setup: IRSASetup, reason: str, message: str) -> None:
        self._events.record_about(IRSASETUPS, setup.metadata, type="Warning", reason=reason, message=message)
