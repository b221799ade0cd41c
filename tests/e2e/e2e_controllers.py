"""The controllers of one cluster, and the end of what a test made there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from e2e_lab import MERGE, Lab
from e2e_process import Controller

from irsa_manager.sandbox.running import RunningSandbox


class Controllers:
    """The controllers of one cluster: the usual one, or those that a test started in its place, never both."""

    def __init__(self, sandbox: RunningSandbox, logs: Path) -> None:
        self._sandbox = sandbox
        self._logs = logs
        self._count = 0
        self.usual: Controller | None = None
        self.others: list[Controller] = []

    @property
    def current(self) -> Controller | None:
        """The one that was started last."""
        running = [c for c in (self.usual, *self.others) if c is not None and c.returncode is None]
        return running[-1] if running else None

    def ensure_usual(self) -> Controller:
        """The usual one, started if it doesn't run."""
        self.stop_others()
        if self.usual is None or self.usual.returncode is not None:
            self.usual = self._start({}, {})
            self.usual.wait_ready()
        return self.usual

    def start(
        self,
        flags: Mapping[str, str | None],
        environment: Mapping[str, str],
        periods: Mapping[str, float] | None = None,
    ) -> Controller:
        """Another one in place of the usual one, beside other such ones."""
        self.stop_usual()
        controller = self._start(flags, environment, periods)
        self.others.append(controller)
        return controller

    def stop_usual(self) -> None:
        """End the usual one."""
        if self.usual is not None and self.usual.returncode is None:
            self.usual.stop()
        self.usual = None

    def stop_others(self) -> None:
        """End those that a test started."""
        for controller in self.others:
            if controller.returncode is None:
                controller.stop()
        self.others.clear()

    def _start(
        self,
        flags: Mapping[str, str | None],
        environment: Mapping[str, str],
        periods: Mapping[str, float] | None = None,
    ) -> Controller:
        self._count += 1
        log = self._logs / f"controller-{self._count}.log"
        return Controller(log, {**self._sandbox.environment(), **environment}, flags, periods)


def clear(lab: Lab) -> None:
    """Delete what a test made, and see that nothing holds it."""
    for irsa in lab.irsas:
        found = irsa.get()
        if found and found["spec"].get("suspend"):
            irsa.patch({"suspend": False})
        irsa.delete()
    for irsa in lab.irsas:
        irsa.wait_gone()
    for path in lab.made:
        lab.delete(path)
    setups = [path for path in lab.made if "/irsasetups/" in path]
    for path in setups:
        lab.eventually(lambda path=path: lab.get(path) is None, f"{path} is gone")  # type: ignore[misc]
    if setups:
        # What they said holds until the controller has heard that they are gone.
        gone = {path.rpartition("/")[2] for path in setups}
        known = lambda: {key.partition("/")[2] for key in lab.controller.setups()}  # noqa: E731
        lab.eventually(lambda: not gone & known(), "the controller knows that the IRSASetups are gone")


def let_go(lab: Lab) -> None:
    """Take what is still there out of the way of the next test: what holds it has failed, and is told already."""
    paths = [*(irsa.path for irsa in lab.irsas), *(path for path in lab.made if "/irsasetups/" in path)]
    for path in paths:
        if lab.get(path) is not None:
            lab.delete(path)
            lab.api.patch(path, json={"metadata": {"finalizers": None}}, headers=MERGE)
