"""What is told to people: events for what was done, conditions' reasons and messages for what wasn't. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from irsa_manager.api import reasons
from irsa_manager.api.errors import AwsDenied, AwsError, IrsaError
from irsa_manager.api.irsa import IRSA
from irsa_manager.aws.managed_policies import nearest
from irsa_manager.controller.carry_out import TRANSIENT, Failure
from irsa_manager.kube.errors import KubeForbidden
from irsa_manager.plan import actions as do
from irsa_manager.plan.actions import AwsAction, KubeAction
from irsa_manager.plan.decision import Problem
from irsa_manager.plan.desired import DesiredRole
from irsa_manager.plan.diff_role import UNREAD
from irsa_manager.plan.observed import ObservedRole
from irsa_manager.trust import arn
from irsa_manager.trust.document import length, sha256

SOON = "soon, then ever more slowly"
LATER = "in 5 minutes, or when the object changes"
_QUOTA = re.compile(r"quota for (\w+): (\d+)")
_INLINE_SIZE = re.compile(r"policy size of (\d+) bytes exceeded")
_QUOTAS = {
    "RolesPerAccount": "the account has its {limit} roles already",
    "PoliciesPerRole": "it has its {limit} managed policies already",
    "InstanceProfilesPerAccount": "the account has its {limit} instance profiles already",
}
"""https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""


class Told(Struct, frozen=True):
    """A reason of the catalogue with its message filled in."""

    code: str
    message: str

    @property
    def stalled(self) -> bool:
        """Whether nothing improves until somebody acts."""
        return reasons.get(self.code).stalled


def problem_told(problem: Problem) -> Told:
    """A planner's problem as people read it."""
    return Told(problem.code, reasons.message(problem.code, **problem.facts))


def failure_told(
    failure: Failure,
    done: Sequence[AwsAction | KubeAction],
    desired: DesiredRole | None,
    standing: ObservedRole | None = None,
    others: Sequence[Failure] = (),
    bound: int = 0,
) -> Told:
    """A failed action as people read it.

    done: what the same run achieved. desired: None for a deletion. standing: the role as it is, also by earlier runs;
    None where there is none. others: what else failed, for what is best told at once. bound: the ServiceAccounts that
    are bound now.
    """
    action, error = failure.action, failure.error
    # A deletion is tried on and on, all else as long as it may pass by itself.
    next_try = SOON if desired is None or isinstance(error, TRANSIENT) else LATER
    so_far = summary(done) if standing is None else _in_place(standing, done)
    if isinstance(action, KubeAction):
        return _kube_failure(action, error, so_far, next_try, bound, living=desired is not None)
    note = f"(Request {error.request_id}.)" if error.request_id else ""
    said: dict[str, Any] = {
        "role": action.role,
        "error": error.message,
        "next_try": next_try,
        "operation": _operation(error),
    }
    match error.code:
        case "PermissionMissing" if isinstance(error, AwsDenied):
            return denied_told(error, so_far)
        case "CredentialsInvalid":
            return Told(error.code, reasons.message(error.code, cause=_cause(error)))
        case "PolicyNotFound":
            absent = [_policy_of(f.action) for f in (others or (failure,)) if f.error.code == error.code]
            kind = "Permissions boundary" if getattr(action, "boundary", "") else "Policy"
            missing = f"{kind} {absent[0]} doesn't" if len(absent) == 1 else f"Policies {reasons.listed(absent)} don't"
            hint = _did_you_mean(absent)
            made, only = (
                not isinstance(action, do.CreateRole),
                desired is not None and len(desired.policies) == len(absent),
            )
            left = "The role is in place, without it." if only else "The other policies are in place."
            left = left if made else "Nothing was made."
            return Told(error.code, reasons.message(error.code, note=hint, missing=f"{missing} exist", left=left))
        case "MalformedDocument":
            document = f"inline policy {action.name}" if isinstance(action, do.PutInlinePolicy) else "the trust policy"
            return Told(error.code, reasons.message(error.code, document=document, **said))
        case "QuotaExceeded":
            return Told(error.code, reasons.message(error.code, quota=_quota(error.message), **said))
        case "TrustTooLarge" if desired is not None:
            found = _QUOTA.search(error.message)
            limit = int(found[2]) if found else "IAM's"
            size, subjects = length(desired.trust), len(desired.subjects)
            over = f" ({size - limit:,} over)" if isinstance(limit, int) and size > limit else ""
            new = isinstance(action, do.CreateRole)
            left = "The role wasn't made." if new else "The previous trust policy is in force."
            values: dict[str, Any] = {"size": size, "subjects": subjects, "limit": limit, "over": over, **said}
            values["left"] = left
            return Told(error.code, reasons.message(error.code, **values))
        case "RoleInUse":
            holder = error.object or "something that this manager may not see (iam:ListInstanceProfilesForRole)"
            return Told(error.code, reasons.message(error.code, role=action.role, holder=holder))
        case "Throttled" | "AWSUnavailable" | "IRSAFailedRoleUpdate":
            return Told(error.code, reasons.message(error.code, note=note, **said))
    return Told("IRSAFailedRoleUpdate", reasons.message("IRSAFailedRoleUpdate", note=note, **said))


def _quota(said: str) -> str:
    """Which quota is used up. said: IAM's text, shown as it is where it names none that is known here."""
    found, size = _QUOTA.search(said), _INLINE_SIZE.search(said)
    if found and found[1] in _QUOTAS:
        return _QUOTAS[found[1]].format(limit=found[2])
    if size:
        return f"its inline policies together may have {int(size[1]):,} characters, and need more"
    return said.rstrip(".")


def _policy_of(action: AwsAction | KubeAction) -> str:
    policy = getattr(action, "policy_arn", "") or getattr(action, "boundary", "")
    return arn.policy_name(policy) if policy else "named in the object"


def _did_you_mean(absent: Sequence[str]) -> str:
    """What somebody may have meant who named AWS-managed policies that there aren't."""
    meant = [f"{name}: {close}" for name in absent if (close := nearest(name)) and close != name]
    if len(absent) == 1 and meant:
        return f"Did you mean {nearest(absent[0])}?"
    return f"Did you mean {reasons.listed(meant)}?" if meant else ""


def denied_told(error: AwsDenied, so_far: str = "nothing") -> Told:
    """A missing permission of AWS's, with what was done before it was met."""
    principal = error.principal or "the manager's identity"
    resource = error.object or "the account"
    values: dict[str, Any] = {
        "action": error.action,
        "principal": principal,
        "resource": resource,
        "done": so_far,
    }
    return Told("PermissionMissing", reasons.message("PermissionMissing", **values))


def error_told(error: IrsaError) -> Told:
    """Something that failed before a plan was made (identity, issuer, a read)."""
    if isinstance(error, AwsDenied):
        return denied_told(error)
    if isinstance(error, KubeForbidden):
        return _forbidden_told(error, error.object or "this object", "nothing")
    values: dict[str, Any] = {
        "role": "of this object",
        "error": error.message,
        "next_try": SOON,
        "operation": _operation(error),
        "cause": _cause(error),
    }
    code = error.code if error.code in {"Throttled", "AWSUnavailable", "CredentialsInvalid"} else "IRSAFailedRoleUpdate"
    return Told(code, reasons.message(code, **values))


def _forbidden_told(error: KubeForbidden, target: str, so_far: str) -> Told:
    """A missing right in Kubernetes. target: kind and name of what wasn't written."""
    values: dict[str, Any] = {
        "action": f"{error.verb or 'write'} {error.resource or 'serviceaccounts'}",
        "principal": "the manager",
        "resource": target,
        "done": so_far,
    }
    return Told("PermissionMissing", reasons.message("PermissionMissing", **values))


def _kube_failure(
    action: KubeAction, error: IrsaError, so_far: str, next_try: str, bound: int, *, living: bool
) -> Told:
    account = f"{action.namespace}/{action.name}"
    if isinstance(error, KubeForbidden):
        return _forbidden_told(error, f"ServiceAccount {account}", so_far)
    if isinstance(action, do.DeleteServiceAccount) or (not living and isinstance(action, do.PatchServiceAccount)):
        left = "The finalizer stays; everything else of ours that could go is gone."
        way_out = "; or set cleanup: false to leave the rest as it is"
        values: dict[str, Any] = {
            "thing": f"ServiceAccount {account}",
            "error": error.message,
            "left": "It is out of the role's trust policy; everything else is as the object asks." if living else left,
            "next_try": next_try if living else f"{next_try}{way_out}",
        }
        return Told("IRSAFailedDeletingResources", reasons.message("IRSAFailedDeletingResources", **values))
    values = {"service_account": account, "error": error.message, "bound": bound, "next_try": next_try}
    return Told("IRSAFailedApplyingResources", reasons.message("IRSAFailedApplyingResources", **values))


def _operation(error: IrsaError) -> str:
    return error.operation if isinstance(error, AwsError) and error.operation else "a call"


def _cause(error: IrsaError) -> str:
    return error.aws_code if isinstance(error, AwsError) and error.aws_code else error.message


def summary(done: Sequence[AwsAction | KubeAction]) -> str:
    """What a plan achieved, in a few words: "role, trust, 2 policies"."""
    parts = ["role"] if any(isinstance(a, do.CreateRole) for a in done) else []
    parts += ["trust"] if any(isinstance(a, do.CreateRole | do.UpdateTrust) for a in done) else []
    policies = sum(isinstance(a, do.AttachPolicy | do.PutInlinePolicy) for a in done)
    parts += [reasons.counted(policies, "policy")] if policies else []
    accounts = sum(isinstance(a, KubeAction) for a in done)
    parts += [reasons.counted(accounts, "ServiceAccount")] if accounts else []
    return ", ".join(parts) or "nothing"


def _in_place(role: ObservedRole, done: Sequence[AwsAction | KubeAction]) -> str:
    """The same words for a role that is there, by whichever run: a second try must not read as if nothing was."""
    policies = len(role.attached or ()) + len(role.inline or {})
    accounts = sum(isinstance(a, KubeAction) for a in done)
    parts = ["role", "trust", *([reasons.counted(policies, "policy")] if policies else [])]
    return ", ".join([*parts, *([reasons.counted(accounts, "ServiceAccount")] if accounts else [])])


class Happening(Struct, frozen=True):
    """One event. service_account: namespace/name of the ServiceAccount that it is about too, "" for none."""

    code: str
    message: str
    service_account: str = ""


def happened(
    irsa: IRSA, action: AwsAction | KubeAction, account: str, role_id: str, desired_trust: object
) -> Happening:
    """The event that tells of an action that took effect.

    account: the AWS account. role_id: of a role that was created. desired_trust: None for a deletion.
    """
    thing = _drifted(irsa, action, role_id, desired_trust)
    if thing:
        return Happening(
            "DriftRepaired",
            reasons.message("DriftRepaired", thing=thing, why=_found(action)),
            _account_key(action),
        )
    if isinstance(action, KubeAction):
        return _account_happening(irsa, action)
    values: dict[str, Any] = {"role": action.role, "account": account, "role_id": role_id, "why": action.reason}
    match action:
        case do.CreateRole():
            code = "RoleCreated"
        case do.DeleteRole():
            code = "RoleDeleted"
        case do.UpdateTrust():
            code = "TrustUpdated"
        case do.AttachPolicy(policy_arn=policy):
            code, values["policy"] = "PolicyAttached", arn.policy_name(policy)
        case do.PutInlinePolicy(name=name):
            code, values["policy"] = "PolicyAttached", f"{name} (inline)"
        case do.DetachPolicy(policy_arn=policy):
            code, values["policy"] = "PolicyDetached", arn.policy_name(policy)
        case do.DeleteInlinePolicy(name=name):
            code, values["policy"] = "PolicyDetached", f"{name} (inline)"
        case _:
            code, values["changes"] = "RoleUpdated", _changed(action)
            values["why"] = f"{action.reason[0].upper()}{action.reason[1:]}."
    return Happening(code, reasons.message(code, **values))


def _account_happening(irsa: IRSA, action: KubeAction) -> Happening:
    key = f"{action.namespace}/{action.name}"
    role = irsa.status.role.name or (irsa.spec.iam_role.name if irsa.spec else "")
    values: dict[str, Any] = {"service_account": key, "role": role, "why": action.reason}
    match action:
        case do.CreateServiceAccount():
            code = "ServiceAccountCreated"
        case do.PatchServiceAccount() if any(value is not None for value in action.annotations.values()):
            code = "ServiceAccountAnnotated"
        case do.DeleteServiceAccount():
            code, values["how"] = "ServiceAccountReleased", f"deleted, {action.reason}"
        case _:
            code, values["how"] = "ServiceAccountReleased", f"our annotations were taken off, {action.reason}"
    return Happening(code, reasons.message(code, **values), key)


def _found(action: AwsAction | KubeAction) -> str:
    """What was found in the place of what should be."""
    match action:
        case do.CreateRole() | do.CreateServiceAccount():
            return "it was gone"
        case do.AttachPolicy():
            return "it wasn't attached"
        case do.PutInlinePolicy(reason="not there yet"):
            return "it wasn't there"
        case do.DetachPolicy(policy_arn=policy):
            return f"{arn.policy_name(policy)} isn't in the spec and was detached"
    return action.reason.removeprefix("trust differed: ")


def _account_key(action: AwsAction | KubeAction) -> str:
    return f"{action.namespace}/{action.name}" if isinstance(action, KubeAction) else ""


def _changed(action: AwsAction) -> str:
    """What was done to an attribute of a role."""
    match action:
        case do.SetBoundary():
            return "permissions boundary set"
        case do.RemoveBoundary():
            return "permissions boundary taken away"
        case do.TagRole(tags=tags):
            return f"{'tag' if len(tags) == 1 else 'tags'} {reasons.listed(sorted(tags))} set"
        case do.UntagRole(keys=keys):
            return f"{'tag' if len(keys) == 1 else 'tags'} {reasons.listed(list(keys))} taken away"
        case do.UpdateRole(description=description, max_session_seconds=seconds):
            told = ["description"] * (description is not None) + ["longest session"] * (seconds is not None)
            return f"{reasons.listed(told)} set"
    return "attributes set"


CUT_OFF = frozenset({"AWSUnavailable", "Throttled", "CredentialsInvalid", "KubernetesUnavailable", "Progressing"})
"""What Ready says of an object whose last plan may have been left in the middle."""


def _drifted(irsa: IRSA, action: AwsAction | KubeAction, role_id: str, desired_trust: object) -> str:
    """What somebody else had changed, if this action puts something back: the spec is the one that was in force."""
    status = irsa.status
    ready = status.condition("Ready")
    if desired_trust is None or status.observed_generation != irsa.metadata.generation or ready is None:
        return ""
    if UNREAD in action.reason:
        # Nobody has seen that anything differed.
        return ""
    if ready.reason in CUT_OFF or (status.role.name and not status.role.trust_policy_sha256):
        # What was asked for has never been there as a whole: the plan before didn't come to its end.
        return ""
    if status.record.over and isinstance(action, do.TagRole):
        # An administrator has signed for the role: it gets its mark now.
        return ""
    if isinstance(action, AwsAction) and action.role.lower() != status.role.name.lower():
        # An old role of a rename: what is done to it is no repair.
        return ""
    role = f"role {status.role.name}"
    match action:
        case do.CreateRole() if status.role.id and status.role.name == action.role:
            ids = f"its id was {status.role.id} and is {role_id} now; grants that name the old one are dead"
            return f"{role[0].upper()}{role[1:]} ({ids})"
        case do.UpdateTrust(trust=trust) if status.role.trust_policy_sha256 == sha256(trust):
            return f"The trust policy of {role}"
        case do.AttachPolicy(policy_arn=policy) if policy in status.role.attached_policies:
            return f"Policy {arn.policy_name(policy)} of {role}"
        case do.DetachPolicy(policy_arn=policy) if policy not in status.role.attached_policies:
            return f"{role[0].upper()}{role[1:]}, to which policy {arn.policy_name(policy)} had been attached,"
        case do.PutInlinePolicy(name=name) if name in status.role.inline_policies:
            return f"Inline policy {name} of {role}"
        case do.SetBoundary() | do.UpdateRole() | do.TagRole() if status.role.id:
            return f"{role[0].upper()}{role[1:]}"
        case do.CreateServiceAccount() | do.PatchServiceAccount():
            key = (action.namespace, action.name)
            if key in {(b.namespace, b.name) for b in status.service_accounts}:
                return f"ServiceAccount {action.namespace}/{action.name}"
    return ""
