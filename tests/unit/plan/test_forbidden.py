"""What no object may ask for or be told, whatever tenancy allows: the manager's own role, the own issuer, tags."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from strategies import FACTS, HOST
from test_planner_cases import irsa, own_role, situation

from irsa_manager.api import names
from irsa_manager.api.irsa import ProviderSpec, RoleSpec, TrustSpec
from irsa_manager.api.irsasetup import Tenancy
from irsa_manager.plan.planner import decide
from irsa_manager.trust.arn import caller_role


@pytest.mark.parametrize("policy", ["Create", "Adopt"])
@pytest.mark.parametrize("exists", [True, False])
def test_the_role_under_which_the_manager_runs_is_never_written(policy, exists):
    wanted = irsa(iam_role=RoleSpec(name="Reports", management_policy=policy))
    seen = situation(*([own_role(tags={})] if exists else []))
    decision = decide(wanted, replace(seen, facts=replace(seen.facts, own_role="reports")))
    assert decision.plan.empty
    assert decision.role_problem is not None
    assert "the manager itself runs under this role" in decision.role_problem.facts["error"]
    assert decision.desired is not None


def test_another_role_than_the_managers_is_made():
    seen = situation()
    decision = decide(irsa(), replace(seen, facts=replace(seen.facts, own_role="manager")))
    assert decision.role_problem is None
    assert not decision.plan.empty


@pytest.mark.parametrize(
    "issuer", [HOST, f"https://{HOST}", f"https://{HOST}/", f"https://{HOST.replace('o', 'O', 1)}"]
)
def test_the_clusters_own_issuer_is_no_additional_provider(issuer):
    assert FACTS.host == HOST
    wanted = irsa(trust=TrustSpec(additional_providers=(ProviderSpec(issuer=issuer),)))
    decision = decide(wanted, situation())
    assert decision.plan.empty
    assert decision.role_problem is not None
    assert "this cluster's own issuer" in decision.role_problem.facts["error"]
    assert decision.desired is not None


@pytest.mark.parametrize(
    ("caller", "role"),
    [
        ("arn:aws:sts::111122223333:assumed-role/manager/session", "manager"),
        ("arn:aws-cn:iam::111122223333:role/a/path/manager", "manager"),
        ("arn:aws:iam::111122223333:user/manager", ""),
        ("arn:aws:iam::111122223333:root", ""),
        ("", ""),
    ],
)
def test_the_role_of_a_caller(caller, role):
    assert caller_role(caller) == role


def test_a_foreign_roles_tags_are_told_only_in_the_operators_namespace_and_never_our_own():
    tags = {names.TAG_OWNER: "team-b/secret", names.TAG_CLUSTER: "c", "cost-centre": "4711"}
    seen = situation(own_role(tags=tags))
    told = decide(irsa(), seen).role_problem
    assert told is not None
    assert told.code == "RoleExists"
    assert "cost-centre=4711" in told.facts["evidence"]
    assert "team-b" not in told.facts["evidence"]
    tenants = irsa()
    tenants.metadata = replace(tenants.metadata, namespace="team-a")
    told = decide(
        tenants, replace(seen, facts=replace(seen.facts, tenancy=Tenancy(default="Unrestricted")))
    ).role_problem
    assert told is not None
    assert told.code == "RoleExists"
    assert "4711" not in told.facts["evidence"]
    assert "team-b" not in told.facts["evidence"]
    assert "tags" not in told.facts["evidence"]
