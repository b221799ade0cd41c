"""Two objects that want the same role or the same ServiceAccount: who holds it keeps it, the other one waits."""

from __future__ import annotations

from collections.abc import Callable

from e2e_gate import Gate
from e2e_lab import ROLE_ARN, Lab, spec, unique
from e2e_process import DEADLINE_SECONDS, Controller


def test_the_second_object_for_a_role_is_told_and_served_when_the_first_goes(lab: Lab) -> None:
    role, one, two = unique("role"), lab.namespace(), lab.namespace()
    first = lab.irsa(spec(role, "web", one))
    first.wait_ready()
    second = lab.irsa(spec(role, "api", two))
    second.wait_reason("Conflict", "False")
    message = second.condition("Ready")["message"]
    assert f"Role {role} is held by IRSA {first.key}" in message
    assert second.condition("Stalled")["reason"] == "Conflict"
    assert lab.account(two, "api") is None
    assert lab.aws.subjects(role) == {f"{one}/web"}
    assert first.condition("Ready")["status"] == "True"
    second.wait_event("Conflict", role)
    first.delete()
    first.wait_gone()
    second.wait_ready()
    assert lab.aws.subjects(role) == {f"{two}/api"}
    lab.wait_bound(two, "api", role)


def test_the_second_object_for_a_serviceaccount_is_told_and_served_when_the_first_goes(lab: Lab) -> None:
    one, two, namespace = unique("one"), unique("two"), lab.namespace()
    first = lab.irsa(spec(one, "web", namespace))
    first.wait_ready()
    second = lab.irsa(spec(two, "web", namespace, serviceAccount={"additionalNames": ["own"]}))
    second.wait_reason("Conflict", "False")
    assert f"ServiceAccount {namespace}/web is held by IRSA {first.key}" in second.condition("Ready")["message"]
    assert second.condition("ServiceAccountsReady")["reason"] == "Conflict"
    lab.wait_bound(namespace, "web", one)
    lab.wait_bound(namespace, "own", two)
    bound = lambda: [b["name"] for b in second.status["serviceAccounts"]]  # noqa: E731
    lab.eventually(lambda: bound() == ["own"], "the status lists what it holds")
    first.delete()
    first.wait_gone()
    second.wait_ready()
    lab.wait_bound(namespace, "web", two)
    lab.eventually(lambda: second.status["serviceAccountCount"] == 2, "both are bound")


def test_a_name_given_up_by_one_object_is_taken_by_the_other(lab: Lab) -> None:
    one, two, namespace = unique("one"), unique("two"), lab.namespace()
    first = lab.irsa(spec(one, "web", namespace))
    first.wait_ready()
    second = lab.irsa(spec(two, "web", namespace))
    second.wait_reason("Conflict")
    assert lab.aws.role(two) is None
    first.patch({"serviceAccount": {"name": "other"}})
    first.wait_ready()
    second.wait_ready()
    lab.wait_bound(namespace, "other", one)
    lab.wait_bound(namespace, "web", two)


def test_a_role_name_given_up_by_one_object_is_taken_by_the_other(lab: Lab) -> None:
    role, one, two = unique("role"), lab.namespace(), lab.namespace()
    first = lab.irsa(spec(role, "web", one))
    first.wait_ready()
    second = lab.irsa(spec(role, "api", two))
    second.wait_reason("Conflict")
    first.patch({"iamRole": {"name": f"{role}-2"}})
    first.wait_ready()
    second.wait_ready()
    assert lab.aws.subjects(role) == {f"{two}/api"}
    assert lab.aws.subjects(f"{role}-2") == {f"{one}/web"}


def test_the_loser_leaves_what_it_never_held_when_it_goes(lab: Lab) -> None:
    one, two, namespace = unique("one"), unique("two"), lab.namespace()
    first = lab.irsa(spec(one, "web", namespace))
    arn = first.wait_ready()["role"]["arn"]
    second = lab.irsa(spec(two, "web", namespace))
    second.wait_reason("Conflict")
    third = lab.irsa(spec(one, "api", namespace))
    third.wait_reason("Conflict")
    for loser in (second, third):
        loser.delete()
        loser.wait_gone()
    assert lab.annotations(namespace, "web") == {ROLE_ARN: arn}
    assert lab.aws.subjects(one) == {f"{namespace}/web"}
    assert lab.aws.role(two) is None


def test_a_holder_in_another_namespace_is_not_named_to_a_tenant(lab: Lab) -> None:
    role, one, two = unique("role"), lab.namespace(), lab.namespace()
    lab.setup({"tenancy": {"default": "OwnNamespace"}})
    first = lab.irsa(spec(role, "web", one), namespace=one)
    first.wait_ready()
    second = lab.irsa(spec(role, "api", two), namespace=two)
    second.wait_reason("Conflict")
    assert first.name not in second.condition("Ready")["message"]
    assert one not in second.condition("Ready")["message"]


def test_twenty_objects_at_once_all_get_there(lab: Lab) -> None:
    namespaces = [lab.namespace(), lab.namespace()]
    prefix = unique("many")
    irsas = [
        lab.irsa(spec(f"{prefix}-{n}", f"sa-{n}", *namespaces, iamPolicies=["AmazonS3ReadOnlyAccess"]))
        for n in range(20)
    ]
    for number, irsa in enumerate(irsas):
        assert irsa.wait_ready()["serviceAccountCount"] == 2
        assert lab.aws.subjects(f"{prefix}-{number}") == {f"{n}/sa-{number}" for n in namespaces}
    for irsa in irsas:
        irsa.delete()
    for irsa in irsas:
        irsa.wait_gone()
    names = [role["RoleName"] for page in lab.aws.iam.get_paginator("list_roles").paginate() for role in page["Roles"]]
    assert [name for name in names if name.startswith(prefix)] == []


def test_an_old_role_is_not_forgotten_where_somebody_takes_the_new_name_meanwhile(
    gate: Gate, bare_lab: Lab, run_controller: Callable[..., Controller]
) -> None:
    lab = bare_lab
    run_controller(environment=gate.environment())
    first, second, third, namespace = unique("first"), unique("second"), unique("third"), lab.namespace()
    irsa = lab.irsa(spec(first, "web", namespace))
    irsa.wait_ready()
    lab.wait_bound(namespace, "web", first)
    made = gate.before("CreateRole", second, lambda: lab.aws.foreign_role(second))
    irsa.patch({"iamRole": {"name": second}})
    before = made.result(DEADLINE_SECONDS)
    irsa.wait_reason("RoleExists", "False")
    assert lab.aws.assume(f"arn:aws:iam::{lab.aws.sandbox.account}:role/{first}", lab.token(namespace, "web")) == ""
    irsa.patch({"iamRole": {"name": third}})
    irsa.wait_ready()
    assert lab.aws.role(first) is None
    assert lab.aws.role(second) == before
