"""From a living object and what was looked at to a plan. Pure: the one path that every command and the controller walk.

Order of a plan: role (narrowing first), ServiceAccounts bound, ServiceAccounts released after their subjects have
left the trust, old roles of a rename last.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from irsa_manager.api.irsa import IRSA, IRSASpec, IRSAStatus
from irsa_manager.api.status_fields import MAX_RETIRED
from irsa_manager.plan import diff_accounts, diff_role, problems
from irsa_manager.plan.actions import AwsAction, KubeAction, Plan, UpdateTrust
from irsa_manager.plan.adoption import what_it_had
from irsa_manager.plan.bindings import held_by_others, with_accounts
from irsa_manager.plan.decision import Decision, Problem
from irsa_manager.plan.desired import Desired, desire, disarmed
from irsa_manager.plan.facts import Situation
from irsa_manager.plan.mark import Whose
from irsa_manager.plan.namespaces import NOWHERE, Reach, is_glob, resolve
from irsa_manager.plan.observed import ObservedRole
from irsa_manager.plan.own_roles import given_back, marked_roles, released
from irsa_manager.plan.ownership import adoptable, entry, marked, trusted_status, verdict
from irsa_manager.plan.takeover import kept_audiences
from irsa_manager.plan.tenancy import Denied, Permit, judge
from irsa_manager.trust import arn
from irsa_manager.trust.document import subjects, too_deep, without
from irsa_manager.trust.evaluate import Token, evaluate, suggest


def decide(irsa: IRSA, situation: Situation, *, tagging: bool = True, rewrite: bool = False) -> Decision:
    """The plan that makes a living object true. The spec must be complete (see incomplete).

    tagging: whether tags are written. rewrite: write what can't be read, since it is time or the object changed.
    """
    spec = irsa.spec
    assert spec is not UNSET  # noqa: S101  (incomplete() was asked first)
    facts = situation.facts
    observed = situation.roles.get(spec.iam_role.name.lower())
    owner = _whose(irsa, observed, situation)
    status = trusted_status(irsa.status, irsa.key, facts.account, situation.keys)
    permit = _permit(irsa, status, observed, situation, mine=owner.mine)
    if isinstance(permit, Denied):
        return Decision(
            plan=Plan(_withdrawn(irsa, observed, owner, situation)),
            role=observed if owner.mine else None,
            ready_problem=problems.denied(permit, irsa),
            bound=irsa.status.service_accounts,
        )
    forbidden = problems.forbidden(spec, facts)
    if forbidden is not None:
        own = spec.iam_role.name.lower() == facts.own_role.lower()
        return Decision(
            plan=Plan(() if own else _withdrawn(irsa, observed, owner, situation)),
            # Who concludes has to know which role is meant.
            desired=desire(spec, irsa.key, situation, current=observed if owner.mine else None),
            role=observed if owner.mine else None,
            role_problem=forbidden,
            bound=irsa.status.service_accounts,
        )
    policy = spec.iam_role.management_policy
    if policy == "Reference":
        return _referenced(irsa, spec, observed, situation)
    adopting = (
        policy == "Adopt"
        and observed is not None
        and adoptable(observed, owner, irsa, facts.account, situation.keys, situation.objects)
    )
    kind = Whose.ADOPTED if adopting or owner is Whose.ADOPTED else Whose.MINE
    desired = desire(
        spec,
        irsa.key,
        situation,
        current=observed if owner.mine or adopting else None,
        kind=kind,
        audiences=kept_audiences(irsa, status, situation),
        boundary=permit.boundary or "",
    )
    deep = next((name for name, document in spec.inline_policies.items() if too_deep(document)), "")
    if deep:
        return Decision(
            plan=Plan(_withdrawn(irsa, observed, owner, situation)),
            desired=desired,
            role=observed if owner.mine else None,
            role_problem=problems.too_deep(deep, spec.iam_role.name),
            bound=irsa.status.service_accounts,
        )
    if observed is not None and not owner.mine and not adopting:
        problem = problems.not_mine(observed, owner, irsa, situation)
        return Decision(
            plan=Plan(), desired=desired, role=observed, role_problem=problem, bound=irsa.status.service_accounts
        )
    if situation.rival and (observed is None or adopting):
        problem = problems.held(f"Role {spec.iam_role.name}", situation.rival, irsa, facts)
        return Decision(plan=Plan(), desired=desired, role_problem=problem, bound=irsa.status.service_accounts)
    accounts = desired.service_accounts
    if observed is None and accounts and all(account.key in situation.holders for account in accounts):
        # A role that nobody could use would only be in somebody's way.
        others = held_by_others(irsa, desired, situation, "Nothing was written for this object.")
        return Decision(plan=Plan(), desired=desired, role_problem=others, bound=irsa.status.service_accounts)
    old = _old_roles(irsa, situation)
    if len(old) > MAX_RETIRED:
        return _too_many_old(irsa, desired, situation, old)
    return _own(irsa, status, desired, observed, situation, kind, adopting, tagging=tagging, rewrite=rewrite)


def _too_many_old(irsa: IRSA, desired: Desired, situation: Situation, old: tuple[ObservedRole, ...]) -> Decision:
    """Get rid of roles of earlier renames first; the role that was the object's last stays as it is until then."""
    last = irsa.status.role.name.lower()
    actions: list[AwsAction] = []
    for role in (role for role in old if role.name.lower() != last):
        actions += diff_role.disarm(role, disarmed(role, irsa.key, situation), "the role was renamed")
        actions += diff_role.remove(role, f"renamed to {desired.role.name}", entry(irsa.status, role.name))
    return Decision(
        plan=Plan(tuple(actions)),
        desired=desired,
        role_problem=problems.too_many_old(len(old), desired.role.name),
        bound=irsa.status.service_accounts,
    )


def permitted(irsa: IRSA, situation: Situation) -> bool:
    """Whether tenancy lets the object have what it asks for. The spec must be complete (see incomplete)."""
    assert irsa.spec is not UNSET  # noqa: S101  (incomplete() was asked first)
    observed = situation.roles.get(irsa.spec.iam_role.name.lower())
    status = trusted_status(irsa.status, irsa.key, situation.facts.account, situation.keys)
    mine = _whose(irsa, observed, situation).mine
    # More to reach is never less to deny: what is denied as it is written needs no walk through all namespaces.
    if isinstance(_permit(irsa, status, observed, situation, mine=mine, reach=NOWHERE), Denied):
        return False
    return isinstance(_permit(irsa, status, observed, situation, mine=mine), Permit)


def _withdrawn(irsa: IRSA, observed: ObservedRole | None, owner: Whose, situation: Situation) -> tuple[AwsAction, ...]:
    """What the role of an object for which nothing else is done must lose all the same: subjects of namespaces that
    are gone. Whoever makes such a namespace again would have the role.
    """
    if observed is None or not owner.mine:
        return ()
    facts = situation.facts
    own = arn.provider_arn(facts.partition, facts.account, facts.host)
    living = {name for name, fact in situation.namespaces.items() if not fact.terminating}
    gone = {
        (provider, subject)
        for provider, subject in subjects(observed.trust)
        if provider == own
        and (parts := subject.split(":"))[:2] == ["system", "serviceaccount"]
        and len(parts) == 4
        and not is_glob(parts[2])
        and parts[2] not in living
    }
    if not gone:
        return ()
    narrowed = without(observed.trust, gone) if observed.trust is not None else None
    trust = narrowed or disarmed(observed, irsa.key, situation, owner)
    return (UpdateTrust(role=observed.name, reason="a namespace that it trusted is gone", trust=trust),)


def _whose(irsa: IRSA, observed: ObservedRole | None, situation: Situation) -> Whose:
    if observed is None:
        return Whose.MINE
    facts = situation.facts
    return verdict(irsa, observed, facts.account, situation.keys, facts.operator_namespace)


def _permit(
    irsa: IRSA,
    status: IRSAStatus,
    observed: ObservedRole | None,
    situation: Situation,
    *,
    mine: bool,
    reach: Reach | None = None,
) -> Permit | Denied:
    facts, spec = situation.facts, irsa.spec
    assert spec is not UNSET  # noqa: S101  (incomplete() was asked)
    if reach is None:
        reach = resolve(spec.service_account, situation.namespaces, facts.operator_namespace)
    home = situation.namespaces.get(irsa.metadata.namespace)
    return judge(
        irsa,
        facts.tenancy,
        home.labels if home else None,
        reach=reach,
        default_path=facts.role_defaults.path,
        operator_namespace=facts.operator_namespace,
        partition=facts.partition,
        account=facts.account,
        cluster_uid=facts.cluster_uid,
        setup=facts.setup,
        role=observed,
        role_is_mine=mine and observed is not None,
        role_is_marked=observed is not None and marked(observed, irsa.key, facts.account, situation.keys).mine,
        kept=frozenset(status.kept_bindings),
    )


def _own(
    irsa: IRSA,
    status: IRSAStatus,
    desired: Desired,
    observed: ObservedRole | None,
    situation: Situation,
    kind: Whose,
    adopting: bool,
    *,
    tagging: bool,
    rewrite: bool,
) -> Decision:
    """The plan for a role that this object makes, has made, has adopted or adopts now."""
    name = desired.role.name.lower()
    renamed = [r for r in marked_roles(irsa, situation, (Whose.ADOPTED,)) if r.name.lower() != name]
    left = status.adoption is not UNSET and status.role.name.lower() != name
    back = _back_first(irsa, status, desired, situation, renamed, f"renamed to {desired.role.name}", left=left)
    if back is not None:
        return back
    adoption = what_it_had(status, desired.role, observed, kind, adopting=adopting)
    inline_before = status.role.inline_policies
    actions: list[AwsAction | KubeAction] = []
    if observed is None:
        actions += diff_role.create(desired.role, tagging=tagging)
    else:
        actions += diff_role.update(
            desired.role,
            observed,
            managed_before=status.role.managed,
            inline_before=inline_before,
            quota=situation.facts.policy_quota,
            tagging=tagging,
            had=adoption,
            attached_before=irsa.status.role.attached_policies,
            trust_written=irsa.status.role.trust_policy_sha256,
            rewrite=rewrite,
            adopting=adopting,
        )
    old = _old_roles(irsa, situation)
    decision = with_accounts(irsa, status, desired, situation, actions, old, observed, adoption, inline_before)
    # One that was begun before a crash is in the status already.
    adopting = adopting and adoption != status.adoption
    return replace(decision, adopting=adopting, adopted=kind is Whose.ADOPTED)


def _back_first(
    irsa: IRSA,
    status: IRSAStatus,
    desired: Desired,
    situation: Situation,
    adopted: list[ObservedRole],
    why: str,
    *,
    left: bool,
) -> Decision | None:
    """What gives adopted roles back that the spec no longer adopts; None where there is nothing to give back.

    left: the status still remembers what such a role had. There may be nothing to do any more; whether that is so is
    for who carries the plan out to see, and then he forgets it.

    The status has room for what one role had, so that one goes back before another one is touched.
    """
    actions: list[AwsAction | KubeAction] = [*given_back(irsa, adopted, situation, why)]
    if not actions and not left:
        return None
    assert irsa.spec is not UNSET  # noqa: S101  (incomplete() was asked first)
    if irsa.spec.service_account.management_policy != "None":
        # The role's ARN tells which are this object's, and only as long as the role is.
        before = {(b.namespace, b.name): b for b in status.service_accounts}
        arns = {role.arn for role in adopted}
        leaving = released(irsa, before, situation, adopted, arns) - {
            account.key for account in desired.service_accounts
        }
        actions += diff_accounts.release(
            leaving - situation.holders.keys(), situation.service_accounts, before, arns, why
        )
    return Decision(plan=Plan(tuple(actions)), desired=desired, giving_back=True, before=status)


def _referenced(irsa: IRSA, spec: IRSASpec, observed: ObservedRole | None, situation: Situation) -> Decision:
    """A role that is used as it is: never written, only looked at. Roles that the object had before go."""
    name, account = spec.iam_role.name, situation.facts.account
    desired = desire(spec, irsa.key, situation, current=observed)
    if observed is None:
        problem = Problem("RoleNotFound", {"role": name, "account": account})
        return Decision(plan=Plan(), desired=desired, role_problem=problem, bound=irsa.status.service_accounts)
    status = trusted_status(irsa.status, irsa.key, situation.facts.account, situation.keys)
    adopted = marked_roles(irsa, situation, (Whose.ADOPTED,))
    left = status.adoption is not UNSET
    back = _back_first(irsa, status, desired, situation, adopted, "it isn't adopted any more", left=left)
    if back is not None:
        return back
    old = _old_roles(irsa, situation)
    decision = with_accounts(irsa, status, desired, situation, [], old, observed, None, ())
    return replace(decision, referenced=True, foreign_inline=(), role_warning=_refusing(desired, observed, situation))


def _refusing(desired: Desired, observed: ObservedRole, situation: Situation) -> Problem | None:
    """The first subject that the referenced role's trust doesn't let in, as far as that can be told."""
    if observed.trust is None:
        return None
    facts = situation.facts
    provider = arn.provider_arn(facts.partition, facts.account, facts.host)
    for subject in desired.role.subjects:
        verdicts = [
            (token, evaluate(observed.trust, token))
            for token in (Token(provider, facts.host, subject, audience) for audience in desired.role.audiences)
        ]
        if verdicts and all(verdict.allowed is False for _, verdict in verdicts):
            token, verdict = verdicts[0]
            return problems.refuses(observed, token, verdict, suggest(observed.trust, token))
    return None


def incomplete(spec: IRSASpec | Any) -> str:
    """What a stored object lacks that upstream's CRD let through; "" where nothing is missing."""
    if spec is UNSET:
        return "spec"
    if not spec.iam_role.name:
        return "spec.iamRole.name"
    if not spec.service_account.name:
        return "spec.serviceAccount.name"
    if not spec.service_account.namespaces and spec.service_account.namespace_selector is UNSET:
        return "spec.serviceAccount.namespaces"
    return ""


def _old_roles(irsa: IRSA, situation: Situation) -> tuple[ObservedRole, ...]:
    """Roles that this object made under other names: those that its status names and whose marks say so."""
    spec = irsa.spec
    current = spec.iam_role.name.lower() if spec is not UNSET else ""
    return tuple(role for role in marked_roles(irsa, situation, (Whose.MINE,)) if role.name.lower() != current)
