"""The demo's controller: what happens where it ends, and what its log looks like to a person."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from irsa_manager.api.errors import SandboxError
from irsa_manager.sandbox.demo import operator
from irsa_manager.sandbox.process import Child


def child(tmp_path: Path, code: str) -> Child:
    return Child.start("controller", [sys.executable, "-c", code], log=tmp_path / "controller.log")


async def test_work_ends_with_the_controller(tmp_path: Path) -> None:
    started = child(tmp_path, "import sys; print('no cluster'); sys.exit(3)")
    cancelled = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with pytest.raises(SandboxError, match=r"controller ended with status 3.*\n?.*no cluster"):
        await operator.while_running(started, work())
    assert cancelled.is_set()


async def test_work_that_ends_first_counts(tmp_path: Path) -> None:
    started = child(tmp_path, "import signal; signal.pause()")

    async def work(fails: bool) -> int:
        if fails:
            raise SandboxError("SandboxFailed", "the work failed")
        return 7

    try:
        assert await operator.while_running(started, work(False)) == 7
        with pytest.raises(SandboxError, match="the work failed"):
            await operator.while_running(started, work(True))
        assert started.returncode is None
    finally:
        await started.stop()


def test_log_lines_are_for_people() -> None:
    entry = {"object": "IRSA a/b", "level": "info", "ts": "2026-01-02T03:04:05Z", "msg": "Role r was created."}
    log = "\n".join(["dropped", json.dumps(entry), "plain words", "[1]"])
    assert operator.last_lines(log, 3) == [
        "2026-01-02T03:04:05Z info Role r was created. object=IRSA a/b",
        "plain words",
        "[1]",
    ]
