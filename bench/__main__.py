"""Run the measurements, the cheap ones first: python -m bench [NAME ...], each in processes of its own.

The machine matters more than the code in most of them: compare ratios, and say how busy it was.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
RUNS: dict[str, tuple[str, ...]] = {
    "startup": (),
    "decode": (),
    "stand_in": (),
    "sandbox_start": (),
    "objects": (),
    "snapshot": ("5000",),
    "reflector": ("5000",),
}
"""Module by name, with its arguments. In this order."""


def main(names: list[str]) -> int:
    """Run these, by default all; the exit status is that of the first that failed."""
    unknown = [name for name in names if name not in RUNS]
    if unknown:
        print(f"no such measurement: {', '.join(unknown)}; there are {', '.join(RUNS)}", file=sys.stderr)
        return 1
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    for name in names or list(RUNS):
        load = os.getloadavg()[0]
        stamp = time.strftime("%Y-%m-%d %H:%M", time.gmtime())
        print(f"\n## {name}  ({stamp} UTC, {os.cpu_count()} cores, load {load:.1f} before)\n", flush=True)
        done = subprocess.run([sys.executable, str(HERE / f"{name}.py"), *RUNS[name]], check=False, env=environment)
        if done.returncode != 0:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
