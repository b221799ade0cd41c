"""Sweeps: read the whole account in pages, so that drift of any kind is found at the cost of a few calls.

Without iam:GetAccountAuthorizationDetails the roles are read one by one, the one read longest ago first, spread over
the interval but never faster than one in PACE_SECONDS.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog
from msgspec import UNSET

from irsa_manager.api.errors import AwsDenied, AwsError
from irsa_manager.aws.calls import Aws
from irsa_manager.aws.pacing import Priority
from irsa_manager.aws.snapshot import sweep
from irsa_manager.controller.looking import look
from irsa_manager.controller.metrics import Metrics
from irsa_manager.controller.shown import HOLD_SECONDS
from irsa_manager.controller.trouble import role_names
from irsa_manager.controller.view import ClusterView

COST = 0.01
"""Share of the time that sweeps may take: their interval grows so that they stay below it."""

LONGEST = 10
"""Times the interval that a costly sweep may be put off."""

PACE_SECONDS = 0.5
ASK_AGAIN_SECONDS = 600.0
"""How long a denied sweep isn't tried again: an administrator may have granted it meanwhile."""

log = structlog.get_logger("irsa_manager.controller")


class Sweeper:
    """Keeps the role store true. changed: told the names of roles that differ. after: run after each sweep.

    recovered: told when a sweep succeeds after one that failed.
    """

    def __init__(
        self,
        aws: Aws,
        view: ClusterView,
        metrics: Metrics,
        interval: float,
        *,
        changed: Callable[[set[str]], None],
        after: Callable[[], Awaitable[None]],
        recovered: Callable[[], None],
    ) -> None:
        self._aws = aws
        self._view = view
        self._metrics = metrics
        self._interval = interval
        self._changed = changed
        self._after = after
        self._recovered = recovered
        self._denied_until = float("-inf")
        self._failed = False
        self._undescribed = False
        self.last_success = 0.0
        """time.time() since which all roles were read, by a sweep or one by one; 0 where they never were."""

    async def first(self) -> None:
        """Sweep once before any work; a failure is said and work begins all the same, role by role."""
        await self._sweep()

    async def run(self) -> None:
        """Sweep for ever, the second time once IAM shows all that a process before this one wrote."""
        pause = min(self._interval, HOLD_SECONDS)
        while True:
            if time.monotonic() < self._denied_until:
                await self._one_by_one(self._interval)
                continue
            await asyncio.sleep(pause)
            # What else ran meanwhile is counted in: an upper bound of the sweep's own cost.
            cpu = time.process_time()
            await self._sweep()
            cost = time.process_time() - cpu
            pause = max(self._interval, min(cost / COST, LONGEST * self._interval))
            if self._view.roles.only_swept_in_doubt:
                # An object waits for a sweep that shows its role.
                pause = min(pause, HOLD_SECONDS)

    async def _sweep(self) -> None:
        started = time.monotonic()
        try:
            snapshot = await sweep(self._aws, descriptions=self._descriptions())
        except AwsDenied as error:
            self._denied_until = time.monotonic() + ASK_AGAIN_SECONDS
            # From now on a role that isn't in the store may be there all the same.
            self._view.roles.complete, self._view.roles.singly = False, True
            log.warning(
                "the account can't be read as a whole; roles are read one by one",
                code=error.code,
                missing=error.action,
                hint="Grant it: drift is then found within one sweep, for fewer calls.",
            )
            await self._after()
            return
        except AwsError as error:
            if not self._failed:
                log.warning("a sweep failed; the last snapshot stays in use", code=error.code, error=str(error))
            self._failed = True
            await self._after()
            return
        if self._failed:
            log.info("the account can be read again")
            self._recovered()
        self._failed = False
        self._say_undescribed(snapshot.described)
        self.last_success = time.time()
        self._metrics.sweep_duration.observe(time.monotonic() - started)
        self._metrics.sweep_success.set(self.last_success)
        names = self._view.roles.swept(snapshot.roles, snapshot.started_monotonic, described=snapshot.described)
        log.debug("swept", roles=len(snapshot.roles), pages=snapshot.pages, changed=len(names))
        await self._after()
        self._changed(names)

    def _say_undescribed(self, described: bool) -> None:
        """Say once that sweeps don't see descriptions and session durations, where some object sets them."""
        undescribed = self._descriptions() and not described
        if undescribed and not self._undescribed:
            log.warning(
                "sweeps don't show descriptions and session durations; what others change of them isn't seen",
                code="PermissionMissing",
                missing="iam:ListRoles",
            )
        self._undescribed = undescribed

    def _descriptions(self) -> bool:
        """Whether some object manages what only ListRoles shows: description or session duration."""
        return any(
            irsa.spec is not UNSET
            and (
                irsa.spec.iam_role.description is not UNSET
                or irsa.spec.iam_role.max_session_duration_seconds is not UNSET
            )
            for irsa in self._view.irsas.values()
        )

    async def _one_by_one(self, seconds: float) -> None:
        """Read roles singly for so long."""
        names = sorted({name for irsa in self._view.irsas.values() for name in role_names(irsa)})
        pause = max(PACE_SECONDS, seconds / max(1, len(names)))
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            name = self._view.roles.oldest_read(names)
            if name is not None:
                roles = self._view.roles
                known = roles.get(name)
                try:
                    role = await look(self._aws, roles, name, known.arn if known else "", priority=Priority.SWEEP)
                except AwsError as error:
                    self._view.roles.tried(name)
                    log.debug("a role couldn't be read", role=name, code=error.code, error=str(error))
                else:
                    if role is not None and not role.arn:
                        # Only that it is there was seen, and what its ARN is, its object knows.
                        roles.tried(name)
                        self._changed({name.lower()})
                    elif roles.saw(name, role):
                        self._changed({name.lower()})
            await asyncio.sleep(pause)
        age = self._view.roles.oldest_age(names)
        if age is not None:
            # As old as the oldest look is what is known of all.
            self.last_success = max(self.last_success, time.time() - age)
            self._metrics.sweep_success.set(self.last_success)
        await self._after()
