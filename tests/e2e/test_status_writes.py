"""A status is written over the version that it was made from, and over no other."""

from __future__ import annotations

import pytest
from e2e_lab import Lab, spec, unique
from msgspec.structs import replace

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
