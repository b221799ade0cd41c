"""What a living object's status says after its plan was carried out, and when to look at it again."""

from __future__ import annotations

from functools import partial
from typing import Any

from msgspec.structs import replace

from irsa_manager.api import reasons
from irsa_manager.api.irsa import IRSA, BoundServiceAccount
from irsa_manager.controller import status as statuses
from irsa_manager.controller.carry_out import TAGGING, Outcome
from irsa_manager.controller.clock import seconds_since
from irsa_manager.controller.context import Context
from irsa_manager.controller.in_use import in_use, still_on_it
from irsa_manager.controller.looking import doubted, see
from irsa_manager.controller.telling import Told, failure_told, problem_told
from irsa_manager.controller.trouble import SOON_SECONDS, STALLED_SECONDS, not_usable
from irsa_manager.controller.workers import TryAgain
from irsa_manager.plan import actions as do
from irsa_manager.plan.decision import Decision
from irsa_manager.plan.desired import DesiredRole
from irsa_manager.plan.facts import ClusterFacts
from irsa_manager.plan.observed import ObservedRole

REWRITE_SECONDS = 600.0
"""How often what can't be read is written again."""


class Conclusion:
    """Judges what came of plans."""

    def __init__(self, context: Context) -> None:
        self._c = context
        self._roles = context.view.roles

    async def conclude(
        self, irsa: IRSA, decision: Decision, outcome: Outcome, facts: ClusterFacts, now: str
    ) -> float | None:
        """Write the status; after how many seconds to look again, None: only when something changes.

        Raises TryAgain where something didn't work that may work soon, and KubernetesErrors of the status.
        """
        desired = decision.desired
        assert desired is not None  # noqa: S101  (of a living object)
        role = self._roles.get(desired.role.name)
        role_told = problem_told(decision.role_problem) if decision.role_problem else None
        accounts_told = problem_told(decision.accounts_problem) if decision.accounts_problem else None
        bound = self._really_bound(decision, outcome)
        for failure in outcome.failures:
            if in_use(failure) and await still_on_it(self._c.aws, self._roles, failure):
                raise TryAgain("RoleInUse", "An old role has policies that weren't known; they are taken off next.")
            told = failure_told(failure, outcome.done, desired.role, role, outcome.failures, len(bound))
            if isinstance(failure.action, do.AwsAction):
                if isinstance(failure.action, do.TagRole | do.UntagRole) and not self._c.hands.tagging:
                    continue
                role_told = role_told or told
            else:
                accounts_told = accounts_told or told
        if decision.role_warning is not None:
            role_told = role_told or problem_told(decision.role_warning)
        gone = outcome.role_gone
        if gone and not self._roles.settling(gone):
            # Deleted behind our back since the last sweep, maybe the old role of a rename: look, and go on from there.
            if await see(self._c, irsa, facts, gone):
                return 0.0
            raise TryAgain("AWSUnavailable", f"Role {gone} is there for some calls and not for others.")
        if role is not None and role_told is None and not self._c.hands.tagging:
            role_told = self._untagged(desired.role, role)
        if role is None and role_told is None:
            # It went while we worked on it: nothing may be said to be ready that isn't there.
            raise TryAgain("AWSUnavailable", f"Role {desired.role.name} can't be seen any more.")
        fresh = any(isinstance(a, do.CreateRole) for a in outcome.done)
        settling = statuses.SETTLE_SECONDS if fresh else self._still_settling(irsa, now)
        ready_told = not_usable(self._c.resolved())
        outrun = outcome.outrun and not outcome.failures
        judged = partial(
            statuses.judged,
            irsa,
            replace(decision, bound=bound, old_roles=self._still_there(decision)),
            role,
            facts,
            self._c.keys,
            role_told=role_told,
            accounts_told=accounts_told,
            ready_told=ready_told,
            settling=settling > 0.0,
            notes=self._notes(desired.role, role),
            changed=bool(outcome.done),
            unanswered=outcome.unanswered,
            now=now,
        )
        whole = not outcome.failures and not outcome.outrun
        after = judged(whole=whole)
        # What is to be taken back stays on record until IAM shows all that a process before this one may have written.
        kept = judged(whole=whole, doubtful=True) if self._roles.doubtful(desired.role.name) else after
        doubted_ = kept != after and await doubted(self._c, irsa, facts, desired.role.name)
        after = kept if doubted_ else after
        if outrun:
            # Not all of it was done: what was said before, be it only that it is in progress, still holds.
            said = irsa.status
            after = replace(after, conditions=said.conditions, observed_generation=said.observed_generation)
        await self._c.reporter.write_status(irsa, after)
        if outrun:
            return 0.5
        if role_told is None and accounts_told is None and ready_told is None:
            self._c.reporter.forget(irsa.key)
        for wrong in (role_told, accounts_told, ready_told):
            if wrong is not None:
                self._c.reporter.warn(irsa, wrong)
        if outcome.transient is not None or outcome.role_gone:
            error = outcome.transient or outcome.failures[0].error
            raise TryAgain(error.code, error.message) from error
        if outcome.outrun:
            return 0.5
        if outcome.failures:
            return STALLED_SECONDS
        if decision.role_problem is not None and outcome.done:
            # What stood in the way may be gone now.
            return 0.0
        if doubted_:
            return max(SOON_SECONDS, self._roles.certain_in(desired.role.name))
        if settling:
            return settling
        blind = role is not None and None in (role.trust, role.attached, role.inline)
        return REWRITE_SECONDS + 1 if blind else None

    def _notes(self, desired: DesiredRole, role: ObservedRole | None) -> list[str]:
        """What is missing that the work goes on without, and what it is for."""
        notes = [statuses.BLIND] if self._roles.unreadable else [statuses.SINGLY] if self._roles.singly else []
        tags = (role.tags if role is not None else None) or {}
        untagged = not self._c.hands.tagging and not desired.own_tags.items() <= tags.items()
        return [*notes, statuses.UNTAGGED] if untagged else notes

    def _really_bound(self, decision: Decision, outcome: Outcome) -> tuple[BoundServiceAccount, ...]:
        """The ServiceAccounts that are bound now: those whose binding succeeded, and those whose release didn't yet."""
        done = {(a.namespace, a.name) for a in outcome.done if isinstance(a, do.KubeAction)}
        undone = {(a.namespace, a.name) for a in decision.plan.actions if isinstance(a, do.KubeAction)} - done
        wanted = {(b.namespace, b.name) for b in decision.bound}
        before = {(b.namespace, b.name): b for b in decision.before.service_accounts}
        still = {key for key in undone if key in before and self._c.view.points(key)}
        bound = [b for b in decision.bound if (b.namespace, b.name) not in undone - still]
        return tuple(sorted([*bound, *(before[key] for key in still - wanted)]))

    @staticmethod
    def _untagged(desired: DesiredRole, role: ObservedRole) -> Told | None:
        """What is wrong where tags can't be written: nothing, unless the spec asks for some that aren't there."""
        found = {key.lower(): value for key, value in (role.tags or {}).items()}
        if all(found.get(key.lower()) == value for key, value in desired.tags.items()):
            return None
        values: dict[str, Any] = {
            "action": TAGGING,
            "principal": "the manager's identity",
            "resource": role.arn,
            "done": "everything but the tags",
        }
        return Told("PermissionMissing", reasons.message("PermissionMissing", **values))

    def _still_there(self, decision: Decision) -> tuple[ObservedRole, ...]:
        """Of a rename's old roles those that the plan didn't get rid of."""
        return tuple(role for role in decision.old_roles if self._roles.get(role.name) is not None)

    def _still_settling(self, irsa: IRSA, now: str) -> float:
        """For how many seconds what the status says is still true: that the role is new. 0.0 where it isn't."""
        ready = irsa.status.condition("Ready")
        if ready is None or statuses.SETTLING not in ready.message or not irsa.status.last_sync_time:
            return 0.0
        since = seconds_since(irsa.status.last_sync_time, now)
        if since is None:
            return 0.0
        return min(max(statuses.SETTLE_SECONDS - since, 0.0), statuses.SETTLE_SECONDS)
