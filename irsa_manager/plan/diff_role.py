"""The actions that turn the role that is into the role that should be. Pure.

Order: what narrows first (boundary, trust), then policies, then what is only descriptive, what widens last.
"""

from __future__ import annotations

from typing import Any

from irsa_manager.api.irsa import Adoption, RoleStatus
from irsa_manager.plan.actions import (
    AttachPolicy,
    AwsAction,
    CreateRole,
    DeleteInlinePolicy,
    DeleteRole,
    DetachPolicy,
    PutInlinePolicy,
    RemoveBoundary,
    SetBoundary,
    TagRole,
    UntagRole,
    UpdateRole,
    UpdateTrust,
)
from irsa_manager.plan.desired import DEFAULT_SESSION_SECONDS, DesiredRole
from irsa_manager.plan.observed import ObservedRole
from irsa_manager.trust.arn import account_of, policy_name
from irsa_manager.trust.document import (
    compact,
    deny_all,
    federated,
    principals,
    same,
    sha256,
    short_subject,
    statements,
    subjects,
    without,
)

UNREAD = "written again, since it can't be read"

SHOWN = 300
"""Characters of a document that differed that are told."""

KEPT_POLICIES = ("AWSDenyAll", "AWSCompromisedKeyQuarantine")
"""Managed policies (by the beginning of their names) that incident response attaches; drift repair leaves them."""


def create(desired: DesiredRole, *, tagging: bool = True) -> list[AwsAction]:
    """The role in as few calls as IAM allows: one, and one for each policy."""
    why = "not there yet"
    actions: list[AwsAction] = [
        CreateRole(
            role=desired.name,
            reason=why,
            path=desired.path,
            trust=desired.trust,
            description=desired.description,
            max_session_seconds=desired.max_session_seconds,
            boundary=desired.boundary if desired.boundary is not None else desired.fresh_boundary,
            tags={**desired.tags, **desired.own_tags} if tagging else {},
        )
    ]
    actions += [AttachPolicy(role=desired.name, reason="not attached", policy_arn=p) for p in desired.policies]
    actions += [
        PutInlinePolicy(role=desired.name, reason=why, name=name, document=document)
        for name, document in desired.inline.items()
    ]
    return actions


def update(
    desired: DesiredRole,
    observed: ObservedRole,
    *,
    managed_before: tuple[str, ...] = (),
    inline_before: tuple[str, ...] = (),
    quota: int = 10,
    tagging: bool = True,
    had: Adoption | None = None,
    trust_written: str = "",
    rewrite: bool = False,
    attached_before: tuple[str, ...] = (),
    adopting: bool = False,
) -> list[AwsAction]:
    """What makes an existing role of ours right.

    managed_before: attributes that the spec had set (status.role.managed); those it no longer sets are taken back, to
    what an adopted role `had`. inline_before: inline policies that we had put. quota: managed policies that a role may
    have. trust_written: where the trust can't be read, the hash of what was last written; attached_before: likewise the
    policies of the status. rewrite: write what can't be read, since the object changed or it is time; else what isn't
    known is left alone. adopting: the role doesn't bear the mark yet.
    """
    before = set(managed_before) - set(desired.managed)
    boundary = _boundary(desired, observed, "permissionsBoundary" in before, had, rewrite)
    widening = [action for action in boundary if isinstance(action, RemoveBoundary)]
    narrowing = [action for action in boundary if action not in widening]
    return [
        *(_mark(desired, observed) if adopting and narrowing else ()),
        *narrowing,
        *_trust(desired, observed, trust_written, rewrite),
        *_policies(desired, observed, quota, attached_before if rewrite else None),
        *_inline(desired, observed, inline_before, had, rewrite),
        *_attributes(desired, observed, before, had, rewrite),
        *(_tags(desired, observed, before, had, rewrite) if tagging else ()),
        *widening,
    ]


def _mark(desired: DesiredRole, observed: ObservedRole) -> list[AwsAction]:
    """The mark in the trust that is there, before anything else is written: what is cut off is known by it as ours."""
    if observed.trust is None:
        return []
    marking = statements(deny_all(desired.mark, federated(desired.trust)[0]))
    trust = {**observed.trust, "Statement": [*marking, *statements(observed.trust)]}
    return [UpdateTrust(role=desired.name, reason="marked as adopted; whom it trusts follows", trust=trust)]


def _boundary(
    desired: DesiredRole, observed: ObservedRole, taken_out: bool, had: Adoption | None, rewrite: bool
) -> list[AwsAction]:
    wanted = desired.boundary
    if wanted is None and taken_out:
        wanted = had.permissions_boundary if had is not None else desired.fresh_boundary
    if wanted is None or wanted == observed.boundary or (observed.boundary is None and not rewrite):
        return []
    if not wanted:
        return [RemoveBoundary(role=desired.name, reason="permissionsBoundary was taken out of the spec")]
    if observed.boundary is None:
        return [SetBoundary(role=desired.name, reason=UNREAD, boundary=wanted)]
    was = policy_name(observed.boundary) if observed.boundary else "none"
    why = f"permissions boundary was {was}, should be {policy_name(wanted)}"
    return [SetBoundary(role=desired.name, reason=why, boundary=wanted)]


def _trust(desired: DesiredRole, observed: ObservedRole, written: str, rewrite: bool) -> list[AwsAction]:
    if observed.trust is None:
        if written == sha256(desired.trust) and not rewrite:
            return []
        why = UNREAD if written == sha256(desired.trust) else "the object changed"
        return [UpdateTrust(role=desired.name, reason=why, trust=desired.trust)]
    if same(desired.trust, observed.trust):
        return []
    why = trust_difference(desired.trust, observed.trust)
    leaving = subjects(observed.trust) - subjects(desired.trust)
    narrowed = without(observed.trust, leaving) if leaving else None
    if leaving and narrowed is None:
        narrowed = deny_all(desired.mark, federated(desired.trust)[0])
    return [UpdateTrust(role=desired.name, reason=why, trust=desired.trust, narrowed=narrowed)]


def trust_difference(desired: Any, observed: Any) -> str:
    """What differs between two trust documents, for people: subjects first, since they are what counts."""
    wanted, found = subjects(desired), subjects(observed)
    parts = [f"subject {short_subject(s)} missing" for _, s in sorted(wanted - found)]
    parts += [f"subject {short_subject(s)} too many" for _, s in sorted(found - wanted)]
    others = principals(observed) - principals(desired) - {provider for provider, _ in found}
    parts += [f"principal {p} too many" for p in sorted(others)]
    if not parts:
        return f"trust differed: conditions, actions or the mark; it was {_shown(observed)}"
    more = f" and {len(parts) - 3} more" if len(parts) > 3 else ""
    return "trust differed: " + ", ".join(parts[:3]) + more


def _shown(document: Any) -> str:
    """A document's beginning, for people who want to know what was there."""
    text = compact(document)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def foreign_kept(policy_arn: str) -> bool:
    """Whether an attached policy is one that incident response attaches and drift repair leaves."""
    name = policy_arn.rpartition("/")[2]
    return account_of(policy_arn) == "aws" and name.startswith(KEPT_POLICIES)


def _policies(
    desired: DesiredRole, observed: ObservedRole, quota: int, unread: tuple[str, ...] | None
) -> list[AwsAction]:
    if observed.attached is None:
        if unread is None:
            return []
        gone = [p for p in unread if p not in desired.policies and not foreign_kept(p)]
        return [
            *(AttachPolicy(role=desired.name, reason=UNREAD, policy_arn=p) for p in desired.policies),
            *(DetachPolicy(role=desired.name, reason="not in the spec any more", policy_arn=p) for p in gone),
        ]
    attached = set(observed.attached)
    attach: list[AwsAction] = [
        AttachPolicy(role=desired.name, reason="not attached", policy_arn=p)
        for p in desired.policies
        if p not in attached
    ]
    detach: list[AwsAction] = [
        DetachPolicy(role=desired.name, reason="not in the spec", policy_arn=p)
        for p in sorted(attached - set(desired.policies))
        if not foreign_kept(p)
    ]
    # New before old, so that a pod never stands without both; unless the role is full, where the old must go first.
    return [*attach, *detach] if len(attached) + len(attach) <= quota else [*detach, *attach]


def _inline(
    desired: DesiredRole,
    observed: ObservedRole,
    inline_before: tuple[str, ...],
    had: Adoption | None,
    rewrite: bool,
) -> list[AwsAction]:
    if observed.inline is None and not rewrite:
        return []
    if observed.inline is None:
        puts = [
            PutInlinePolicy(role=desired.name, reason=UNREAD, name=name, document=document)
            for name, document in desired.inline.items()
        ]
        return [*puts, *_inline_back(desired, {}, inline_before, had)]
    found = by_name(observed.inline)
    actions: list[AwsAction] = []
    for name, document in desired.inline.items():
        there = found.get(name.lower())
        if there is None or not same(there[1], document):
            reason = "not there yet" if there is None else f"document differed: it was {_shown(there[1])}"
            actions.append(PutInlinePolicy(role=desired.name, reason=reason, name=name, document=document))
    return [*actions, *_inline_back(desired, found, inline_before, had)]


def _inline_back(
    desired: DesiredRole,
    found: dict[str, tuple[str, Any]],
    inline_before: tuple[str, ...],
    had: Adoption | None,
) -> list[AwsAction]:
    """What the spec no longer has goes; one that an adopted role had of that name comes back.

    Seen or not: one whose put got no answer may be there all the same, and one that isn't counts as done.
    """
    wanted, before = {name.lower() for name in desired.inline}, by_name(had.inline_policies if had else {})
    actions: list[AwsAction] = []
    for name in inline_before:
        there, back = found.get(name.lower()), before.get(name.lower())
        if name.lower() in wanted:
            continue
        if back is None:
            why = "not in the spec any more"
            actions.append(DeleteInlinePolicy(role=desired.name, reason=why, name=there[0] if there else name))
        elif there is None or not same(there[1], back[1]):
            why = "not in the spec any more: as it was before the adoption"
            actions.append(PutInlinePolicy(role=desired.name, reason=why, name=back[0], document=back[1]))
    return actions


def by_name(inline: dict[str, Any]) -> dict[str, tuple[str, Any]]:
    """Inline policies by lower-case name: IAM matches their names ignoring case and keeps the first spelling."""
    return {name.lower(): (name, document) for name, document in inline.items()}


def foreign_inline(desired: DesiredRole, observed: ObservedRole, inline_before: tuple[str, ...]) -> tuple[str, ...]:
    """Inline policies that somebody else put on the role: kept and reported."""
    ours = {name.lower() for name in (*desired.inline, *inline_before)}
    return tuple(sorted(name for name in observed.inline or {} if name.lower() not in ours))


def _attributes(
    desired: DesiredRole, observed: ObservedRole, taken_out: set[str], had: Adoption | None, rewrite: bool
) -> list[AwsAction]:
    description = desired.description if "description" in desired.managed else None
    if "description" in taken_out:
        description = had.description if had is not None else desired.description
    seconds = desired.max_session_seconds
    if seconds is None and "maxSessionDurationSeconds" in taken_out:
        seconds = had.max_session_duration_seconds if had is not None else DEFAULT_SESSION_SECONDS
    if description == observed.description or (observed.description is None and not rewrite):
        description = None
    if seconds == observed.max_session_seconds or (observed.max_session_seconds is None and not rewrite):
        seconds = None
    if description is None and seconds is None:
        return []
    changes: list[tuple[str, Any, Any]] = []
    changes += [("description", observed.description, description)] if description is not None else []
    changes += [("maxSessionDurationSeconds", observed.max_session_seconds, seconds)] if seconds is not None else []
    told = [
        f"{name} {UNREAD}" if was is None else f"{name} was {was!r}, should be {now!r}" for name, was, now in changes
    ]
    return [UpdateRole(role=desired.name, reason="; ".join(told), description=description, max_session_seconds=seconds)]


def _tags(
    desired: DesiredRole, observed: ObservedRole, taken_out: set[str], had: Adoption | None, rewrite: bool
) -> list[AwsAction]:
    if observed.tags is None and not rewrite:
        return []
    # To IAM a role's tag keys are one key whatever their case.
    gone = [key.removeprefix("tags/") for key in taken_out if key.startswith("tags/")]
    taken = {key.lower() for key in gone} - {key.lower() for key in desired.tags}
    restored = {k: v for k, v in (had.tags if had is not None else {}).items() if k.lower() in taken}
    wanted = {**restored, **desired.tags, **desired.own_tags}
    kept = {key.lower() for key in wanted}
    if observed.tags is None:
        groups = [group for group in (desired.own_tags, {**restored, **desired.tags}) if group]
        unseen = tuple(sorted(key for key in gone if key.lower() not in kept))
        return [
            *(TagRole(role=desired.name, reason=UNREAD, tags=group) for group in groups),
            *([UntagRole(role=desired.name, reason="taken out of the spec", keys=unseen)] if unseen else []),
        ]
    found = {key.lower(): (key, value) for key, value in observed.tags.items()}
    actions: list[AwsAction] = []
    # Ours apart from the spec's: a policy may allow the one and not the other (condition aws:TagKeys).
    for group in (desired.own_tags, {**restored, **desired.tags}):
        differing = {k: v for k, v in group.items() if found.get(k.lower(), ("", None))[1] != v}
        if differing:
            changes = [
                f"{k} {_was(found.get(k.lower(), ('', ''))[1])}, should be {differing[k]}" for k in sorted(differing)
            ]
            reason = f"tags differed: {'; '.join(changes)}"
            actions.append(TagRole(role=desired.name, reason=reason, tags=differing))
    keys = tuple(sorted(found[k.lower()][0] for k in gone if k.lower() in found and k.lower() not in kept))
    if keys:
        actions.append(UntagRole(role=desired.name, reason="taken out of the spec", keys=keys))
    return actions


def _was(value: str) -> str:
    return f"was {value}" if value else "was missing"


def disarm(observed: ObservedRole, trust: dict[str, Any], reason: str) -> list[AwsAction]:
    """Let nobody in any more, before anything else goes: a token outlives its ServiceAccount."""
    if observed.trust is not None and same(observed.trust, trust):
        return []
    return [UpdateTrust(role=observed.name, reason=reason, trust=trust)]


def remove(observed: ObservedRole, reason: str, noted: RoleStatus | None = None) -> list[AwsAction]:
    """Everything off the role, then the role (IAM User Guide, "Delete roles or instance profiles").

    noted: what the status says that is on it, for what can't be read.
    """
    name, known = observed.name, noted or RoleStatus()
    attached = known.attached_policies if observed.attached is None else observed.attached
    inline = known.inline_policies if observed.inline is None else observed.inline
    actions: list[AwsAction] = [DetachPolicy(role=name, reason=reason, policy_arn=p) for p in sorted(attached)]
    actions += [DeleteInlinePolicy(role=name, reason=reason, name=n) for n in sorted(inline)]
    return [*actions, DeleteRole(role=name, reason=reason)]
