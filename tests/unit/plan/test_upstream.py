"""What the Go program left: where it is evidence, until when, and which audiences stay accepted."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from strategies import ACCOUNT, FACTS, HOST, KEYS

from irsa_manager.api import names
from irsa_manager.api.irsa import (
    IRSA,
    BoundServiceAccount,
    IRSASpec,
    IRSAStatus,
    Record,
    RoleSpec,
    RoleStatus,
    ServiceAccountSpec,
    TrustSpec,
)
from irsa_manager.api.kube import Condition, Metadata
from irsa_manager.plan.facts import NamespaceFact, Situation
from irsa_manager.plan.mark import MarkKeys, make, sign_record
from irsa_manager.plan.observed import ObservedRole, ObservedServiceAccount
from irsa_manager.plan.ownership import recorded, upstreams
from irsa_manager.plan.planner import decide
from irsa_manager.plan.takeover import audiences_asked, left_by_upstream

OPERATOR = FACTS.operator_namespace
READY = Condition("Ready", "True", "IRSAReady", "successfully setup resources", 0)
LEFT = IRSAStatus(service_accounts=(BoundServiceAccount("team-a", "app"),), conditions=(READY,))
NOTED = replace(LEFT, role=RoleStatus(name="reports", origin="Created"))


def irsa(status: IRSAStatus, *, namespace: str = OPERATOR, finalizers: tuple[str, ...] = (names.FINALIZER,)) -> IRSA:
    spec = IRSASpec(
        cleanup=True,
        iam_role=RoleSpec(name="reports"),
        service_account=ServiceAccountSpec(name="app", namespaces=("team-a",)),
    )
    return IRSA(Metadata(name="i", namespace=namespace, finalizers=list(finalizers), generation=1), spec, status)


def role(**fields: Any) -> ObservedRole:
    made: dict[str, Any] = {"name": "reports", "arn": f"arn:aws:iam::{ACCOUNT}:role/reports", "id": "AROA1"}
    return ObservedRole(**{**made, "trust": trusting("app"), **fields})


def trusting(*accounts: str) -> dict[str, Any]:
    """The trust as the Go program writes it, for these of namespace team-a."""
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{HOST}"
    each = [
        {
            "Effect": "Allow",
            "Principal": {"Federated": provider},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {f"{HOST}:sub": f"system:serviceaccount:team-a:{account}"}},
        }
        for account in accounts
    ]
    return {"Version": "2012-10-17", "Statement": each}


def situation(observed: ObservedRole, audience: str = "") -> Situation:
    annotations = {names.ANNOTATION_AUDIENCE: audience} if audience else {}
    return Situation(
        facts=FACTS,
        keys=KEYS,
        namespaces={"team-a": NamespaceFact(), OPERATOR: NamespaceFact()},
        roles={observed.name: observed},
        service_accounts={("team-a", "app"): ObservedServiceAccount("team-a", "app", annotations=annotations)},
    )


@pytest.mark.parametrize(
    "status",
    [
        LEFT,
        NOTED,
        replace(NOTED, observed_generation=3, conditions=(Condition("Ready", "False", "Throttled", "", 3),)),
        replace(NOTED, conditions=()),
    ],
)
def test_it_stays_evidence_in_the_operators_namespace_whatever_was_said_since(status: IRSAStatus) -> None:
    assert upstreams(irsa(status), OPERATOR)
    assert left_by_upstream(irsa(status), situation(role())) == role()
    assert not upstreams(irsa(status, namespace="team-a"), OPERATOR)
    assert not upstreams(irsa(status, finalizers=()), OPERATOR)


@pytest.mark.parametrize(
    "status",
    [
        replace(LEFT, conditions=(Condition("Ready", "False", "IRSAFailedRoleUpdate", "", 0),)),
        replace(LEFT, observed_generation=1),
        replace(LEFT, service_accounts=()),
        replace(LEFT, conditions=()),
        replace(NOTED, role=RoleStatus(name="other", origin="Created")),
        replace(NOTED, role=RoleStatus(name="reports", arn="arn:x", origin="Created")),
        replace(NOTED, role=RoleStatus(name="reports")),
        replace(NOTED, record=Record("x")),
    ],
)
def test_less_is_no_evidence(status: IRSAStatus) -> None:
    assert not upstreams(irsa(status), OPERATOR)
    assert left_by_upstream(irsa(status), situation(role())) is None


def test_a_role_that_is_named_since_is_not_the_go_programs_either() -> None:
    for other in (trusting(), trusting("web"), {"Version": "2012-10-17", "Statement": []}):
        named = role(trust=other)
        assert left_by_upstream(irsa(LEFT), situation(named)) is None
        assert decide(irsa(LEFT), situation(named)).role_problem is not None


def test_a_role_with_anybodys_mark_is_not_the_go_programs() -> None:
    for keys, owner in ((KEYS, f"{OPERATOR}/other"), (MarkKeys(b"l" * 32), f"{OPERATOR}/i")):
        marked = role(tags={names.TAG_MARK: make(keys, ACCOUNT, "reports", owner)})
        assert left_by_upstream(irsa(LEFT), situation(marked)) is None
        assert decide(irsa(LEFT), situation(marked)).role_problem is not None


def accepted(asking: IRSA, seen: Situation) -> tuple[str, ...]:
    decision = decide(asking, seen)
    assert decision.desired is not None
    return decision.desired.role.audiences


def test_audiences_that_were_in_use_stay_as_long_as_they_are_and_nobody_adds_any() -> None:
    facts = replace(FACTS, client_ids=None)
    seen = replace(situation(role(), "vault"), facts=facts)
    asking = irsa(LEFT)
    assert audiences_asked(asking.spec, seen) == ("vault",)  # type: ignore[arg-type]
    assert accepted(asking, seen) == (names.DEFAULT_AUDIENCE, "vault")
    signed = replace(
        LEFT,
        role=RoleStatus(name="reports", arn=role().arn, id="AROA1", account_id=ACCOUNT, origin="Created"),
        kept_audiences=("vault",),
    )
    signed = replace(signed, record=Record(sign_record(KEYS, recorded(signed, asking.key, ACCOUNT))))
    assert accepted(irsa(signed), seen) == (names.DEFAULT_AUDIENCE, "vault")
    assert accepted(irsa(signed), replace(situation(role()), facts=facts)) == (names.DEFAULT_AUDIENCE,)
    said = irsa(signed)
    said.spec = replace(said.spec, trust=TrustSpec(audiences=("mine",)))  # type: ignore[type-var]
    assert accepted(said, seen) == ("mine",)
    marked = role(trust={"Statement": [{"Sid": make(KEYS, ACCOUNT, "reports", asking.key)}]})
    forged = irsa(replace(signed, kept_audiences=("vault", "mine")))
    assert accepted(forged, replace(situation(marked, "mine"), facts=facts)) == (names.DEFAULT_AUDIENCE,)
