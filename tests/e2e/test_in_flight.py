"""What is asked for while something else is being done: nothing of it is forgotten, and nothing is said too early."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from e2e_lab import Lab, spec, unique
from test_management import RELEASE, adopting

from irsa_manager.api import names

MANY = ["AmazonS3ReadOnlyAccess", "AmazonSQSFullAccess", "AmazonSQSReadOnlyAccess", "CloudWatchReadOnlyAccess"]


def several(role: str, namespace: str, **role_fields: Any) -> dict[str, Any]:
    """A spec that takes some calls."""
    wanted = spec(role, "web", namespace, iamPolicies=MANY)
    wanted["iamRole"].update(role_fields)
    return wanted


@contextmanager
def slowly(lab: Lab) -> Iterator[None]:
    """Each call to AWS takes so long that a test can come in between."""
    lab.aws.faults(latency=0.4)
    yield
    lab.aws.faults()


def test_a_role_that_is_being_made_goes_when_the_object_is_renamed(lab: Lab) -> None:
    one, two, namespace = unique("one"), unique("two"), lab.namespace()
    with slowly(lab):
        irsa = lab.irsa(several(one, namespace))
        lab.eventually(lambda: lab.aws.role(one), "the first one is there")
        irsa.patch({"iamRole": {"name": two}})
        irsa.wait_ready()
    lab.eventually(lambda: lab.aws.role(one) is None, "the first one is gone")
    irsa.delete()
    irsa.wait_gone()
    assert lab.aws.role(two) is None


@pytest.mark.parametrize("end", ["release", "delete"])
def test_a_role_that_is_being_adopted_goes_back_whole(lab: Lab, end: str) -> None:
    role, namespace = unique("role"), lab.namespace()
    lab.aws.foreign_role(role)
    before = (lab.aws.role(role), lab.aws.attached(role), lab.aws.tags(role))
    wanted = adopting(role, namespace, iamPolicies=MANY)
    wanted["iamRole"].update(description="ours", maxSessionDurationSeconds=7200, tags={"cost": "1"})
    with slowly(lab):
        irsa = lab.irsa(wanted)
        lab.eventually(lambda: lab.aws.attached(role), "it is being adopted")
        if end == "release":
            lab.patch(irsa.path, RELEASE)
            lab.eventually(lambda: not (irsa.get() or {})["metadata"].get("finalizers"), "it is let go")
        else:
            irsa.delete()
            irsa.wait_gone()
    assert (lab.aws.role(role), lab.aws.attached(role), lab.aws.tags(role)) == before


def test_nothing_is_ready_that_others_have_changed_meanwhile(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace))
    irsa.wait_ready()
    lab.wait_bound(namespace, "web", role)
    over = threading.Event()

    def keep_changing() -> None:
        turn = 0
        # So often that it comes between, and not so often that nobody else's turn ever comes.
        while not over.wait(0.02):
            turn += 1
            lab.patch_account(namespace, "web", annotations={"turn": str(turn)})

    others = [threading.Thread(target=keep_changing) for _ in range(2)]
    for other in others:
        other.start()
    try:
        for seconds in range(3600, 3612):
            irsa.patch({"serviceAccount": {"token": {"expirationSeconds": seconds}}})
            irsa.wait_ready()
            assert lab.annotations(namespace, "web")[names.ANNOTATION_TOKEN_EXPIRATION] == str(seconds)
    finally:
        over.set()
        for other in others:
            other.join()


def test_nothing_is_ready_whose_service_account_somebody_else_has_just_made(lab: Lab) -> None:
    for _ in range(10):
        role, namespace = unique("role"), lab.namespace()
        irsa = lab.irsa(spec(role, "web", namespace))
        lab.api.post(
            f"/api/v1/namespaces/{namespace}/serviceaccounts", json={"metadata": {"name": "web", "annotations": {}}}
        )
        irsa.wait_ready()
        assert lab.account(namespace, "web")["metadata"]["annotations"][names.ANNOTATION_ROLE_ARN]  # type: ignore[index]
        assert irsa.status["serviceAccountCount"] == 1


def test_who_is_gone_leaves_the_trust_of_an_object_whose_spec_is_refused(lab: Lab) -> None:
    role, stays, goes = unique("role"), lab.namespace(), lab.namespace()
    irsa = lab.irsa(spec(role, "web", stays, goes))
    irsa.wait_ready()
    deep: Any = "x"
    for _ in range(40):
        deep = {"a": deep}
    irsa.patch({"inlinePolicies": {"deep": deep}})
    irsa.wait_reason("MalformedDocument", "False")
    lab.delete(f"/api/v1/namespaces/{goes}")
    lab.eventually(lambda: lab.aws.subjects(role) == {f"{stays}/web"}, "the namespace that is gone isn't trusted")
    assert irsa.condition("Ready")["reason"] == "MalformedDocument"


def test_more_renames_than_a_status_can_hold_wait_for_the_old_roles_to_go(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(f"{role}-0", "web", namespace))
    irsa.wait_ready()
    lab.aws.faults(error=1.0, operations=["DeleteRole"])
    for turn in range(1, 19):
        irsa.patch({"iamRole": {"name": f"{role}-{turn}"}})
        judged = turn + 1
        lab.eventually(lambda: irsa.condition("Ready")["observedGeneration"] == judged, "it was looked at")  # noqa: B023
        lab.eventually(lambda: irsa.condition("Ready")["reason"] != "Progressing", "it was judged")
    assert irsa.condition("Ready")["reason"] == "IRSAFailedRoleUpdate"
    assert "wait to be removed" in irsa.condition("Ready")["message"]
    lab.aws.faults()
    irsa.touch()
    irsa.wait_ready()
    assert lab.aws.role(f"{role}-18") is not None
    lab.eventually(lambda: not [n for n in range(18) if lab.aws.role(f"{role}-{n}")], "all old ones are gone")
    lab.wait_bound(namespace, "web", f"{role}-18")
