"""The operator put together: caches, queue, workers, sweeps, leadership, metrics and health."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress

import structlog
from msgspec import UNSET, Struct
from msgspec.structs import replace

from irsa_manager import __version__
from irsa_manager.api.errors import AwsError
from irsa_manager.api.irsa import IRSA
from irsa_manager.api.irsasetup import IRSASetup
from irsa_manager.aws.calls import Aws
from irsa_manager.aws.credentials import AwsSettings
from irsa_manager.aws.pacing import Pacer
from irsa_manager.aws.session import open_aws
from irsa_manager.controller.carry_out import Hands
from irsa_manager.controller.context import Context
from irsa_manager.controller.marks import load_mark_keys
from irsa_manager.controller.metrics import Metrics
from irsa_manager.controller.queue import HIGH, LOW, Priority, WorkQueue
from irsa_manager.controller.reconcile import Reconciler
from irsa_manager.controller.reporter import Reporter
from irsa_manager.controller.roles import RoleStore
from irsa_manager.controller.serve import serve_health, serve_metrics
from irsa_manager.controller.setup import Resolved, SetupResolver, ineligible
from irsa_manager.controller.setup_reporter import SetupReporter
from irsa_manager.controller.sweeps import Sweeper
from irsa_manager.controller.view import ClusterView
from irsa_manager.controller.workers import run_workers
from irsa_manager.kube.client import Kube
from irsa_manager.kube.errors import CODE_REFUSED, KubeThrottled, KubeUnavailable
from irsa_manager.kube.events import EventRecorder
from irsa_manager.kube.lease import LeaderElector, LeadershipLost
from irsa_manager.kube.reflector import Reflector
from irsa_manager.kube.resources import IRSAS, IRSASETUPS, NAMESPACES, SERVICE_ACCOUNTS, Namespace, ServiceAccount
from irsa_manager.plan.mark import MarkKeys

RESOLVE_RETRY_SECONDS = 5.0
RESOLVE_PAUSE_SECONDS = 1.0
"""Between two looks at AWS that changes of IRSASetups cause; the first comes at once."""

REPORT_SECONDS = 1.0
UNREACHABLE_SECONDS = 2.0
PASSING = frozenset({"Throttled", "AWSUnavailable", "CredentialsInvalid"})
"""Reasons that go when AWS answers again."""

log = structlog.get_logger("irsa_manager.controller")


class Settings(Struct, frozen=True):
    """How the operator runs. Addresses as serve.parse_address gives them; sweep_interval in seconds."""

    namespace: str
    aws: AwsSettings
    setup: str = ""
    leader_elect: bool = False
    metrics: tuple[str, int] | None = None
    health: tuple[str, int] | None = None
    sweep_interval: float = 60.0
    workers: int = 8
    calls_per_second: float = 20.0


class Operator:
    """One running operator."""

    def __init__(self, settings: Settings, kube: Kube) -> None:
        self._settings = settings
        self._kube = kube
        self._metrics = Metrics()
        self._queue: WorkQueue[str] = WorkQueue()
        self._view = ClusterView(RoleStore(), self._wake)
        self._events = EventRecorder(kube)
        self._resolved = Resolved()
        self._resolved_at = time.monotonic()
        self._news = asyncio.Event()
        self._setups_changed = False
        self._resolving = asyncio.Lock()
        self._lacking = "starting"
        self._forget: Callable[[str], None] = lambda _key: None
        self._elector: LeaderElector | None = None
        self._sweeper: Sweeper | None = None
        self._keys: MarkKeys | None = None
        self._setups = Reflector(kube, IRSASETUPS, self._on_setup)
        self._irsas = Reflector(kube, IRSAS, self._on_irsa)
        self._accounts = Reflector(kube, SERVICE_ACCOUNTS, self._on_account)
        self._namespaces = Reflector(kube, NAMESPACES, self._on_namespace)
        self._setup_reporter = SetupReporter(kube, self._events, self._setups.store, self._view, guard=self._guard)

    async def run(self) -> None:
        """Run until cancelled or leadership is lost (LeadershipLost)."""
        settings = self._settings
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(serve_metrics(settings.metrics, self._metrics.registry))
            await stack.enter_async_context(serve_health(settings.health, lambda: self._lacking))
            if settings.leader_elect:
                self._elector = LeaderElector(self._kube, settings.namespace)
                # A replica that waits is ready: it is there to take over.
                self._lacking = ""
                await self._elector.run(self._lead)
            else:
                await self._lead()

    def _guard(self) -> None:
        if self._elector is not None and not self._elector.valid():
            raise LeadershipLost(CODE_REFUSED, "The lease has run out; another manager may lead by now.")

    async def _lead(self) -> None:
        self._metrics.leader.set(1)
        self._view.roles.begin()
        pacer = Pacer(self._settings.calls_per_second)
        async with open_aws(self._settings.aws, pacer=pacer, on_call=self._metrics.called, guard=self._guard) as aws:
            await self._work(aws, pacer)

    async def _work(self, aws: Aws, pacer: Pacer) -> None:
        self._keys = await self._mark_keys()
        resolver = SetupResolver(self._kube, aws, self._settings.namespace, self._settings.setup)
        hands = Hands(aws, self._kube, self._view.roles, self._guard, wrote=self._view.wrote_account)
        reporter = Reporter(
            self._kube,
            self._events,
            self._view,
            guard=self._guard,
            drift=lambda kind: self._metrics.drift.labels(kind).inc(),
        )
        reconciler = Reconciler(
            Context(
                kube=self._kube,
                aws=aws,
                view=self._view,
                hands=hands,
                reporter=reporter,
                keys=self._keys,
                resolved=lambda: self._resolved,
                wake=self._wake,
                guard=self._guard,
                operator_namespace=self._settings.namespace,
            )
        )
        self._forget = reconciler.forget
        self._sweeper = Sweeper(
            aws,
            self._view,
            self._metrics,
            self._settings.sweep_interval,
            changed=self._roles_changed,
            after=lambda: self._resolve(resolver),
            recovered=self._recovered,
        )
        self._view.irsas, self._view.unreadable_irsas = self._irsas.store, self._irsas.unreadable
        self._view.accounts = self._accounts.store
        self._view.accounts_version = lambda: self._accounts.version
        self._metrics.watch_state(
            self._irsas.store.values,
            self._queue.depth,
            lambda: {p.name.lower(): self._queue.oldest_seconds(p) for p in Priority},
            lambda: pacer.rate,
        )
        reflectors = (self._setups, self._irsas, self._accounts, self._namespaces)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._events.run(), name="events")
            for reflector in reflectors:
                group.create_task(reflector.run(), name="reflector")
            self._lacking = "caches aren't filled yet"
            for reflector in reflectors:
                await reflector.synced.wait()
            self._lacking = "the account wasn't read yet"
            await self._sweeper.first()
            await self._say_start(aws)
            self._lacking = ""
            group.create_task(self._sweeper.run(), name="sweeps")
            group.create_task(self._keep_resolved(resolver), name="setup")
            group.create_task(
                run_workers(self._queue, reconciler.reconcile, self._settings.workers, observer=self._metrics.worked),
                name="workers",
            )

    async def _mark_keys(self) -> MarkKeys:
        while True:
            try:
                keys = await load_mark_keys(self._kube, self._settings.namespace)
            except (KubeUnavailable, KubeThrottled) as error:
                self._lacking = "the API server can't be reached"
                self._kube.outage.failed(error)
                await asyncio.sleep(UNREACHABLE_SECONDS)
            else:
                self._kube.outage.over()
                return keys

    async def _say_start(self, aws: Aws) -> None:
        facts = self._resolved.facts
        try:
            identity = (await aws.identity()).arn
        except AwsError as error:
            log.warning(
                "started without usable AWS credentials", version=__version__, code=error.code, error=str(error)
            )
            return
        log.info(
            "started",
            version=__version__,
            identity=identity,
            account=facts.account if facts else "",
            partition=facts.partition if facts else "",
            issuer=facts.issuer if facts else "",
            mode=_mode(self._resolved.setup),
            reads="sweeps" if self._view.roles.complete else "roles one by one",
            objects=len(self._irsas.store),
        )

    # What wakes objects up

    def _wake(self, keys: set[str]) -> None:
        for key in keys:
            self._queue.add(key, HIGH)

    def _on_irsa(self, key: str, old: IRSA | None, new: IRSA | None) -> None:
        others = self._view.irsa_changed(key, old, new)
        self._wake(others)
        if new is None:
            self._queue.discard(key)
            self._forget(key)
            self._news.set()
        elif old is None or _matters(old, new) or _lost(old, new) or _signed_anew(old, new, self._view):
            self._queue.add(key, HIGH)
            if old is None:
                self._news.set()

    def _on_account(self, key: str, old: ServiceAccount | None, new: ServiceAccount | None) -> None:
        self._wake(self._view.account_changed(key, old, new))

    def _on_namespace(self, key: str, old: Namespace | None, new: Namespace | None) -> None:
        if (
            old is not None
            and new is not None
            and old.terminating == new.terminating
            and old.metadata.labels == new.metadata.labels
        ):
            return
        self._wake(self._view.namespace_changed(key, new))

    def _on_setup(self, _key: str, old: IRSASetup | None, new: IRSASetup | None) -> None:
        if old is not None and new is not None and not _matters(old, new):
            return
        setup = new or old
        # A tenant's never counts: its status says so, and that takes no look at AWS.
        counts = setup is None or not ineligible(setup, self._settings.namespace, self._settings.setup)
        if counts and (old is None or new is None or _asks_otherwise(old, new)):
            self._setups_changed = True
        self._news.set()

    def _recovered(self) -> None:
        """AWS answers again: who waits for that needn't wait out a back-off of minutes."""
        for key, irsa in self._irsas.store.items():
            ready = irsa.status.condition("Ready")
            if ready is not None and ready.reason in PASSING:
                self._queue.add(key, LOW)

    def _roles_changed(self, names_: set[str]) -> None:
        if self._resolved.facts is not None and self._keys is not None and self._view.roles.complete:
            self._metrics.orphans.set(self._setup_reporter.tell_orphans(self._resolved, self._keys))
        for name in names_:
            for key in self._view.role_changed(name):
                self._queue.add(key, LOW)

    # The facts

    async def _keep_resolved(self, resolver: SetupResolver) -> None:
        """Follow the IRSASetups and the number of objects that rest on them."""
        followed = float("-inf")
        while True:
            fine = self._resolved.facts is not None and self._resolved.error is None
            due = float("inf") if fine else self._resolved_at + RESOLVE_RETRY_SECONDS
            with suppress(TimeoutError):
                async with asyncio.timeout(None if fine else max(0.0, due - time.monotonic())):
                    await self._news.wait()
            self._news.clear()
            # By the clock, not by the timeout: there may be news all the time.
            if self._setups_changed or time.monotonic() >= due:
                await asyncio.sleep(max(0.0, followed + RESOLVE_PAUSE_SECONDS - time.monotonic()))
                self._setups_changed = False
                followed = time.monotonic()
                await self._resolve(resolver)
            else:
                await self._write_setups()
                # A thousand new objects are one new count, not a thousand.
                await asyncio.sleep(REPORT_SECONDS)

    async def _resolve(self, resolver: SetupResolver) -> None:
        # One at a time: of two, the one that began earlier could end later, and the facts would go back in time.
        async with self._resolving:
            await self._resolve_alone(resolver)

    async def _resolve_alone(self, resolver: SetupResolver) -> None:
        before, setups = self._resolved, dict(self._setups.store)
        found = await resolver.resolve(setups.values(), self._view.roles.roles.values(), self._keys)
        log.debug("looked at the IRSASetups", setups=sorted(setups))
        if found.error is not None and before.facts is not None:
            # An outage doesn't change the facts: the objects go on by the last ones.
            found = replace(found, facts=before.facts)
        self._resolved = found
        self._resolved_at = time.monotonic()
        if self._resolved.facts is not None:
            self._metrics.account_is(self._resolved.facts.account)
        if before.facts != self._resolved.facts or (before.facts is None and self._resolved.error is not None):
            if self._resolved.facts is not None and self._keys is not None:
                # Before anybody is worked on: who holds a ServiceAccount can be told only once all claims are known.
                for irsa in self._irsas.store.values():
                    self._view.claims(irsa, self._resolved.facts, self._keys)
            for key in self._irsas.store:
                self._queue.add(key, LOW)
        await self._write_setups()

    async def _write_setups(self) -> None:
        swept = self._sweeper.last_success if self._sweeper else 0.0
        # Those that came since the facts were found, and that can't count.
        more = {
            key: why
            for key, setup in self._setups.store.items()
            if (why := ineligible(setup, self._settings.namespace, self._settings.setup))
        }
        resolved = replace(self._resolved, ignored={**self._resolved.ignored, **more})
        if not await self._setup_reporter.write(resolved, swept):
            self._news.set()


def _mode(setup: IRSASetup | None) -> str:
    """How the cluster's issuer is run; without an IRSASetup it is as EKS has it, published by somebody else."""
    return setup.spec.mode if setup is not None and setup.spec is not UNSET else "eks"


def _lost(old: IRSA, new: IRSA) -> bool:
    """Whether somebody has cleared the status: we never write one without conditions."""
    return bool(old.status.conditions) and not new.status.conditions


def _signed_anew(old: IRSA, new: IRSA, view: ClusterView) -> bool:
    """Whether somebody else has signed the status: `irsa-manager adopt` says that a role is this object's."""
    return old.status.record != new.status.record and view.signed_by_others(new)


def _asks_otherwise(old: IRSASetup, new: IRSASetup) -> bool:
    """Whether the facts may be others now. Finalizers and annotations change none."""
    before, after = old.metadata, new.metadata
    return (before.uid, before.generation, before.deleting) != (after.uid, after.generation, after.deleting)


def _matters(old: IRSA | IRSASetup, new: IRSA | IRSASetup) -> bool:
    """Whether a change is more than our own status: spec, deletion, or who it is."""
    before, after = old.metadata, new.metadata
    return (
        before.uid != after.uid
        or before.generation != after.generation
        or before.deleting != after.deleting
        or before.finalizers != after.finalizers
        or before.annotations != after.annotations
    )
