"""What stops the work on an object before there is a plan. Pure."""

from __future__ import annotations

import re
from typing import Any

from msgspec import UNSET

from irsa_manager.api import reasons
from irsa_manager.api.grammar import IAM_NAME
from irsa_manager.api.irsa import IRSA
from irsa_manager.controller.setup import Resolved
from irsa_manager.controller.setup_status import provider_told
from irsa_manager.controller.telling import Told, error_told, problem_told
from irsa_manager.plan.facts import ClusterFacts, Situation
from irsa_manager.plan.mark import MarkKeys, Whose
from irsa_manager.plan.ownership import unvouched, vouched
from irsa_manager.plan.problems import not_mine
from irsa_manager.trust import arn

LONGEST_ROLE_NAME = 64
"""Characters (IAM API, CreateRole)."""

SOON_SECONDS = 3.0
"""Until another look at what IAM may show late."""

STALLED_SECONDS = 300.0
"""How often something that waits for a person is looked at again, beside the sweeps."""

UNREADY_SECONDS = 10.0
"""How often an object is looked at again that waits for the setup; news of the setup wakes it earlier."""


def unresolved(resolved: Resolved) -> Told:
    """Why there are no facts, as an IRSA's condition says it."""
    if resolved.problem is not None and resolved.problem.code == "NotImplemented":
        setup = str(resolved.problem.facts["setup"])
        values: dict[str, Any] = {
            "setup": setup,
            "reason": "NotImplemented",
            "left": "Nothing was written for this object.",
        }
        return Told("SetupNotReady", reasons.message("SetupNotReady", **values))
    if resolved.problem is not None:
        return problem_told(resolved.problem)
    if resolved.error is not None:
        return error_told(resolved.error)
    return Told("Progressing", reasons.message("Progressing", generation=0))


def not_usable(resolved: Resolved) -> Told | None:
    """Why AWS doesn't accept tokens, though role and trust could be made: the setup's fault, or the provider's."""
    if resolved.facts is None or resolved.error is not None:
        return None
    wrong = provider_told(resolved, resolved.facts)
    if wrong.code not in {"ProviderNotFound", "AudienceMissing"}:
        return None
    if resolved.setup is None:
        return wrong
    left = "Role and trust were made; AWS won't accept tokens until then."
    values: dict[str, Any] = {"setup": resolved.setup.key, "reason": wrong.code, "left": left}
    return Told("SetupNotReady", reasons.message("SetupNotReady", **values))


def other_account(irsa: IRSA, facts: ClusterFacts, keys: MarkKeys) -> Told | None:
    """Wrong credentials must not make every role again in an account that nobody meant, nor forget those there are.

    Only what the status' record vouches for counts, or whoever may write it could keep a role from being disarmed.
    """
    there = irsa.status.role.account_id
    if not there or there == facts.account or not vouched(irsa.status, irsa.key, there, keys):
        return None
    text = f"it is in account {there}, but the manager's credentials are of {facts.account}; nothing was written."
    values: dict[str, Any] = {"role": irsa.status.role.name, "error": text, "next_try": "in 5 minutes"}
    return Told("IRSAFailedRoleUpdate", reasons.message("IRSAFailedRoleUpdate", **values))


def unproved(irsa: IRSA, situation: Situation) -> Told | None:
    """Why a released object keeps hold of the role that it says it has adopted: no key vouches for what that had.

    Let go, what the role had would be lost with the status.
    """
    there = situation.roles.get(irsa.status.role.name.lower())
    if there is None or not unvouched(there, irsa, situation.facts.account, situation.keys):
        return None
    return problem_told(not_mine(there, Whose.UNMARKED, irsa, situation))


def role_arn(irsa: IRSA, facts: ClusterFacts, name: str) -> str:
    """The ARN that a role of the object's has, or would have, by its status or its spec.

    A status can be forged: of what it says only the path counts, since IAM has one role of a name.
    """
    for known in (irsa.status.role, *irsa.status.retired_roles):
        if arn.names_role(known.arn, facts.partition, facts.account, name):
            return known.arn
    wanted = irsa.spec.iam_role if irsa.spec is not UNSET else None
    path = wanted.path if wanted is not None and wanted.path is not UNSET else facts.role_defaults.path
    return arn.role_arn(facts.partition, facts.account, path, name)


def spec_role(irsa: IRSA) -> str:
    """The name of the role that the spec names, "" where it names none."""
    return irsa.spec.iam_role.name if irsa.spec is not UNSET else ""


def role_names(irsa: IRSA) -> list[str]:
    """The names of the roles that the object has or had: of its spec, its status, and of renames not finished."""
    found = [spec_role(irsa), irsa.status.role.name, *(r.name for r in irsa.status.retired_roles)]
    # Who may write a status can write there what he likes.
    good = (name for name in found if len(name) <= LONGEST_ROLE_NAME and re.fullmatch(IAM_NAME, name))
    return list(dict.fromkeys(good))


def describes(irsa: IRSA) -> bool:
    """Whether the object manages what a sweep alone doesn't show: description or session duration."""
    if set(irsa.status.role.managed) & {"description", "maxSessionDurationSeconds"}:
        return True
    wanted = irsa.spec.iam_role if irsa.spec is not UNSET else None
    return wanted is not None and (wanted.description is not UNSET or wanted.max_session_duration_seconds is not UNSET)
