"""The control plane as others rely on it: closed to strangers, honest tokens, components that can be restarted."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from pathlib import Path

import httpx2
import pytest
import yaml
from kernel_facts import open_to_others

from irsa_manager.api.errors import SandboxError
from irsa_manager.sandbox.controlplane import ISSUER_PREFIX, ControlPlane


def stranger(control_plane: ControlPlane) -> httpx2.Client:
    context = ssl.create_default_context(cadata=control_plane.ca_pem)
    return httpx2.Client(base_url=control_plane.url, verify=context, trust_env=False)


def token(api: httpx2.Client, namespace: str, audiences: list[str]) -> str:
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/default/token"
    answer = api.post(path, json={"spec": {"audiences": audiences, "expirationSeconds": 600}})
    answer.raise_for_status()
    return str(answer.json()["status"]["token"])


def make_service_account(api: httpx2.Client, namespace: str) -> None:
    """The controller makes it too; whoever comes first."""
    body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    assert api.post(f"/api/v1/namespaces/{namespace}/serviceaccounts", json=body).status_code in {201, 409}


def test_strangers_read_the_issuers_documents_and_nothing_else(control_plane: ControlPlane) -> None:
    with stranger(control_plane) as client:
        document = client.get("/.well-known/openid-configuration").json()
        keys = client.get("/openid/v1/jwks").json()["keys"]
        refused = {
            path: client.get(path).status_code
            for path in ("/api/v1/secrets", "/api/v1/namespaces", "/apis/rbac.authorization.k8s.io/v1/clusterroles")
        }
    assert document["issuer"] == control_plane.issuer
    assert document["jwks_uri"] == control_plane.issuer + "/openid/v1/jwks"
    assert control_plane.issuer.startswith(ISSUER_PREFIX)
    assert [key["kty"] for key in keys] == ["RSA"]
    assert set(refused.values()) == {403}


def test_etcd_refuses_who_has_no_certificate(control_plane: ControlPlane) -> None:
    argument = next(a for a in control_plane._etcd_argv() if a.startswith("--listen-client-urls="))
    context = ssl.create_default_context(cadata=control_plane.ca_pem)
    with (
        httpx2.Client(verify=context, trust_env=False) as client,
        pytest.raises(httpx2.TransportError),
    ):
        client.get(argument.partition("=")[2] + "/version").raise_for_status()


def test_files_are_private(control_plane: ControlPlane) -> None:
    assert len([*control_plane.directory.rglob("*")]) > 10
    assert open_to_others(control_plane.directory) == []


def test_the_kubeconfig_verifies_the_server(control_plane: ControlPlane) -> None:
    config = yaml.safe_load(control_plane.kubeconfig.read_text())
    cluster = config["clusters"][0]["cluster"]
    assert cluster["server"] == control_plane.url
    assert base64.b64decode(cluster["certificate-authority-data"]).decode() == control_plane.ca_pem
    assert "insecure-skip-tls-verify" not in cluster


def test_tokens_for_sts_and_for_the_api_server_are_kept_apart(api: httpx2.Client, namespace: str) -> None:
    make_service_account(api, namespace)
    own, sts = token(api, namespace, []), token(api, namespace, ["sts.amazonaws.com"])
    claims = [json.loads(base64.urlsafe_b64decode(jwt.split(".")[1] + "==")) for jwt in (own, sts)]
    assert claims[0]["aud"] == ["https://kubernetes.default.svc"]
    assert claims[1]["aud"] == ["sts.amazonaws.com"]
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    answers = [api.post(path, json={}, headers={"Authorization": f"Bearer {jwt}"}).status_code for jwt in (own, sts)]
    assert answers == [201, 401]


async def test_the_api_server_can_be_killed_and_started_again(control_plane: ControlPlane, api: httpx2.Client) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "survives"}}
    url = "/api/v1/namespaces/default/configmaps"
    assert api.post(url, json=body).status_code == 201
    await control_plane.kill("kube-apiserver")
    with pytest.raises(httpx2.TransportError):
        api.get(url)
    control_plane.launch("kube-apiserver")
    with pytest.raises(SandboxError, match="running already"):
        control_plane.launch("kube-apiserver")
    await control_plane.wait_ready()
    assert api.delete(url + "/survives").status_code == 200


def test_a_component_that_dies_is_named_with_its_log(tmp_path: Path, control_plane: ControlPlane) -> None:
    broken = ControlPlane(tmp_path / "other", control_plane._binaries)
    # Its certificate's file is gone: the API server says so and ends.
    broken._server.certificate.unlink()
    with pytest.raises(SandboxError, match=r"(?s)kube-apiserver ended with status 1 .*kube-apiserver\.crt") as caught:
        asyncio.run(broken.start())
    assert caught.value.object == "kube-apiserver"
    assert broken.children == {}
