"""What the operator measures (Prometheus). Base units; no object names as labels but where the set is small.

Names under controller_runtime_ and workqueue_ are those of the Go program before us, so that dashboards go on.
"""

from __future__ import annotations

from collections import Counter as Count
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from irsa_manager import __version__
from irsa_manager.api.irsa import IRSA

_PREFIX = "irsa_manager_"


class Metrics:
    """The registry and everything in it."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.aws_calls = Counter(
            _PREFIX + "aws_calls", "AWS calls sent.", ["account", "operation", "outcome"], registry=self.registry
        )
        self.aws_throttles = Counter(
            _PREFIX + "aws_throttles", "Calls that AWS refused for being too many.", registry=self.registry
        )
        self.aws_duration = Histogram(
            _PREFIX + "aws_call_duration_seconds",
            "Seconds from sending a call to its answer.",
            ["operation"],
            registry=self.registry,
            buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
        )
        self.aws_rate = Gauge(_PREFIX + "aws_rate_limit", "AWS calls a second, now.", registry=self.registry)
        self.sweep_duration = Histogram(
            _PREFIX + "sweep_duration_seconds", "Seconds that reading the account took.", registry=self.registry
        )
        self.sweep_success = Gauge(
            _PREFIX + "sweep_last_success_timestamp_seconds", "When the account was last read.", registry=self.registry
        )
        self.drift = Counter(
            _PREFIX + "drift_repaired", "What others had changed and was put back.", ["kind"], registry=self.registry
        )
        self.reconcile_duration = Histogram(
            _PREFIX + "reconcile_duration_seconds", "Seconds of work on one object.", registry=self.registry
        )
        self.orphans = Gauge(
            _PREFIX + "orphaned_roles", "Roles with our mark that are no object's.", registry=self.registry
        )
        self.leader = Gauge(_PREFIX + "leader", "1 where this process leads.", registry=self.registry)
        self.reconciles = Counter(
            "controller_runtime_reconcile",
            "Reconciles by result.",
            ["controller", "result"],
            registry=self.registry,
        )
        self.errors = Counter(
            "controller_runtime_reconcile_errors", "Reconciles that failed.", ["controller"], registry=self.registry
        )
        build = Gauge(_PREFIX + "build_info", "Always 1.", ["version"], registry=self.registry)
        build.labels(__version__).set(1)
        self._account = ""

    def account_is(self, account: str) -> None:
        """The account that calls are counted under from now on."""
        self._account = account

    def called(self, operation: str, outcome: str, seconds: float) -> None:
        """An AWS call was sent."""
        self.aws_calls.labels(self._account, operation, outcome).inc()
        self.aws_duration.labels(operation).observe(seconds)
        if outcome == "throttled":
            self.aws_throttles.inc()

    def worked(self, key: str, outcome: str, seconds: float) -> None:
        """A reconcile ended."""
        del key
        self.reconciles.labels("irsa", outcome).inc()
        self.reconcile_duration.observe(seconds)
        if outcome == "error":
            self.errors.labels("irsa").inc()

    def watch_state(
        self,
        irsas: Callable[[], Iterable[IRSA]],
        depth: Callable[[], int],
        oldest: Callable[[], dict[str, float]],
        rate: Callable[[], float],
    ) -> None:
        """Compute these at each scrape: objects by readiness, the queue, the rate limit."""
        self.registry.register(_State(irsas, depth, oldest))
        self.aws_rate.set_function(rate)


class _State(Collector):
    def __init__(
        self,
        irsas: Callable[[], Iterable[IRSA]],
        depth: Callable[[], int],
        oldest: Callable[[], dict[str, float]],
    ) -> None:
        self._irsas = irsas
        self._depth = depth
        self._oldest = oldest

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The families of this collector."""
        objects = GaugeMetricFamily(_PREFIX + "objects", "Objects by readiness.", labels=["kind", "ready", "reason"])
        ready = GaugeMetricFamily(
            _PREFIX + "object_ready", "1 where the object is ready.", labels=["namespace", "name"]
        )
        counts: Count[tuple[str, str]] = Count()
        for irsa in self._irsas():
            condition = irsa.status.condition("Ready")
            state, reason = (condition.status, condition.reason) if condition else ("Unknown", "")
            counts[state, reason] += 1
            ready.add_metric([irsa.metadata.namespace, irsa.metadata.name], float(state == "True"))
        for (state, reason), number in counts.items():
            objects.add_metric(["IRSA", state, reason], number)
        yield objects
        yield ready
        yield GaugeMetricFamily("workqueue_depth", "Keys that wait.", value=self._depth())
        oldest = GaugeMetricFamily(
            _PREFIX + "queue_oldest_seconds", "How long the oldest ready key waits.", labels=["priority"]
        )
        for priority, seconds in self._oldest().items():
            oldest.add_metric([priority], seconds)
        yield oldest
