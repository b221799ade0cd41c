"""Our CRDs on the real API server, and a way to try objects on them without storing any."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx2
import pytest
from api_objects import Object, collection, manifest

from irsa_manager.kube.client import Kube
from irsa_manager.kube.definitions import install
from irsa_manager.sandbox.controlplane import ControlPlane


@pytest.fixture(scope="session")
def crds(control_plane: ControlPlane) -> None:
    """Both kinds are installed and served."""

    async def put() -> None:
        async with Kube.connect(control_plane.kubeconfig) as kube:
            await install(kube)

    asyncio.run(put())


@pytest.fixture
def attempt(api: httpx2.Client, crds: None) -> Callable[[str, Object], httpx2.Response]:
    """Create an object without storing it (dryRun=All); the namespace is `default`."""

    def send(kind: str, spec: Object) -> httpx2.Response:
        return api.post(
            collection(kind, "default"), params={"dryRun": "All"}, json=manifest(kind, "default", spec=spec)
        )

    return send
