"""Leader election with a real Lease: never two at once, also where a process is stopped for a while."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from kube_relay import Relay

from irsa_manager.api import names
from irsa_manager.kube.client import Kube
from irsa_manager.kube.lease import LeaderElector, LeadershipLost
from irsa_manager.kube.resources import LEASES, LeaseSpec
from irsa_manager.sandbox.controlplane import ControlPlane

SELDOM = 9.0
"""So that what is asked of an elector here doesn't meet its own renewal, and it has time to give the Lease up."""

SHORT = {"lease_duration": 3.0, "renew_deadline": 2.0, "retry_period": 0.2}


async def lease(kube: Kube, namespace: str) -> LeaseSpec:
    found = await kube.get(LEASES, namespace, names.LEASE_NAME)
    assert found is not None
    return found.spec


class Work:
    """Work that goes on until it is cancelled."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()

    async def __call__(self) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()


@asynccontextmanager
async def candidate(elector: LeaderElector, work: Work) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(elector.run(work))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_one_leads_and_the_next_follows_when_it_leaves(kube: Kube, namespace: str) -> None:
    first = LeaderElector(kube, namespace, identity="first", retry_period=SELDOM)
    # Its clock stands still, so to it no Lease ever expires: it can only follow one that was given up.
    second = LeaderElector(kube, namespace, identity="second", clock=lambda: 1000.0)
    one, two = Work(), Work()
    assert not first.valid()
    async with candidate(first, one) as leading:
        await asyncio.wait_for(one.begun.wait(), 60)
        assert first.valid()
        led = await lease(kube, namespace)
        assert led.holder_identity == "first"
        assert led.lease_duration_seconds == 15
        assert led.lease_transitions == 0
        async with candidate(second, two) as waiting:
            # It has looked and found somebody else's.
            assert not await second._attempt(10)
            assert not second.valid()
            leading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await leading
            assert one.ended.is_set()
            assert not first.valid()
            await asyncio.wait_for(two.begun.wait(), 60)
            assert second.valid()
            assert not waiting.done()
            led = await lease(kube, namespace)
            assert (led.holder_identity, led.lease_transitions) == ("second", 1)
    assert (await lease(kube, namespace)).holder_identity in (None, "")


async def test_work_that_returns_or_fails_gives_the_lease_up(kube: Kube, namespace: str) -> None:
    async def short() -> None:
        assert elector.valid()

    async def broken() -> None:
        raise ZeroDivisionError

    elector = LeaderElector(kube, namespace, retry_period=SELDOM)
    await elector.run(short)
    assert not (await lease(kube, namespace)).holder_identity
    with pytest.raises(ZeroDivisionError):
        await elector.run(broken)
    assert not (await lease(kube, namespace)).holder_identity
    assert not elector.valid()


async def test_the_lease_of_a_dead_leader_is_taken_after_its_time(kube: Kube, namespace: str) -> None:
    """By this process's clock: the other's times are in the far future, and don't matter."""
    spec = {"holderIdentity": "dead", "leaseDurationSeconds": 1, "leaseTransitions": 4}
    spec |= {"renewTime": "2999-01-01T00:00:00.000000Z", "acquireTime": "2999-01-01T00:00:00.000000Z"}
    await kube.create(LEASES, {"metadata": {"name": names.LEASE_NAME}, "spec": spec}, namespace)
    now = [1000.0]
    elector = LeaderElector(kube, namespace, identity="heir", clock=lambda: now[0])
    assert not await elector._attempt(10)
    now[0] += 0.9
    assert not await elector._attempt(10)
    # It renews after all: the time starts again.
    await kube.merge_patch(LEASES, namespace, names.LEASE_NAME, {"spec": {"leaseTransitions": 5}})
    assert not await elector._attempt(10)
    now[0] += 0.9
    assert not await elector._attempt(10)
    now[0] += 0.2
    assert await elector._attempt(10)
    assert elector.valid()
    assert (await lease(kube, namespace)).lease_transitions == 6
    now[0] += 10
    assert not elector.valid()


async def test_a_leader_that_is_cut_off_stops(kube: Kube, relayed: Kube, relay: Relay, namespace: str) -> None:
    elector, work = LeaderElector(relayed, namespace, identity="cut-off", **SHORT), Work()
    async with candidate(elector, work) as task:
        await asyncio.wait_for(work.begun.wait(), 60)
        await relay.cut()
        with pytest.raises(LeadershipLost):
            await asyncio.wait_for(task, 60)
        assert work.ended.is_set()
        assert not elector.valid()
    assert (await lease(kube, namespace)).holder_identity == "cut-off", "it couldn't give it up"


async def test_a_leader_gets_over_a_short_outage(kube: Kube, relayed: Kube, relay: Relay, namespace: str) -> None:
    elector, work = LeaderElector(relayed, namespace, identity="steady", retry_period=SELDOM), Work()
    async with candidate(elector, work) as task:
        await asyncio.wait_for(work.begun.wait(), 60)
        await relay.cut()
        assert not await elector._attempt(5)
        assert elector.valid()
        await relay.open()
        assert await elector._attempt(5)
        assert not task.done()


async def test_a_leader_whose_lease_was_taken_stops_at_once(kube: Kube, namespace: str) -> None:
    elector, work = LeaderElector(kube, namespace, identity="robbed"), Work()
    async with candidate(elector, work) as task:
        await asyncio.wait_for(work.begun.wait(), 60)
        await kube.merge_patch(LEASES, namespace, names.LEASE_NAME, {"spec": {"holderIdentity": "robber"}})
        with pytest.raises(LeadershipLost):
            await asyncio.wait_for(task, 60)
    assert (await lease(kube, namespace)).holder_identity == "robber"


async def test_without_rights_nobody_leads(nobody: Kube, namespace: str) -> None:
    elector = LeaderElector(nobody, namespace)
    assert not await elector._attempt(10)
    assert not elector.valid()


class Process:
    """lease_candidate.py, and what it says."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.said: list[dict[str, Any]] = []

    @classmethod
    async def start(cls, *arguments: str) -> Process:
        script = Path(__file__).with_name("lease_candidate.py")
        root = str(Path(__file__).parents[3])
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable,
                str(script),
                *arguments,
                stdout=asyncio.subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": root},
            )
        )

    async def until(self, key: str, value: object = None) -> dict[str, Any]:
        """Read on to the line that has the key (with that value)."""
        assert self._process.stdout is not None
        async with asyncio.timeout(60):
            while True:
                line = await self._process.stdout.readline()
                assert line, f"it ended before it said {key}"
                self.said.append(json.loads(line))
                if key in self.said[-1] and value in (None, self.said[-1][key]):
                    return self.said[-1]

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    async def end(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


async def test_never_two_leaders_while_one_is_stopped(control_plane: ControlPlane, namespace: str) -> None:
    """SIGSTOP as a frozen VM or a starved node would: the other takes over, and the first wakes up powerless."""
    kubeconfig = str(control_plane.kubeconfig)
    first = await Process.start(kubeconfig, namespace, "first")
    second: Process | None = None
    try:
        await first.until("may", True)
        second = await Process.start(kubeconfig, namespace, "second")
        await second.until("standing")
        await first.until("may", True)
        first.signal(signal.SIGSTOP)
        taken = await second.until("may", True)
        first.signal(signal.SIGCONT)
        ended = await first.until("ended")
        assert ended == {"ended": "LeadershipLost", "may_still": False}
        await second.until("may", True)
    finally:
        await first.end()
        if second is not None:
            await second.end()
    # The pipe may hold lines from before the stop; what counts is when each was allowed to write.
    allowed = [said["before"] for said in first.said if said.get("may")]
    assert allowed
    assert max(allowed) < taken["after"]
    assert [said["may"] for said in second.said if "may" in said] == [True] * len(
        [said for said in second.said if "may" in said]
    )
