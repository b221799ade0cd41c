"""The two small HTTP servers of the operator: metrics, and health for the kubelet's probes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from irsa_manager.api.errors import UsageError

OFF = "0"
"""controller-runtime's word for "don't listen"."""


def parse_address(flag: str, text: str) -> tuple[str, int] | None:
    """Host and port of `:8080`, `127.0.0.1:8080` or `[::1]:8080`; None for 0 (off) or nothing. Raises UsageError."""
    if text in {OFF, ""}:
        return None
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise UsageError(
            "Usage",
            f"{flag}={text} is no address to listen on.",
            left="Nothing was started.",
            hint="Write HOST:PORT, :PORT for all interfaces, or 0 to turn it off.",
        )
    return host.strip("[]"), int(port)


@asynccontextmanager
async def serve_metrics(address: tuple[str, int] | None, registry: CollectorRegistry) -> AsyncIterator[None]:
    """Serve /metrics while the context lasts."""

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async with _serving("--metrics-bind-address", address, {"/metrics": metrics}):
        yield


@asynccontextmanager
async def serve_health(address: tuple[str, int] | None, ready: Callable[[], str]) -> AsyncIterator[None]:
    """Serve /healthz (the loop runs) and /readyz (ready() says "" or what is lacking) while the context lasts."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        lacking = ready()
        return web.Response(status=503 if lacking else 200, text=f"{lacking or 'ok'}\n")

    async with _serving("--health-probe-bind-address", address, {"/healthz": healthz, "/readyz": readyz}):
        yield


@asynccontextmanager
async def _serving(
    flag: str, address: tuple[str, int] | None, routes: dict[str, Callable[[web.Request], object]]
) -> AsyncIterator[None]:
    if address is None:
        yield
        return
    app = web.Application()
    app.add_routes([web.get(path, handler) for path, handler in routes.items()])  # type: ignore[arg-type]
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    host, port = address
    try:
        try:
            await web.TCPSite(runner, host or None, port).start()
        except OSError as error:
            raise UsageError(
                "Usage",
                f"Can't listen on {flag}={host}:{port}: {error.strerror or error}.",
                left="Nothing was started.",
                hint="Choose another port, or 0 to turn it off.",
            ) from error
        yield
    finally:
        await runner.cleanup()
