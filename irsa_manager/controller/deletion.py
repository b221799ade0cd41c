"""The end of an object: everything of ours goes, in the order that lets nobody in meanwhile, then the finalizer."""

from __future__ import annotations

import structlog
from msgspec import UNSET

from irsa_manager.api import names
from irsa_manager.api.errors import AwsError
from irsa_manager.api.irsa import IRSA
from irsa_manager.controller import status as statuses
from irsa_manager.controller import undecided
from irsa_manager.controller.carry_out import Outcome
from irsa_manager.controller.clock import now
from irsa_manager.controller.context import Context
from irsa_manager.controller.cut_off import carry_out
from irsa_manager.controller.given_back import unseen
from irsa_manager.controller.in_use import in_use, still_on_it
from irsa_manager.controller.intents import claim
from irsa_manager.controller.looking import doubted, see
from irsa_manager.controller.telling import error_told, failure_told, problem_told
from irsa_manager.controller.trouble import (
    SOON_SECONDS,
    STALLED_SECONDS,
    UNREADY_SECONDS,
    other_account,
    role_names,
    spec_role,
    unproved,
    unresolved,
)
from irsa_manager.controller.workers import TryAgain
from irsa_manager.plan import actions as do
from irsa_manager.plan.actions import Plan
from irsa_manager.plan.facts import ClusterFacts, Situation
from irsa_manager.plan.mark import Whose
from irsa_manager.plan.own_roles import marked_roles
from irsa_manager.plan.ownership import upstreams, vouched
from irsa_manager.plan.planner import incomplete
from irsa_manager.plan.problems import left_unproved
from irsa_manager.plan.removal import decide_deletion, decide_release

log = structlog.get_logger("irsa_manager.controller")


class Deletion:
    """Removes what an object made."""

    def __init__(self, context: Context) -> None:
        self._c = context
        self._roles = context.view.roles

    async def delete(self, irsa: IRSA) -> float | None:
        """One step towards the object's end; after how many seconds to look again."""
        if names.FINALIZER not in irsa.metadata.finalizers:
            return None
        at = now()
        if irsa.spec is not UNSET and irsa.spec.suspend:
            await self._c.reporter.write_status(irsa, undecided.suspended(irsa, at))
            return None
        if irsa.spec is UNSET or not irsa.spec.cleanup or incomplete(irsa.spec):
            if irsa.status.role.name:
                self._c.reporter.event(
                    irsa, "RoleReleased", role=irsa.status.role.name, account=irsa.status.role.account_id
                )
            await self._let_go(irsa)
            return None
        resolved = self._c.resolved()
        try:
            facts = resolved.facts or await self._facts_of_status(irsa) or await self._facts_of_caller()
        except AwsError:
            await self._c.reporter.write_status(irsa, undecided.deleting(irsa, [unresolved(resolved)], at))
            return UNREADY_SECONDS
        elsewhere = other_account(irsa, facts, self._c.keys)
        if elsewhere is not None:
            await self._c.reporter.write_status(irsa, undecided.deleting(irsa, [elsewhere], at))
            self._c.reporter.warn(irsa, elsewhere)
            return STALLED_SECONDS
        unread = await self._look(irsa, facts)
        irsa = await claim(self._c, irsa, facts, at)
        situation = self._c.view.situation(irsa, facts, self._c.keys)
        if await unseen(self._c, irsa, situation):
            return SOON_SECONDS
        decision = decide_deletion(irsa, situation)
        plan = decision.plan if unread is None else Plan(tuple(a for a in decision.plan.actions if _disarms(a)))
        outcome = await carry_out(self._c, irsa, plan)
        self._c.reporter.tell(irsa, outcome, facts.account, None)
        if unread is not None and not outcome.failures:
            await self._c.reporter.write_status(irsa, undecided.deleting(irsa, [error_told(unread)], at))
            raise TryAgain(unread.code, unread.message) from unread
        if not outcome.failures and not outcome.outrun:
            if self._may_appear(irsa):
                # A create whose answer was lost may still come to light: IAM shows writes late.
                return SOON_SECONDS
            if await self._doubted(irsa, facts, situation):
                return SOON_SECONDS
            for problem in left_unproved(irsa, situation):
                self._c.reporter.say(irsa, problem_told(problem))
            await self._let_go(irsa)
            return None
        if outcome.role_gone:
            await self._look_again(irsa, facts, outcome)
        if outcome.outrun and not outcome.failures:
            return 0.5
        return await self._deletion_waits(irsa, outcome, at)

    async def release(self, irsa: IRSA) -> float | None:
        """Let the object go with everything as it is; an adopted role gets back what it had."""
        at = now()
        adopted = irsa.status.adoption is not UNSET
        if adopted:
            facts = self._c.resolved().facts or await self._facts_of_status(irsa)
            if facts is None:
                await self._c.reporter.write_status(irsa, undecided.unjudged(irsa, unresolved(self._c.resolved()), at))
                return UNREADY_SECONDS
            told = other_account(irsa, facts, self._c.keys)
            if told is None:
                await see(self._c, irsa, facts, irsa.status.role.name)
                situation = self._c.view.situation(irsa, facts, self._c.keys)
                told = unproved(irsa, situation)
            if told is not None:
                await self._c.reporter.write_status(irsa, undecided.unjudged(irsa, told, at))
                self._c.reporter.warn(irsa, told)
                return STALLED_SECONDS
            decision = decide_release(irsa, situation)
            outcome = await carry_out(self._c, irsa, decision.plan)
            self._c.reporter.tell(irsa, outcome, facts.account, None)
            if outcome.failures:
                return await self._deletion_waits(irsa, outcome, at)
            if await self._doubted(irsa, facts, situation):
                return SOON_SECONDS
        held = names.FINALIZER in irsa.metadata.finalizers
        role = irsa.status.role
        if role.name and (held or adopted):
            self._c.reporter.event(irsa, "RoleReleased", role=role.name, account=role.account_id)
        irsa = await self._c.reporter.write_status(irsa, statuses.given_up(irsa, at))
        if held:
            await self._let_go(irsa)
        return None

    async def _look(self, irsa: IRSA, facts: ClusterFacts) -> AwsError | None:
        """Look for the object's roles that aren't known; what went wrong. What is known has to be shut all the same.

        IAM's answer, not the snapshot's: the finalizer goes only if it is true that nothing is left. A name that only a
        status says that nobody vouches for holds nothing up: whoever may write the status could keep his role by it.
        """
        account, keys = facts.account, self._c.keys
        signed = vouched(irsa.status, irsa.key, account, keys) or upstreams(irsa, facts.operator_namespace)
        wrong: AwsError | None = None
        for name in role_names(irsa):
            if self._roles.get(name) is None:
                try:
                    await see(self._c, irsa, facts, name)
                except AwsError as error:
                    if signed or name == spec_role(irsa):
                        wrong = wrong or error
                    else:
                        log.debug("passed over, since only the status names it", role=name, object=f"IRSA {irsa.key}")
        return wrong

    async def _doubted(self, irsa: IRSA, facts: ClusterFacts, situation: Situation) -> bool:
        """Whether an adopted role that seems to be given back may still have something of ours. Raises AwsError.

        What it had is forgotten with the object.
        """
        adopted = marked_roles(irsa, situation, (Whose.ADOPTED,))
        named = [irsa.status.role.name] if irsa.status.adoption is not UNSET else []
        return any([await doubted(self._c, irsa, facts, name) for name in {*(r.name for r in adopted), *named}])

    def _may_appear(self, irsa: IRSA) -> bool:
        # A role's name is in the status before the role is made.
        noted = {role.name.lower() for role in (irsa.status.role, *irsa.status.retired_roles)}
        return any(
            self._roles.get(name) is None and self._roles.may_appear(name, noted=name.lower() in noted)
            for name in role_names(irsa)
        )

    async def _look_again(self, irsa: IRSA, facts: ClusterFacts, outcome: Outcome) -> None:
        """Somebody has deleted a role since it was last seen: see that."""
        for failure in outcome.failures:
            if isinstance(failure.action, do.AwsAction):
                name = failure.action.role
                await see(self._c, irsa, facts, name)

    async def _deletion_waits(self, irsa: IRSA, outcome: Outcome, at: str) -> float | None:
        for failure in outcome.failures:
            if in_use(failure) and await still_on_it(self._c.aws, self._roles, failure):
                raise TryAgain("RoleInUse", "The role has policies that weren't known; they are taken off next.")
        told = [failure_told(failure, outcome.done, None) for failure in outcome.failures]
        await self._c.reporter.write_status(irsa, undecided.deleting(irsa, told, at))
        for each in told:
            self._c.reporter.warn(irsa, each)
        raise TryAgain(told[0].code, told[0].message)

    async def _facts_of_caller(self) -> ClusterFacts:
        """Enough to look for a role of ours and to let go, where the cluster's issuer was never found."""
        identity = await self._c.aws.identity()
        return ClusterFacts(identity.partition, identity.account, "", "", "", self._c.operator_namespace)

    async def _facts_of_status(self, irsa: IRSA) -> ClusterFacts | None:
        """Enough to delete by, where the setup is gone but the issuer is known. Raises AwsError.

        The account is the credentials' own: whether the role is in it is for other_account to say.
        """
        if self._c.resolved().error is not None or not irsa.status.issuer:
            return None
        identity = await self._c.aws.identity()
        return ClusterFacts(
            partition=identity.partition,
            account=identity.account,
            issuer=irsa.status.issuer,
            host=irsa.status.issuer.removeprefix("https://"),
            cluster="",
            operator_namespace=self._c.operator_namespace,
        )

    async def _let_go(self, irsa: IRSA) -> None:
        await self._c.set_finalizers(irsa, [f for f in irsa.metadata.finalizers if f != names.FINALIZER])
        if irsa.metadata.deleting:
            self._c.view.let_go(irsa)
        self._c.wake(self._c.view.role_changed(spec_role(irsa)) - {irsa.key})
        log.info("let go", object=f"IRSA {irsa.key}")


def _disarms(action: do.AwsAction | do.KubeAction) -> bool:
    """Whether an action of a deletion's plan lets fewer in."""
    return isinstance(action, do.UpdateTrust)
