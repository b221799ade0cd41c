"""A server that answers with given bytes, for what AWS rarely sends and no emulator can be made to send."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs

XMLNS = 'xmlns="https://iam.amazonaws.com/doc/2010-05-08/"'


@dataclass
class Wire:
    """The answers to come, by operation and in order; and the parameters of the requests that came."""

    url: str = ""
    answers: dict[str, list[tuple[int, bytes]]] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)

    def will(self, operation: str, result: str, status: int = 200) -> None:
        """Answer the next such call with an XML result as IAM wraps it."""
        metadata = "<ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata>"
        body = (
            f"<{operation}Response {XMLNS}><{operation}Result>{result}</{operation}Result>{metadata}"
            f"</{operation}Response>"
        )
        self.answers.setdefault(operation, []).append((status, body.encode()))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = int(head.partition("content-length:")[2].split("\r\n")[0])
                body = await reader.readexactly(length)
                asked = {name: values[0] for name, values in parse_qs(body.decode()).items()}
                self.asked.append(asked)
                status, answer = self.answers[asked["Action"]].pop(0)
                writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(answer)}\r\n\r\n".encode() + answer)
                await writer.drain()
        except asyncio.IncompleteReadError:
            writer.close()


@asynccontextmanager
async def wire() -> AsyncIterator[Wire]:
    """A Wire on 127.0.0.1 for the time of the block."""
    made = Wire()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()
