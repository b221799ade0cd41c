"""The actions that give an adopted role back as it was. Pure."""

from __future__ import annotations

from typing import Any

from irsa_manager.api import names
from irsa_manager.api.irsa import Adoption, RoleStatus
from irsa_manager.plan import actions as do
from irsa_manager.plan.actions import AwsAction
from irsa_manager.plan.diff_role import by_name, foreign_kept
from irsa_manager.plan.observed import ObservedRole
from irsa_manager.trust.document import same


def give_back(
    observed: ObservedRole,
    had: Adoption,
    ours: RoleStatus,
    reason: str,
    closed: dict[str, Any] | None = None,
    shut: dict[str, Any] | None = None,
) -> list[AwsAction]:
    """An adopted role as it was before. First it lets our subjects in no more; its own trust comes last, since that
    doesn't bear the mark by which the rest would be known as ours.

    shut: a trust that lets nobody in and bears the mark.
    ours: what the status says that we had set; what others added meanwhile stays. closed: the trust policy to write
    where the one that it had could not be read; None leaves it as it is then.
    """
    role = observed.name
    actions: list[AwsAction] = []
    attached = set(observed.attached or ())
    actions += [
        do.AttachPolicy(role=role, reason=reason, policy_arn=p) for p in had.attached_policies if p not in attached
    ]
    # The status' list isn't signed; what incident response attached stays whoever lists it.
    mine = {p for p in ours.attached_policies if not foreign_kept(p)} - set(had.attached_policies)
    actions += [do.DetachPolicy(role=role, reason=reason, policy_arn=p) for p in sorted(mine & attached)]
    found, before = by_name(observed.inline or {}), by_name(had.inline_policies)
    for name in ours.inline_policies:
        there, back = found.get(name.lower()), before.get(name.lower())
        if back is not None:
            if there is None or not same(there[1], back[1]):
                actions.append(do.PutInlinePolicy(role=role, reason=reason, name=back[0], document=back[1]))
        elif there is not None or observed.inline is None:
            actions.append(do.DeleteInlinePolicy(role=role, reason=reason, name=there[0] if there else name))
    actions += _attributes_back(observed, had, ours, reason)
    trust = had.trust_policy or closed
    if not trust or (observed.trust is not None and same(trust, observed.trust)):
        return actions
    last = do.UpdateTrust(role=role, reason=reason, trust=trust)
    if not actions or shut is None or (observed.trust is not None and same(shut, observed.trust)):
        return [*actions, last]
    return [do.UpdateTrust(role=role, reason=reason, trust=shut), *actions, last]


def _attributes_back(observed: ObservedRole, had: Adoption, ours: RoleStatus, reason: str) -> list[AwsAction]:
    role, managed = observed.name, set(ours.managed)
    actions: list[AwsAction] = []
    if "permissionsBoundary" in managed and observed.boundary != had.permissions_boundary:
        if had.permissions_boundary:
            actions.append(do.SetBoundary(role=role, reason=reason, boundary=had.permissions_boundary))
        else:
            actions.append(do.RemoveBoundary(role=role, reason=reason))
    description = had.description if "description" in managed else None
    seconds = had.max_session_duration_seconds if "maxSessionDurationSeconds" in managed else None
    # What isn't known is written.
    description = None if description == observed.description else description
    seconds = None if seconds == observed.max_session_seconds else seconds
    if description is not None or seconds is not None:
        actions.append(do.UpdateRole(role=role, reason=reason, description=description, max_session_seconds=seconds))
    return [*actions, *_tags_back(observed, had, managed, reason)]


def _tags_back(observed: ObservedRole, had: Adoption, managed: set[str], reason: str) -> list[AwsAction]:
    """Tags by lower-case key: to IAM the spec's spelling and the one that the role had are one key."""
    ours = {key.removeprefix("tags/").lower() for key in managed if key.startswith("tags/")}
    # Of our own keys those too that the role had of an object before.
    ours |= {key.lower() for key in (*(observed.tags or {}), *had.tags) if key.startswith(names.OWN_PREFIX)}
    # Consent to an adoption is the role's owner's to give and to take.
    ours.discard(names.TAG_ADOPT_BY.lower())
    found = {key.lower(): value for key, value in (observed.tags or {}).items()}
    kept = {key.lower() for key in had.tags}
    actions: list[AwsAction] = []
    back = {k: v for k, v in had.tags.items() if k.lower() in ours and found.get(k.lower()) != v}
    if back:
        actions.append(do.TagRole(role=observed.name, reason=reason, tags=back))
    gone = tuple(sorted(key for key in observed.tags or {} if key.lower() in ours - kept))
    if gone:
        actions.append(do.UntagRole(role=observed.name, reason=reason, keys=gone))
    return actions
