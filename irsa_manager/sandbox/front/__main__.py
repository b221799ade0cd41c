"""python -m irsa_manager.sandbox.front --config FILE [--parent-pid PID]: the sandbox's AWS on 127.0.0.1."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import Final

from aiohttp import web

from irsa_manager.api.errors import IrsaError, SandboxError
from irsa_manager.sandbox.front import config as configuration
from irsa_manager.sandbox.front.build import build
from irsa_manager.sandbox.front.config import FrontConfig
from irsa_manager.sandbox.front.server import MAX_BODY

_WATCH: Final = 0.5
"""Seconds between looks at the parent; only matters where the kernel's parent death signal wasn't set."""


def main(arguments: list[str]) -> int:
    """Run until SIGTERM or SIGINT, or until the parent is gone; returns the exit code."""
    parser = argparse.ArgumentParser(prog="irsa_manager.sandbox.front", description=__doc__)
    parser.add_argument("--config", required=True, type=Path, help="the configuration, a JSON file")
    parser.add_argument("--parent-pid", type=int, default=0, help="exit when this is no longer the parent process")
    options = parser.parse_args(arguments)
    os.umask(0o077)
    try:
        asyncio.run(_serve(configuration.read(options.config), options.parent_pid))
    except IrsaError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201  (the process's own voice)
        return 1
    return 0


async def _serve(config: FrontConfig, parent: int) -> None:
    server = build(config)
    application = web.Application(client_max_size=MAX_BODY)
    application.router.add_route("*", "/{any:.*}", server.handle)
    runner = web.AppRunner(application, auto_decompress=False, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        await web.TCPSite(runner, "127.0.0.1", config.port).start()
        await _until_told(stop, parent)
    except OSError as error:
        raise SandboxError(
            "SandboxFailed", f"127.0.0.1:{config.port} can't be listened on: {error.strerror}"
        ) from error
    finally:
        await runner.cleanup()


async def _until_told(stop: asyncio.Event, parent: int) -> None:
    while not stop.is_set() and (not parent or os.getppid() == parent):
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _WATCH if parent else None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
