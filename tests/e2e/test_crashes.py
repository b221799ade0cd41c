"""The controller killed, its memory in the cluster lost, the API server gone for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from e2e_controllers import Controllers
from e2e_lab import MERGE, Lab, spec, unique
from e2e_process import OPERATOR, Controller

from irsa_manager.api import names
from irsa_manager.sandbox.running import RunningSandbox


def test_a_controller_killed_in_the_middle_is_taken_up_where_it_was(
    bare_lab: Lab, run_controller: Callable[..., Controller], controllers: Controllers
) -> None:
    lab, namespace, prefix = bare_lab, bare_lab.namespace(), unique("crash")
    policies = ["AmazonS3ReadOnlyAccess", "AmazonSQSFullAccess"]
    lab.aws.faults(latency=0.15)
    lab.aws.reset_calls()
    irsas = [lab.irsa(spec(f"{prefix}-{n}", f"sa-{n}", namespace, iamPolicies=policies)) for n in range(6)]
    for calls in (2, 5, 9):
        controller = run_controller({"--workers": "2"})
        lab.eventually(
            lambda calls=calls: sum(lab.aws.writes().values()) >= calls,  # type: ignore[misc]
            f"{calls} writes were begun",
        )
        controller.kill()
    lab.aws.faults()
    controllers.ensure_usual()
    for number, irsa in enumerate(irsas):
        status = irsa.wait_ready()
        role = lab.aws.role(f"{prefix}-{number}")
        assert role is not None
        assert status["role"]["id"] == role["RoleId"]
        assert lab.aws.attached(f"{prefix}-{number}") == set(policies)
        assert {reason for reason, _ in irsa.events()} & {"RoleExists", "Conflict"} == set()
        lab.wait_bound(namespace, f"sa-{number}", f"{prefix}-{number}")


def test_a_controller_killed_while_deleting_leaves_nothing_after_its_return(
    bare_lab: Lab, run_controller: Callable[..., Controller], controllers: Controllers
) -> None:
    lab, namespace, prefix = bare_lab, bare_lab.namespace(), unique("crash")
    controller = run_controller()
    irsas = [
        lab.irsa(spec(f"{prefix}-{n}", f"sa-{n}", namespace, iamPolicies=["AmazonS3ReadOnlyAccess"])) for n in range(4)
    ]
    for irsa in irsas:
        irsa.wait_ready()
    lab.aws.faults(latency=0.15)
    lab.aws.reset_calls()
    for irsa in irsas:
        irsa.delete()
    lab.eventually(lambda: sum(lab.aws.writes().values()) >= 5, "deleting is under way")
    controller.kill()
    lab.aws.faults()
    controllers.ensure_usual()
    for irsa in irsas:
        irsa.wait_gone()
    for number in range(4):
        assert lab.aws.role(f"{prefix}-{number}") is None
        assert lab.account(namespace, f"sa-{number}") is None


def test_a_lost_status_is_built_again_from_the_marks(lab: Lab, restart: Callable[[], object]) -> None:
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace, iamPolicies=["AmazonS3ReadOnlyAccess"]))
    before = irsa.wait_ready()
    lab.aws.reset_calls()
    answer = lab.api.patch(f"{irsa.path}/status", json={"status": None}, headers=MERGE)
    assert answer.status_code == 200, answer.text
    restart()
    after = irsa.wait_ready()
    for field in ("role", "serviceAccounts", "serviceAccountCount", "issuer"):
        assert after[field] == before[field]
    assert after["record"]["uid"] == before["record"]["uid"]
    assert lab.aws.writes() == {}
    irsa.delete()
    irsa.wait_gone()
    assert lab.aws.role(role) is None
    assert lab.account(namespace, "web") is None


def test_a_status_that_somebody_clears_is_written_anew_at_once(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    lab.aws.foreign_role(role)
    irsa = lab.irsa(spec(role, "web", namespace))
    irsa.wait_reason("RoleExists", "False")
    # Nothing else is in hand that would write it.
    lab.wait_sweeps()
    lab.patch(f"{irsa.path}/status", {"status": None})
    irsa.wait_reason("RoleExists", "False")


def test_the_key_of_the_marks_is_made_once_and_used_again(lab: Lab, restart: Callable[[], object]) -> None:
    path = f"/api/v1/namespaces/{OPERATOR}/secrets/{names.MARK_SECRET}"
    before = lab.get(path)
    assert before is not None
    assert set(before["data"]) == {"key"}
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace))
    irsa.wait_ready()
    mark = lab.aws.tags(role)[names.TAG_MARK]
    restart()
    irsa.patch({"iamPolicies": ["AmazonS3ReadOnlyAccess"]})
    irsa.wait_ready()
    after = lab.get(path)
    assert after is not None
    assert after["data"] == before["data"]
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert lab.aws.tags(role)[names.TAG_MARK] == mark
    assert before["data"]["key"] not in lab.controller.log.read_text()


def test_the_api_server_may_go_and_come_back(lab: Lab, sandbox: RunningSandbox) -> None:
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace))
    irsa.wait_ready()
    plane = sandbox.control_plane
    told, back = "can't be used; trying on", "can be used again"
    # The controller may have been through such a thing before.
    begun, ended = len(lab.controller.said(told)), len(lab.controller.said(back))
    asyncio.run(plane.kill("kube-apiserver"))
    lab.eventually(lambda: len(lab.controller.said(told)) > begun, "the controller says that it is gone")
    sweeps = lab.sweeps()
    lab.eventually(lambda: lab.sweeps() >= sweeps + 2, "the controller goes on")
    assert lab.controller.probe("/healthz")[0] == 200
    assert len(lab.controller.said(told)) == begun + 1
    plane.launch("kube-apiserver")
    asyncio.run(plane.wait_ready())
    lab.eventually(lambda: len(lab.controller.said(back)) > ended, "the controller says that it is back")
    irsa.patch({"iamPolicies": ["AmazonS3ReadOnlyAccess"]})
    irsa.wait_ready()
    lab.delete_account(namespace, "web")
    lab.wait_bound(namespace, "web", role)
    other = lab.irsa(spec(unique("role"), "api", namespace))
    other.wait_ready()
    assert lab.controller.said("Traceback") == []
