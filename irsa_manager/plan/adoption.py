"""What an adopted role had, to be given back at the end. Pure.

Rules, each tested:
1. It is what the role has in the moment before our first write.
2. An adoption that was begun before, by a run that was cut off or before the role's owner took its trust back, tells
   what was there in the place of what we have set: of that, what is as we set it now.
3. The consent to the adoption is the owner's alone: it is neither kept nor ever written.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from irsa_manager.api import names
from irsa_manager.api.irsa import Adoption, IRSAStatus
from irsa_manager.plan.desired import DesiredRole
from irsa_manager.plan.mark import Whose
from irsa_manager.plan.observed import ObservedRole
from irsa_manager.trust.document import same


def what_it_had(
    status: IRSAStatus, desired: DesiredRole, observed: ObservedRole | None, kind: Whose, *, adopting: bool
) -> Adoption | None:
    """What an adopted role had; None for one that isn't. status: as far as it can be trusted. adopting: now."""
    kept = status.adoption if status.adoption is not UNSET else None
    if observed is None or status.role.name.lower() != observed.name.lower():
        # What a role of another name had would be somebody else's trust.
        kept = None
    if adopting and observed is not None:
        return _found_now(desired, observed, kept if status.role.id == observed.id else None)
    return kept if kind is Whose.ADOPTED else None


def _found_now(desired: DesiredRole, observed: ObservedRole, begun: Adoption | None) -> Adoption:
    """What has to be noted before the role is written. begun: an adoption of this very role that was begun before."""
    tags = {key: value for key, value in (observed.tags or {}).items() if key.lower() != names.TAG_ADOPT_BY}
    now = Adoption(
        trust_policy=observed.trust or {},
        attached_policies=observed.attached or (),
        inline_policies=observed.inline or {},
        permissions_boundary=observed.boundary or "",
        tags=tags,
        description=observed.description,
        max_session_duration_seconds=observed.max_session_seconds,
    )
    return now if begun is None else _without_ours(desired, now, begun)


def _without_ours(desired: DesiredRole, now: Adoption, begun: Adoption) -> Adoption:
    ours = set(desired.policies) - set(begun.attached_policies)
    set_by_us = {**desired.tags, **desired.own_tags}
    managed = set(desired.managed)
    seconds = desired.max_session_seconds
    return Adoption(
        trust_policy=now.trust_policy,
        attached_policies=tuple(policy for policy in now.attached_policies if policy not in ours),
        inline_policies=_back(now.inline_policies, begun.inline_policies, desired.inline),
        permissions_boundary=(
            begun.permissions_boundary
            if desired.boundary and desired.boundary == now.permissions_boundary
            else now.permissions_boundary
        ),
        tags=_back(now.tags, begun.tags, set_by_us),
        description=(
            begun.description
            if "description" in managed and desired.description == now.description
            else now.description
        ),
        max_session_duration_seconds=(
            begun.max_session_duration_seconds
            if seconds is not None and seconds == now.max_session_duration_seconds
            else now.max_session_duration_seconds
        ),
    )


def _back(now: dict[str, Any], begun: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    """What is there now; in the place of what is as we set it, what was there before. IAM ignores the case of keys."""
    wanted = {key.lower(): value for key, value in ours.items()}
    before = {key.lower(): (key, value) for key, value in begun.items()}
    found: dict[str, Any] = {}
    for key, value in now.items():
        low = key.lower()
        if low not in wanted or not _equal(value, wanted[low]):
            found[key] = value
        elif low in before:
            found[before[low][0]] = before[low][1]
    return found


def _equal(one: Any, other: Any) -> bool:
    return one == other if isinstance(one, str) or isinstance(other, str) else same(one, other)
