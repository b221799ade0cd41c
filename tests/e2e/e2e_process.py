"""The controller as a real process: started, asked, killed, and what it said."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from irsa_manager.sandbox.ports import free_ports
from irsa_manager.sandbox.process import with_parent

OPERATOR = "irsa-manager-system"
INHERITED = ("PATH", "HOME", "LANG", "PYTHONPATH", "TMPDIR")
DEADLINE_SECONDS = float(os.environ.get("IRSA_E2E_DEADLINE", "60"))
POLL_SECONDS = 0.05


def eventually(look: Callable[[], Any], what: str, report: Callable[[], str], seconds: float = DEADLINE_SECONDS) -> Any:
    """Look until there is something to see; what was seen. A failed assertion inside counts as "not yet".

    report: what is known, for whoever reads that it didn't come about.
    """
    deadline = time.monotonic() + seconds
    while True:
        problem, began = "", time.monotonic()
        try:
            if seen := look():
                return seen
        except AssertionError as error:
            problem = f"\n{error}"
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what}{problem}\n{report()}")
        # Looking at hundreds of objects takes its time, and takes it from those that are looked at.
        time.sleep(max(POLL_SECONDS, 2 * (time.monotonic() - began)))


def _with_periods(periods: Mapping[str, float]) -> list[str]:
    """How Python starts the program with other constants."""
    lines = ["import importlib"]
    for constant, seconds in periods.items():
        module, _, name = constant.rpartition(".")
        lines.append(f"module = importlib.import_module({module!r})")
        lines.append(f"assert module.{name} > {seconds}")
        lines.append(f"module.{name} = {seconds}")
    return ["-c", "\n".join([*lines, "from irsa_manager.cli.main import run", "run()"])]


class Controller:
    """One `irsa-manager controller`; it dies with the test process.

    flags: further ones, which win over those that every controller here gets; a None leaves one out. environment: of
    the sandbox, with whatever the test wants otherwise. periods: constants, as module.NAME, that are shorter than
    users have them, where nobody could wait for so long.
    """

    def __init__(
        self,
        log: Path,
        environment: Mapping[str, str],
        flags: Mapping[str, str | None],
        periods: Mapping[str, float] | None = None,
    ) -> None:
        self.log = log
        self._program = _with_periods(periods) if periods else ["-m", "irsa_manager"]
        self._environment, self._flags = environment, flags
        self._read = 0
        self._looks: dict[str, list[int]] = {}
        self._setups: list[str] = []
        self._begin()

    def _begin(self) -> None:
        metrics, health = free_ports(2)
        given = {
            "--namespace": OPERATOR,
            "--metrics-bind-address": f"127.0.0.1:{metrics}",
            "--health-probe-bind-address": f"127.0.0.1:{health}",
            "--sweep-interval": "2s",
            "--aws-calls-per-second": "200",
            "--log-format": "json",
            "--log-level": "debug",
            **self._flags,
        }
        self.metrics_url = f"http://127.0.0.1:{metrics}"
        self.health_url = f"http://127.0.0.1:{health}"
        words = [flag if value == "" else f"{flag}={value}" for flag, value in given.items() if value is not None]
        argv = [sys.executable, *self._program, "controller", *words]
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(
                with_parent(argv),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**inherited, **self._environment},
                start_new_session=True,
            )

    @property
    def returncode(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def probe(self, path: str) -> tuple[int, str]:
        """Status and text of the health server; (0, why) where nobody answers."""
        return fetch(self.health_url + path)

    def metric(self, name: str) -> dict[str, float]:
        """The samples of one metric by their labels, as they are printed."""
        status, text = fetch(f"{self.metrics_url}/metrics")
        assert status == 200, text
        found = {}
        for line in text.splitlines():
            key, _, value = line.rpartition(" ")
            if key.partition("{")[0] == name:
                found[key.removeprefix(name)] = float(value)
        return found

    def wait_ready(self) -> None:
        """Wait until it says that it works."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        # The port may be somebody else's by now, who answers too.
        while (answer := self.probe("/readyz"))[0] != 200 or not self._begun():
            if self.returncode is not None and "address already in use" in self.tail():
                # Somebody else on this machine has taken the port since it was found to be free.
                self._begin()
            assert self.returncode is None, f"the controller ended with {self.returncode}:\n{self.tail()}"
            assert time.monotonic() < deadline, f"the controller isn't ready, /readyz: {answer}\n{self.tail()}"
            time.sleep(POLL_SECONDS)

    def _begun(self) -> bool:
        """Whether it says itself that it works, or waits for its turn."""
        text = self.log.read_text("utf-8", "replace")
        return any(f'"msg": "{word}' in text for word in ("started", "elected", "waiting"))

    def wait_ended(self) -> int:
        """Wait for its own end; the exit status."""
        try:
            return self._process.wait(DEADLINE_SECONDS)
        except subprocess.TimeoutExpired as late:
            raise AssertionError(f"the controller goes on:\n{self.tail()}") from late

    def stop(self) -> int:
        """End it politely; the exit status."""
        self._process.terminate()
        return self.wait_ended()

    def kill(self) -> None:
        """End it as a crash would."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def lines(self) -> list[dict[str, Any]]:
        """What it has logged; a line that isn't JSON comes as {"msg": line}."""
        found = []
        for line in self.log.read_text("utf-8", "replace").splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                found.append({"msg": line})
        return [line if isinstance(line, dict) else {"msg": str(line)} for line in found]

    def said(self, text: str) -> list[dict[str, Any]]:
        """The lines whose message has that text in it."""
        return [line for line in self.lines() if text in str(line.get("msg", ""))]

    def coded(self, code: str, role: str) -> list[dict[str, Any]]:
        """The lines of that code about that role."""
        return [line for line in self.lines() if (line.get("code"), line.get("role")) == (code, role)]

    def unanswered(self, role: str) -> Counter[str]:
        """The calls about that role that AWS put off or that got no answer, by operation."""
        put_off = {"throttled", "unavailable"}
        told = [line for line in self.said("AWS call") if line.get("role") == role and line["outcome"] in put_off]
        return Counter(line["awsOperation"] for line in told)

    def looks(self, key: str) -> list[int]:
        """The resourceVersions of the IRSA at which each look at it began."""
        self._follow()
        return self._looks.get(f"IRSA {key}", [])

    def setups(self) -> list[str]:
        """The IRSASetups by which the facts were found last, as namespace/name."""
        self._follow()
        return self._setups

    def _follow(self) -> None:
        # Much is logged, and it is asked for again and again: every line is read once.
        with self.log.open("rb") as log:
            log.seek(self._read)
            whole = log.read().rpartition(b"\n")[0]
        self._read += len(whole) + bool(whole)
        for line in whole.splitlines():
            if b'"looking at it"' in line:
                told = json.loads(line)
                self._looks.setdefault(told["object"], []).append(int(told["resourceVersion"]))
            elif b'"looked at the IRSASetups"' in line:
                self._setups = json.loads(line)["setups"]

    def tail(self, count: int = 25, *, about: Collection[str] | None = None) -> str:
        """The last lines, without the debug ones. about: of those that concern an object only these objects'."""
        told = [line for line in self.lines() if line.get("level") != "debug"]
        if about is not None:
            told = [line for line in told if line.get("object", "") in {"", *about}]
        return "\n".join(json.dumps(line)[:600] for line in told[-count:])


def fetch(url: str) -> tuple[int, str]:
    """Status and text of a GET; (0, why) where nobody answers."""
    try:
        # Where nobody listens that is known at once; who is only slow is waited for.
        with urllib.request.urlopen(url, timeout=DEADLINE_SECONDS) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except (OSError, urllib.error.URLError) as error:
        return 0, str(error)
