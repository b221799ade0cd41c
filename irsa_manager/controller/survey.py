"""One look at cluster and account, for whoever isn't the controller and wants to decide as the controller would.

Commands and the demo fill the controller's own view from lists in place of watches; the plan is then made by the same
code from the same kind of Situation.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import UNSET, Struct
from msgspec.structs import replace

from irsa_manager.api import names
from irsa_manager.api.errors import AwsDenied
from irsa_manager.api.irsa import IRSA
from irsa_manager.aws.calls import Aws
from irsa_manager.aws.snapshot import sweep
from irsa_manager.controller.looking import look
from irsa_manager.controller.roles import RoleStore
from irsa_manager.controller.setup import Resolved, SetupResolver
from irsa_manager.controller.status import gave_back
from irsa_manager.controller.telling import Told, problem_told
from irsa_manager.controller.trouble import (
    describes,
    not_usable,
    other_account,
    role_arn,
    role_names,
    unproved,
    unresolved,
)
from irsa_manager.controller.view import ClusterView
from irsa_manager.kube.client import Kube
from irsa_manager.kube.resources import IRSAS, IRSASETUPS, NAMESPACES, SERVICE_ACCOUNTS, key_of
from irsa_manager.plan.actions import Plan
from irsa_manager.plan.decision import Decision
from irsa_manager.plan.effects import afterwards
from irsa_manager.plan.facts import Situation
from irsa_manager.plan.mark import MarkKeys
from irsa_manager.plan.planner import decide, incomplete
from irsa_manager.plan.removal import decide_deletion, decide_release


class Verdict(Struct, frozen=True):
    """What the controller would do for one object. decision: None where it would do nothing; then told says why.

    told: also what would be wrong although there is a plan.
    """

    key: str
    decision: Decision | None = None
    told: tuple[Told, ...] = ()
    note: str = ""

    @property
    def pending(self) -> bool:
        """Whether something is to be written, or something is wrong."""
        return bool(self.told) or (self.decision is not None and bool(self.decision.plan.actions))


def as_judged(irsa: IRSA) -> tuple[Verdict, bool]:
    """What the controller has said of the object, from its status; and whether it has judged this spec.

    For who may not look himself: the verdict is the controller's, of when it looked last.
    """
    ready = irsa.status.condition("Ready")
    judged = ready is not None and ready.observed_generation == irsa.metadata.generation and ready.status != "Unknown"
    if ready is None or not judged:
        return Verdict(irsa.key, note="the controller hasn't judged this spec"), False
    if ready.status == "True":
        return Verdict(irsa.key, note=f"the controller says {ready.reason}: {ready.message}"), True
    return Verdict(irsa.key, told=(Told(ready.reason, ready.message),), note="the controller says"), True


class Survey:
    """Cluster and account as they were when it was made. resolved: the facts; view: everything else."""

    def __init__(self, view: ClusterView, resolved: Resolved, keys: MarkKeys) -> None:
        self.view = view
        self.resolved = resolved
        self.keys = keys

    def situation(self, irsa: IRSA) -> Situation:
        """What the planner needs for one object; there must be facts."""
        assert self.resolved.facts is not None  # noqa: S101  (asked for by verdict())
        return self.view.situation(irsa, self.resolved.facts, self.keys)

    def verdict(self, irsa: IRSA) -> Verdict:
        """What the controller would do for the object now."""
        if irsa.metadata.annotations.get(names.ANNOTATION_RELEASE) == "true":
            return self._released(irsa)
        if irsa.metadata.deleting and names.FINALIZER not in irsa.metadata.finalizers:
            return Verdict(irsa.key, note="it is being deleted, and the controller doesn't hold it: nothing is written")
        if irsa.spec is not UNSET and irsa.spec.suspend:
            return Verdict(irsa.key, note="it is suspended: nothing is written")
        lacking = incomplete(irsa.spec)
        if irsa.metadata.deleting and (irsa.spec is UNSET or lacking or not irsa.spec.cleanup):
            return Verdict(irsa.key, note="it is being deleted, and everything that it made stays (cleanup: false)")
        if lacking:
            return Verdict(irsa.key, note=f"{lacking} is missing: nothing is written")
        facts = self.resolved.facts
        if facts is None:
            return Verdict(irsa.key, told=(unresolved(self.resolved),))
        elsewhere = other_account(irsa, facts, self.keys)
        if elsewhere is not None:
            return Verdict(irsa.key, told=(elsewhere,))
        if irsa.metadata.deleting:
            return Verdict(irsa.key, decide_deletion(irsa, self.situation(irsa)), note="it is being deleted")
        # What can't be read is written again when the object has changed.
        changed = irsa.status.observed_generation != irsa.metadata.generation
        return Verdict(irsa.key, *self._decided(self._in_full(irsa, self.situation(irsa), rewrite=changed)))

    def _in_full(self, irsa: IRSA, situation: Situation, *, rewrite: bool) -> Decision:
        """The plan to its end: when an adopted role is given back the controller decides again, by what is there then.

        Each time the status forgets what one role had, so that this ends.
        """
        decision = decide(irsa, situation, rewrite=rewrite)
        if not decision.giving_back:
            return decision
        after = gave_back(irsa, decision, situation.facts, self.keys, irsa.status.last_sync_time)
        rest = self._in_full(replace(irsa, status=after), afterwards(situation, decision.plan), rewrite=rewrite)
        return replace(rest, plan=Plan((*decision.plan.actions, *rest.plan.actions)))

    def _released(self, irsa: IRSA) -> Verdict:
        if irsa.status.adoption is UNSET:
            return Verdict(irsa.key, note="it is released (irsa-manager release): nothing is written")
        if self.resolved.facts is None:
            return Verdict(irsa.key, told=(unresolved(self.resolved),))
        held = other_account(irsa, self.resolved.facts, self.keys) or unproved(irsa, self.situation(irsa))
        if held is not None:
            return Verdict(irsa.key, told=(held,))
        decision = decide_release(irsa, self.situation(irsa))
        return Verdict(irsa.key, decision, note="it is released: its adopted role gets back what it had")

    def _decided(self, decision: Decision) -> tuple[Decision, tuple[Told, ...]]:
        """A living object's plan, and all that its conditions would say is wrong."""
        # In the order in which the condition Ready takes its reason from them.
        problems = (decision.ready_problem, decision.role_problem or decision.role_warning, decision.accounts_problem)
        told = [problem_told(problem) for problem in problems if problem is not None]
        unusable = not_usable(self.resolved) if decision.ready_problem is None else None
        return decision, (*told, *([unusable] if unusable is not None else []))


async def survey(
    kube: Kube, aws: Aws, namespace: str, keys: MarkKeys, *, setup: str = "", drafts: Iterable[IRSA] = ()
) -> Survey:
    """Look at cluster and account, for an operator of that namespace.

    setup: as --setup of the controller. drafts: objects as they are going to be, in the place of those that are there.
    Raises KubernetesError and AwsError; that the cluster's issuer can't be told is in `resolved`.
    """
    view = ClusterView(RoleStore())
    wanted = list(drafts)
    unreadable: set[str] = set()
    listed = await kube.list(IRSAS, on_unreadable=lambda each: unreadable.add(each.key))
    irsas = {irsa.key: irsa for irsa in [*listed, *wanted]}
    accounts = {key_of(a.metadata): a for a in await kube.list(SERVICE_ACCOUNTS)}
    view.irsas, view.unreadable_irsas, view.accounts = irsas, unreadable, accounts
    for space in await kube.list(NAMESPACES):
        view.namespace_changed(space.metadata.name, space)
    for key, irsa in irsas.items():
        view.irsa_changed(key, None, irsa)
    for key, account in accounts.items():
        view.account_changed(key, None, account)
    resolver = SetupResolver(kube, aws, namespace, setup)
    setups = await kube.list(IRSASETUPS)
    await _read_account(aws, view, wanted)
    resolved = await resolver.resolve(setups, view.roles.roles.values(), keys)
    if resolved.facts is None and resolved.error is not None:
        raise resolved.error
    made = Survey(view, resolved, keys)
    if resolved.facts is not None:
        await _look_closer(aws, made, wanted)
        for irsa in irsas.values():
            # Who holds a ServiceAccount can be told only once all claims are known.
            view.claims(irsa, resolved.facts, keys)
    return made


async def _read_account(aws: Aws, view: ClusterView, drafts: list[IRSA]) -> None:
    """All roles at once, where that is allowed."""
    try:
        snapshot = await sweep(aws, descriptions=any(describes(irsa) for irsa in drafts))
    except AwsDenied:
        view.roles.complete = False
        return
    view.roles.swept(snapshot.roles, snapshot.started_monotonic, described=snapshot.described)


async def _look_closer(aws: Aws, made: Survey, drafts: list[IRSA]) -> None:
    """What the sweep doesn't show, or all that is needed where there was none: role by role."""
    facts, roles = made.resolved.facts, made.view.roles
    assert facts is not None  # noqa: S101  (asked by the caller)
    for irsa in drafts:
        for name in role_names(irsa):
            known = roles.get(name)
            undescribed = known is not None and describes(irsa) and known.description is None
            if not roles.known(name) or (undescribed and known is not None and known.id):
                roles.saw(name, await look(aws, roles, name, role_arn(irsa, facts, name)))
        if roles.complete:
            continue
        # Who holds a ServiceAccount is told by the role that it is annotated with.
        for account in made.situation(irsa).service_accounts.values():
            bound_to = account.annotations.get(names.ANNOTATION_ROLE_ARN, "")
            name = bound_to.rpartition("/")[2]
            if name and not roles.known(name):
                roles.saw(name, await look(aws, roles, name, bound_to))
