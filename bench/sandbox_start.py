"""How long a sandbox takes to be ready and to be gone: python bench/sandbox_start.py [RUNS].

Finding the programs isn't counted; where they have to be built first, that takes minutes, once.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from irsa_manager.sandbox.finder import find
from irsa_manager.sandbox.running import Step, running_sandbox


def resident(pid: int) -> float:
    """MB of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


async def main(runs: int) -> None:
    binaries = find()
    print("| run | ready s | parts, s | gone s | memory MB |")
    print("|---|---|---|---|---|")
    for run in range(1, runs + 1):
        steps: list[Step] = []
        started = time.perf_counter()
        async with running_sandbox(binaries=binaries, on_step=steps.append) as sandbox:
            ready = time.perf_counter() - started
            memory = ", ".join(f"{name} {resident(pid):.0f}" for name, pid in sandbox.processes.items())
            leaving = time.perf_counter()
        gone = time.perf_counter() - leaving
        parts = ", ".join(f"{step.what} {step.seconds:.1f}" for step in steps)
        print(f"| {run} | {ready:.1f} | {parts} | {gone:.1f} | {memory} |", flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3))
