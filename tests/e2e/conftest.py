"""One sandbox and one controller per worker; a test may put other controllers in the place of the usual one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import httpx2
import pytest
from e2e_aws import Account
from e2e_controllers import Controllers, clear, let_go
from e2e_gate import Gate
from e2e_grants import Manager, StartAs
from e2e_lab import Lab, administrator, unique, wait_served
from e2e_process import OPERATOR, Controller
from e2e_rbac import granted

from irsa_manager.api import crd
from irsa_manager.sandbox.running import RunningSandbox


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that are content with the usual controller come first: every other one ends it and has it started anew."""
    items.sort(key=lambda item: (1 + _starts_its_own(item)) if "e2e" in item.path.parts else 3)


def _starts_its_own(item: pytest.Item) -> bool:
    asked = set(inspect.signature(item.function).parameters) if isinstance(item, pytest.Function) else set()
    return bool(
        asked & {"run_controller", "restart", "start_as", "controllers", "bare_lab", "before", "bounded", "machine"}
    )


@pytest.fixture(scope="session")
def e2e_api(sandbox: RunningSandbox) -> Iterator[httpx2.Client]:
    """The administrator's HTTP client of `sandbox`, with the CRDs and the operator's namespace in place."""
    with administrator(sandbox) as client:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OPERATOR}}
        client.post("/api/v1/namespaces", json=body).raise_for_status()
        for definition in crd.definitions():
            client.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", json=definition).raise_for_status()
        wait_served(client, OPERATOR)
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
def restart(controllers: Controllers) -> Callable[[], Controller]:
    """Start the usual controller anew: it then believes what it reads, having written nothing itself."""

    def again() -> Controller:
        controllers.stop_usual()
        return controllers.ensure_usual()

    return again


@pytest.fixture
def gate(sandbox: RunningSandbox, tmp_path: Path) -> Iterator[Gate]:
    """A gate for a controller's calls. To be asked for before the lab, whose end still needs it."""
    with Gate(sandbox, unique("gate"), tmp_path).open() as opened:
        yield opened


@pytest.fixture
def bare_lab(controllers: Controllers, e2e_api: httpx2.Client, account: Account) -> Iterator[Lab]:
    """The lab before a controller runs; at the end everything that was made in it is deleted, by the usual one."""
    lab = Lab(e2e_api, account, lambda: controllers.current)
    yield lab
    account.faults()
    account.quotas()
    try:
        if lab.irsas or lab.made:
            controllers.ensure_usual()
        clear(lab)
    finally:
        controllers.stop_others()
        let_go(lab)


@pytest.fixture
def lab(bare_lab: Lab, controllers: Controllers) -> Lab:
    """The lab with the usual controller at work."""
    controllers.ensure_usual()
    return bare_lab


@pytest.fixture
def start_as(bare_lab: Lab, controllers: Controllers, tmp_path: Path) -> StartAs:
    """Start a controller with an identity of its own: start_as(Manager(account, policies...))."""
    kubeconfig = granted(tmp_path / "kubeconfig", bare_lab.api, bare_lab.aws.sandbox)

    def start(manager: Manager, environment: Mapping[str, str] | None = None) -> Controller:
        controllers.stop_others()
        own = {**manager.environment, "KUBECONFIG": str(kubeconfig)}
        controller = controllers.start({"--sweep-interval": "1s"}, {**own, **(environment or {})})
        controller.wait_ready()
        return controller

    return start
