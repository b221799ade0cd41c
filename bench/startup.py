"""How long the program takes to say anything: its help, and the help of commands with heavy libraries behind them.

python bench/startup.py [RUNS]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

COMMANDS = (("--help",), ("version",), ("help", "RoleExists"), ("controller", "--help"), ("sandbox", "--help"))


def seconds(arguments: tuple[str, ...]) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "irsa_manager", *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main(runs: int) -> None:
    print("| command | fastest s | median s |")
    print("|---|---|---|")
    for arguments in COMMANDS:
        seconds(arguments)  # the first fills the disk's cache
        taken = [seconds(arguments) for _ in range(runs)]
        print(f"| `irsa-manager {' '.join(arguments)}` | {min(taken):.2f} | {statistics.median(taken):.2f} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
