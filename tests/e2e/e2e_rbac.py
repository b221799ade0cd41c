"""The rights of examples/rbac.yaml in a cluster, and the controller's own token there."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import httpx2
import yaml

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


def apply_rbac(admin: httpx2.Client) -> None:
    """Apply examples/rbac.yaml as an administrator."""
    for document in yaml.safe_load_all((EXAMPLES / "rbac.yaml").read_text()):
        apply(admin, document)


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
