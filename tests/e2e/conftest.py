"""One sandbox and one controller per worker; a test may put other controllers in the place of the usual one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import httpx2
import pytest
from e2e_aws import Account
from e2e_lab import Lab, administrator
from e2e_process import OPERATOR, Controller

from irsa_manager.api import crd
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

    def start(self, flags: Mapping[str, str | None], environment: Mapping[str, str]) -> Controller:
        """Another one in place of the usual one, beside other such ones."""
        self.stop_usual()
        controller = self._start(flags, environment)
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

    def _start(self, flags: Mapping[str, str | None], environment: Mapping[str, str]) -> Controller:
        self._count += 1
        log = self._logs / f"controller-{self._count}.log"
        return Controller(log, {**self._sandbox.environment(), **environment}, flags)


@pytest.fixture(scope="session")
def e2e_api(sandbox: RunningSandbox) -> Iterator[httpx2.Client]:
    """The administrator's HTTP client of `sandbox`, with the CRDs and the operator's namespace in place."""
    with administrator(sandbox) as client:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OPERATOR}}
        client.post("/api/v1/namespaces", json=body).raise_for_status()
        for definition in crd.definitions():
            client.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", json=definition).raise_for_status()
        yield client


@pytest.fixture(scope="session")
def account(sandbox: RunningSandbox) -> Account:
    return Account(sandbox)


@pytest.fixture(scope="session")
def controllers(
    sandbox: RunningSandbox, e2e_api: httpx2.Client, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Controllers]:
    made = Controllers(sandbox, tmp_path_factory.mktemp("controllers"))
    yield made
    made.stop_others()
    made.stop_usual()


@pytest.fixture
def run_controller(controllers: Controllers) -> Callable[..., Controller]:
    """Start a controller with other flags or environment in place of the usual one: run_controller({flag: value})."""

    def run(
        flags: Mapping[str, str | None] | None = None,
        environment: Mapping[str, str] | None = None,
        *,
        wait: bool = True,
    ) -> Controller:
        controller = controllers.start(flags or {}, environment or {})
        if wait:
            controller.wait_ready()
        return controller

    return run


@pytest.fixture
def bare_lab(controllers: Controllers, e2e_api: httpx2.Client, account: Account) -> Iterator[Lab]:
    """The lab before a controller runs; at the end everything that was made in it is deleted, by the usual one."""
    lab = Lab(e2e_api, account, lambda: controllers.current)
    yield lab
    account.faults()
    controllers.ensure_usual()
    clear(lab)


@pytest.fixture
def lab(bare_lab: Lab, controllers: Controllers) -> Lab:
    """The lab with the usual controller at work."""
    controllers.ensure_usual()
    return bare_lab


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
    for path in lab.made:
        if "/irsasetups/" in path:
            lab.eventually(lambda path=path: lab.get(path) is None, f"{path} is gone")  # type: ignore[misc]
