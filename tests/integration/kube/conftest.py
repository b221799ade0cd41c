"""Clients of the real API server, directly and through a relay."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from kube_objects import with_changes
from kube_relay import Relay

from irsa_manager.kube.client import Kube
from irsa_manager.kube.resources import SERVICE_ACCOUNTS
from irsa_manager.sandbox.controlplane import ControlPlane


@pytest.fixture
async def kube(control_plane: ControlPlane) -> AsyncIterator[Kube]:
    """The administrator's client."""
    async with Kube.connect(control_plane.kubeconfig) as client:
        yield client


@pytest.fixture
async def relay(control_plane: ControlPlane) -> AsyncIterator[Relay]:
    host, port = control_plane.url.removeprefix("https://").split(":")
    relay = Relay((host, int(port)))
    await relay.open()
    yield relay
    await relay.cut()


@pytest.fixture
async def relayed(control_plane: ControlPlane, relay: Relay, tmp_path: Path) -> AsyncIterator[Kube]:
    """The administrator's client, through the relay."""
    kubeconfig = with_changes(
        control_plane.kubeconfig, tmp_path / "relayed.kubeconfig", server=f"https://127.0.0.1:{relay.port}"
    )
    async with Kube.connect(kubeconfig) as client:
        yield client


@pytest.fixture
async def nobody(control_plane: ControlPlane, kube: Kube, namespace: str, tmp_path: Path) -> AsyncIterator[Kube]:
    """A client with a ServiceAccount's token, without any rights."""
    name = f"nobody-{secrets.token_hex(3)}"
    body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
    await kube.create(SERVICE_ACCOUNTS, body, namespace)
    token = await kube.token(namespace, name, [], 3600)
    kubeconfig = with_changes(control_plane.kubeconfig, tmp_path / "nobody.kubeconfig", token=token)
    async with Kube.connect(kubeconfig) as client:
        yield client
