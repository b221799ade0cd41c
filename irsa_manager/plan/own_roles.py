"""The roles that an object has or had, by evidence; and what gives adopted ones back."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from msgspec import UNSET

from irsa_manager.api import names
from irsa_manager.api.irsa import IRSA, IRSAStatus
from irsa_manager.plan import diff_adopted
from irsa_manager.plan.actions import AwsAction, UpdateTrust
from irsa_manager.plan.desired import disarmed
from irsa_manager.plan.facts import Situation
from irsa_manager.plan.mark import Whose
from irsa_manager.plan.namespaces import protected, resolve
from irsa_manager.plan.observed import ObservedRole
from irsa_manager.plan.ownership import MADE, REFERENCED, owner_of, trusted_status, vouched
from irsa_manager.plan.patterns import covered
from irsa_manager.plan.tenancy import targets
from irsa_manager.trust import arn
from irsa_manager.trust.document import deny_all, subject, subjects, without


def marked_roles(irsa: IRSA, situation: Situation, kinds: tuple[Whose, ...]) -> list[ObservedRole]:
    """Roles under any name that the object has or had, and that are its own by marks or record."""
    spec = irsa.spec
    candidates = [irsa.status.role.name, *(r.name for r in irsa.status.retired_roles)]
    if spec is not UNSET:
        candidates.insert(0, spec.iam_role.name)
    found = []
    for name in dict.fromkeys(n.lower() for n in candidates if n):
        role = situation.roles.get(name)
        facts = situation.facts
        if role and owner_of(role, irsa, facts.account, situation.keys, facts.operator_namespace) in kinds:
            found.append(role)
    return found


def in_reach(irsa: IRSA, keys: Iterable[tuple[str, str]], situation: Situation) -> set[tuple[str, str]]:
    """Of these ServiceAccounts those in namespaces that the object may ask for.

    What points to a role that isn't verified as the object's may be anybody's, and the status' list can be forged.
    """
    facts, home = situation.facts, irsa.metadata.namespace
    seen = situation.namespaces.get(home)
    allowed = targets(home, facts.tenancy, seen.labels if seen else None, facts.operator_namespace)
    everywhere = home == facts.operator_namespace
    return {
        key
        for key in keys
        if covered(key[0], allowed) and (everywhere or not protected(key[0], facts.operator_namespace))
    }


def released(
    irsa: IRSA,
    before: Collection[tuple[str, str]],
    situation: Situation,
    roles: Iterable[ObservedRole],
    arns: Collection[str],
) -> set[tuple[str, str]]:
    """ServiceAccounts that may have to be released: those that the roles trust; of the status' list, and of those that
    we made and that the object asks for, the ones in its reach that no other object holds. What a signed list names was
    bound for this object, wherever it is: its trust may be shut already, or the role be gone.

    Any other that points to a role of ours may be another object's that refers to it, or a copy; and who may write a
    tenant's spec or status could list it. arns: of these roles, and of those that are gone.
    """
    facts = situation.facts
    signed = vouched(irsa.status, irsa.key, facts.account, situation.keys)
    found, asked = in_reach(irsa, before, situation), set[tuple[str, str]]()
    if irsa.spec is not UNSET:
        spec = irsa.spec.service_account
        reach = resolve(spec, situation.namespaces, facts.operator_namespace)
        asked = in_reach(irsa, {(namespace, name) for namespace in reach.living for name in spec.names}, situation)
    trusting = {role.arn: {name for _, name in subjects(role.trust)} for role in roles}
    trusted: set[tuple[str, str]] = set()
    for key, account in situation.service_accounts.items():
        role = account.annotations.get(names.ANNOTATION_ROLE_ARN, "")
        if subject(*key) in trusting.get(role, ()) and (account.made or key in before):
            trusted.add(key)
        elif role in arns and ((account.made and key in asked) or (signed and key in before)):
            found.add(key)
    admins = irsa.metadata.namespace == facts.operator_namespace
    return trusted | (found if admins else found - situation.holders.keys())


def gone_arns(status: IRSAStatus, situation: Situation) -> set[str]:
    """ARNs of the old roles of a rename that somebody has deleted. status: as far as its record vouches for it.

    The record vouches for a role's name and not for its path, but IAM has one role of a name, and there is none.
    """
    facts = situation.facts
    return {
        old.arn
        for old in status.retired_roles
        if old.origin == MADE
        and old.name.lower() not in situation.roles
        and arn.names_role(old.arn, facts.partition, facts.account, old.name)
    }


def named_arns(irsa: IRSA, situation: Situation) -> set[str]:
    """ARNs of roles that aren't the object's and that it has bound ServiceAccounts to: it referred to them, or somebody
    has made them in the place of its own.

    Nothing vouches for a reference, so that of what points there only what the object may ask for can be its own.
    """
    facts, status = situation.facts, irsa.status
    signed = vouched(status, irsa.key, facts.account, situation.keys)
    return {
        noted.arn
        for noted in (status.role, *status.retired_roles)
        if (noted.origin == REFERENCED or (signed and noted.origin))
        and arn.names_role(noted.arn, facts.partition, facts.account, noted.name)
    }


def given_back(
    irsa: IRSA, adopted: list[ObservedRole], situation: Situation, why: str, *, closing: bool = True
) -> list[AwsAction]:
    """What gives adopted roles back what they had, as far as the status' record vouches for it.

    closing: where the trust that it had could not be read, at least nobody of ours may be left in it.
    """
    status = trusted_status(irsa.status, irsa.key, situation.facts.account, situation.keys)
    if status.adoption is UNSET:
        # What it had is lost with the status, and isn't guessed; but nobody of ours may be left in its trust.
        return [action for role in adopted for action in _left(role, situation, why)] if closing else []
    actions: list[AwsAction] = []
    for role in adopted:
        if role.name.lower() == status.role.name.lower():
            facts = situation.facts
            closed = deny_all("none", arn.provider_arn(facts.partition, facts.account, facts.host))
            shut = disarmed(role, irsa.key, situation, Whose.ADOPTED)
            known = irsa.status.role
            actions += diff_adopted.give_back(role, status.adoption, known, why, closed if closing else None, shut)
    return actions


def _left(role: ObservedRole, situation: Situation, why: str) -> list[AwsAction]:
    """What takes this cluster's subjects out of a role that isn't ours."""
    facts = situation.facts
    provider = arn.provider_arn(facts.partition, facts.account, facts.host)
    ours = {(found, name) for found, name in subjects(role.trust) if found == provider}
    if not ours:
        return []
    trust = (without(role.trust, ours) if role.trust is not None else None) or deny_all("none", provider)
    return [UpdateTrust(role=role.name, reason=f"{why}; what it trusted before isn't known any more", trust=trust)]
