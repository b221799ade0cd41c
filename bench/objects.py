"""What objects cost: calls and seconds for new ones, and calls, CPU and memory of a controller that has nothing to do.

python bench/objects.py [OBJECTS]: a sandbox of its own, the controller as a process, its usual limit of 20 calls/s.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from irsa_manager.api import names
from irsa_manager.api.irsa import IRSA
from irsa_manager.kube.client import Kube
from irsa_manager.kube.definitions import install
from irsa_manager.kube.reflector import Reflector
from irsa_manager.kube.resources import IRSAS, NAMESPACES
from irsa_manager.sandbox.finder import find
from irsa_manager.sandbox.process import Child
from irsa_manager.sandbox.running import Sandbox, running_sandbox

IDLE_SECONDS = 60.0
SWEEP_SECONDS = 20
BATCHES = (1, 10)


def manifest(number: int) -> dict[str, Any]:
    """One role, one policy, two ServiceAccounts."""
    spec = {
        "cleanup": True,
        "serviceAccount": {"name": f"app-{number}", "namespaces": ["default", "kube-system"]},
        "iamRole": {"name": f"app-{number}"},
        "iamPolicies": ["AmazonS3ReadOnlyAccess"],
    }
    metadata = {"name": f"app-{number}", "namespace": names.DEFAULT_NAMESPACE}
    return {"apiVersion": names.API_VERSION, "kind": "IRSA", "metadata": metadata, "spec": spec}


def calls(sandbox: Sandbox, method: str = "GET") -> dict[str, int]:
    """AWS calls since the last reset (DELETE)."""
    request = urllib.request.Request(f"{sandbox.aws_url}/_sandbox/calls", method=method)
    with urllib.request.urlopen(request) as answer:
        body = answer.read()
    return dict(json.loads(body)["calls"]) if method == "GET" else {}


def said(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in sorted(counts.items())) or "none"


def cpu_seconds(pid: int) -> float:
    """User and system time of a process (proc(5), stat, fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


class Ready:
    """Follows IRSAs and tells when they are ready."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}
        self._changed = asyncio.Event()

    def on_change(self, key: str, old: IRSA | None, new: IRSA | None) -> None:
        condition = new.status.condition("Ready") if new is not None else None
        if condition is not None and condition.status == "True" and key not in self.at:
            self.at[key] = time.perf_counter()
            self._changed.set()

    async def wait(self, count: int) -> None:
        async with asyncio.timeout(120):
            while len(self.at) < count:
                self._changed.clear()
                await self._changed.wait()


async def run(sandbox: Sandbox, total: int) -> None:
    async with Kube.connect(sandbox.kubeconfig) as kube, asyncio.TaskGroup() as group:
        await install(kube)
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": names.DEFAULT_NAMESPACE}}
        await kube.create(NAMESPACES, namespace)
        flags = ["--metrics-bind-address=0", "--health-probe-bind-address=0", f"--sweep-interval={SWEEP_SECONDS}s"]
        argv = [sys.executable, "-m", "irsa_manager", "controller", *flags]
        child = Child.start("controller", argv, log=sandbox.dir / "controller.log", env=sandbox.environment())
        ready = Ready()
        reflector = Reflector(kube, IRSAS, ready.on_change)
        following = group.create_task(reflector.run())
        await reflector.synced.wait()
        # Its caches and first sweep aren't part of what an object costs.
        await create(kube, ready, range(1))
        print("| new objects | calls | first ready s | median s | all s |")
        print("|---|---|---|---|---|")
        done = 1
        for batch in (*BATCHES, total):
            calls(sandbox, "DELETE")
            started = time.perf_counter()
            taken = await create(kube, ready, range(done, done + batch))
            whole = time.perf_counter() - started
            row = f"{min(taken):.2f} | {statistics.median(taken):.2f} | {whole:.2f}"
            print(f"| {batch} | {said(calls(sandbox))} | {row} |", flush=True)
            done += batch
        calls(sandbox, "DELETE")
        cpu = cpu_seconds(child.pid)
        await asyncio.sleep(IDLE_SECONDS)
        cpu = cpu_seconds(child.pid) - cpu
        share = cpu / IDLE_SECONDS
        print(f"\nIdle for {IDLE_SECONDS:.0f} s with {done} objects, a sweep every {SWEEP_SECONDS} s: ", end="")
        print(f"{said(calls(sandbox))}; CPU {cpu:.2f} s ({share:.1%}); {memory(child.pid):.0f} MB resident.")
        following.cancel()
        await child.stop(5)


async def create(kube: Kube, ready: Ready, numbers: range) -> list[float]:
    """Seconds from each creation to its being seen ready."""
    began = {}
    for number in numbers:
        body = manifest(number)
        began[f"{names.DEFAULT_NAMESPACE}/app-{number}"] = time.perf_counter()
        await kube.create(IRSAS, body)
    await ready.wait(numbers.stop)
    return [ready.at[key] - started for key, started in began.items()]


async def main(total: int) -> None:
    async with running_sandbox(binaries=find()) as sandbox:
        await run(sandbox, total)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100))
