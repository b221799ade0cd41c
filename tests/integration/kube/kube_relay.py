"""A network between client and API server that tests can break."""

from __future__ import annotations

import asyncio
import contextlib


class Relay:
    """A TCP relay to the API server that can be cut (connections are reset and refused) or frozen (half-open)."""

    def __init__(self, target: tuple[str, int], *, listen: str = "127.0.0.1") -> None:
        self._target = target
        self._listen = listen
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._frozen: set[asyncio.Task[None]] = set()
        self.port = 0

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, self._listen, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None

    def freeze(self) -> None:
        """The present connections stay open and nothing comes through any more; new ones work."""
        self._frozen |= self._connections

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            upstream_reader, upstream_writer = await asyncio.open_connection(*self._target)
            try:
                await asyncio.gather(
                    self._pump(reader, upstream_writer, task), self._pump(upstream_reader, writer, task)
                )
            finally:
                upstream_writer.transport.abort()
        except (OSError, asyncio.CancelledError):
            return  # the API server is down, or the relay is cut: the client sees a closed connection
        finally:
            self._connections.discard(task)
            self._frozen.discard(task)
            writer.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, task: asyncio.Task[None]) -> None:
        while data := await source.read(65536):
            if task in self._frozen:
                continue
            sink.write(data)
            await sink.drain()
        with contextlib.suppress(OSError, RuntimeError):
            sink.write_eof()
