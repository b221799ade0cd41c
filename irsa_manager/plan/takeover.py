"""Taking over what the Go program before us made: whose role that is, and what its pods must not lose by it. Pure."""

from __future__ import annotations

from msgspec import UNSET

from irsa_manager.api import names
from irsa_manager.api.irsa import IRSA, IRSASpec, IRSAStatus
from irsa_manager.plan.facts import Situation
from irsa_manager.plan.mark import Whose
from irsa_manager.plan.observed import ObservedRole
from irsa_manager.plan.ownership import owner_of, upstreams, verdict


def left_by_upstream(irsa: IRSA, situation: Situation) -> ObservedRole | None:
    """The object's role, if the Go program made it and nobody has signed that yet."""
    spec, facts = irsa.spec, situation.facts
    if spec is UNSET or spec.iam_role.management_policy == "Reference" or not upstreams(irsa, facts.operator_namespace):
        return None
    observed = situation.roles.get(spec.iam_role.name.lower())
    if (
        observed is None
        or owner_of(observed, irsa, facts.account, situation.keys, facts.operator_namespace) is not Whose.UNMARKED
    ):
        return None
    found = verdict(irsa, observed, facts.account, situation.keys, facts.operator_namespace)
    return observed if found is Whose.MINE else None


def audiences_asked(spec: IRSASpec, situation: Situation) -> tuple[str, ...]:
    """What the object's ServiceAccounts ask for: the Go program's trust let in tokens of every audience."""
    found = {
        account.annotations[names.ANNOTATION_AUDIENCE]
        for account in situation.service_accounts.values()
        if account.name in spec.service_account.names and names.ANNOTATION_AUDIENCE in account.annotations
    }
    return tuple(sorted(found))


def kept_audiences(irsa: IRSA, status: IRSAStatus, situation: Situation) -> tuple[str, ...]:
    """Audiences of pods that would be cut off, since the trust had asked for none before the takeover."""
    spec = irsa.spec
    assert spec is not UNSET  # noqa: S101  (incomplete() was asked)
    asked = audiences_asked(spec, situation)
    if upstreams(irsa, situation.facts.operator_namespace):
        return asked
    return tuple(audience for audience in asked if audience in status.kept_audiences)
