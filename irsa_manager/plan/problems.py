"""The planner's problems, filled in with what people need to know and nothing that they may not."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from irsa_manager.api import names
from irsa_manager.api.irsa import IRSA, IRSASpec
from irsa_manager.api.reasons import visible
from irsa_manager.plan.decision import Problem
from irsa_manager.plan.desired import Desired, other_namespaces
from irsa_manager.plan.facts import ClusterFacts, Situation
from irsa_manager.plan.mark import Whose
from irsa_manager.plan.observed import ObservedRole
from irsa_manager.plan.ownership import (
    REFERENCED,
    foreign_key,
    left_by,
    marked_otherwise,
    perhaps_upstreams,
    tagged_only,
    unvouched,
    verdict,
    vouched,
)
from irsa_manager.plan.tenancy import MAX_TAG_VALUE, Denied
from irsa_manager.trust import arn
from irsa_manager.trust.document import compact
from irsa_manager.trust.evaluate import Token, Verdict

MOVING = "If the Go program made the role, an administrator runs `irsa-manager adopt --all-mine`."


def not_mine(observed: ObservedRole, whose: Whose, irsa: IRSA, situation: Situation) -> Problem:
    """The role exists and isn't this object's."""
    facts = situation.facts
    if whose is Whose.CLUSTER:
        holder = (observed.tags or {}).get(names.TAG_OWNER, "")
        if len(holder) >= MAX_TAG_VALUE:
            # Cut to what a tag holds: it names nobody.
            holder = ""
        gone = left_by(observed, facts.account, situation.keys, situation.objects)
        if gone:
            left = f"left behind by {named(gone, irsa, facts)}, which is gone"
            return Problem("RoleExists", {"role": observed.name, "account": facts.account, "evidence": left})
        return held(f"Role {observed.name}", holder, irsa, facts)
    unknown = {"role": observed.name, "account": facts.account}
    if observed.trust is None and not observed.id:
        fix = "Grant iam:GetRole; or set iamRole.managementPolicy: Adopt, or choose another name."
        return Problem("OwnershipUnknown", {**unknown, "cause": "iam:GetRole is missing", "fix": fix, **_moving(irsa)})
    if unvouched(observed, irsa, facts.account, situation.keys) and irsa.status.adoption is not UNSET:
        cause = "what it had before it was adopted is signed with another key than Secret irsa-manager-mark has"
        fix = "Restore that Secret from your backup, or choose another iamRole.name."
        return Problem("OwnershipUnknown", {**unknown, "cause": cause, "fix": fix})
    was_mine = irsa.status.role.id == observed.id and vouched(irsa.status, irsa.key, facts.account, situation.keys)
    if was_mine and marked_otherwise(observed, irsa.status):
        cause = (
            "it was this object's; its trust policy bears a mark of another key now: another cluster has taken it over"
        )
        fix = "Release or delete the IRSA there; or an administrator takes it back with irsa-manager adopt --all-mine."
        return Problem("OwnershipUnknown", {**unknown, "cause": cause, "fix": fix})
    if tagged_only(observed, irsa.key, facts.account, situation.keys):
        cause = "its tag bears this object's mark, but its trust policy doesn't, and who may tag roles could copy that"
        fix = "If it is this object's, an administrator runs irsa-manager adopt --all-mine; else choose another name."
        return Problem("OwnershipUnknown", {**unknown, "cause": cause, "fix": fix})
    if foreign_key(observed) and irsa.status.role.id == observed.id:
        cause = "its mark was made with another key than Secret irsa-manager-mark has"
        fix = "Restore that Secret from your backup; or an administrator runs irsa-manager adopt --all-mine."
        return Problem("OwnershipUnknown", {**unknown, "cause": cause, "fix": fix})
    evidence = f"created {observed.created or 'at an unknown time'}"
    # Tags may say what a tenant has no right to know; ours name objects of other namespaces and clusters.
    if irsa.metadata.namespace == situation.facts.operator_namespace:
        told = sorted((k, v) for k, v in (observed.tags or {}).items() if not k.startswith(f"{names.GROUP}/"))
        tags = ", ".join(f"{k}={v}" for k, v in told[:3])
        evidence += f", tags {tags}" if tags else ", no tags of others" if observed.tags else ", no tags"
    if foreign_key(observed):
        evidence = f"irsa-manager made it with another key: of another cluster, or of this one before; {evidence}"
    return Problem("RoleExists", {**unknown, "evidence": evidence, **_moving(irsa)})


def left_unproved(irsa: IRSA, situation: Situation) -> list[Problem]:
    """The roles that a deleted object leaves because no key that is known vouches for what its status says of them."""
    facts, status = situation.facts, irsa.status
    cause = "its mark was made with another key than Secret irsa-manager-mark has"
    fix = (
        "The IRSA goes without it: delete the role if it was its own; or restore that Secret from your backup and "
        "create the IRSA again."
    )
    found = []
    for noted in (status.role, *status.retired_roles):
        role = situation.roles.get(noted.name.lower())
        if role is None or not role.id or role.id != noted.id or noted.origin == REFERENCED or not foreign_key(role):
            continue
        if verdict(irsa, role, facts.account, situation.keys, facts.operator_namespace) is Whose.UNMARKED:
            values = {"role": role.name, "account": facts.account, "cause": cause, "fix": fix}
            found.append(Problem("OwnershipUnknown", values))
    return found


def held(thing: str, holder: str, irsa: IRSA, facts: ClusterFacts) -> Problem:
    """Another object has the role, or goes first for it. holder: its namespace/name."""
    left = "Nothing was written for this object."
    return Problem("Conflict", {"thing": thing, "holder": named(holder, irsa, facts), "left": left})


def named(holder: str, irsa: IRSA, facts: ClusterFacts) -> str:
    """How another object is named to those who read this one."""
    namespace, slash, name = holder.partition("/")
    if not slash:
        return "another object of this cluster"
    return visible("IRSA", namespace, name, to=irsa.metadata.namespace, operator=facts.operator_namespace)


def denied(verdict: Denied, irsa: IRSA) -> Problem:
    """Tenancy doesn't allow what the object asks for."""
    values: dict[str, Any] = {f: getattr(verdict, f) for f in ("rule", "what", "allowed", "opens")}
    return Problem("TenancyDenied", {**values, **_moving(irsa)})


def _moving(irsa: IRSA) -> dict[str, str]:
    """What to do where it looks as if the Go program had made the role, whether there is such a role or not."""
    return {"note": MOVING} if perhaps_upstreams(irsa) else {}


def refuses(role: ObservedRole, token: Token, verdict: Verdict, statement: Any) -> Problem:
    """A referenced role doesn't let a subject in."""
    why = "; ".join(str(reason) for reason in verdict.reasons[:2]) or "no statement allows it"
    add = (
        f"Add: {compact(statement)}" if statement is not None else "Its owner has to take the Deny or the mistake out."
    )
    return Problem("TrustRefuses", {"role": role.name, "subject": token.subject, "why": why, "add": add})


def too_deep(policy: str, role: str) -> Problem:
    """An inline policy that nobody could mean, and that a recursive reader would choke on."""
    return Problem(
        "MalformedDocument",
        {"document": f"inline policy {policy}", "role": role, "error": "it is nested too deeply."},
    )


def forbidden(spec: IRSASpec, facts: ClusterFacts) -> Problem | None:
    """What no object may ask for, in whatever namespace and whatever tenancy says. Nothing is written for it."""
    if spec.iam_role.management_policy == "Reference":
        return None
    role = {"role": spec.iam_role.name, "next_try": "when the object changes"}
    if facts.own_role and spec.iam_role.name.lower() == facts.own_role.lower():
        error = "the manager itself runs under this role and would take its own rights away; choose another name."
        return Problem("IRSAFailedRoleUpdate", {**role, "error": error})
    for other in spec.trust.additional_providers:
        if facts.host and _canonical(other.issuer) == _canonical(facts.host):
            # As another cluster's, it would be trusted without regard to which namespaces exist and are excluded.
            error = (
                f"trust.additionalProviders names {other.issuer}, this cluster's own issuer; take it out: "
                "serviceAccount.namespaces says who is trusted here."
            )
            return Problem("IRSAFailedRoleUpdate", {**role, "error": error})
    return None


def _canonical(issuer: str) -> str:
    host, slash, path = arn.provider_host(issuer).rstrip("/").partition("/")
    return host.lower() + slash + path


def too_many_old(old: int, role: str) -> Problem:
    """A rename that waits: the status has room for so many old roles, and none may be forgotten."""
    error = f"{old} roles of its former names wait to be removed; the change to this name waits for them."
    return Problem(
        "IRSAFailedRoleUpdate", {"role": role, "error": error, "next_try": "as soon as one of them could be removed"}
    )


def role_warning(
    spec: IRSASpec, desired: Desired, observed: ObservedRole | None, facts: ClusterFacts
) -> Problem | None:
    """What the spec asks for and IAM, or this manager's rights, can't do."""
    unheard = _audience_missing(spec, desired, facts)
    if unheard is not None:
        return unheard
    role = {"role": desired.role.name, "next_try": "when the object changes"}
    if observed is not None and spec.iam_role.path is not UNSET and spec.iam_role.path != observed.path:
        text = f"its path is {observed.path} and IAM can't move a role; for {spec.iam_role.path} change the name too."
        return Problem("IRSAFailedRoleUpdate", {**role, "error": text})
    for other in spec.trust.additional_providers:
        if not any(other_namespaces(spec, other)):
            text = f"trust.additionalProviders names no namespace for {other.issuer}, so nobody there is trusted."
            return Problem("IRSAFailedRoleUpdate", {**role, "error": text})
    # Where not even the trust can be read the message of the object says so, once and for all its parts.
    if observed is not None and observed.trust is not None:
        unread = [
            *(["iam:ListAttachedRolePolicies"] if observed.attached is None else []),
            *(["iam:ListRolePolicies, iam:GetRolePolicy"] if observed.inline is None and desired.role.inline else []),
        ]
        if unread:
            done = "what the object asks for was written without being able to see what is there"
            values = {"action": ", ".join(unread), "principal": "the manager's identity", "resource": desired.role.arn}
            return Problem("PermissionMissing", {**values, "done": done})
    return None


def _audience_missing(spec: IRSASpec, desired: Desired, facts: ClusterFacts) -> Problem | None:
    """Tokens that STS will refuse whatever the trust says: none of their audiences is a client id of the provider."""
    known = facts.client_ids
    asked = spec.service_account.token.audience
    audiences = desired.role.audiences if asked is UNSET else (asked,)
    if known is None or any(audience in known for audience in audiences):
        return None
    provider = arn.provider_arn(facts.partition, facts.account, facts.host)
    return Problem("AudienceMissing", {"provider": provider, "audience": audiences[0], "audiences": list(known)})
