"""From an object and what was looked at to a plan. Pure: the one path that every command and the controller walk.

Order of a plan: role (narrowing first), ServiceAccounts bound, ServiceAccounts released after their subjects have
left the trust, old roles of a rename last. Of a deletion: every role lets nobody in, ServiceAccounts go, roles go.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import UNSET, Struct, field

from irsa_manager.api import names
from irsa_manager.api.irsa import IRSA, BoundServiceAccount, IRSASpec, IRSAStatus
from irsa_manager.api.reasons import listed, visible
from irsa_manager.plan import diff_accounts, diff_role
from irsa_manager.plan.actions import AwsAction, KubeAction, Plan
from irsa_manager.plan.desired import Desired, desire, disarmed, other_namespaces
from irsa_manager.plan.facts import ClusterFacts, Situation
from irsa_manager.plan.mark import Whose
from irsa_manager.plan.observed import ObservedRole
from irsa_manager.plan.ownership import trusted_status, whose
from irsa_manager.trust import arn
from irsa_manager.trust.document import too_deep


class Problem(Struct, frozen=True):
    """Why something isn't as it should be: a reason of the catalogue and what its message needs."""

    code: str
    facts: dict[str, Any] = field(default_factory=dict)


class Decision(Struct, frozen=True):
    """What to do for an object, and what can't be done.

    desired: None for a deletion. role: the object's own role as observed, None where it is still to be made.
    role_problem, accounts_problem: what the conditions RoleReady and ServiceAccountsReady must say; with a
    role_problem nothing is written for the object. role_warning: what RoleReady must say although the plan goes on.
    old_roles: of a rename, that the plan takes away. bound: the ServiceAccounts that are bound once the plan is
    carried out. before: the status as far as it can be trusted.
    """

    plan: Plan
    desired: Desired | None = None
    role: ObservedRole | None = None
    role_problem: Problem | None = None
    accounts_problem: Problem | None = None
    role_warning: Problem | None = None
    old_roles: tuple[ObservedRole, ...] = ()
    bound: tuple[BoundServiceAccount, ...] = ()
    foreign_inline: tuple[str, ...] = ()
    before: IRSAStatus = IRSAStatus()


def decide(irsa: IRSA, situation: Situation, *, tagging: bool = True, rewrite: bool = False) -> Decision:
    """The plan that makes a living object true. The spec must be complete (see incomplete).

    tagging: whether tags are written. rewrite: write what can't be read, since the object changed or it is time.
    """
    spec = irsa.spec
    assert spec is not UNSET  # noqa: S101  (incomplete() was asked first)
    owner, facts = irsa.key, situation.facts
    observed = situation.roles.get(spec.iam_role.name.lower())
    verdict = Whose.MINE if observed is None else whose(observed, owner, facts.account, situation.keys, irsa.status)
    desired = desire(spec, owner, situation, observed if verdict is Whose.MINE else None)
    deep = next((name for name, document in spec.inline_policies.items() if too_deep(document)), "")
    if deep:
        facts_ = {"document": f"inline policy {deep}", "role": spec.iam_role.name, "error": "it is nested too deeply."}
        problem = Problem("MalformedDocument", facts_)
        return Decision(plan=Plan(), desired=desired, role=None, role_problem=problem, bound=_still_bound(irsa))
    if observed is not None and verdict is not Whose.MINE:
        problem = _not_mine(observed, verdict, irsa, situation)
        return Decision(plan=Plan(), desired=desired, role=observed, role_problem=problem, bound=_still_bound(irsa))
    status = trusted_status(irsa.status, owner, facts.account, situation.keys)
    before = {(b.namespace, b.name): b for b in status.service_accounts}
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
            quota=facts.policy_quota,
            tagging=tagging,
            rewrite=rewrite,
            attached_before=irsa.status.role.attached_policies,
        )
    old = _old_roles(irsa, situation)
    held = situation.holders
    actions += diff_accounts.bind(desired.service_accounts, situation.service_accounts, before, held)
    wanted = {account.key for account in desired.service_accounts}
    arns = {desired.role.arn, *(role.arn for role in old)}
    leaving = _released(before, situation, arns) - wanted - held.keys()
    for role in old:
        actions += diff_role.disarm(role, disarmed(role, owner, situation), "the role was renamed")
    actions += diff_accounts.release(
        leaving, situation.service_accounts, before, arns, "no longer among the object's ServiceAccounts"
    )
    for role in old:
        actions += diff_role.remove(role, f"renamed to {desired.role.name}")
    return Decision(
        plan=Plan(tuple(actions)),
        desired=desired,
        role=observed,
        accounts_problem=_accounts_problem(irsa, desired, situation),
        role_warning=_audience_missing(spec, desired, facts) or _role_warning(spec, desired, observed),
        old_roles=old,
        bound=_bound(desired, situation),
        foreign_inline=diff_role.foreign_inline(desired.role, observed, inline_before) if observed else (),
        before=status,
    )


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


def _not_mine(observed: ObservedRole, verdict: Whose, irsa: IRSA, situation: Situation) -> Problem:
    facts = situation.facts
    if verdict is Whose.CLUSTER:
        holder = (observed.tags or {}).get(names.TAG_OWNER, "")
        if holder and situation.objects is not None and holder not in situation.objects:
            left = f"left behind by {_named(holder, irsa, facts)}, which is gone: cleanup was false"
            return Problem("RoleExists", {"role": observed.name, "account": facts.account, "evidence": left})
        left = "Nothing was written for this object."
        thing = f"Role {observed.name}"
        return Problem("Conflict", {"thing": thing, "holder": _named(holder, irsa, facts), "left": left})
    tags = ", ".join(f"{k}={v}" for k, v in sorted((observed.tags or {}).items())[:3])
    evidence = f"created {observed.created or 'at an unknown time'}, {f'tags {tags}' if tags else 'no tags'}"
    return Problem("RoleExists", {"role": observed.name, "account": facts.account, "evidence": evidence})


def _named(holder: str, irsa: IRSA, facts: ClusterFacts) -> str:
    """How another object is named to those who read this one."""
    namespace, slash, name = holder.partition("/")
    if not slash:
        return "another object of this cluster"
    return visible("IRSA", namespace, name, to=irsa.metadata.namespace, operator=facts.operator_namespace)


def _audience_missing(spec: IRSASpec, desired: Desired, facts: ClusterFacts) -> Problem | None:
    """Tokens that STS will refuse whatever the trust says: none of their audiences is a client id of the provider."""
    known = facts.client_ids
    asked = spec.service_account.token.audience
    audiences = desired.role.audiences if asked is UNSET else (asked,)
    if known is None or any(audience in known for audience in audiences):
        return None
    provider = arn.provider_arn(facts.partition, facts.account, facts.host)
    return Problem("AudienceMissing", {"provider": provider, "audience": audiences[0], "audiences": list(known)})


def _role_warning(spec: IRSASpec, desired: Desired, observed: ObservedRole | None) -> Problem | None:
    """What the spec asks for and IAM, or this manager's rights, can't do."""
    role = {"role": desired.role.name, "next_try": "when the object changes"}
    if observed is not None and spec.iam_role.path is not UNSET and spec.iam_role.path != observed.path:
        text = f"its path is {observed.path} and IAM can't move a role; for {spec.iam_role.path} change the name too."
        return Problem("IRSAFailedRoleUpdate", {**role, "error": text})
    for other in spec.trust.additional_providers:
        if not any(other_namespaces(spec, other)):
            text = f"trust.additionalProviders names no namespace for {other.issuer}, so nobody there is trusted."
            return Problem("IRSAFailedRoleUpdate", {**role, "error": text})
    if observed is not None:
        unread = [
            *(["iam:ListAttachedRolePolicies"] if observed.attached is None else []),
            *(["iam:ListRolePolicies, iam:GetRolePolicy"] if observed.inline is None and desired.role.inline else []),
        ]
        if unread:
            done = "what the object asks for was written without being able to see what is there"
            values = {"action": ", ".join(unread), "principal": "the manager's identity", "resource": desired.role.arn}
            return Problem("PermissionMissing", {**values, "done": done})
    return None


def _still_bound(irsa: IRSA) -> tuple[BoundServiceAccount, ...]:
    return irsa.status.service_accounts


def _old_roles(irsa: IRSA, situation: Situation) -> tuple[ObservedRole, ...]:
    """Roles of this object under other names: those that its status names and whose marks say so."""
    spec = irsa.spec
    current = spec.iam_role.name.lower() if spec is not UNSET else ""
    candidates = [irsa.status.role.name, *(r.name for r in irsa.status.retired_roles)]
    found = []
    for name in dict.fromkeys(n.lower() for n in candidates if n):
        role = situation.roles.get(name)
        if name == current or role is None:
            continue
        if whose(role, irsa.key, situation.facts.account, situation.keys, irsa.status) is Whose.MINE:
            found.append(role)
    return tuple(found)


def _released(before: Iterable[tuple[str, str]], situation: Situation, arns: Iterable[str]) -> set[tuple[str, str]]:
    """ServiceAccounts that may have to be released: the status' list, and those of ours that point to our roles."""
    pointing = set(arns)
    made = {
        key
        for key, account in situation.service_accounts.items()
        if account.made and account.annotations.get(names.ANNOTATION_ROLE_ARN) in pointing
    }
    return set(before) | made


def _accounts_problem(irsa: IRSA, desired: Desired, situation: Situation) -> Problem | None:
    held = [a for a in desired.service_accounts if a.key in situation.holders]
    if held:
        account = f"{held[0].namespace}/{held[0].name}"
        more = f" (and {len(held) - 1} more)" if len(held) > 1 else ""
        holder = _named(situation.holders[held[0].key], irsa, situation.facts)
        left = "It was left as it is; the role and this object's other ServiceAccounts are in place."
        return Problem("Conflict", {"thing": f"ServiceAccount {account}{more}", "holder": holder, "left": left})
    if desired.reach.missing:
        missing = desired.reach.missing
        said = f"Namespace {missing[0]} doesn't" if len(missing) == 1 else f"Namespaces {listed(missing)} don't"
        return Problem("NamespaceNotFound", {"missing": f"{said} exist", "bound": len(desired.service_accounts)})
    return None


def _bound(desired: Desired, situation: Situation) -> tuple[BoundServiceAccount, ...]:
    bound = []
    for account in desired.service_accounts:
        there = situation.service_accounts.get(account.key)
        if account.key in situation.holders or (there is not None and there.deleting):
            continue
        made = there is None or there.made
        annotations, labels = diff_accounts.remembered(account, made=made)
        origin = "Created" if made else "Found"
        bound.append(BoundServiceAccount(account.namespace, account.name, origin, annotations, labels))
    return tuple(bound)


def decide_deletion(irsa: IRSA, situation: Situation) -> Decision:
    """The plan that removes what an object made. With cleanup: false nothing is done: all stays as it is."""
    spec, owner, facts = irsa.spec, irsa.key, situation.facts
    if spec is UNSET or not spec.cleanup:
        return Decision(plan=Plan())
    candidates = [spec.iam_role.name, irsa.status.role.name, *(r.name for r in irsa.status.retired_roles)]
    roles = []
    for name in dict.fromkeys(n.lower() for n in candidates if n):
        role = situation.roles.get(name)
        if role and whose(role, owner, facts.account, situation.keys, irsa.status) is Whose.MINE:
            roles.append(role)
    # Where the role is gone already its ServiceAccounts still point to it: the name in the spec tells to what.
    arns = {role.arn for role in roles}
    if spec.iam_role.name and spec.iam_role.name.lower() not in situation.roles:
        path = spec.iam_role.path if spec.iam_role.path is not UNSET else facts.role_defaults.path
        arns.add(arn.role_arn(facts.partition, facts.account, path, spec.iam_role.name))
    why = "the object is being deleted"
    actions: list[AwsAction | KubeAction] = []
    for role in roles:
        actions += diff_role.disarm(role, disarmed(role, owner, situation), why)
    status = trusted_status(irsa.status, owner, facts.account, situation.keys)
    before = {(b.namespace, b.name): b for b in status.service_accounts}
    leaving = _released(before, situation, arns) - situation.holders.keys()
    actions += diff_accounts.release(leaving, situation.service_accounts, before, arns, why)
    for role in roles:
        actions += diff_role.remove(role, why)
    return Decision(plan=Plan(tuple(actions)), old_roles=tuple(roles))
