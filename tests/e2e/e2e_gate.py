"""A gate between a controller and its two servers: it lets calls through, counts them, and shuts at a given one.

Everything behind it is real. A shut gate is how the world sees a killed process: what had been sent takes effect,
nothing comes after it. So one SIGKILL at the end, after the gate has shut at another call for each of many objects,
leaves each of them as a kill at its own call would have.

Something may also be done while a call waits at the gate: that happens between what the controller saw and the call.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TypeVar
from urllib.parse import parse_qs, urlsplit

import yaml

from irsa_manager.sandbox.running import Sandbox

T = TypeVar("T")
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
KUBE_PATH = re.compile(r"/(?:api|apis/[^/]+)/v[^/]+/namespaces/[^/]+/(?P<what>irsas|serviceaccounts)(?P<rest>/[^?]*)?")
WATCH = re.compile(r"/apis/[^?]*/irsas\?(?:.*&)?watch=")
READS = ("Get", "List")


class Moment(Enum):
    """What happens at the call: `BEFORE` and `AFTER` are a process that died, `UNANSWERED` one that goes on."""

    BEFORE = "killed before it was sent"
    AFTER = "killed before it was answered"
    UNANSWERED = "its answer was lost"


@dataclass
class Arm:
    """One object's walk. at: the number of the call, from 1. calls: those counted, as far as the gate was open.

    Of a process that dies writes alone are counted: a read leaves the world as it was, and so does a death at it.
    struck: the call that it shut at, "" as long as that wasn't reached.
    """

    at: int
    moment: Moment
    calls: list[str] = field(default_factory=list)
    struck: str = ""
    since: float = 0.0

    def age(self) -> float:
        """Seconds since it was struck."""
        return time.monotonic() - self.since

    @property
    def shut(self) -> bool:
        """Whether nothing comes through for this object any more."""
        return bool(self.struck) and self.moment is not Moment.UNANSWERED

    def judge(self, call: str) -> Moment | None:
        """What happens to this call; None: it goes through."""
        if self.shut:
            return Moment.BEFORE
        if self.moment is not Moment.UNANSWERED and call.startswith(READS):
            return None
        self.calls.append(call)
        if len(self.calls) != self.at or self.struck:
            return None
        self.struck, self.since = call, time.monotonic()
        return self.moment


class Gate:
    """The gate of one sandbox. prefix: of the names of all objects that may be armed: PREFIX-KEY, then anything.

    Counted are AWS calls that name a role, as far as an arm counts them, and writes to IRSAs and ServiceAccounts.
    """

    def __init__(self, sandbox: Sandbox, prefix: str, directory: Path) -> None:
        self._sandbox = sandbox
        self._key = re.compile(rf"{re.escape(prefix)}-([a-z0-9]+)")
        self._kubeconfig = directory / f"{prefix}.kubeconfig"
        self._ports: dict[str, int] = {}
        self._before: dict[tuple[str, str], Callable[[], None]] = {}
        self._news = asyncio.Event()
        self._news.set()
        self.arms: dict[str, Arm] = {}

    def before(self, call: str, thing: str, do: Callable[[], T]) -> Future[T]:
        """Do that while the next such call waits at the gate; what came of it.

        call: as "CreateRole" or "PATCH irsas/status". thing: the role, or the object's name. The controller waits for
        an answer of AWS for some seconds only.
        """
        came: Future[T] = Future()

        def act() -> None:
            try:
                came.set_result(do())
            except BaseException as error:  # noqa: BLE001  (it is the test's, which asks for the result)
                came.set_exception(error)

        self._before[call, thing] = act
        return came

    def hold_news(self, *, held: bool) -> None:
        """Have the API server's watches of IRSAs tell nothing, until they may again."""
        self._loop.call_soon_threadsafe(self._news.clear if held else self._news.set)

    @contextmanager
    def open(self) -> Iterator[Gate]:
        """Run it, in a thread of its own."""
        opened, end = threading.Event(), asyncio.Event()
        loop = self._loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_until_complete, args=(self._run(opened, end),), name="gate")
        thread.start()
        assert opened.wait(30), "the gate doesn't open"
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(end.set)
            thread.join()
            loop.close()

    def environment(self) -> dict[str, str]:
        """The variables of a controller whose calls come through here."""
        config = yaml.safe_load(self._sandbox.kubeconfig.read_text())
        config["clusters"][0]["cluster"] = {"server": f"http://127.0.0.1:{self._ports['kube']}"}
        self._kubeconfig.write_text(json.dumps(config))
        self._kubeconfig.chmod(0o600)
        return {"KUBECONFIG": str(self._kubeconfig), **self.aws_environment()}

    def aws_environment(self) -> dict[str, str]:
        """The variables of a controller whose calls to AWS come through here, and no others."""
        return {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._ports['aws']}"}

    async def _run(self, opened: threading.Event, end: asyncio.Event) -> None:
        api = urlsplit(self._sandbox.api_server)
        aws = urlsplit(self._sandbox.aws_url)
        trusted = ssl.create_default_context(cafile=str(self._sandbox.ca_file))
        sides: dict[str, tuple[Callable[[], Awaitable[Streams]], Callable[[str, str, bytes], tuple[str, str]]]] = {
            "kube": (lambda: asyncio.open_connection(api.hostname, api.port, ssl=trusted), kube_call),
            "aws": (lambda: asyncio.open_connection(aws.hostname, aws.port), aws_call),
        }
        servers = []
        for name, (connect, describe) in sides.items():
            connection = Connection(
                connect, lambda *request, describe=describe: self._judge(*describe(*request)), self._news
            )
            server = await asyncio.start_server(connection.serve, "127.0.0.1")
            self._ports[name] = server.sockets[0].getsockname()[1]
            servers.append(server)
        opened.set()
        await end.wait()
        for server in servers:
            server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _judge(self, call: str, thing: str) -> Moment | None:
        if act := self._before.pop((call, thing), None):
            await asyncio.to_thread(act)
        found = self._key.match(thing) if call else None
        arm = self.arms.get(found[1]) if found else None
        return arm.judge(call) if arm else None


class Connection:
    """What comes over one connection. judge: told method, path and body of a request. news: watches may tell."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[Streams]],
        judge: Callable[[str, str, bytes], Awaitable[Moment | None]],
        news: asyncio.Event,
    ) -> None:
        self._connect = connect
        self._judge = judge
        self._news = news

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward until one side closes, or the gate shuts."""
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self._forward(reader, writer)
        writer.transport.abort()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await self._connect()
        lost, watching = asyncio.Event(), asyncio.Event()
        answers = asyncio.create_task(self._answer(back, writer, lost, watching))
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
                body = await reader.readexactly(int(length[1])) if length else b""
                method, path, _ = head.decode("latin-1").split(" ", 2)
                if WATCH.match(path):
                    watching.set()
                moment = await self._judge(method, path, body)
                if moment is Moment.BEFORE:
                    return
                if moment is not None:
                    lost.set()
                forth.write(head + body)
                await forth.drain()
                if moment is not None:
                    await answers
                    return
        finally:
            answers.cancel()
            forth.transport.abort()

    async def _answer(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, lost: asyncio.Event, watching: asyncio.Event
    ) -> None:
        """Pass answers on, until one is to be lost: once it begins, what was asked for has taken effect."""
        with suppress(OSError):
            while data := await source.read(65536):
                if lost.is_set():
                    return
                if watching.is_set():
                    # Nothing else comes over a connection with a watch until it ends.
                    await self._news.wait()
                sink.write(data)
                await sink.drain()
        sink.transport.abort()


def kube_call(method: str, path: str, body: bytes) -> tuple[str, str]:
    """What a request to the API server is (as "PATCH irsas/status") and what it names; ("", "") if it isn't counted."""
    found = KUBE_PATH.match(path)
    if found is None or method not in {"POST", "PATCH", "PUT", "DELETE"}:
        return "", ""
    _, name, *part = (found["rest"] or "/").split("/")
    if not name:
        name = json.loads(body)["metadata"]["name"]
    return f"{method} {'/'.join([found['what'], *part])}", name


def aws_call(method: str, path: str, body: bytes) -> tuple[str, str]:
    """What a request to AWS is (as CreateRole) and the role that it names; ("", "") if it isn't counted."""
    del method, path
    form = parse_qs(body.decode("utf-8", "replace"))
    role = form.get("RoleName", [""])[0]
    return (form.get("Action", [""])[0], role) if role else ("", "")
