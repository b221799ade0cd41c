"""The reflector against a real API server that is cut off, frozen, killed and restarted."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from kube_objects import CONFIG_MAPS, ConfigMap, config_map
from kube_relay import Relay
from kube_seen import Seen

from irsa_manager.kube.client import Kube
from irsa_manager.kube.errors import KubernetesError
from irsa_manager.kube.reflector import Reflector
from irsa_manager.kube.resources import NAMESPACES, SERVICE_ACCOUNTS, Namespace
from irsa_manager.sandbox.controlplane import ControlPlane

OURS = "reflected=true"


def ours(name: str, mode: str = "on") -> dict[str, Any]:
    body = config_map(name, mode)
    body["metadata"]["labels"] = {"reflected": "true"}
    return body


@asynccontextmanager
async def running(reflector: Reflector[Any]) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(reflector.run())
    try:
        synced = asyncio.create_task(reflector.synced.wait())
        await asyncio.wait({task, synced}, return_when=asyncio.FIRST_COMPLETED, timeout=60)
        synced.cancel()
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def reflect(kube: Kube, namespace: str, seen: Seen, **options: Any) -> Reflector[ConfigMap]:
    return Reflector(kube, CONFIG_MAPS, seen, namespace=namespace, label_selector=OURS, **options)


async def test_tells_of_what_was_there_and_what_happens(kube: Kube, namespace: str) -> None:
    await kube.create(CONFIG_MAPS, ours("before"), namespace)
    seen = Seen()
    reflector = reflect(kube, namespace, seen)
    async with running(reflector):
        assert seen.keys("added") == [f"{namespace}/before"]
        await kube.create(CONFIG_MAPS, ours("later"), namespace)
        await kube.create(CONFIG_MAPS, config_map("foreign"), namespace)
        await kube.merge_patch(CONFIG_MAPS, namespace, "before", {"data": {"mode": "off"}})
        await kube.delete(CONFIG_MAPS, namespace, "later")
        await seen.until(lambda: bool(seen.keys("deleted")))
    assert seen.keys("added") == [f"{namespace}/before", f"{namespace}/later"]
    assert seen.keys("changed") == [f"{namespace}/before"]
    assert seen.keys("deleted") == [f"{namespace}/later"]
    assert set(reflector.store) == {f"{namespace}/before"}
    assert reflector.store[f"{namespace}/before"].data.mode == "off"
    assert reflector.lists == 1


async def test_an_object_that_loses_the_label_is_gone(kube: Kube, namespace: str) -> None:
    await kube.create(CONFIG_MAPS, ours("app"), namespace)
    seen = Seen()
    reflector = reflect(kube, namespace, seen)
    async with running(reflector):
        await kube.merge_patch(CONFIG_MAPS, namespace, "app", {"metadata": {"labels": {"reflected": None}}})
        await seen.until(lambda: bool(seen.keys("deleted")))
    assert reflector.store == {}


async def test_objects_without_a_namespace(kube: Kube, namespace: str) -> None:
    seen = Seen()
    reflector: Reflector[Namespace] = Reflector(kube, NAMESPACES, seen)
    async with running(reflector):
        assert {namespace, "default"} <= set(reflector.store)


async def test_many_objects_in_pages(kube: Kube, namespace: str) -> None:
    gate = asyncio.Semaphore(20)

    async def make(number: int) -> None:
        async with gate:
            await kube.create(CONFIG_MAPS, ours(f"many-{number:04}"), namespace)

    await asyncio.gather(*(make(number) for number in range(2000)))
    seen = Seen()
    reflector = reflect(kube, namespace, seen)
    async with running(reflector):
        assert len(reflector.store) == 2000
        assert len(seen.keys("added")) == 2000
        pages = [len(page.items) async for page in kube.pages(CONFIG_MAPS, namespace, OURS)]
        assert pages == [500, 500, 500, 500]
        path = f"/api/v1/namespaces/{namespace}/configmaps"
        await kube.raw("DELETE", path, query={"labelSelector": OURS}, timeout_seconds=240)
        await seen.until(lambda: not reflector.store, 240)
    assert sorted(seen.keys("deleted")) == sorted(seen.keys("added"))


async def test_one_that_does_not_fit_spoils_nothing(kube: Kube, namespace: str) -> None:
    async def store(name: str, mode: str) -> None:
        await kube.raw("POST", f"/api/v1/namespaces/{namespace}/configmaps", body=ours(name, mode))

    async def patch(name: str, mode: str) -> None:
        await kube.raw(
            "PATCH",
            f"/api/v1/namespaces/{namespace}/configmaps/{name}",
            body={"data": {"mode": mode}},
            content_type="application/merge-patch+json",
        )

    await store("good", "on")
    await store("bad", "sideways")
    seen = Seen()
    reflector = reflect(kube, namespace, seen)
    good, bad, late = f"{namespace}/good", f"{namespace}/bad", f"{namespace}/late"
    async with running(reflector):
        assert set(reflector.store) == {good}
        assert set(reflector.unreadable) == {bad}
        # The same on the watch; the one that was known stays as it was known.
        await store("late", "sideways")
        await patch("good", "sideways")
        await patch("bad", "off")
        await seen.until(lambda: bad in reflector.store)
        assert set(reflector.unreadable) == {good, late}
        assert reflector.store[good].data.mode == "on"
        assert seen.keys("deleted") == []
        # One that was never taken in goes unheard, one that was known is told of.
        await kube.delete(CONFIG_MAPS, namespace, "late")
        await kube.delete(CONFIG_MAPS, namespace, "good")
        await seen.until(lambda: bool(seen.keys("deleted")))
        assert seen.keys("deleted") == [good]
        assert reflector.unreadable == {}


async def test_goes_on_where_it_was_after_a_cut(kube: Kube, relayed: Kube, relay: Relay, namespace: str) -> None:
    seen = Seen()
    reflector = reflect(relayed, namespace, seen)
    await kube.create(CONFIG_MAPS, ours("before"), namespace)
    async with running(reflector):
        await relay.cut()
        await kube.create(CONFIG_MAPS, ours("meanwhile"), namespace)
        await kube.delete(CONFIG_MAPS, namespace, "before")
        await relay.open()
        await seen.until(lambda: bool(seen.keys("deleted")))
    assert seen.keys("added") == [f"{namespace}/before", f"{namespace}/meanwhile"]
    assert reflector.lists == 1, "a watch is resumed, not begun anew"


async def test_a_connection_that_died_silently_is_noticed(
    kube: Kube, relayed: Kube, relay: Relay, namespace: str
) -> None:
    seen = Seen()
    reflector = reflect(relayed, namespace, seen, idle_seconds=0.5)
    async with running(reflector):
        await kube.create(CONFIG_MAPS, ours("first"), namespace)
        await seen.until(lambda: len(seen.changes) == 1)
        relay.freeze()
        await kube.create(CONFIG_MAPS, ours("second"), namespace)
        await seen.until(lambda: len(seen.changes) == 2)
    assert seen.keys("added") == [f"{namespace}/first", f"{namespace}/second"]


async def test_waits_for_a_server_that_is_not_there_yet(
    kube: Kube, relayed: Kube, relay: Relay, namespace: str
) -> None:
    await relay.cut()
    seen = Seen()
    reflector = reflect(relayed, namespace, seen)
    task = asyncio.create_task(reflector.run())
    try:
        await kube.create(CONFIG_MAPS, ours("app"), namespace)
        with pytest.raises(KubernetesError):
            await relayed.server_version()
        assert not reflector.synced.is_set()
        await relay.open()
        await asyncio.wait_for(reflector.synced.wait(), 60)
        assert not relayed.outage.ongoing
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert seen.keys("added") == [f"{namespace}/app"]


async def compact(plane: ControlPlane, kube: Kube) -> None:
    """Throw etcd's history away (the JSON gateway's KV.Compact, with the API server's client certificate)."""
    listed = await kube.raw("GET", "/api/v1/namespaces", query={"limit": 1})
    revision = int(httpx2.Response(200, content=listed).json()["metadata"]["resourceVersion"])
    endpoint = next(part for part in plane._apiserver_argv() if part.startswith("--etcd-servers=")).partition("=")[2]
    context = ssl.create_default_context(cadata=plane.ca_pem)
    context.load_cert_chain(plane._etcd.certificate, plane._etcd.key)
    async with httpx2.AsyncClient(verify=context, trust_env=False) as client:
        answer = await client.post(f"{endpoint}/v3/kv/compaction", json={"revision": revision, "physical": True})
        answer.raise_for_status()


async def test_server_killed_and_history_lost(
    control_plane: ControlPlane, kube: Kube, relayed: Kube, relay: Relay, namespace: str
) -> None:
    """410 on the watch: everything is listed again, and what went and came and changed in between is told."""
    for name in ("stays", "goes", "changes", "again"):
        await kube.create(CONFIG_MAPS, ours(name), namespace)
    seen = Seen()
    reflector = reflect(relayed, namespace, seen)
    accounts: Reflector[Any] = Reflector(relayed, SERVICE_ACCOUNTS, lambda key, old, new: None)
    async with running(reflector), running(accounts):
        before = reflector.store[f"{namespace}/again"].metadata.uid
        seen.changes.clear()
        await relay.cut()
        # Something must happen that the new server hasn't seen happening, else it could go on where we were.
        await kube.delete(CONFIG_MAPS, namespace, "goes")
        await kube.delete(CONFIG_MAPS, namespace, "again")
        await control_plane.kill("kube-apiserver")
        control_plane.launch("kube-apiserver")
        await control_plane.wait_ready()
        await kube.create(CONFIG_MAPS, ours("again"), namespace)
        await kube.create(CONFIG_MAPS, ours("comes"), namespace)
        await kube.merge_patch(CONFIG_MAPS, namespace, "changes", {"data": {"mode": "off"}})
        await compact(control_plane, kube)
        await relay.open()
        await seen.until(lambda: bool(seen.keys("deleted")))
        assert reflector.lists == 2, "the server forgot our version, so all is listed again"
        assert seen.keys("deleted") == [f"{namespace}/goes"]
        assert seen.keys("added") == [f"{namespace}/comes"]
        assert sorted(seen.keys("changed")) == [f"{namespace}/again", f"{namespace}/changes"]
        assert reflector.store[f"{namespace}/again"].metadata.uid != before
        # And it watches again.
        await kube.delete(CONFIG_MAPS, namespace, "comes")
        await seen.until(lambda: len(seen.keys("deleted")) == 2)


async def test_a_bug_in_the_callback_surfaces(kube: Kube, namespace: str) -> None:
    def broken(key: str, old: ConfigMap | None, new: ConfigMap | None) -> None:
        raise OSError(f"no room for {key}")

    reflector: Reflector[ConfigMap] = Reflector(kube, CONFIG_MAPS, broken, namespace=namespace, label_selector=OURS)
    async with running(reflector) as task:
        assert not task.done()
        await kube.create(CONFIG_MAPS, ours("app"), namespace)
        with pytest.raises(OSError, match=f"no room for {namespace}/app"):
            await asyncio.wait_for(task, 60)


async def test_without_rights_it_waits_for_them(kube: Kube, nobody: Kube, namespace: str) -> None:
    await kube.create(CONFIG_MAPS, ours("app"), namespace)
    seen = Seen()
    reflector = reflect(nobody, namespace, seen)
    task = asyncio.create_task(reflector.run())
    try:
        with pytest.raises(KubernetesError):
            await nobody.list(CONFIG_MAPS, namespace)
        group = "rbac.authorization.k8s.io"
        subject = {"kind": "Group", "name": f"system:serviceaccounts:{namespace}", "apiGroup": group}
        role = {"kind": "ClusterRole", "name": "view", "apiGroup": group}
        binding = {"metadata": {"name": "view"}, "roleRef": role, "subjects": [subject]}
        await kube.raw("POST", f"/apis/{group}/v1/namespaces/{namespace}/rolebindings", body=binding)
        await seen.until(lambda: f"{namespace}/app" in reflector.store)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
