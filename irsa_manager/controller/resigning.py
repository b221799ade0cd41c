"""Roles that were this cluster's but can't be known as such: found, and signed anew by an administrator.

Two kinds: those that the Go program before us made, which bear no mark, and those whose mark was made with a key that
is lost. What makes a role a candidate is evidence for a person to judge, never proof: status can be forged by whoever
may write it, so nothing is signed before somebody has read the list.
"""

from __future__ import annotations

from collections import Counter

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import replace

from irsa_manager.api.irsa import IRSA, Intent, IRSAStatus, RoleStatus
from irsa_manager.controller.signing import signed
from irsa_manager.controller.survey import Survey
from irsa_manager.kube.client import Kube
from irsa_manager.kube.resources import IRSAS
from irsa_manager.plan.facts import ClusterFacts
from irsa_manager.plan.mark import MarkKeys, Whose, judge, looks_like_one
from irsa_manager.plan.namespaces import resolve
from irsa_manager.plan.observed import ObservedRole
from irsa_manager.plan.ownership import (
    MADE,
    foreign_key,
    marks,
    owner_of,
    perhaps_upstreams,
    tagged_only,
    trusted_status,
)
from irsa_manager.plan.planner import incomplete
from irsa_manager.plan.takeover import audiences_asked
from irsa_manager.trust import arn
from irsa_manager.trust.document import federated, sids, subjects

PREFIX = "system:serviceaccount:"

UNMARKED = "unmarked"
"""What is signed over where the trust bears no mark at all."""


class Candidate(Struct, frozen=True):
    """A role that plainly was the object's. trusted: namespace/name that its trust names for this cluster's issuer.

    patterns: what the trust says instead of names. doubts: what an administrator should look at before he signs.
    why: what speaks for it. rival: another object for which the same is true; then neither is signed. audiences: that
    ServiceAccounts of a role that asked for none ask for. adopted: its lost mark says so, and it is signed as that.
    """

    irsa: IRSA
    role: ObservedRole
    trusted: tuple[str, ...]
    why: str
    patterns: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    rival: str = ""
    audiences: tuple[str, ...] = ()
    adopted: bool = False


def candidates(found: Survey, namespace: str = "") -> list[Candidate]:
    """All of the cluster's, or of one namespace's objects, in the order of their names. There must be facts."""
    facts = found.resolved.facts
    assert facts is not None  # noqa: S101  (the caller has asked)
    each = [_candidate(irsa, found, facts) for _, irsa in sorted(found.view.irsas.items())]
    all_ = [candidate for candidate in each if candidate is not None]
    wanting = Counter(candidate.role.arn for candidate in all_)
    result = []
    for candidate in all_:
        rival = ""
        if wanting[candidate.role.arn] > 1:
            rival = next(
                c.irsa.key for c in all_ if c.role.arn == candidate.role.arn and c.irsa.key != candidate.irsa.key
            )
        if namespace in {"", candidate.irsa.metadata.namespace}:
            result.append(replace(candidate, rival=rival))
    return result


def _candidate(irsa: IRSA, found: Survey, facts: ClusterFacts) -> Candidate | None:
    spec, status = irsa.spec, irsa.status
    if spec is UNSET or incomplete(spec) or irsa.metadata.deleting or spec.iam_role.management_policy == "Reference":
        return None
    role = found.view.roles.get(spec.iam_role.name)
    if (
        role is None
        or not role.id
        or owner_of(role, irsa, facts.account, found.keys, facts.operator_namespace) is not Whose.UNMARKED
    ):
        return None
    if arn.provider_arn(facts.partition, facts.account, facts.host) not in federated(role.trust):
        # Not this cluster's: not even as one that lets nobody in, which names the cluster's provider all the same.
        return None
    trusted, patterns = trusted_here(role, facts)
    candidate = Candidate(irsa, role, trusted, "", patterns, _doubts(irsa, found, facts, trusted))
    if tagged_only(role, irsa.key, facts.account, found.keys):
        why = "its tag bears the object's mark; its trust policy has lost it"
        judged = {judge(found.keys, facts.account, role.name, irsa.key, text) for text in marks(role)}
        return replace(candidate, why=why, adopted=Whose.ADOPTED in judged)
    bound = {f"{b.namespace}/{b.name}" for b in status.service_accounts}
    if not status.role.name and not status.record.mac:
        if perhaps_upstreams(irsa) and trusted and bound <= set(trusted) and not foreign_key(role):
            return replace(
                candidate, why="the Go program made it", audiences=audiences_asked(spec, found.situation(irsa))
            )
        return None
    # A status can be forged: a role that bears no mark at all never was this manager's.
    if status.role.id == role.id and status.role.origin == "Created" and foreign_key(role):
        return replace(candidate, why="the status has its id; its mark and record are of another key")
    return None


def _doubts(irsa: IRSA, found: Survey, facts: ClusterFacts, trusted: tuple[str, ...]) -> tuple[str, ...]:
    assert irsa.spec is not UNSET  # noqa: S101  (incomplete() was asked)
    doubts, spec = [], irsa.spec.service_account
    asked = {
        f"{namespace}/{name}"
        for namespace in resolve(spec, found.view.namespaces, facts.operator_namespace).living
        for name in spec.names
    }
    if not trusted:
        doubts.append(
            "the role trusts no ServiceAccount by its name: nothing shows that the IRSA made it but its status"
        )
    elif not asked & set(trusted):
        doubts.append("the IRSA asks for none of these ServiceAccounts: is it the one that made the role?")
    if found.view.denied_anyhow(irsa, facts, found.keys):
        doubts.append("tenancy denies what the IRSA asks for: it keeps what it has and gets no more")
    return tuple(doubts)


def trusted_here(role: ObservedRole, facts: ClusterFacts) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """namespace/name of the ServiceAccounts of this cluster that the role's trust names, and its patterns."""
    provider = arn.provider_arn(facts.partition, facts.account, facts.host)
    found = sorted(s.removeprefix(PREFIX).replace(":", "/") for p, s in subjects(role.trust) if p == provider)
    patterns = tuple(key for key in found if set(key) & set("*?"))
    return tuple(key for key in found if key not in patterns), patterns


def signed_anew(candidate: Candidate, facts: ClusterFacts, keys: MarkKeys) -> IRSAStatus:
    """The status that says that the role is the object's, with the bindings that it has kept."""
    irsa, role, account = candidate.irsa, candidate.role, facts.account
    # One that was adopted must never be deleted.
    origin = "Adopted" if candidate.adopted else MADE
    after = replace(
        trusted_status(irsa.status, irsa.key, account, keys),
        role=RoleStatus(name=role.name, arn=role.arn, id=role.id, account_id=account, origin=origin),
        intent=Intent(),
        adoption=UNSET,
        kept_bindings=candidate.trusted,
        kept_audiences=candidate.audiences,
        # Which ones are the object's the role tells, and in the operator's namespace the list, which administrators
        # write; for what was set on them nothing vouches.
        service_accounts=tuple(
            replace(b, annotations=(), labels=())
            for b in irsa.status.service_accounts
            if irsa.metadata.namespace == facts.operator_namespace or f"{b.namespace}/{b.name}" in candidate.trusted
        ),
    )
    over = next((text for text in sids(role.trust) if looks_like_one(text)), UNMARKED)
    return replace(after, record=signed(keys, irsa, after, over=over))


async def sign(kube: Kube, candidate: Candidate, facts: ClusterFacts, keys: MarkKeys) -> None:
    """Write that status, only if the object is still as it was read. Raises KubernetesError."""
    metadata = candidate.irsa.metadata
    body = {
        "metadata": {"resourceVersion": metadata.resource_version, "uid": metadata.uid},
        "status": msgspec.to_builtins(signed_anew(candidate, facts, keys)),
    }
    await kube.apply(IRSAS, metadata.namespace, metadata.name, body, subresource="status")
