"""Who may write spec and status of an object neither keeps its role at its end nor takes what others have bound."""

from __future__ import annotations

from typing import Any

import pytest
from e2e_attackers import owner_of
from e2e_lab import ROLE_ARN, Lab, spec, unique
from test_attacks import S3
from test_forgeries import opened
from test_not_ours import referring

FORGED = {
    "a name that is no role's": {"role": {"name": "ro/le"}},
    "an old name that is no role's": {"retiredRoles": [{"name": "a b"}]},
    "the name of a role that can't be read": {"role": {"name": "unreadable"}},
    "a ServiceAccount with a path": {"serviceAccounts": [{"namespace": "../../x", "name": "a/b?c=d"}]},
}


@pytest.mark.parametrize("what", FORGED)
def test_no_forged_status_keeps_the_role_of_a_deleted_object(lab: Lab, what: str) -> None:
    home, tenant = opened(lab)
    role = unique("role")
    irsa = tenant.irsa(spec(role, "web", home, iamPolicies=[S3]), namespace=home)
    irsa.wait_ready()
    lab.aws.faults(error=1.0, operations=["GetRole"])
    tenant.patch(f"{irsa.path}/status", {"status": FORGED[what]})
    irsa.delete()
    irsa.wait_event("RoleDeleted", role)
    lab.aws.faults()
    irsa.wait_gone()
    assert lab.aws.role(role) is None


def test_a_status_that_could_not_be_written_again_is_refused(lab: Lab) -> None:
    home, tenant = opened(lab)
    irsa = tenant.irsa(spec(unique("role"), "web", home), namespace=home)
    irsa.wait_ready()
    nameless: dict[str, Any] = {"status": {"serviceAccounts": [{"namespace": "", "name": ""}]}}
    headers = {"Content-Type": "application/merge-patch+json"}
    assert tenant.api.patch(f"{irsa.path}/status", json=nameless, headers=headers).status_code == 422


def test_what_another_tenant_has_bound_by_reference_outlives_the_object(lab: Lab) -> None:
    role, bees, home = unique("role"), lab.namespace("bees"), lab.namespace("home")
    by_name = "kubernetes.io/metadata.name"
    rules = [
        {"name": "home", "namespaceSelector": {"matchLabels": {by_name: home}}, "policies": [S3]},
        {
            "name": "bees",
            "namespaceSelector": {"matchLabels": {by_name: bees}},
            "managementPolicies": ["Reference"],
        },
    ]
    lab.setup({"tenancy": {"rules": rules}})
    tenant = owner_of(lab, home)
    irsa = tenant.irsa(spec(role, "app", home), namespace=home)
    arn = irsa.wait_ready()["role"]["arn"]
    referring(lab, role, "web", bees)
    lab.make_account(bees, "hand", annotations={ROLE_ARN: arn})
    before = [lab.account(bees, name) for name in ("web", "hand")]
    irsa.patch({"serviceAccount": {"additionalNames": ["web", "hand"], "namespaces": [home, bees]}})
    irsa.wait_reason("TenancyDenied", "False")
    listed = [{"namespace": bees, "name": name, "origin": "Created"} for name in ("web", "hand")]
    tenant.patch(f"{irsa.path}/status", {"status": {"serviceAccounts": listed}})
    irsa.delete()
    irsa.wait_gone()
    assert lab.account(home, "app") is None
    assert [lab.account(bees, name) for name in ("web", "hand")] == before
