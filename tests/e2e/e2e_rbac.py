"""The rights of examples/rbac.yaml in a cluster, and the controller's own token there."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx2
import yaml
from e2e_process import eventually

from irsa_manager.api import names
from irsa_manager.sandbox.files import write_private
from irsa_manager.sandbox.running import RunningSandbox

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NAMESPACE = names.DEFAULT_NAMESPACE
ACCOUNT = "irsa-manager-controller-manager"
PLURALS = {
    "Namespace": "/api/v1/namespaces",
    "ServiceAccount": "/api/v1/namespaces/{namespace}/serviceaccounts",
    "Secret": "/api/v1/namespaces/{namespace}/secrets",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings",
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "IRSA": f"/apis/{names.API_VERSION}/namespaces/{{namespace}}/irsas",
    "IRSASetup": f"/apis/{names.API_VERSION}/namespaces/{{namespace}}/irsasetups",
}


def client(url: str, ca_file: Path, token: str) -> httpx2.Client:
    """An HTTP client with that token."""
    context = ssl.create_default_context(cadata=ca_file.read_text())
    headers = {"Authorization": f"Bearer {token}"}
    return httpx2.Client(base_url=url, verify=context, headers=headers, timeout=30, trust_env=False)


def apply(api: httpx2.Client, document: dict[str, Any]) -> None:
    """Server-side apply, as `kubectl apply --server-side` does it."""
    meta = document["metadata"]
    path = f"{PLURALS[document['kind']].format(namespace=meta.get('namespace', ''))}/{meta['name']}"
    answer = api.patch(
        path,
        params={"fieldManager": "administrator"},
        content=yaml.safe_dump(document),
        headers={"Content-Type": "application/apply-patch+yaml"},
    )
    assert answer.is_success, answer.text


def apply_rbac(admin: httpx2.Client) -> list[dict[str, Any]]:
    """Apply examples/rbac.yaml as an administrator; the rules that it grants."""
    documents = list(yaml.safe_load_all((EXAMPLES / "rbac.yaml").read_text()))
    for document in documents:
        apply(admin, document)
    return [rule for document in documents for rule in document.get("rules", ())]


def wait_granted(own: httpx2.Client, rules: Iterable[dict[str, Any]], namespace: str) -> None:
    """Wait until that token has these rules in the namespace: the authorizer learns of roles and bindings by watches.

    https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/self-subject-rules-review-v1/
    """
    parts = ("verbs", "apiGroups", "resources", "resourceNames")
    wanted = [{part: rule[part] for part in parts if part in rule} for rule in rules if "resources" in rule]
    assert wanted

    def given() -> list[dict[str, Any]]:
        answer = own.post(
            "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", json={"spec": {"namespace": namespace}}
        )
        assert answer.is_success, answer.text
        found: list[dict[str, Any]] = answer.json()["status"]["resourceRules"]
        return found

    def all_there() -> bool:
        found = given()
        missing = [rule for rule in wanted if rule not in found]
        assert not missing, missing
        return True

    eventually(all_there, f"the rules are in force in namespace {namespace}", lambda: "")


def requested_token(admin: httpx2.Client) -> str:
    """A token of the controller's ServiceAccount."""
    path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{ACCOUNT}/token"
    answer = admin.post(path, json={"spec": {"expirationSeconds": 3600}})
    assert answer.is_success, answer.text
    return str(answer.json()["status"]["token"])


def own_kubeconfig(file: Path, sandbox: RunningSandbox, token: str) -> Path:
    """A kubeconfig with that token, written to the file."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "own",
        "clusters": [
            {
                "name": "own",
                "cluster": {"server": sandbox.api_server, "certificate-authority": str(sandbox.ca_file)},
            }
        ],
        "users": [{"name": "own", "user": {"token": token}}],
        "contexts": [{"name": "own", "context": {"cluster": "own", "user": "own"}}],
    }
    return write_private(file, yaml.safe_dump(config))


def granted(file: Path, admin: httpx2.Client, sandbox: RunningSandbox, *more: str) -> Path:
    """The controller's own kubeconfig, written to the file, with examples/rbac.yaml in force.

    more: namespaces in which the rules are given besides the example's own.
    """
    rules = apply_rbac(admin)
    token = requested_token(admin)
    with client(sandbox.api_server, sandbox.ca_file, token) as own:
        for namespace in (NAMESPACE, *more):
            wait_granted(own, rules, namespace)
    return own_kubeconfig(file, sandbox, token)
