"""The controller with exactly the rights of examples/rbac.yaml: they suffice, and they are no more than it says."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from e2e_lab import wait_served
from e2e_process import eventually
from e2e_rbac import EXAMPLES, NAMESPACE, apply, client, granted, requested_token

from irsa_manager.api import crd, names
from irsa_manager.sandbox.finder import find
from irsa_manager.sandbox.process import Child
from irsa_manager.sandbox.running import RunningSandbox, running_sandbox

IRSAS = f"/apis/{names.API_VERSION}/namespaces/{NAMESPACE}/irsas"
SETUPS = f"/apis/{names.API_VERSION}/namespaces/{NAMESPACE}/irsasetups"
pytestmark = pytest.mark.xdist_group("rbac")


class Bounded:
    """A cluster on which a controller runs under its own ServiceAccount."""

    def __init__(self, sandbox: RunningSandbox, admin: httpx2.Client, own: httpx2.Client, controller: Child) -> None:
        self.sandbox = sandbox
        self.admin = admin
        self.own = own
        self.controller = controller

    def told(self) -> str:
        return f"{self.admin.get(IRSAS).text}\n{self.controller.last_lines(40)}"

    def ready(self, path: str) -> dict[str, Any] | None:
        """The object once it is ready."""
        found = self.admin.get(path).json()
        conditions = {c["type"]: c for c in found.get("status", {}).get("conditions", ())}
        return found if conditions.get("Ready", {}).get("status") == "True" else None


@pytest.fixture(scope="module")
def bounded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bounded]:
    directory = tmp_path_factory.mktemp("rbac")
    with asyncio.Runner() as runner:
        context = running_sandbox(directory / "sandbox", binaries=find())
        sandbox = runner.run(context.__aenter__())
        controller = None
        try:
            token = yaml.safe_load(sandbox.kubeconfig.read_text())["users"][0]["user"]["token"]
            with client(sandbox.api_server, sandbox.ca_file, token) as admin:
                for definition in crd.definitions():
                    apply(admin, definition)
                wait_served(admin, NAMESPACE)
                kubeconfig = granted(directory / "kubeconfig", admin, sandbox)
                with client(sandbox.api_server, sandbox.ca_file, requested_token(admin)) as own:
                    controller = start_controller(directory, sandbox, kubeconfig)
                    yield Bounded(sandbox, admin, own, controller)
        finally:
            if controller is not None:
                runner.run(controller.stop(5))
            runner.run(context.__aexit__(None, None, None))


def start_controller(directory: Path, sandbox: RunningSandbox, kubeconfig: Path) -> Child:
    flags = [
        f"--kubeconfig={kubeconfig}",
        f"--namespace={NAMESPACE}",
        "--leader-elect",
        "--metrics-bind-address=0",
        "--health-probe-bind-address=0",
        "--sweep-interval=2s",
    ]
    env = {name: value for name, value in sandbox.environment().items() if name != "KUBECONFIG"}
    argv = [sys.executable, "-m", "irsa_manager", "controller", *flags]
    return Child.start("controller", argv, log=directory / "controller.log", env=env)


def test_the_whole_life_of_an_object_needs_no_more_than_the_example_grants(bounded: Bounded) -> None:
    admin = bounded.admin
    setup = {
        "apiVersion": names.API_VERSION,
        "kind": "IRSASetup",
        "metadata": {"name": "irsa-init", "namespace": NAMESPACE},
        "spec": {"cleanup": False, "mode": "eks", "clusterName": "rbac"},
    }
    apply(admin, setup)
    sample = yaml.safe_load((EXAMPLES / "irsa.yaml").read_text())
    apply(admin, sample)
    name = sample["metadata"]["name"]

    found = eventually(lambda: bounded.ready(f"{IRSAS}/{name}"), "A ready IRSA", bounded.told)
    eventually(lambda: bounded.ready(f"{SETUPS}/irsa-init"), "A ready IRSASetup", bounded.told)
    assert names.FINALIZER in found["metadata"]["finalizers"]
    for namespace in sample["spec"]["serviceAccount"]["namespaces"]:
        account = admin.get(f"/api/v1/namespaces/{namespace}/serviceaccounts/irsa1-sa").json()
        assert account["metadata"]["annotations"][names.ANNOTATION_ROLE_ARN] == found["status"]["role"]["arn"]

        def told_of(namespace: str = namespace) -> bool:
            events = admin.get(f"/api/v1/namespaces/{namespace}/events").json()["items"]
            return any(e["reason"] == "ServiceAccountCreated" for e in events)

        eventually(told_of, f"An event in {namespace}", bounded.told)
    lease = admin.get(f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/{names.LEASE_NAME}").json()
    assert lease["spec"]["holderIdentity"]
    assert admin.get(f"/api/v1/namespaces/{NAMESPACE}/secrets/{names.MARK_SECRET}").json()["data"]["key"]

    path = "/api/v1/namespaces/default/serviceaccounts/irsa1-sa"
    body = {"metadata": {"annotations": {names.ANNOTATION_ROLE_ARN: None}}}
    headers = {"Content-Type": "application/merge-patch+json"}
    admin.patch(path, json=body, headers=headers).raise_for_status()
    eventually(
        lambda: admin.get(path).json()["metadata"].get("annotations", {}).get(names.ANNOTATION_ROLE_ARN),
        "The annotation put back",
        bounded.told,
    )

    admin.delete(f"{IRSAS}/{name}").raise_for_status()
    eventually(lambda: admin.get(f"{IRSAS}/{name}").status_code == 404, "The IRSA gone", bounded.told)
    assert admin.get(path).status_code == 404
    admin.delete(f"{SETUPS}/irsa-init").raise_for_status()
    eventually(lambda: admin.get(f"{SETUPS}/irsa-init").status_code == 404, "The setup gone", bounded.told)
    log = bounded.controller.log.read_text().lower()
    assert "forbidden" not in log
    assert "permissionmissing" not in log


@pytest.mark.parametrize(
    ("verb", "group", "resource", "namespace", "name"),
    [
        ("get", "", "secrets", NAMESPACE, "aws-secret"),
        ("list", "", "secrets", NAMESPACE, ""),
        ("create", "", "secrets", NAMESPACE, ""),
        ("delete", "", "secrets", NAMESPACE, names.MARK_SECRET),
        ("get", "", "secrets", "kube-system", names.MARK_SECRET),
        ("create", "", "serviceaccounts/token", "default", "default"),
        ("create", "", "pods", "default", ""),
        ("patch", "apps", "deployments", "default", ""),
        ("create", "rbac.authorization.k8s.io", "clusterrolebindings", "", ""),
        ("patch", "admissionregistration.k8s.io", "mutatingwebhookconfigurations", "", ""),
        # Nor what bounds him who takes the manager over: he would only have to loosen it.
        *(
            (verb, "admissionregistration.k8s.io", f"validatingadmissionpolic{end}", "", "")
            for end in ("ies", "ybindings")
            for verb in ("create", "patch", "delete")
        ),
        ("create", names.GROUP, "irsas", NAMESPACE, ""),
        ("delete", names.GROUP, "irsas", NAMESPACE, ""),
        ("update", "coordination.k8s.io", "leases", NAMESPACE, "kube-controller-manager"),
    ],
)
def test_what_the_example_does_not_grant(
    bounded: Bounded, verb: str, group: str, resource: str, namespace: str, name: str
) -> None:
    kind, _, sub = resource.partition("/")
    attributes = {"verb": verb, "group": group, "resource": kind, "subresource": sub}
    attributes |= {"namespace": namespace, "name": name}
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    answer = bounded.own.post(path, json={"spec": {"resourceAttributes": attributes}}).json()
    assert answer["status"]["allowed"] is False, answer
