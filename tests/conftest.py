"""What many tests stand on: a real control plane per worker, and a namespace of its own per test."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
import yaml
from hypothesis import HealthCheck, settings

from irsa_manager.sandbox.controlplane import ControlPlane
from irsa_manager.sandbox.finder import find
from irsa_manager.sandbox.running import RunningSandbox, running_sandbox

# A shell's background jobs, and with them everything that they start, are born deaf to SIGINT; users' shells aren't.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# What the tests share tells what it found, too, when an assertion fails.
_HERE = Path(__file__).parent
pytest.register_assert_rewrite(*(file.stem for file in _HERE.rglob("*.py") if not file.stem.startswith("test_")))

# The suite draws the same examples each time, so that it fails for what changed and not for what was drawn; the soak
# draws new ones. How fast a loaded machine draws them is no verdict on the code.
_PATIENT = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("suite", derandomize=True, **_PATIENT)
settings.register_profile("soak", max_examples=5_000, print_blob=True, **_PATIENT)
settings.load_profile("soak" if os.environ.get("IRSA_SOAK") else "suite")


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """etcd, kube-apiserver and kube-controller-manager, one set per xdist worker, without AWS.

    Attributes of use: url, kubeconfig (a Path), ca_pem, issuer, signing_key_file; kill(component), launch(component)
    and wait_ready() for tests that restart a part (put it back before the test ends).
    """
    plane = ControlPlane(tmp_path_factory.mktemp("control-plane") / "sandbox", find())
    asyncio.run(plane.start())
    yield plane
    asyncio.run(plane.stop())


def api_client(kubeconfig: Path) -> httpx2.Client:
    """A plain HTTP client with the server, CA and token of a kubeconfig of the sandbox."""
    config = yaml.safe_load(kubeconfig.read_text())
    context = ssl.create_default_context(cadata=(kubeconfig.parent / "pki" / "ca.crt").read_text())
    return httpx2.Client(
        base_url=config["clusters"][0]["cluster"]["server"],
        verify=context,
        headers={"Authorization": f"Bearer {config['users'][0]['user']['token']}"},
        timeout=30,
        trust_env=False,
    )


@pytest.fixture(scope="session")
def api(control_plane: ControlPlane) -> Iterator[httpx2.Client]:
    """The administrator's HTTP client of `control_plane`: api.post("/api/v1/namespaces", json={...})."""
    with api_client(control_plane.kubeconfig) as client:
        yield client


@pytest.fixture
def namespace(api: httpx2.Client) -> Iterator[str]:
    """A fresh namespace with a random name in `control_plane`; its deletion is asked for at the end, not awaited."""
    name = f"test-{secrets.token_hex(5)}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    api.post("/api/v1/namespaces", json=body).raise_for_status()
    yield name
    api.delete(f"/api/v1/namespaces/{name}").raise_for_status()


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    """A whole sandbox, one per xdist worker: a cluster of its own and the enforcing AWS, the issuer registered there.

    Attributes of use: kubeconfig, issuer, signing_key_file, aws_url, access_key_id, secret_access_key, region, account,
    provider_arn, environment() for a subprocess, control_plane.kill/launch/wait_ready. It is shared: a test cleans up
    its roles, ends its faults, and puts back what it killed.
    """
    # One loop from start to end, since a context must be left in the loop that entered it.
    with asyncio.Runner() as runner:
        context = running_sandbox(tmp_path_factory.mktemp("sandbox") / "sandbox", binaries=find())
        yield runner.run(context.__aenter__())
        runner.run(context.__aexit__(None, None, None))
