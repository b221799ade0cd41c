"""AWS slow, throttling, failing, forgetful and late: everything gets there, nothing is made twice."""

from __future__ import annotations

from typing import Any

import pytest
from e2e_controllers import Controllers
from e2e_lab import Irsa, Lab, spec, unique

READ = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}

FAULTS: dict[str, dict[str, Any]] = {
    "throttled": {"throttle": 0.3},
    "failing": {"error": 0.3},
    "slow": {"latency": 0.3},
    "forgetful": {"drop": 0.3},
    "late": {"consistency": 5.0},
}


def several(lab: Lab, count: int = 4) -> list[Irsa]:
    namespaces = [lab.namespace(), lab.namespace()]
    prefix = unique("fault")
    return [
        lab.irsa(
            spec(
                f"{prefix}-{number}",
                f"sa-{number}",
                *namespaces,
                iamPolicies=["AmazonS3ReadOnlyAccess", "AmazonSQSFullAccess"],
                inlinePolicies={"read": READ},
            )
        )
        for number in range(count)
    ]


def whole(lab: Lab, irsa: Irsa) -> None:
    """The role is as the object asks."""
    status = irsa.wait_ready()
    role = status["role"]["name"]
    found = lab.aws.role(role)
    assert found is not None
    assert found["RoleId"] == status["role"]["id"]
    assert lab.aws.attached(role) == {"AmazonS3ReadOnlyAccess", "AmazonSQSFullAccess"}
    assert lab.aws.inline(role) == {"read": READ}
    assert lab.aws.subjects(role) == {f"{b['namespace']}/{b['name']}" for b in status["serviceAccounts"]}
    assert len(status["serviceAccounts"]) == 2


@pytest.mark.parametrize("kind", list(FAULTS))
def test_objects_are_made_and_removed_while_aws_is(lab: Lab, kind: str) -> None:
    lab.aws.faults(**FAULTS[kind])
    irsas = several(lab)
    for irsa in irsas:
        irsa.wait_ready()
    lab.aws.faults()
    for irsa in irsas:
        lab.eventually(lambda irsa=irsa: whole(lab, irsa) or True, f"the role of {irsa.key} is whole")  # type: ignore[misc]
        assert {reason for reason, _ in irsa.events()} & {"RoleExists", "Conflict", "OwnershipUnknown"} == set()
    roles = [irsa.status["role"]["name"] for irsa in irsas]
    lab.aws.faults(**FAULTS[kind])
    for irsa in irsas:
        irsa.delete()
    for irsa in irsas:
        irsa.wait_gone()
    lab.aws.faults()
    for role in roles:
        lab.eventually(lambda role=role: lab.aws.role(role) is None, f"role {role} is gone")  # type: ignore[misc]
    assert lab.controller.said("Traceback") == []


def test_a_role_whose_creation_was_answered_to_nobody_is_found_by_its_mark(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    lab.aws.reset_calls()
    lab.aws.faults(drop=1.0, operations=["CreateRole"])
    irsa = lab.irsa(spec(role, "web", namespace, iamPolicies=["AmazonS3ReadOnlyAccess"]))
    status = irsa.wait_ready()
    lab.aws.faults()
    found = lab.aws.role(role)
    assert found is not None
    assert status["role"]["id"] == found["RoleId"]
    assert "RoleExists" not in [reason for reason, _ in irsa.events()]
    assert lab.aws.attached(role) == {"AmazonS3ReadOnlyAccess"}


def test_one_object_that_aws_refuses_does_not_delay_another(lab: Lab) -> None:
    namespace = lab.namespace()
    lab.aws.faults(error=1.0, operations=["PutRolePolicy"])
    slow = [lab.irsa(spec(unique("slow"), f"slow-{n}", namespace, inlinePolicies={"read": READ})) for n in range(3)]
    for irsa in slow:
        irsa.wait_reason("AWSUnavailable", "False")
        assert irsa.condition("Stalled") == {}
    quick = [lab.irsa(spec(unique("quick"), f"quick-{n}", namespace)) for n in range(3)]
    for irsa in quick:
        irsa.wait_ready()
    for irsa in slow:
        assert irsa.condition("Ready")["reason"] == "AWSUnavailable"
    lab.aws.faults()
    for irsa in slow:
        # So that a back-off which has grown on a slow machine isn't waited for.
        irsa.touch()
        irsa.wait_ready()


def test_a_throttled_object_says_so_and_does_not_delay_another(lab: Lab) -> None:
    namespace = lab.namespace()
    lab.aws.faults(throttle=1.0, operations=["PutRolePolicy"])
    slow = lab.irsa(spec(unique("slow"), "slow", namespace, inlinePolicies={"read": READ}))
    slow.wait_reason("Throttled", "False")
    assert slow.condition("Stalled") == {}
    lab.irsa(spec(unique("quick"), "quick", namespace)).wait_ready()
    assert slow.condition("Ready")["reason"] == "Throttled"
    lab.aws.faults()
    slow.touch()
    slow.wait_ready()


def test_an_outage_of_aws_leaves_what_is_there_and_is_over_by_itself(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace))
    irsa.wait_ready()
    lab.aws.faults(error=1.0)
    irsa.patch({"iamPolicies": ["AmazonS3ReadOnlyAccess"]})
    irsa.wait_reason("AWSUnavailable", "False")
    assert "The last good state is in force" in irsa.condition("Ready")["message"]
    lab.wait_bound(namespace, "web", role)
    lab.aws.faults()
    irsa.wait_ready()
    assert lab.aws.attached(role) == {"AmazonS3ReadOnlyAccess"}


def test_who_is_gone_leaves_the_trust_of_a_denied_object_though_aws_fails_at_first(
    lab: Lab, controllers: Controllers
) -> None:
    role, home, goes = unique("role"), lab.namespace(), lab.namespace()
    setup = lab.setup({"tenancy": {"default": "Unrestricted"}})
    irsa = lab.irsa(spec(role, "web", home, goes), namespace=home)
    irsa.wait_ready()
    lab.patch(setup, {"spec": {"tenancy": {"default": "Deny"}}})
    irsa.wait_reason("TenancyDenied", "False")
    assert lab.aws.subjects(role) == {f"{home}/web", f"{goes}/web"}
    controllers.stop_usual()
    lab.delete(f"/api/v1/namespaces/{goes}")
    lab.eventually(lambda: lab.get(f"/api/v1/namespaces/{goes}") is None, "the namespace is gone")
    lab.aws.faults(error=1.0, operations=["UpdateAssumeRolePolicy"])
    lab.aws.reset_calls()
    controllers.ensure_usual()
    lab.eventually(lambda: lab.aws.calls().get("UpdateAssumeRolePolicy"), "it was tried")
    assert lab.aws.subjects(role) == {f"{home}/web", f"{goes}/web"}
    # Nothing happens any more that would have it looked at: it is tried again by itself.
    lab.aws.faults()
    lab.eventually(lambda: lab.aws.subjects(role) == {f"{home}/web"}, "who is gone is out of the trust")
    irsa.wait_event("TrustUpdated", "a namespace that it trusted is gone")
    assert irsa.condition("Ready")["reason"] == "TenancyDenied"
    lab.wait_bound(home, "web", role)
