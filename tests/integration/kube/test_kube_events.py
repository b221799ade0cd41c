"""Events on the real API server: there for people, never in the way of the work."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from kube_relay import Relay
from structlog.testing import capture_logs

from irsa_manager.kube.client import Kube
from irsa_manager.kube.events import REPEAT_SECONDS, WAITING, EventRecorder
from irsa_manager.kube.resources import EVENTS, NAMESPACES, SERVICE_ACCOUNTS, ServiceAccount


@asynccontextmanager
async def running(recorder: EventRecorder) -> AsyncIterator[None]:
    task = asyncio.create_task(recorder.run())
    try:
        yield
        assert not task.done(), "the recorder never ends by itself"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def account(kube: Kube, namespace: str, name: str = "app") -> ServiceAccount:
    return await kube.create(SERVICE_ACCOUNTS, {"metadata": {"name": name}}, namespace)


def tell(recorder: EventRecorder, about: ServiceAccount, reason: str, message: str) -> None:
    metadata = about.metadata
    recorder.record("ServiceAccount", metadata.namespace, metadata.name, metadata.uid, "v1", "Normal", reason, message)


async def stored(kube: Kube, namespace: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads(await kube.raw("GET", f"/api/v1/namespaces/{namespace}/events"))["items"]
    return items


async def test_an_event_says_what_happened_to_which_object(kube: Kube, namespace: str) -> None:
    about = await account(kube, namespace)
    recorder = EventRecorder(kube)
    async with running(recorder):
        tell(recorder, about, "ServiceAccountCreated", "Bound to role r.")
        assert await recorder.drain(30)
    (event,) = await stored(kube, namespace)
    assert event["involvedObject"] == {
        "kind": "ServiceAccount",
        "namespace": namespace,
        "name": "app",
        "uid": about.metadata.uid,
        "apiVersion": "v1",
    }
    assert (event["type"], event["reason"], event["message"]) == ("Normal", "ServiceAccountCreated", "Bound to role r.")
    assert event["source"] == {"component": "irsa-manager"}
    assert event["count"] == 1
    assert event["firstTimestamp"] == event["lastTimestamp"]


async def test_the_longest_names_and_messages_fit(kube: Kube, namespace: str) -> None:
    about = await account(kube, namespace, "a" * 229 + "-" + "b" * 23)
    recorder = EventRecorder(kube)
    async with running(recorder):
        tell(recorder, about, "TrustUpdated", "é" * 2000)
        tell(recorder, about, "TrustUpdated", "x" * 1024)
        assert await recorder.drain(30)
    assert recorder.counts == {"sent": 2}
    messages = {event["message"] for event in await stored(kube, namespace)}
    assert messages == {"é" * 510 + "…", "x" * 1024}


async def test_about_an_object_without_a_namespace(kube: Kube, namespace: str) -> None:
    found = await kube.get(NAMESPACES, None, namespace)
    assert found is not None
    recorder = EventRecorder(kube)
    async with running(recorder):
        recorder.record("Namespace", "", namespace, found.metadata.uid, "v1", "Warning", "Tried", "Looked at.")
        assert await recorder.drain(30)
    events = [event for event in await stored(kube, "default") if event["involvedObject"].get("name") == namespace]
    assert [event["type"] for event in events] == ["Warning"]


async def test_the_same_is_not_told_again_within_the_hour(kube: Kube, namespace: str) -> None:
    about, other = await account(kube, namespace), await account(kube, namespace, "other")
    now = [0.0]
    recorder = EventRecorder(kube, clock=lambda: now[0])
    async with running(recorder):
        for _ in range(3):
            tell(recorder, about, "DriftRepaired", "trust differed")
        tell(recorder, other, "DriftRepaired", "trust differed")
        tell(recorder, about, "DriftRepaired", "policy missing")
        now[0] += REPEAT_SECONDS
        tell(recorder, about, "DriftRepaired", "trust differed")
        assert await recorder.drain(30)
    assert recorder.counts == {"sent": 4, "repeated": 2}
    assert len(await stored(kube, namespace)) == 4


async def test_without_rights_it_is_said_once_and_nothing_fails(kube: Kube, nobody: Kube, namespace: str) -> None:
    about = await account(kube, namespace)
    recorder = EventRecorder(nobody)
    with capture_logs() as logs:
        async with running(recorder):
            for number in range(5):
                tell(recorder, about, "TrustUpdated", f"{number}")
            assert await recorder.drain(30)
    assert recorder.counts == {"forbidden": 5}
    assert len([entry for entry in logs if "events can't be written" in entry["event"]]) == 1
    assert await kube.list(EVENTS, namespace) == []


async def test_in_a_namespace_that_has_gone(kube: Kube) -> None:
    recorder = EventRecorder(kube)
    async with running(recorder):
        recorder.record("ServiceAccount", "no-such-namespace", "app", "", "v1", "Normal", "Tried", "x")
        assert await recorder.drain(30)
    assert recorder.counts == {"failed": 1}


async def test_an_outage_is_waited_out(kube: Kube, relayed: Kube, relay: Relay, namespace: str) -> None:
    about = await account(kube, namespace)
    recorder = EventRecorder(relayed)
    await relay.cut()
    async with running(recorder):
        tell(recorder, about, "TrustUpdated", "x")
        assert not await recorder.drain(0)
        await relay.open()
        assert await recorder.drain(30)
    assert recorder.counts == {"sent": 1}


async def test_what_nobody_sends_is_dropped_and_counted(kube: Kube, namespace: str) -> None:
    about = await account(kube, namespace)
    recorder = EventRecorder(kube)
    for number in range(WAITING + 3):
        tell(recorder, about, "TrustUpdated", f"{number}")
    assert recorder.counts == {"dropped": 3}
