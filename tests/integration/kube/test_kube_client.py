"""The client against a real API server: what each call does, and what each refusal becomes."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from pathlib import Path
from typing import Any

import pytest
from kube_objects import CONFIG_MAPS, config_map, with_changes
from kube_relay import Relay

from irsa_manager.api import names
from irsa_manager.api.kube import Metadata
from irsa_manager.kube.client import Kube
from irsa_manager.kube.config import find_config
from irsa_manager.kube.decode import Unreadable
from irsa_manager.kube.errors import (
    KubeAlreadyExists,
    KubeConflict,
    KubeForbidden,
    KubeInvalid,
    KubeNotFound,
    KubeThrottled,
    KubeUnavailable,
)
from irsa_manager.kube.resources import NAMESPACES, PODS, SECRETS, SERVICE_ACCOUNTS, PodSpec
from irsa_manager.kube.transport import Transport
from irsa_manager.sandbox.controlplane import ControlPlane
from irsa_manager.sandbox.ports import free_ports


def account(name: str, **annotations: str) -> dict[str, Any]:
    metadata = {"name": name, "annotations": annotations}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


async def test_reads_what_was_created(kube: Kube, namespace: str) -> None:
    assert await kube.get(SERVICE_ACCOUNTS, namespace, "app") is None
    made = await kube.create(SERVICE_ACCOUNTS, account("app", note="x"), namespace)
    read = await kube.get(SERVICE_ACCOUNTS, namespace, "app")
    assert read == made
    assert read is not None
    assert read.metadata.annotations == {"note": "x"}
    own = await kube.get(NAMESPACES, None, namespace)
    assert own is not None
    assert not own.terminating


async def test_lists_by_namespace_and_label(kube: Kube, namespace: str) -> None:
    for name in ("a", "b"):
        body = account(name)
        body["metadata"]["labels"] = {"app": name}
        await kube.create(SERVICE_ACCOUNTS, body, namespace)
    listed = {item.metadata.name for item in await kube.list(SERVICE_ACCOUNTS, namespace)}
    assert {"a", "b"} <= listed
    assert [item.metadata.name for item in await kube.list(SERVICE_ACCOUNTS, namespace, "app=b")] == ["b"]
    everywhere = await kube.list(SERVICE_ACCOUNTS)
    assert {namespace, "kube-system"} <= {item.metadata.namespace for item in everywhere}


async def test_a_list_of_some_sends_no_more_of_them_than_is_wanted(kube: Kube, namespace: str) -> None:
    await kube.create(SERVICE_ACCOUNTS, account("app"), namespace)
    await kube.create(SERVICE_ACCOUNTS, account("other"), namespace)
    for name, of in (("one", "app"), ("two", "app"), ("three", "other")):
        body = {"containers": [{"name": "c", "image": "none"}], "serviceAccountName": of}
        await kube.create(PODS, {"metadata": {"name": name}, "spec": body}, namespace)
    of_app: dict[str, Any] = {"field_selector": "spec.serviceAccountName=app", "page_size": 1}
    for metadata_only, seen in ((False, "app"), (True, PodSpec().service_account_name)):
        pages = kube.pages(PODS, namespace, metadata_only=metadata_only, **of_app)
        pods = [pod async for page in pages for pod in page.items]
        assert [pod.metadata.name for pod in pods] == ["one", "two"]
        assert {pod.spec.service_account_name for pod in pods} == {seen}


async def test_lists_what_fits_and_tells_of_what_does_not(kube: Kube, namespace: str) -> None:
    await kube.create(CONFIG_MAPS, config_map("good"), namespace)
    await kube.raw("POST", f"/api/v1/namespaces/{namespace}/configmaps", body=config_map("bad", "sideways"))
    told: list[Unreadable] = []
    listed = await kube.list(CONFIG_MAPS, namespace, on_unreadable=told.append)
    assert "good" in {item.metadata.name for item in listed}
    assert f"{namespace}/bad" in {unreadable.key for unreadable in told}
    assert any("$.data.mode" in unreadable.why for unreadable in told)
    with pytest.raises(KubeInvalid, match="doesn't fit its type"):
        await kube.get(CONFIG_MAPS, namespace, "bad")


async def test_dry_run_changes_nothing(kube: Kube, namespace: str) -> None:
    await kube.create(SERVICE_ACCOUNTS, account("app"), namespace, dry_run=True)
    await kube.apply(SERVICE_ACCOUNTS, namespace, "app", account("app"), dry_run=True)
    assert await kube.get(SERVICE_ACCOUNTS, namespace, "app") is None


async def test_every_write_bears_our_name(kube: Kube, namespace: str) -> None:
    def managers(metadata: Metadata) -> set[tuple[str, str]]:
        return {(entry.manager, entry.operation) for entry in metadata.managed_fields}

    made = await kube.create(SERVICE_ACCOUNTS, account("app", a="1"), namespace)
    assert managers(made.metadata) == {(names.FIELD_MANAGER, "Update")}
    patched = await kube.merge_patch(SERVICE_ACCOUNTS, namespace, "app", {"metadata": {"annotations": {"b": "2"}}})
    assert managers(patched.metadata) == {(names.FIELD_MANAGER, "Update")}
    applied = await kube.apply(SERVICE_ACCOUNTS, namespace, "app", {"metadata": {"annotations": {"c": "3"}}})
    assert managers(applied.metadata) == {(names.FIELD_MANAGER, "Update"), (names.FIELD_MANAGER, "Apply")}
    replaced = await kube.replace(SERVICE_ACCOUNTS, namespace, "app", account("app", d="4"))
    assert replaced.metadata.annotations == {"d": "4"}
    assert {manager for manager, _ in managers(replaced.metadata)} == {names.FIELD_MANAGER}


async def test_merge_patch_takes_away_what_is_null(kube: Kube, namespace: str) -> None:
    await kube.create(SERVICE_ACCOUNTS, account("app", ours="1", theirs="2"), namespace)
    patch = {"metadata": {"annotations": {"ours": None}}}
    patched = await kube.merge_patch(SERVICE_ACCOUNTS, namespace, "app", patch)
    assert patched.metadata.annotations == {"theirs": "2"}


async def test_merge_patch_of_a_version_that_has_moved_on_is_a_conflict(kube: Kube, namespace: str) -> None:
    made = await kube.create(SERVICE_ACCOUNTS, account("app"), namespace)
    await kube.merge_patch(SERVICE_ACCOUNTS, namespace, "app", {"metadata": {"annotations": {"by": "somebody"}}})
    patch = {"metadata": {"resourceVersion": made.metadata.resource_version, "annotations": {"by": "us"}}}
    with pytest.raises(KubeConflict) as caught:
        await kube.merge_patch(SERVICE_ACCOUNTS, namespace, "app", patch)
    assert caught.value.object == f"ServiceAccount {namespace}/app"
    left = await kube.get(SERVICE_ACCOUNTS, namespace, "app")
    assert left is not None
    assert left.metadata.annotations == {"by": "somebody"}


async def test_apply_takes_away_only_what_it_applied(kube: Kube, namespace: str) -> None:
    await kube.raw("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", body=account("app", theirs="1"))
    first = await kube.apply(SERVICE_ACCOUNTS, namespace, "app", {"metadata": {"annotations": {"ours": "1"}}})
    assert first.metadata.annotations == {"theirs": "1", "ours": "1"}
    second = await kube.apply(SERVICE_ACCOUNTS, namespace, "app", {"metadata": {}})
    assert second.metadata.annotations == {"theirs": "1"}


async def test_apply_without_force_leaves_other_managers_fields(kube: Kube, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    await kube.raw("POST", path, body=account("app", shared="theirs"), query={"fieldManager": "somebody"})
    ours = {"metadata": {"annotations": {"shared": "ours"}}}
    with pytest.raises(KubeConflict, match="somebody"):
        await kube.apply(SERVICE_ACCOUNTS, namespace, "app", ours, force=False)
    forced = await kube.apply(SERVICE_ACCOUNTS, namespace, "app", ours)
    assert forced.metadata.annotations == {"shared": "ours"}


async def test_status_is_written_apart(kube: Kube, namespace: str) -> None:
    status = {"status": {"conditions": [{"type": "Tried", "status": "True", "reason": "Test", "message": "",
                                         "lastTransitionTime": "2026-01-01T00:00:00Z"}]}}  # fmt: skip
    await kube.apply(NAMESPACES, None, namespace, status, subresource="status")
    stored = json.loads(await kube.raw("GET", f"/api/v1/namespaces/{namespace}"))
    assert [condition["type"] for condition in stored["status"]["conditions"]] == ["Tried"]


async def test_delete_only_what_was_judged(kube: Kube, namespace: str) -> None:
    made = await kube.create(SERVICE_ACCOUNTS, account("app"), namespace)
    with pytest.raises(KubeConflict):
        await kube.delete(SERVICE_ACCOUNTS, namespace, "app", uid="00000000-0000-0000-0000-000000000000")
    with pytest.raises(KubeConflict):
        await kube.delete(SERVICE_ACCOUNTS, namespace, "app", resource_version="1")
    uid, version = made.metadata.uid, made.metadata.resource_version
    await kube.delete(SERVICE_ACCOUNTS, namespace, "app", uid=uid, resource_version=version)
    assert await kube.get(SERVICE_ACCOUNTS, namespace, "app") is None
    with pytest.raises(KubeNotFound):
        await kube.delete(SERVICE_ACCOUNTS, namespace, "app")


async def test_a_taken_name(kube: Kube, namespace: str) -> None:
    await kube.create(SERVICE_ACCOUNTS, account("app"), namespace)
    with pytest.raises(KubeAlreadyExists, match=f"ServiceAccount {namespace}/app exists already"):
        await kube.create(SERVICE_ACCOUNTS, account("app"), namespace)


async def test_a_namespace_or_kind_that_is_not_there(kube: Kube) -> None:
    with pytest.raises(KubeNotFound, match="no-such-namespace"):
        await kube.create(SERVICE_ACCOUNTS, account("app"), "no-such-namespace")
    with pytest.raises(KubeNotFound):
        await kube.raw("GET", "/apis/no.such.group/v1/things")


async def test_a_rule_that_is_broken_is_told_by_field(kube: Kube, namespace: str) -> None:
    with pytest.raises(KubeInvalid) as caught:
        await kube.create(SERVICE_ACCOUNTS, account("Not_A_Name"), namespace)
    assert len(caught.value.causes) == 1
    assert caught.value.causes[0].startswith('metadata.name: Invalid value: "Not_A_Name"')
    assert caught.value.left == "Nothing was changed."


async def test_without_rights(nobody: Kube, namespace: str) -> None:
    with pytest.raises(KubeForbidden, match="Not allowed to list serviceaccounts") as listing:
        await nobody.list(SERVICE_ACCOUNTS)
    assert (listing.value.verb, listing.value.resource) == ("list", "serviceaccounts")
    with pytest.raises(KubeForbidden) as token:
        await nobody.token(namespace, "default", ["sts.amazonaws.com"], 600)
    assert (token.value.verb, token.value.resource) == ("create", "serviceaccounts/token")
    with pytest.raises(KubeForbidden) as patch:
        await nobody.merge_patch(NAMESPACES, None, namespace, {})
    assert (patch.value.verb, patch.value.resource) == ("patch", "namespaces")


async def test_with_a_token_that_is_not_accepted(control_plane: ControlPlane, tmp_path: Path) -> None:
    token = secrets.token_hex(16)
    kubeconfig = with_changes(control_plane.kubeconfig, tmp_path / "kubeconfig", token=token)
    async with Kube.connect(kubeconfig) as stranger:
        with pytest.raises(KubeForbidden, match="doesn't accept these credentials") as caught:
            await stranger.list(SERVICE_ACCOUNTS)
    assert token not in f"{caught.value} {caught.value!r}"


async def test_a_pods_token_is_read_again_when_it_was_rotated(
    control_plane: ControlPlane, kube: Kube, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, port = control_plane.url.removeprefix("https://").split(":")
    address = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port, "HOME": str(tmp_path)}
    for name, value in address.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "ca.crt").write_text(control_plane.ca_pem)
    (tmp_path / "namespace").write_text(namespace)
    token = tmp_path / "token"
    token.write_text("expired")
    async with Kube(Transport(find_config(environment=address, pod_directory=tmp_path))) as pod:
        with pytest.raises(KubeForbidden, match="doesn't accept these credentials"):
            await pod.list(SERVICE_ACCOUNTS, namespace)
        await kube.create(SERVICE_ACCOUNTS, account("app"), namespace)
        token.write_text(await kube.token(namespace, "app", [], 600))
        with pytest.raises(KubeForbidden, match=f"system:serviceaccount:{namespace}:app"):
            await pod.list(SERVICE_ACCOUNTS, namespace)


async def test_a_server_that_is_not_there(control_plane: ControlPlane, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    kubeconfig = with_changes(
        control_plane.kubeconfig, tmp_path / "kubeconfig", server=f"https://127.0.0.1:{port}", token="s3cret-token"
    )
    async with Kube.connect(kubeconfig) as client:
        with pytest.raises(KubeUnavailable, match=f"https://127.0.0.1:{port}") as caught:
            await client.server_version()
    assert "s3cret-token" not in str(caught.value)


async def test_a_server_with_another_certificate(control_plane: ControlPlane, tmp_path: Path) -> None:
    # The API server's certificate is for 127.0.0.1, not for 127.0.0.2.
    host, port = control_plane.url.removeprefix("https://").split(":")
    relay = Relay((host, int(port)), listen="127.0.0.2")
    await relay.open()
    server = f"https://127.0.0.2:{relay.port}"
    kubeconfig = with_changes(control_plane.kubeconfig, tmp_path / "kubeconfig", server=server)
    async with Kube.connect(kubeconfig) as client:
        with pytest.raises(KubeUnavailable, match="certificate"):
            await client.server_version()
    await relay.cut()


async def test_a_server_that_asks_to_slow_down(kube: Kube, nobody: Kube, namespace: str) -> None:
    """A real priority level with one seat, and lists that take a while: the API server refuses the others with 429."""
    name = f"narrow-{secrets.token_hex(3)}"
    flow, rbac = "flowcontrol.apiserver.k8s.io/v1", "rbac.authorization.k8s.io"
    group = f"system:serviceaccounts:{namespace}"
    limited = {
        "nominalConcurrencyShares": 0,
        "lendablePercent": 0,
        "borrowingLimitPercent": 0,
        "limitResponse": {"type": "Reject"},
    }
    level = {"metadata": {"name": name}, "spec": {"type": "Limited", "limited": limited}}
    everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "clusterScope": True, "namespaces": ["*"]}
    rule = {"resourceRules": [everything], "subjects": [{"kind": "Group", "group": {"name": group}}]}
    schema = {
        "metadata": {"name": name},
        "spec": {"priorityLevelConfiguration": {"name": name}, "matchingPrecedence": 2, "rules": [rule]},
    }
    binding = {
        "metadata": {"name": "view"},
        "roleRef": {"kind": "ClusterRole", "name": "view", "apiGroup": rbac},
        "subjects": [{"kind": "Group", "name": group, "apiGroup": rbac}],
    }
    await kube.raw("POST", f"/apis/{rbac}/v1/namespaces/{namespace}/rolebindings", body=binding)
    for number in range(10):
        big = config_map(f"big-{number}")
        big["data"]["filler"] = secrets.token_hex(400_000)
        await kube.create(CONFIG_MAPS, big, namespace)
    await kube.raw("POST", f"/apis/{flow}/prioritylevelconfigurations", body=level)
    await kube.raw("POST", f"/apis/{flow}/flowschemas", body=schema)
    try:
        throttled: list[KubeThrottled] = []
        async with asyncio.timeout(60):
            # Again, until the new rules are in force.
            while not throttled:
                lists = (nobody.list(CONFIG_MAPS, namespace, on_unreadable=lambda _: None) for _ in range(8))
                answers = await asyncio.gather(*lists, return_exceptions=True)
                throttled = [answer for answer in answers if isinstance(answer, KubeThrottled)]
        assert throttled[0].retry_after >= 1
        assert "slow down" in throttled[0].message
    finally:
        await kube.raw("DELETE", f"/apis/{flow}/flowschemas/{name}")
        await kube.raw("DELETE", f"/apis/{flow}/prioritylevelconfigurations/{name}")


async def test_a_token_is_for_its_audience(kube: Kube, namespace: str, control_plane: ControlPlane) -> None:
    await kube.create(SERVICE_ACCOUNTS, account("app"), namespace)
    token = await kube.token(namespace, "app", ["sts.amazonaws.com"], 900)
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["aud"] == ["sts.amazonaws.com"]
    assert claims["sub"] == f"system:serviceaccount:{namespace}:app"
    assert claims["iss"] == control_plane.issuer
    assert claims["exp"] - claims["iat"] == 900
    with pytest.raises(KubeNotFound):
        await kube.token(namespace, "absent", ["sts.amazonaws.com"], 900)


async def test_discovery_and_version(kube: Kube, control_plane: ControlPlane) -> None:
    document = await kube.discovery_document()
    assert document["issuer"] == control_plane.issuer
    assert document["jwks_uri"].startswith(control_plane.issuer)
    assert (await kube.server_version()).startswith("v1.")


async def test_a_secret_is_not_in_its_repr(kube: Kube, namespace: str) -> None:
    value = secrets.token_hex(16)
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, "stringData": {"key": value}}
    made = await kube.create(SECRETS, body, namespace)
    encoded = base64.b64encode(value.encode()).decode()
    assert made.data == {"key": encoded}
    assert repr(made) == f"Secret('{namespace}/key', keys=['key'])"
