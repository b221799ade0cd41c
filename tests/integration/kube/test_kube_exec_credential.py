"""Credentials from a program, run for real, against the real API server."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from irsa_manager.kube.client import Kube
from irsa_manager.kube.errors import KubeForbidden, KubeUnavailable
from irsa_manager.sandbox.controlplane import ControlPlane

VERSION = "client.authentication.k8s.io/v1"


class Plugin:
    """A kubeconfig whose user is a shell script; the script counts its runs."""

    def __init__(self, control_plane: ControlPlane, directory: Path) -> None:
        config = yaml.safe_load(control_plane.kubeconfig.read_text())
        self.token = config["users"][0]["user"]["token"]
        self._config = config
        self._directory = directory
        self._runs = directory / "runs"
        self.kubeconfig = directory / "kubeconfig"

    def write(self, answer: str, *, status: int = 0, **changes: Any) -> Path:
        script = self._directory / "plugin.sh"
        (self._directory / "answer").write_text(answer)
        script.write_text(
            f'#!/bin/sh\necho "$KUBERNETES_EXEC_INFO" >> {self._runs}\n'
            f"cat {self._directory / 'answer'}\necho warning >&2\necho 'sign in first' >&2\nexit {status}\n"
        )
        script.chmod(0o700)
        program = {"apiVersion": VERSION, "command": "./plugin.sh", "interactiveMode": "Never"} | changes
        self._config["users"][0]["user"] = {"exec": program}
        self.kubeconfig.write_text(yaml.safe_dump(self._config))
        return self.kubeconfig

    def runs(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._runs.read_text().splitlines()] if self._runs.exists() else []


def credential(token: str, **status: str) -> str:
    return json.dumps({"apiVersion": VERSION, "kind": "ExecCredential", "status": {"token": token, **status}})


@pytest.fixture
def plugin(control_plane: ControlPlane, tmp_path: Path) -> Plugin:
    return Plugin(control_plane, tmp_path)


async def test_the_program_runs_once_for_many_requests(plugin: Plugin) -> None:
    async with Kube.connect(plugin.write(credential(plugin.token))) as kube:
        versions = await asyncio.gather(*(kube.server_version() for _ in range(5)))
        await kube.discovery_document()
    assert len(set(versions)) == 1
    assert plugin.runs() == [{"apiVersion": VERSION, "kind": "ExecCredential", "spec": {"interactive": False}}]


async def test_an_expired_token_is_not_sent(plugin: Plugin) -> None:
    answer = credential(plugin.token, expirationTimestamp="2001-01-01T00:00:00Z")
    async with Kube.connect(plugin.write(answer)) as kube:
        await kube.discovery_document()
        await kube.discovery_document()
    assert len(plugin.runs()) == 2


async def test_a_refused_token_is_replaced_once(plugin: Plugin) -> None:
    async with Kube.connect(plugin.write(credential("stale"))) as kube:
        with pytest.raises(KubeForbidden, match="doesn't accept these credentials"):
            await kube.discovery_document()
        assert len(plugin.runs()) == 2
        plugin.write(credential(plugin.token))
        await kube.discovery_document()
    assert len(plugin.runs()) == 3


@pytest.mark.parametrize(
    ("answer", "options", "said"),
    [
        ("{}", {}, "no ExecCredential"),
        ("s3cret", {}, "no ExecCredential"),
        ('{"status": {"clientCertificateData": "s3cret"}}', {}, "gave no token"),
        ("s3cret", {"status": 3}, "status 3 and said: sign in first"),
        (
            "s3cret",
            {"command": "no-such-program", "installHint": "Install it."},
            "No such file or directory. Install it",
        ),
        ("s3cret", {"apiVersion": "client.authentication.k8s.io/v9"}, "unknown apiVersion"),
    ],
)
async def test_a_program_that_gives_no_credentials(
    plugin: Plugin, answer: str, options: dict[str, Any], said: str
) -> None:
    async with Kube.connect(plugin.write(answer, **options)) as kube:
        with pytest.raises(KubeUnavailable) as caught:
            await kube.discovery_document()
    assert said in caught.value.message
    assert "s3cret" not in str(caught.value)
