"""The check of tenancy at kubectl apply, installed as an administrator does it; every other test here is without it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import yaml
from e2e_attackers import owner_of
from e2e_lab import IRSAS, MERGE, SETUPS, Lab, Object, spec, unique
from e2e_process import OPERATOR
from e2e_upstream import APPLY
from test_commands import run

from irsa_manager.api import names

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
KINDS = ("validatingadmissionpolicies", "validatingadmissionpolicybindings")
S3, ADMIN = "AmazonS3ReadOnlyAccess", "AdministratorAccess"


def refused(lab: Lab, namespace: str) -> bool:
    """Whether an IRSA that asks for too much is refused there."""
    body = {"apiVersion": names.API_VERSION, "kind": "IRSA", "metadata": {"name": "canary"}}
    wanted = spec("canary", "canary", namespace, iamPolicies=[ADMIN])
    answer = lab.api.post(IRSAS.format(namespace), params={"dryRun": "All"}, json={**body, "spec": wanted})
    assert answer.status_code in {201, 403}, answer.text
    return answer.status_code == 403


@pytest.fixture
def home(lab: Lab) -> Iterator[str]:
    """A namespace whose IRSAs are checked as they are applied, by the one rule there is."""
    name = lab.namespace("home")
    selector = {"matchLabels": {"kubernetes.io/metadata.name": name}}
    rule = {"name": "home", "namespaceSelector": selector, "roleNames": ["home-*"], "policies": [S3]}
    lab.wait_condition(lab.setup({"tenancy": {"rules": [rule]}}, name="admission"), "Ready", "EksOIDCSetupReady")
    printed = run(lab, "policies")
    assert printed.returncode == 0, printed.stderr
    paths = []
    for kind, document in zip(KINDS, yaml.safe_load_all(printed.stdout), strict=True):
        path = f"{ADMISSION}/{kind}/{document['metadata']['name']}"
        paths.append(path)
        answer = lab.api.patch(path, params={"fieldManager": "admin"}, content=json.dumps(document), headers=APPLY)
        assert answer.is_success, answer.text
    lab.eventually(lambda: refused(lab, name), "the policy is in force")
    yield name
    for path in reversed(paths):
        lab.delete(path)
    lab.eventually(lambda: not refused(lab, name), "the policy is in force no more")


def test_a_refusal_is_seen_at_apply_and_what_was_there_is_the_controllers_to_judge(lab: Lab, home: str) -> None:
    mallory = owner_of(lab, home)
    role = unique("home")
    irsa = mallory.irsa(spec(role, "web", home, iamPolicies=[S3]), namespace=home)
    irsa.wait_ready()

    def attempt(change: Object) -> str:
        answer = mallory.api.patch(irsa.path, json={"spec": change}, headers=MERGE)
        assert answer.status_code == 403, answer.text
        message: str = answer.json()["message"].partition("denied request: ")[2]
        return message

    # What happened, what was left, what to do next.
    assert attempt({"iamPolicies": [S3, ADMIN]}) == (
        f"Rule home doesn't allow policy {ADMIN} (allowed: {S3}). Nothing was changed. "
        f"Ask who owns IRSASetup irsa-manager-system/admission to add to rule home: policies: [{ADMIN}]"
    )
    # A plan says the same, as of any other object, and goes on with the rest.
    asked = {"apiVersion": names.API_VERSION, "kind": "IRSA"}
    manifests = [
        {
            **asked,
            "metadata": {"name": irsa.name, "namespace": home},
            "spec": spec(role, "web", home, iamPolicies=[ADMIN]),
        },
        {**asked, "metadata": {"name": "more", "namespace": home}, "spec": spec(unique("home"), "api", home)},
    ]
    planned = run(lab, "plan", "-f", "-", stdin=yaml.safe_dump_all(manifests))
    assert planned.returncode == 2, planned.stderr
    assert f"  ! TenancyDenied: Rule home doesn't allow policy {ADMIN} (allowed: {S3})." in planned.stdout
    assert "1 of 2 with something wrong" in planned.stdout
    assert "api" in planned.stdout
    assert "kube-system" in attempt({"serviceAccount": {"namespaces": ["kube-system"]}})
    assert "role name web (allowed: home-*)" in attempt({"iamRole": {"name": "web"}})
    # What a status may say gets past the check, and not past the controller.
    mallory.patch(f"{irsa.path}/status", {"status": {"keptBindings": ["kube-public/web"]}})
    irsa.patch({"serviceAccount": {"namespaces": [home, "kube-public"]}})
    irsa.wait_reason("TenancyDenied", "False")
    assert lab.aws.subjects(role) == {f"{home}/web"}
    assert lab.account("kube-public", "web") is None
    irsa.patch({"serviceAccount": {"namespaces": [home]}})
    irsa.wait_ready()
    # Rules that are closed afterwards concern what is stored: the controller says so, and it can still be deleted.
    lab.patch(f"{SETUPS.format(OPERATOR)}/admission", {"spec": {"tenancy": {"rules": []}}})
    lab.eventually(lambda: irsa.condition("Ready")["reason"] == "TenancyDenied", "it is denied")
    mallory.patch(irsa.path, {"metadata": {"labels": {"still": "editable"}}, "spec": {"cleanup": True}})
    for kind in KINDS:
        assert mallory.api.delete(f"{ADMISSION}/{kind}/irsa-manager-tenancy").status_code == 403
    irsa.delete()
    irsa.wait_gone()
    assert lab.aws.role(role) is None
