"""One object at a time: look, decide, act, tell.

Level-triggered: whatever woke it, a reconcile compares the object with what is there and does what is missing. It
returns after how many seconds to look again, or None; what it raises is retried with back-off by the worker.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog
from msgspec import UNSET
from msgspec.structs import replace

from irsa_manager.api import names, reasons
from irsa_manager.api.errors import AwsDenied, AwsError, AwsExists
from irsa_manager.api.irsa import IRSA, IRSAStatus
from irsa_manager.aws.calls import Aws
from irsa_manager.aws.snapshot import read_instance_profiles, read_role
from irsa_manager.controller import status as statuses
from irsa_manager.controller.carry_out import Failure, Hands, Outcome
from irsa_manager.controller.roles import RoleStore
from irsa_manager.controller.setup import Resolved
from irsa_manager.controller.telling import Told, error_told, failure_told, happened, problem_told
from irsa_manager.controller.view import ClusterView
from irsa_manager.controller.workers import TryAgain
from irsa_manager.kube.client import Kube
from irsa_manager.kube.errors import KubeConflict, KubeNotFound
from irsa_manager.kube.events import EventRecorder
from irsa_manager.kube.resources import IRSAS, SERVICE_ACCOUNTS
from irsa_manager.plan import actions as do
from irsa_manager.plan.facts import ClusterFacts
from irsa_manager.plan.mark import MarkKeys
from irsa_manager.plan.planner import Decision, decide, decide_deletion, incomplete

STALLED_SECONDS = 300.0
"""How often something that waits for a person is looked at again, beside the sweeps."""

UNREADY_SECONDS = 10.0

log = structlog.get_logger("irsa_manager.controller")


class Reconciler:
    """Reconciles IRSAs. resolved: gives the facts of the moment. wake: look at these objects too."""

    def __init__(
        self,
        kube: Kube,
        aws: Aws,
        view: ClusterView,
        hands: Hands,
        events: EventRecorder,
        *,
        keys: MarkKeys,
        resolved: Callable[[], Resolved],
        wake: Callable[[set[str]], None],
        guard: Callable[[], None],
        drift: Callable[[str], None],
    ) -> None:
        self._kube = kube
        self._aws = aws
        self._view = view
        self._roles: RoleStore = view.roles
        self._hands = hands
        self._events = events
        self._keys = keys
        self._resolved = resolved
        self._wake = wake
        self._guard = guard
        self._drift = drift

    async def reconcile(self, key: str) -> float | None:
        """Make the object true, or say why it can't be."""
        irsa = self._view.irsas.get(key)
        if irsa is None:
            return None
        try:
            if irsa.metadata.deleting:
                return await self._delete(irsa)
            return await self._live(irsa)
        except (KubeConflict, KubeNotFound):
            # The object has moved on or gone: its next version is on its way through the watch.
            return 1.0

    async def _live(self, irsa: IRSA) -> float | None:
        irsa = await self._with_finalizer(irsa)
        now = _now()
        if irsa.spec is not UNSET and irsa.spec.suspend:
            await self._write_status(irsa, statuses.suspended(irsa, now))
            return None
        lacking = incomplete(irsa.spec)
        if lacking:
            text = f"{lacking} is missing; nothing can be done without it."
            values: dict[str, Any] = {"role": "of this object", "error": text, "next_try": "when it is there"}
            told = Told("IRSAFailedRoleUpdate", reasons.message("IRSAFailedRoleUpdate", **values))
            await self._write_status(irsa, statuses.unjudged(irsa, told, now))
            return None
        resolved = self._resolved()
        if resolved.facts is None:
            await self._write_status(irsa, statuses.unjudged(irsa, unresolved(resolved), now))
            return UNREADY_SECONDS
        return await self._make_true(irsa, resolved.facts, now)

    async def _make_true(self, irsa: IRSA, facts: ClusterFacts, now: str) -> float | None:
        assert irsa.spec is not UNSET  # noqa: S101  (incomplete() was asked)
        try:
            await self._look_at_role(irsa.spec.iam_role.name, deeply=_describes(irsa))
        except AwsError as error:
            await self._write_status(irsa, statuses.unjudged(irsa, error_told(error), now))
            raise TryAgain(error.code, error.message) from error
        situation = self._view.situation(irsa, facts, self._keys)
        decision = decide(irsa, situation, tagging=self._hands.tagging)
        if (
            decision.plan.actions
            and irsa.status.conditions
            and irsa.status.observed_generation != irsa.metadata.generation
        ):
            irsa = await self._write_status(irsa, statuses.progressing(irsa, now))
        outcome = await self._hands.carry_out(decision.plan)
        taken = next((f for f in outcome.failures if isinstance(f.error, AwsExists)), None)
        if taken is not None:
            return await self._name_taken(irsa, taken, now)
        await self._tell(irsa, outcome, facts, decision.desired.role.trust if decision.desired else None)
        return await self._conclude(irsa, decision, outcome, facts, now)

    async def _conclude(
        self, irsa: IRSA, decision: Decision, outcome: Outcome, facts: ClusterFacts, now: str
    ) -> float | None:
        desired = decision.desired
        assert desired is not None  # noqa: S101  (of a living object)
        role = self._roles.get(desired.role.name)
        role_told = problem_told(decision.role_problem) if decision.role_problem else None
        accounts_told = problem_told(decision.accounts_problem) if decision.accounts_problem else None
        for failure in outcome.failures:
            told = failure_told(failure, outcome.done, desired.role)
            if isinstance(failure.action, do.AwsAction):
                if isinstance(failure.action, do.TagRole | do.UntagRole) and not self._hands.tagging:
                    continue
                role_told = role_told or told
            else:
                accounts_told = accounts_told or told
        if role is None and role_told is None and outcome.outrun:
            return 0.2
        fresh = any(isinstance(a, do.CreateRole) for a in outcome.done)
        settling = fresh or self._still_settling(irsa, now)
        after = statuses.judged(
            irsa,
            replace(decision, bound=_really_bound(decision, outcome)),
            role,
            facts,
            self._keys,
            role_told=role_told,
            accounts_told=accounts_told,
            settling=settling,
            changed=bool(outcome.done),
            now=now,
        )
        await self._write_status(irsa, after)
        for wrong in (role_told, accounts_told):
            if wrong is not None:
                self._warn(irsa, wrong)
        if outcome.transient is not None:
            error = outcome.transient
            raise TryAgain(error.code, error.message) from error
        if outcome.outrun:
            return 0.5
        if outcome.failures:
            return STALLED_SECONDS
        return statuses.SETTLE_SECONDS if settling else None

    def _still_settling(self, irsa: IRSA, now: str) -> bool:
        """Whether the status says that the role is new, and that isn't long ago."""
        ready = irsa.status.condition("Ready")
        if ready is None or statuses.SETTLING not in ready.message or not irsa.status.last_sync_time:
            return False
        age = datetime.fromisoformat(now) - datetime.fromisoformat(irsa.status.last_sync_time)
        return age.total_seconds() < statuses.SETTLE_SECONDS

    async def _look_at_role(self, name: str, *, deeply: bool) -> None:
        """See that the role is known: by a sweep, else by reading it. deeply: description and duration too."""
        role = self._roles.get(name)
        if not self._roles.known(name) or (deeply and role is not None and role.description is None):
            self._roles.saw(name, await read_role(self._aws, name))

    async def _name_taken(self, irsa: IRSA, failure: Failure, now: str) -> float | None:
        """CreateRole met a role that the snapshot doesn't have: made since by somebody, or by us with a lost answer."""
        role = failure.action.role if isinstance(failure.action, do.AwsAction) else ""
        try:
            found = await read_role(self._aws, role)
        except AwsDenied as error:
            values: dict[str, Any] = {"role": role, "account": "this account", "cause": f"{error.action} is missing"}
            told = Told("OwnershipUnknown", reasons.message("OwnershipUnknown", **values))
            await self._write_status(irsa, statuses.unjudged(irsa, told, now))
            self._warn(irsa, told)
            return STALLED_SECONDS
        if found is None:
            # Created, and not to be seen yet.
            raise TryAgain("AWSUnavailable", f"Role {role} exists but can't be read yet.") from failure.error
        self._roles.saw(role, found)
        return 0.0

    async def _delete(self, irsa: IRSA) -> float | None:
        if names.FINALIZER not in irsa.metadata.finalizers:
            return None
        now = _now()
        if irsa.spec is not UNSET and irsa.spec.suspend:
            await self._write_status(irsa, statuses.suspended(irsa, now))
            return None
        if irsa.spec is UNSET or not irsa.spec.cleanup or incomplete(irsa.spec):
            if irsa.status.role.name:
                self._event(irsa, "RoleReleased", role=irsa.status.role.name, account=irsa.status.role.account_id)
            await self._let_go(irsa)
            return None
        resolved = self._resolved()
        facts = resolved.facts or self._facts_of_status(irsa)
        if facts is None:
            await self._write_status(irsa, statuses.deleting(irsa, [unresolved(resolved)], now))
            return UNREADY_SECONDS
        try:
            # IAM's answer, not the snapshot's: the finalizer goes only if it is true that nothing is left.
            for name in _role_names(irsa):
                if self._roles.get(name) is None:
                    self._roles.saw(name, await read_role(self._aws, name))
        except AwsError as error:
            await self._write_status(irsa, statuses.deleting(irsa, [error_told(error)], now))
            raise TryAgain(error.code, error.message) from error
        decision = decide_deletion(irsa, self._view.situation(irsa, facts, self._keys))
        outcome = await self._hands.carry_out(decision.plan)
        await self._tell(irsa, outcome, facts, None)
        if not outcome.failures and not outcome.outrun:
            await self._let_go(irsa)
            return None
        if outcome.outrun and not outcome.failures:
            return 0.5
        return await self._deletion_waits(irsa, outcome, now)

    async def _deletion_waits(self, irsa: IRSA, outcome: Outcome, now: str) -> float | None:
        told = []
        for failure in outcome.failures:
            failed = failure
            if failure.error.code == "RoleInUse" and isinstance(failure.action, do.DeleteRole):
                failed = await self._in_use(failure, failure.action.role)
            told.append(failure_told(failed, outcome.done, None))
        await self._write_status(irsa, statuses.deleting(irsa, told, now))
        for each in told:
            self._warn(irsa, each)
        raise TryAgain(told[0].code, told[0].message)

    async def _in_use(self, failure: Failure, role: str) -> Failure:
        """What holds a role that IAM won't delete; a policy attached meanwhile is seen and goes in the next run."""
        try:
            self._roles.saw(role, await read_role(self._aws, role))
            profiles = await read_instance_profiles(self._aws, role)
        except AwsError:
            # The refusal itself is told all the same.
            profiles = None
        if profiles:
            failure.error.object = "instance profile " + ", ".join(profiles)
        return failure

    def _facts_of_status(self, irsa: IRSA) -> ClusterFacts | None:
        """Enough to delete by, where the setup is gone but the account is known."""
        resolved, role = self._resolved(), irsa.status.role
        if resolved.error is not None or not role.arn or not irsa.status.issuer:
            return None
        return ClusterFacts(
            partition=role.arn.split(":")[1],
            account=role.account_id,
            issuer=irsa.status.issuer,
            host=irsa.status.issuer.removeprefix("https://"),
            cluster="",
            operator_namespace="",
        )

    async def _let_go(self, irsa: IRSA) -> None:
        self._guard()
        finalizers = [f for f in irsa.metadata.finalizers if f != names.FINALIZER]
        patch = {"metadata": {"finalizers": finalizers or None, "resourceVersion": irsa.metadata.resource_version}}
        await self._kube.merge_patch(IRSAS, irsa.metadata.namespace, irsa.metadata.name, patch)
        self._wake(self._view.role_changed(_spec_role(irsa)) - {irsa.key})
        log.info("let go", object=f"IRSA {irsa.key}")

    async def _with_finalizer(self, irsa: IRSA) -> IRSA:
        if names.FINALIZER in irsa.metadata.finalizers:
            return irsa
        self._guard()
        finalizers = [*irsa.metadata.finalizers, names.FINALIZER]
        patch = {"metadata": {"finalizers": finalizers, "resourceVersion": irsa.metadata.resource_version}}
        return await self._kube.merge_patch(IRSAS, irsa.metadata.namespace, irsa.metadata.name, patch)

    async def _write_status(self, irsa: IRSA, after: IRSAStatus) -> IRSA:
        """Write the status if it differs. The object with the new status."""
        if after == irsa.status:
            return irsa
        self._guard()
        body = {"status": msgspec.to_builtins(after)}
        namespace, name = irsa.metadata.namespace, irsa.metadata.name
        return await self._kube.apply(IRSAS, namespace, name, body, subresource="status")

    async def _tell(self, irsa: IRSA, outcome: Outcome, facts: ClusterFacts, trust: object) -> None:
        for action in outcome.done:
            role_id = ""
            if isinstance(action, do.CreateRole):
                created = self._roles.get(action.role)
                role_id = created.id if created else ""
            event = happened(irsa, action, facts.account, role_id, trust)
            log.info(event.message, object=f"IRSA {irsa.key}", action=type(action).__name__, code=event.code)
            self._record(irsa, event.code, event.message)
            if event.service_account:
                self._record_on_account(event.service_account, event.code, event.message)
            if event.code == "DriftRepaired":
                self._drift(type(action).__name__)

    def _warn(self, irsa: IRSA, told: Told) -> None:
        log.warning(told.message, object=f"IRSA {irsa.key}", code=told.code)
        ready = irsa.status.condition("Ready")
        # One event a transition, never one a retry.
        if ready is None or ready.reason != told.code or ready.observed_generation != irsa.metadata.generation:
            self._record(irsa, told.code, told.message)

    def _event(self, irsa: IRSA, code: str, **values: Any) -> None:
        self._record(irsa, code, reasons.message(code, **values))

    def _record(self, irsa: IRSA, code: str, message: str) -> None:
        meta = irsa.metadata
        kind = reasons.get(code).event_type
        self._events.record(
            kind="IRSA",
            namespace=meta.namespace,
            name=meta.name,
            uid=meta.uid,
            api_version=names.API_VERSION,
            type="Warning" if kind == "Warning" else "Normal",
            reason=code,
            message=message,
        )

    def _record_on_account(self, key: str, code: str, message: str) -> None:
        account = self._view.accounts.get(key)
        namespace, _, name = key.partition("/")
        self._events.record(
            kind=SERVICE_ACCOUNTS.kind,
            namespace=namespace,
            name=name,
            uid=account.metadata.uid if account else "",
            api_version="v1",
            type="Normal",
            reason=code,
            message=message,
        )


def unresolved(resolved: Resolved) -> Told:
    """Why there are no facts, as an IRSA's condition says it."""
    if resolved.problem is not None and resolved.problem.code == "NotImplemented":
        setup = str(resolved.problem.facts["setup"])
        values: dict[str, Any] = {
            "setup": setup,
            "reason": "NotImplemented",
            "left": "Nothing was written for this object.",
        }
        return Told("SetupNotReady", reasons.message("SetupNotReady", **values))
    if resolved.problem is not None:
        return problem_told(resolved.problem)
    if resolved.error is not None:
        return error_told(resolved.error)
    return Told("Progressing", reasons.message("Progressing", generation=0))


def _really_bound(decision: Decision, outcome: Outcome) -> Any:
    failed = {
        (f.action.namespace, f.action.name)
        for f in outcome.failures
        if isinstance(f.action, do.CreateServiceAccount | do.PatchServiceAccount)
    }
    if outcome.stopped:
        pending = {(a.namespace, a.name) for a in decision.plan.actions if isinstance(a, do.CreateServiceAccount)}
        failed |= pending - {(a.namespace, a.name) for a in outcome.done if isinstance(a, do.KubeAction)}
    return tuple(b for b in decision.bound if (b.namespace, b.name) not in failed)


def _describes(irsa: IRSA) -> bool:
    """Whether the object manages what a sweep alone doesn't show."""
    wanted = irsa.spec.iam_role if irsa.spec is not UNSET else None
    managed = set(irsa.status.role.managed)
    if managed & {"description", "maxSessionDurationSeconds"}:
        return True
    return wanted is not None and (wanted.description is not UNSET or wanted.max_session_duration_seconds is not UNSET)


def _spec_role(irsa: IRSA) -> str:
    return irsa.spec.iam_role.name if irsa.spec is not UNSET else ""


def _role_names(irsa: IRSA) -> list[str]:
    found = [_spec_role(irsa), irsa.status.role.name, *(r.name for r in irsa.status.retired_roles)]
    return list(dict.fromkeys(name for name in found if name))


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
