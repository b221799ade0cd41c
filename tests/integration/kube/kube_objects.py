"""Objects and kubeconfigs for these tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from msgspec import Struct

from irsa_manager.api.kube import Metadata
from irsa_manager.kube.resources import Resource


class Settings(Struct):
    """Stricter than the API server is: what another client stores may not fit."""

    mode: Literal["on", "off"]


class ConfigMap(Struct):
    """v1 ConfigMap as some program might expect it."""

    metadata: Metadata
    data: Settings


CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap", True, ConfigMap)


def config_map(name: str, mode: str = "on") -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"mode": mode}}


def with_changes(kubeconfig: Path, target: Path, *, server: str = "", token: str = "") -> Path:
    """A copy of the kubeconfig for another address or another user."""
    config = yaml.safe_load(kubeconfig.read_text())
    if server:
        config["clusters"][0]["cluster"]["server"] = server
    if token:
        config["users"][0]["user"] = {"token": token}
    target.write_text(yaml.safe_dump(config))
    target.chmod(0o600)
    return target
