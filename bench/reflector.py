"""How long a reflector takes to have all objects, what it costs, and how soon it hears of a change.

python bench/reflector.py [OBJECTS]: starts a control plane of its own (KUBEBUILDER_ASSETS, PATH or the cache), makes
that many ServiceAccounts (10,000 by default, 2 KB each with the server's fields), and prints a table. Each row is a
fresh process; CPU and memory include the imports, the time to sync doesn't.
"""

from __future__ import annotations

import asyncio
import json
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from irsa_manager.kube.client import Kube
from irsa_manager.kube.reflector import Reflector
from irsa_manager.kube.resources import SERVICE_ACCOUNTS, ServiceAccount
from irsa_manager.sandbox.controlplane import ControlPlane
from irsa_manager.sandbox.finder import find

NAMESPACE = "default"
CHANGES = 50
PAGES = (500, 2000)


async def measure(kubeconfig: str, objects: int, page_size: int) -> dict[str, Any]:
    """In a process of its own: sync, then hear of changes."""
    heard: asyncio.Event = asyncio.Event()

    def on_change(key: str, old: ServiceAccount | None, new: ServiceAccount | None) -> None:
        heard.set()

    async with Kube.connect(kubeconfig) as kube:
        reflector: Reflector[ServiceAccount] = Reflector(kube, SERVICE_ACCOUNTS, on_change, page_size=page_size)
        started = time.perf_counter()
        task = asyncio.create_task(reflector.run())
        await reflector.synced.wait()
        synced = time.perf_counter() - started
        cpu = time.process_time()
        if len(reflector.store) < objects:
            raise SystemExit(f"only {len(reflector.store)} of {objects} objects came")
        delays = []
        for number in range(CHANGES):
            heard.clear()
            began = time.perf_counter()
            # Never a value that is there already: that would be no change, and nothing to hear of.
            patch = {"metadata": {"annotations": {"changed": f"{number} {time.time_ns()}"}}}
            await kube.merge_patch(SERVICE_ACCOUNTS, NAMESPACE, f"account-{number:05}", patch)
            await asyncio.wait_for(heard.wait(), 30)
            delays.append(time.perf_counter() - began)
        task.cancel()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "synced": synced,
        "cpu": cpu,
        "peak": peak,
        "median": statistics.median(delays) * 1000,
        "slowest": max(delays) * 1000,
    }


async def fill(kube: Kube, objects: int) -> None:
    numbers = iter(range(objects))

    async def worker() -> None:
        for number in numbers:
            metadata = {
                "name": f"account-{number:05}",
                "labels": {"app": f"app-{number}", "team": f"team-{number % 50}"},
                "annotations": {"eks.amazonaws.com/role-arn": f"arn:aws:iam::111122223333:role/role-{number:05}"},
            }
            await kube.create(SERVICE_ACCOUNTS, {"metadata": metadata}, NAMESPACE)

    await asyncio.gather(*(worker() for _ in range(20)))


async def main(objects: int) -> None:
    with tempfile.TemporaryDirectory(prefix="irsa-bench-") as directory:
        plane = ControlPlane(Path(directory) / "sandbox", find())
        await plane.start()
        try:
            async with Kube.connect(plane.kubeconfig) as kube:
                started = time.perf_counter()
                await fill(kube, objects)
                seconds = time.perf_counter() - started
            print(f"{objects:,} ServiceAccounts, made at {objects / seconds:,.0f}/s")
            print("| page | synced s | CPU s | peak MB | change heard, median ms | slowest ms |")
            print("|---|---|---|---|---|---|")
            for page_size in PAGES:
                child = await asyncio.create_subprocess_exec(
                    sys.executable,
                    __file__,
                    "--measure",
                    str(plane.kubeconfig),
                    str(objects),
                    str(page_size),
                    stdout=asyncio.subprocess.PIPE,
                )
                output, _ = await child.communicate()
                if child.returncode != 0:
                    raise SystemExit("the measurement failed")
                row = json.loads(output)
                print(
                    f"| {page_size} | {row['synced']:.1f} | {row['cpu']:.1f} | {row['peak']:.0f} "
                    f"| {row['median']:.0f} | {row['slowest']:.0f} |"
                )
        finally:
            await plane.stop()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(asyncio.run(measure(sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))))
    else:
        asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
