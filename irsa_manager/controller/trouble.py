"""What stops the work on an object before there is a plan. Pure."""

from __future__ import annotations

from typing import Any

from irsa_manager.api import reasons
from irsa_manager.api.irsa import IRSA
from irsa_manager.controller.setup import Resolved
from irsa_manager.controller.telling import Told, error_told, problem_told
from irsa_manager.plan.facts import ClusterFacts

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


def other_account(irsa: IRSA, facts: ClusterFacts) -> Told | None:
    """Wrong credentials must not make every role again in an account that nobody meant, nor forget those there are."""
    there = irsa.status.role.account_id
    if not there or there == facts.account:
        return None
    text = f"it is in account {there}, but the manager's credentials are of {facts.account}; nothing was written."
    values: dict[str, Any] = {"role": irsa.status.role.name, "error": text, "next_try": "in 5 minutes"}
    return Told("IRSAFailedRoleUpdate", reasons.message("IRSAFailedRoleUpdate", **values))
