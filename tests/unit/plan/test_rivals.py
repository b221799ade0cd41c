"""Who gets a role that nobody has yet: who had it, then who is older; and nobody waits for one who won't make it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import UNSET
from msgspec.structs import replace
from strategies import ACCOUNT, FACTS, KEYS

from irsa_manager.api import names
from irsa_manager.api.irsa import IRSA, IRSASpec, IRSAStatus, Record, RoleSpec, RoleStatus, ServiceAccountSpec
from irsa_manager.api.irsasetup import Tenancy
from irsa_manager.api.kube import Metadata
from irsa_manager.plan.facts import NamespaceFact, Situation
from irsa_manager.plan.mark import MarkKeys, sign_record
from irsa_manager.plan.observed import ObservedRole
from irsa_manager.plan.ownership import recorded
from irsa_manager.plan.planner import decide
from irsa_manager.plan.rivals import goes_before

OLD, NEW = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
HOME = FACTS.operator_namespace
DARK = ObservedRole("reports", f"arn:aws:iam::{ACCOUNT}:role/reports", "", attached=())
FOREIGN = ObservedRole("reports", f"arn:aws:iam::{ACCOUNT}:role/reports", "AROA9", trust={}, attached=(), inline={})


def irsa(name: str, made: str = OLD, namespace: str = HOME, **spec: Any) -> IRSA:
    defaults: dict[str, Any] = {
        "cleanup": True,
        "iam_role": RoleSpec(name="reports"),
        "service_account": ServiceAccountSpec(name="app", namespaces=("team-a",)),
    }
    metadata = Metadata(name=name, namespace=namespace, generation=1, creation_timestamp=made)
    return IRSA(metadata, IRSASpec(**{**defaults, **spec}), IRSAStatus())


def had(irsa: IRSA, keys: MarkKeys = KEYS, role_id: str = "AROA1") -> IRSA:
    """The same with a status that says that the role was its own."""
    status = IRSAStatus(role=RoleStatus(name="reports", id=role_id, account_id=ACCOUNT, origin="Created"))
    mac = sign_record(keys, recorded(status, irsa.key, ACCOUNT))
    return replace(irsa, status=replace(status, record=Record(mac)))


def situation(*roles: ObservedRole, tenancy: Tenancy | None = None) -> Situation:
    return Situation(
        facts=replace(FACTS, tenancy=tenancy or Tenancy()),
        keys=KEYS,
        namespaces={"team-a": NamespaceFact(), HOME: NamespaceFact()},
        roles={role.name: role for role in roles},
        service_accounts={},
    )


YOUNG = irsa("a", NEW)
ELDER = irsa("z", OLD)


def test_the_older_one_goes_first_and_then_the_name_decides() -> None:
    assert goes_before(YOUNG, [ELDER], situation()) == ELDER.key
    assert goes_before(ELDER, [YOUNG], situation()) == ""
    twin = irsa("b", NEW)
    assert goes_before(twin, [YOUNG], situation()) == YOUNG.key
    assert goes_before(YOUNG, [twin, YOUNG], situation()) == ""


def test_who_had_the_role_goes_first_if_the_record_is_ours() -> None:
    assert goes_before(ELDER, [had(YOUNG)], situation()) == YOUNG.key
    assert goes_before(had(YOUNG), [ELDER], situation()) == ""
    assert goes_before(ELDER, [had(YOUNG, MarkKeys(b"f" * 32))], situation()) == ""
    stolen = replace(YOUNG, status=had(irsa("b")).status)
    assert goes_before(ELDER, [stolen], situation()) == ""


@pytest.mark.parametrize(
    "other",
    [
        replace(ELDER, spec=UNSET),
        irsa("z", iam_role=RoleSpec(name="other")),
        irsa("z", iam_role=RoleSpec(name="reports", management_policy="Reference")),
        irsa("z", suspend=True),
        irsa("z", service_account=ServiceAccountSpec(name="app")),
        irsa("z", namespace="team-a"),
        replace(ELDER, metadata=replace(ELDER.metadata, deletion_timestamp=NEW)),
        replace(ELDER, metadata=replace(ELDER.metadata, annotations={names.ANNOTATION_RELEASE: "true"})),
    ],
    ids=["no spec", "other role", "reference", "suspended", "incomplete", "denied", "going", "released"],
)
def test_nobody_waits_for_an_object_that_will_not_make_the_role(other: IRSA) -> None:
    assert goes_before(YOUNG, [other], situation()) == ""


def test_a_tenant_who_is_allowed_to_counts() -> None:
    tenant = irsa("z", namespace="team-a")
    assert goes_before(YOUNG, [tenant], situation(tenancy=Tenancy(default="OwnNamespace"))) == tenant.key


def test_a_role_to_be_adopted_is_contended_only_by_those_who_would_adopt_it() -> None:
    adopting = RoleSpec(name="reports", management_policy="Adopt")
    younger, elder = irsa("a", NEW, iam_role=adopting), irsa("z", OLD, iam_role=adopting)
    assert goes_before(younger, [elder], situation(FOREIGN)) == elder.key
    assert goes_before(younger, [ELDER], situation(FOREIGN)) == ""


def test_nobody_adopts_a_role_in_the_dark_that_anothers_record_says_it_has() -> None:
    taker = irsa("a", OLD, iam_role=RoleSpec(name="reports", management_policy="Adopt"))
    for role_id in ("", "AROA1"):
        maker = had(irsa("z", NEW), role_id=role_id)
        seen = replace(situation(DARK), objects={taker.key, maker.key})
        assert goes_before(taker, [maker], seen) == maker.key
        decision = decide(taker, replace(seen, rival=maker.key))
        assert decision.plan.empty
        assert decision.role_problem is not None
        assert decision.role_problem.code == "Conflict"
        assert maker.key in decision.role_problem.facts["holder"]
    # A record that isn't ours holds nobody up, nor does one where the role's marks can be read.
    forged = had(irsa("z", NEW), MarkKeys(b"f" * 32), "")
    assert goes_before(taker, [forged], situation(DARK)) == ""
    assert goes_before(taker, [had(irsa("z", NEW))], situation(FOREIGN)) == ""
    assert decide(taker, replace(situation(DARK), objects={taker.key})).adopting


def test_the_one_that_waits_writes_nothing_and_says_for_whom() -> None:
    contended = replace(situation(), rival=ELDER.key)
    decision = decide(YOUNG, contended)
    assert decision.plan.actions == ()
    assert decision.role_problem is not None
    assert decision.role_problem.code == "Conflict"
    assert ELDER.key in decision.role_problem.facts["holder"]
    assert decide(YOUNG, replace(contended, rival="")).plan.actions
