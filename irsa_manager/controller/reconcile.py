"""One object at a time: look, decide, act, tell.

Level-triggered: whatever woke it, a reconcile compares the object with what is there and does what is missing. It
returns after how many seconds to look again, or None; what it raises is retried with back-off by the worker.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import structlog
from msgspec import UNSET
from msgspec.structs import replace

from irsa_manager.api import names, reasons
from irsa_manager.api.errors import AwsError, AwsExists, IrsaError, KubernetesError
from irsa_manager.api.irsa import IRSA
from irsa_manager.controller import foretelling, undecided
from irsa_manager.controller import status as statuses
from irsa_manager.controller.carry_out import Failure
from irsa_manager.controller.clock import now as time_now
from irsa_manager.controller.concluding import REWRITE_SECONDS, Conclusion
from irsa_manager.controller.context import Context
from irsa_manager.controller.cut_off import carry_out
from irsa_manager.controller.deletion import Deletion
from irsa_manager.controller.given_back import lately, unseen
from irsa_manager.controller.intents import claim, intended
from irsa_manager.controller.looking import doubted, look_for, see
from irsa_manager.controller.telling import Told, error_told, failure_told, problem_told
from irsa_manager.controller.trouble import (
    SOON_SECONDS,
    STALLED_SECONDS,
    UNREADY_SECONDS,
    describes,
    other_account,
    role_names,
    spec_role,
    unresolved,
)
from irsa_manager.controller.workers import TryAgain
from irsa_manager.kube.errors import KubeConflict, KubeNotFound, KubeThrottled, KubeUnavailable
from irsa_manager.kube.lease import LeadershipLost
from irsa_manager.kube.resources import IRSAS
from irsa_manager.plan import actions as do
from irsa_manager.plan.decision import Decision
from irsa_manager.plan.facts import ClusterFacts
from irsa_manager.plan.observed import ObservedRole
from irsa_manager.plan.ownership import noted, upstreams, vouched
from irsa_manager.plan.planner import decide, incomplete
from irsa_manager.plan.takeover import audiences_asked, left_by_upstream

log = structlog.get_logger("irsa_manager.controller")


class Reconciler:
    """Reconciles IRSAs."""

    def __init__(self, context: Context) -> None:
        self._c = context
        self._roles = context.view.roles
        self._deletion = Deletion(context)
        self._conclusion = Conclusion(context)
        self._rewritten: dict[str, float] = {}

    async def reconcile(self, key: str) -> float | None:
        """Make the object true, or say why it can't be."""
        irsa = self._c.view.newest(key)
        if irsa is None:
            self.forget(key)
            return None
        log.debug("looking at it", object=f"IRSA {key}", resourceVersion=irsa.metadata.resource_version)
        found, irsa = irsa, self._c.view.believed(irsa, self._c.keys)
        if found.status.record.mac and irsa is not found:
            log.warning("a status from before was put back: it proves nothing", object=f"IRSA {key}")
        try:
            if upstreams(irsa, self._c.operator_namespace) and not noted(irsa):
                irsa = await self._c.reporter.write_status(irsa, foretelling.noting(irsa))
            if irsa.metadata.annotations.get(names.ANNOTATION_RELEASE) == "true":
                return await self._deletion.release(irsa)
            if irsa.metadata.deleting:
                return await self._deletion.delete(irsa)
            return await self._live(irsa)
        except (TryAgain, LeadershipLost):
            raise
        except (KubeConflict, KubeNotFound):
            # The object has moved on or gone: its next version is on its way through the watch.
            return 1.0
        except AwsError as error:
            # A read on the way that failed: what was decided before stands, and the status says what holds things up.
            irsa = self._c.view.newest(key) or irsa
            with suppress(KubeConflict, KubeNotFound):
                await self._c.reporter.write_status(irsa, undecided.unjudged(irsa, error_told(error), time_now()))
            raise TryAgain(error.code, error.message) from error
        except (KubeUnavailable, KubeThrottled) as error:
            # The client says once a minute that the server can't be reached; not every object besides.
            raise TryAgain(error.code, error.message) from error
        except IrsaError as error:
            # What nobody has thought of: the log has it, and whoever waits for the object must see it too.
            irsa = self._c.view.newest(key) or irsa
            with suppress(KubernetesError):
                await self._c.reporter.write_status(irsa, undecided.unjudged(irsa, error_told(error), time_now()))
            raise

    def forget(self, key: str) -> None:
        """The object is gone."""
        self._c.reporter.forget(key)
        self._rewritten.pop(key, None)

    async def _live(self, irsa: IRSA) -> float | None:
        held = await self._with_finalizer(irsa)
        if held is None:
            return None
        irsa = held
        now = time_now()
        facts = self._c.resolved().facts
        if facts is not None:
            self._c.view.claims(irsa, facts, self._c.keys)
        if irsa.spec is not UNSET and irsa.spec.suspend:
            await self._c.reporter.write_status(irsa, undecided.suspended(irsa, now))
            return None
        lacking = incomplete(irsa.spec)
        if lacking:
            text = f"{lacking} is missing; nothing can be done without it."
            values: dict[str, Any] = {"role": "of this object", "error": text, "next_try": "when it is there"}
            told = Told("IRSAFailedRoleUpdate", reasons.message("IRSAFailedRoleUpdate", **values))
            await self._c.reporter.write_status(irsa, undecided.unjudged(irsa, told, now))
            return None
        resolved = self._c.resolved()
        if resolved.facts is None:
            await self._c.reporter.write_status(irsa, undecided.unjudged(irsa, unresolved(resolved), now))
            return UNREADY_SECONDS
        elsewhere = other_account(irsa, resolved.facts, self._c.keys)
        if elsewhere is not None:
            await self._c.reporter.write_status(irsa, undecided.unjudged(irsa, elsewhere, now))
            self._c.reporter.warn(irsa, elsewhere)
            return STALLED_SECONDS
        return await self._make_true(irsa, resolved.facts, now)

    async def _make_true(self, irsa: IRSA, facts: ClusterFacts, now: str) -> float | None:
        spec = irsa.spec
        assert spec is not UNSET  # noqa: S101  (incomplete() was asked)
        try:
            await self._look_at_roles(irsa, facts, deeply=describes(irsa))
        except AwsError as error:
            await self._c.reporter.write_status(irsa, undecided.unjudged(irsa, error_told(error), now))
            raise TryAgain(error.code, error.message) from error
        perhaps_ours = intended(irsa, facts, self._c.keys, now)
        irsa = await claim(self._c, irsa, facts, now)
        situation = self._c.view.situation(irsa, facts, self._c.keys)
        moving = left_by_upstream(irsa, situation)
        if moving is not None:
            after = foretelling.taking_over(irsa, moving, audiences_asked(spec, situation), facts, self._c.keys)
            irsa = await self._c.reporter.write_status(irsa, after)
            situation = self._c.view.situation(irsa, facts, self._c.keys)
        rewrite = self._rewrite_due(irsa)
        decision = decide(irsa, situation, tagging=self._c.hands.tagging, rewrite=rewrite)
        takes = decision.adopting or decision.adopted
        if takes and lately(self._c, irsa, situation, now):
            return SOON_SECONDS
        # What is refused is told at once, unless it writes.
        if (takes or decision.plan.actions) and await unseen(self._c, irsa, situation, decision):
            return SOON_SECONDS
        if decision.ready_problem is not None:
            told = problem_told(decision.ready_problem)
            outcome = await carry_out(self._c, irsa, decision.plan)
            self._c.reporter.tell(irsa, outcome, facts.account, None)
            await self._c.reporter.write_status(irsa, undecided.unjudged(irsa, told, now))
            self._c.reporter.warn(irsa, told)
            if outcome.transient is not None:
                # Who is gone must leave the trust, whatever else is denied.
                raise TryAgain(outcome.transient.code, outcome.transient.message) from outcome.transient
            return STALLED_SECONDS if outcome.failures else None
        if decision.giving_back:
            return await self._give_back(irsa, decision, facts, now)
        if decision.adopting and await self._otherwise(irsa, facts):
            return 0.0
        planned = irsa.metadata.generation
        irsa = await self._prepare(irsa, decision, facts, now)
        if irsa.metadata.generation != planned or irsa.metadata.deleting:
            # Changed meanwhile: what was planned isn't what is asked for any more.
            return 0.0
        outcome = await carry_out(self._c, irsa, decision.plan)
        taken = next((f for f in outcome.failures if isinstance(f.error, AwsExists)), None)
        if taken is not None:
            return await self._name_taken(irsa, taken, facts, perhaps_ours=perhaps_ours)
        if rewrite and not outcome.failures:
            self._rewritten[irsa.key] = time.monotonic()
        if decision.adopting and not outcome.stopped and decision.role is not None:
            self._c.reporter.event(irsa, "RoleAdopted", role=decision.role.name, account=facts.account)
        self._c.reporter.tell(irsa, outcome, facts.account, decision.desired.role.trust if decision.desired else None)
        return await self._conclusion.conclude(irsa, decision, outcome, facts, now)

    async def _otherwise(self, irsa: IRSA, facts: ClusterFacts) -> bool:
        """Whether the role that is about to be adopted isn't as it was seen last.

        What it has goes into the status to be given back, and its tags are its owner's consent: a sweep that was a
        minute ago isn't good enough for that.
        """
        name = spec_role(irsa)
        before = self._roles.get(name)
        found = await look_for(self._c, irsa, facts, name)
        self._roles.believe(name, found)
        return found != before

    async def _give_back(self, irsa: IRSA, decision: Decision, facts: ClusterFacts, now: str) -> float | None:
        """Give an adopted role back that the spec no longer adopts; what it had is forgotten only when that is done."""
        outcome = await carry_out(self._c, irsa, decision.plan)
        self._c.reporter.tell(irsa, outcome, facts.account, None)
        gone, name = outcome.role_gone, irsa.status.role.name
        if gone:
            await see(self._c, irsa, facts, gone)
        if outcome.failures:
            told = failure_told(outcome.failures[0], outcome.done, None)
            await self._c.reporter.write_status(irsa, undecided.unjudged(irsa, told, now))
            self._c.reporter.warn(irsa, told)
            raise TryAgain(told.code, told.message)
        if outcome.outrun:
            return 0.5
        if await doubted(self._c, irsa, facts, name):
            return SOON_SECONDS
        if self._roles.get(name) is not None:
            self._c.reporter.event(irsa, "RoleReleased", role=name, account=facts.account)
        await self._c.reporter.write_status(irsa, statuses.gave_back(irsa, decision, facts, self._c.keys, now))
        return 0.0

    async def _prepare(self, irsa: IRSA, decision: Decision, facts: ClusterFacts, now: str) -> IRSA:
        """What has to be in the status before the first write, so that a crash in between loses nothing."""
        after, actions = irsa.status, decision.plan.actions
        if (actions or decision.adopting) and decision.role_problem is None and not decision.referenced:
            after = foretelling.foretold(irsa, decision, facts, self._c.keys)
        creating = next((a for a in actions if isinstance(a, do.CreateRole)), None)
        if creating is not None and self._roles.unreadable:
            after = foretelling.intending(replace(irsa, status=after), creating.role, facts, self._c.keys, now)
        if actions and irsa.status.observed_generation != irsa.metadata.generation:
            after = undecided.progressing(replace(irsa, status=after), now)
        return await self._c.reporter.write_status(irsa, after)

    def _rewrite_due(self, irsa: IRSA) -> bool:
        """Whether what can't be read is to be written again: at the start, after a change, and every ten minutes."""
        written = self._rewritten.get(irsa.key)
        changed = irsa.status.observed_generation != irsa.metadata.generation
        return changed or written is None or time.monotonic() - written > REWRITE_SECONDS

    async def _look_at_roles(self, irsa: IRSA, facts: ClusterFacts, *, deeply: bool) -> None:
        """See that the object's roles are known: by a sweep, else by looking. deeply: all that a sweep omits."""
        known_to_us = vouched(irsa.status, irsa.key, facts.account, self._c.keys)
        denied = self._c.view.denied_anyhow(irsa, facts, self._c.keys)
        if denied and not known_to_us:
            # Nothing is its own, so nothing is withdrawn: whoever may have nothing makes us ask AWS for nothing.
            return
        perhaps_made = _perhaps_made(irsa) if known_to_us else set()
        deeply = deeply and not denied
        refers = not denied and irsa.spec is not UNSET and irsa.spec.iam_role.management_policy == "Reference"
        for name in role_names(irsa):
            role = self._roles.get(name)
            # One whose making wasn't answered may be there all the same, whatever the last sweep has shown.
            perhaps = role is None and name in perhaps_made
            unknown = not self._roles.known(name) or (self._probing(role) and self._roles.stale(name))
            # Whoever makes a role and then refers to it mustn't wait for the next sweep to hear that it is there.
            unknown = unknown or (role is None and refers and name == spec_role(irsa) and self._roles.stale(name))
            if perhaps or unknown or (deeply and role is not None and role.id and role.description is None):
                await see(self._c, irsa, facts, name)

    def _probing(self, role: ObservedRole | None) -> bool:
        """Whether all that can be known of a role is if it is there: then that is asked anew each time."""
        return not self._roles.complete and (role is None or not role.id)

    async def _name_taken(
        self, irsa: IRSA, failure: Failure, facts: ClusterFacts, *, perhaps_ours: bool
    ) -> float | None:
        """CreateRole met a role that the snapshot doesn't have: made since by somebody, or by us with a lost answer.

        perhaps_ours: an earlier run has tried to make it too, a moment ago. Else ours is the call that was refused.
        """
        name = failure.action.role if isinstance(failure.action, do.AwsAction) else ""
        found = await look_for(self._c, irsa, facts, name)
        if found is None:
            # Created, and not to be seen yet.
            raise TryAgain("AWSUnavailable", f"Role {name} exists but can't be read yet.") from failure.error
        mine = perhaps_ours and not found.id
        after = statuses.claimed(irsa, found, facts, self._c.keys) if mine else statuses.unclaimed(irsa)
        await self._c.reporter.write_status(irsa, after)
        if self._roles.saw(name, found):
            return 0.0
        raise TryAgain("AWSUnavailable", f"Role {name} is there for some calls and not for others.") from failure.error

    async def _with_finalizer(self, irsa: IRSA) -> IRSA | None:
        """The object with our finalizer; None where it is gone or going all the same.

        The API server removes an object whose deletion it had begun before the finalizer came, although it has
        acknowledged the finalizer (k8s.io/apiserver, Store.Delete). What was made for it would be left behind.
        """
        if names.FINALIZER in irsa.metadata.finalizers:
            return irsa
        await self._c.set_finalizers(irsa, [*irsa.metadata.finalizers, names.FINALIZER])
        found = await self._c.kube.get(IRSAS, irsa.metadata.namespace, irsa.metadata.name)
        if found is None or found.metadata.uid != irsa.metadata.uid or found.metadata.deleting:
            # Another one of that name may be there by now: the watch brings it, or the deletion.
            return None
        return found if names.FINALIZER in found.metadata.finalizers else None


def _perhaps_made(irsa: IRSA) -> set[str]:
    """Former names whose roles were on the way when the name was changed: the status has no id of them."""
    noted = {role.name for role in (irsa.status.role, *irsa.status.retired_roles) if role.name and not role.id}
    return noted - {spec_role(irsa)}
