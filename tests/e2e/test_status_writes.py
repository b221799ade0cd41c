"""A status is written over the version that it was made from, and over no other; and it tells whatever went wrong."""

from __future__ import annotations

import pytest
from e2e_grants import ROW, Manager, StartAs
from e2e_lab import Lab, Object, spec, unique
from e2e_rbac import ACCOUNT, NAMESPACE, PLURALS
from msgspec.structs import replace

from irsa_manager.api import names
from irsa_manager.controller.reporter import Reporter
from irsa_manager.controller.roles import RoleStore
from irsa_manager.controller.view import ClusterView
from irsa_manager.kube.client import Kube
from irsa_manager.kube.errors import KubeConflict
from irsa_manager.kube.events import EventRecorder
from irsa_manager.kube.resources import IRSAS
from irsa_manager.sandbox.running import RunningSandbox


async def test_what_was_signed_meanwhile_is_not_overwritten(lab: Lab, sandbox: RunningSandbox) -> None:
    irsa = lab.irsa({**spec(unique("role"), "web", lab.namespace()), "suspend": True})
    irsa.wait_reason("Suspended")
    async with Kube.connect(sandbox.kubeconfig) as kube:
        reporter = Reporter(
            kube, EventRecorder(kube), ClusterView(RoleStore()), guard=lambda: None, drift=lambda _kind: None
        )
        read = await kube.get(IRSAS, irsa.namespace, irsa.name)
        assert read is not None
        signed = await reporter.write_status(read, replace(read.status, kept_audiences=("signed",)))
        with pytest.raises(KubeConflict):
            await reporter.write_status(read, replace(read.status, issuer="https://late.test"))
        assert await kube.get(IRSAS, irsa.namespace, irsa.name) == signed


def test_a_right_in_kubernetes_that_is_missing_before_anything_is_made_is_told_too(
    bare_lab: Lab, start_as: StartAs
) -> None:
    lab, namespace, path = bare_lab, bare_lab.namespace(), f"{PLURALS['ClusterRole']}/{ACCOUNT}"
    start_as(Manager(lab.aws, ROW))
    role = lab.get(path)
    assert role is not None
    lab.patch(path, {"rules": [{**rule, "verbs": _without_irsas(rule)} for rule in role["rules"]]})
    try:
        lab.eventually(lambda: not _may_patch(lab), "it may not put its finalizer on objects any more")
        irsa = lab.irsa(spec(unique("role"), "web", namespace))
        irsa.wait_reason("PermissionMissing", "False")
        message = irsa.condition("Ready")["message"]
        assert message.startswith(
            f"patch irsas is not allowed for the manager on IRSA {irsa.key}. Done so far: nothing."
        )
    finally:
        lab.patch(path, {"rules": role["rules"]})
    irsa.wait_ready()


def test_an_object_that_is_made_again_is_warned_anew(lab: Lab) -> None:
    role, name, namespace = unique("role"), unique("i"), lab.namespace()
    lab.aws.foreign_role(role)
    uids = set()
    for _ in range(2):
        irsa = lab.irsa(spec(role, "web", namespace), name=name)
        irsa.wait_reason("RoleExists", "False")
        uids.add((irsa.get() or {})["metadata"]["uid"])
        irsa.delete()
        irsa.wait_gone()
    lab.eventually(lambda: _warned(lab, name) == uids, "each of the two has its Warning")


def _warned(lab: Lab, name: str) -> set[str]:
    """The uids of the objects of that name that events warn about."""
    selector = f"involvedObject.kind=IRSA,involvedObject.name={name},type=Warning"
    path = f"/api/v1/namespaces/{NAMESPACE}/events?fieldSelector={selector}"
    return {event["involvedObject"]["uid"] for event in (lab.get(path) or {})["items"]}


def _without_irsas(rule: Object) -> list[str]:
    return [verb for verb in rule["verbs"] if verb != "patch" or "irsas" not in rule.get("resources", ())]


def _may_patch(lab: Lab) -> bool:
    where = {"group": names.GROUP, "resource": "irsas", "verb": "patch", "namespace": NAMESPACE}
    user = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"
    body = {"spec": {"user": user, "resourceAttributes": where}}
    return bool(lab.create("/apis/authorization.k8s.io/v1/subjectaccessreviews", body)["status"]["allowed"])
