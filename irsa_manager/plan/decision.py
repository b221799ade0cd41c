"""What the planner says: the plan, and what can't be done."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from irsa_manager.api.irsa import Adoption, BoundServiceAccount, IRSAStatus
from irsa_manager.plan.actions import Plan
from irsa_manager.plan.desired import Desired
from irsa_manager.plan.observed import ObservedRole


class Problem(Struct, frozen=True):
    """Why something isn't as it should be: a reason of the catalogue and what its message needs."""

    code: str
    facts: dict[str, Any] = field(default_factory=dict)


class Decision(Struct, frozen=True):
    """What to do for an object, and what can't be done.

    desired: None for a deletion, and where tenancy denies the object. role: the object's own role as observed, None
    where it is still to be made. adopted: it was there before, and is never deleted. ready_problem, role_problem,
    accounts_problem: what the conditions Ready, RoleReady and ServiceAccountsReady must say; with one of the first two
    nothing is written for the object. role_warning: what RoleReady must say although the plan goes on. old_roles: of a
    rename or deletion, that the plan takes away. bound: the ServiceAccounts that are bound once the plan is carried
    out. adoption: what an adopted role had; adopting: it has to be in the status before the plan is carried out.
    giving_back: the plan gives back an adopted role that the spec no longer adopts, and nothing else; when that is done
    and the status says so, the object is decided anew. referenced: the role is used as it is. before: the status as far
    as it can be trusted.
    """

    plan: Plan
    desired: Desired | None = None
    role: ObservedRole | None = None
    ready_problem: Problem | None = None
    role_problem: Problem | None = None
    accounts_problem: Problem | None = None
    role_warning: Problem | None = None
    old_roles: tuple[ObservedRole, ...] = ()
    bound: tuple[BoundServiceAccount, ...] = ()
    foreign_inline: tuple[str, ...] = ()
    adoption: Adoption | None = None
    adopting: bool = False
    adopted: bool = False
    giving_back: bool = False
    referenced: bool = False
    before: IRSAStatus = IRSAStatus()
