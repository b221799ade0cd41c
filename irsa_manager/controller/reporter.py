"""What is told: statuses on IRSAs, events on IRSAs and on the ServiceAccounts concerned, lines in the log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import structlog

from irsa_manager.api import reasons
from irsa_manager.api.irsa import IRSA, IRSAStatus
from irsa_manager.controller.carry_out import Outcome
from irsa_manager.controller.telling import Told, happened
from irsa_manager.controller.view import ClusterView
from irsa_manager.kube.client import Kube
from irsa_manager.kube.errors import CODE_REFUSED, KubeConflict
from irsa_manager.kube.events import EventRecorder
from irsa_manager.kube.resources import IRSAS, SERVICE_ACCOUNTS
from irsa_manager.plan import actions as do

ATTEMPTS = 5
"""To write a status over an object that others change at the same time."""

log = structlog.get_logger("irsa_manager.controller")


class Reporter:
    """Tells people. guard: raises where we may not write any more. drift: told the kind of what was put back."""

    def __init__(
        self,
        kube: Kube,
        events: EventRecorder,
        view: ClusterView,
        *,
        guard: Callable[[], None],
        drift: Callable[[str], None],
    ) -> None:
        self._kube = kube
        self._events = events
        self._view = view
        self._guard = guard
        self._drift = drift
        self._warned: dict[str, tuple[str, dict[str, tuple[int, str]]]] = {}
        self._in_use: dict[str, set[str]] = {}

    async def write_status(self, irsa: IRSA, after: IRSAStatus) -> IRSA:
        """Write the status if it differs, all of it at once; the object with the new status.

        Only over the status that it was made from: what somebody has signed meanwhile, or an earlier step has noted of
        an adopted role, would be lost. Whatever else of the object has changed is no reason to forget what was done.
        Raises KubeConflict where the status is another one, and other KubernetesErrors.
        """
        if after == irsa.status:
            return irsa
        namespace, name = irsa.metadata.namespace, irsa.metadata.name
        newest: IRSA | None = irsa
        for left in reversed(range(ATTEMPTS)):
            if newest is None or newest.metadata.uid != irsa.metadata.uid or newest.status != irsa.status:
                break
            self._guard()
            metadata = {"resourceVersion": newest.metadata.resource_version}
            body = {"metadata": metadata, "status": msgspec.to_builtins(after)}
            try:
                written = await self._kube.apply(IRSAS, namespace, name, body, subresource="status")
            except KubeConflict:
                if not left:
                    raise
                newest = await self._kube.get(IRSAS, namespace, name)
                continue
            self._view.wrote(written)
            return written
        raise KubeConflict(CODE_REFUSED, f"Somebody else has written the status of IRSA {irsa.key} meanwhile.")

    def tell(self, irsa: IRSA, outcome: Outcome, account: str, trust: object) -> None:
        """An event and a log line for each action that took effect. trust: the desired one, None for a deletion."""
        for action in outcome.done:
            created = self._view.roles.get(action.role) if isinstance(action, do.CreateRole) else None
            event = happened(irsa, action, account, created.id if created else "", trust)
            log.info(event.message, object=f"IRSA {irsa.key}", action=type(action).__name__, code=event.code)
            self._record_on_irsa(irsa, event.code, event.message)
            if event.service_account:
                self._record_on_account(event.service_account, event.code, event.message)
            if event.code == "DriftRepaired":
                self._drift(type(action).__name__)

    def warn(self, irsa: IRSA, told: Told) -> None:
        """What is wrong: in the log, and as an event where it is news (one a transition, never one a retry)."""
        ready = irsa.status.condition("Ready")
        news = (irsa.metadata.generation, told.message)
        # Our copy of the object may not show our own last status yet.
        uid, warned = self._warned.get(irsa.key, ("", {}))
        if uid != irsa.metadata.uid:
            # One that was deleted and made again hasn't been told anything yet.
            warned = {}
        if warned.get(told.code) == news:
            return
        self._warned[irsa.key] = (irsa.metadata.uid, {**warned, told.code: news})
        if ready is None or ready.reason != told.code or ready.observed_generation != irsa.metadata.generation:
            self.say(irsa, told)

    def say(self, irsa: IRSA, told: Told) -> None:
        """What is wrong, in the log and as an event, whether it was said before or not."""
        log.warning(told.message, object=f"IRSA {irsa.key}", code=told.code)
        self._record_on_irsa(irsa, told.code, told.message)

    def forget(self, key: str) -> None:
        """The object is gone, or all is well with it: what was wrong would be news again."""
        self._warned.pop(key, None)
        self._in_use.pop(key, None)

    def event(self, irsa: IRSA, code: str, **values: Any) -> None:
        """One event of the catalogue on the object."""
        self._record_on_irsa(irsa, code, reasons.message(code, **values))

    def told_of(self, irsa: IRSA, uid: str) -> bool:
        """Whether in_use has told of that ServiceAccount."""
        return uid in self._in_use.get(irsa.key, ())

    def in_use(self, irsa: IRSA, service_account: str, uid: str, count: int, pods: str) -> None:
        """A ServiceAccount that pods use is about to be deleted. service_account: namespace/name. pods: their names.

        Who reads events of the object's namespace learns no names of pods of another one.
        """
        self._in_use.setdefault(irsa.key, set()).add(uid)
        namespace = service_account.partition("/")[0]
        values: dict[str, Any] = {"service_account": service_account, "count": count}
        message = reasons.message("ServiceAccountInUse", pods=f" ({pods})", **values)
        self._record_on_account(service_account, "ServiceAccountInUse", message)
        if namespace != irsa.metadata.namespace:
            message = reasons.message("ServiceAccountInUse", pods="", **values)
        self.say(irsa, Told("ServiceAccountInUse", message))

    def _record_on_irsa(self, irsa: IRSA, code: str, message: str) -> None:
        self._events.record_about(IRSAS, irsa.metadata, type=reasons.get(code).event_type, reason=code, message=message)

    def _record_on_account(self, key: str, code: str, message: str) -> None:
        account = self._view.account(key)
        namespace, _, name = key.partition("/")
        self._events.record(
            kind=SERVICE_ACCOUNTS.kind,
            namespace=namespace,
            name=name,
            uid=account.metadata.uid if account else "",
            api_version="v1",
            type=reasons.get(code).event_type,
            reason=code,
            message=message,
        )
