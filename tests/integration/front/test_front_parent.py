"""The front ends with its parent, also where the kernel wasn't asked to see to it."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

from front_process import start, stop

PARENT = """
import os, subprocess, sys
front = subprocess.Popen(
    [sys.executable, "-m", "irsa_manager.sandbox.front", "--config", sys.argv[1], "--parent-pid", str(os.getpid())]
)
print(front.pid, flush=True)
sys.stdin.read()
"""


def test_ends_with_its_parent(tmp_path: Path) -> None:
    first = start(tmp_path)
    stop(first)
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "front.json")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    assert parent.stdin is not None
    front = os.pidfd_open(int(parent.stdout.readline()))
    try:
        parent.stdin.close()
        parent.wait(timeout=30)
        # A pidfd is readable once its process has ended.
        ended, _, _ = select.select([front], [], [], 30)
        assert ended
    finally:
        os.close(front)
        parent.stdout.close()
