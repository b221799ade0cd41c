"""Which kubeconfig applies, and what is said where none does."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from irsa_manager.api import names
from irsa_manager.api.errors import UsageError
from irsa_manager.kube.config import find_config
from irsa_manager.kube.operator_namespace import operator_namespace


def write(path: Path, name: str, *, current: bool = True, **user: str) -> Path:
    config: dict[str, Any] = {
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}.example"}}],
        "users": [{"name": name, "user": user or {"token": f"{name}-token"}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
    }
    if current:
        config["current-context"] = name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.fixture
def pod(tmp_path: Path) -> Path:
    directory = tmp_path / "serviceaccount"
    directory.mkdir()
    (directory / "token").write_text("pod-token")
    (directory / "namespace").write_text("irsa\n")
    (directory / "ca.crt").write_text("")
    return directory


def test_the_order(tmp_path: Path, pod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = write(tmp_path / "named", "named")
    listed = write(tmp_path / "listed", "listed")
    write(tmp_path / ".kube" / "config", "home")
    env = {"HOME": str(tmp_path)}
    absent = tmp_path / "absent"
    address = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    for name, value in address.items():
        monkeypatch.setenv(name, value)

    def server(kubeconfig: Path | None, environment: dict[str, str], directory: Path) -> str:
        return find_config(kubeconfig, environment=environment, pod_directory=directory).cluster.server

    assert server(None, env, absent) == "https://home.example"
    assert server(None, env, pod) == "https://home.example", "a token's directory alone makes no pod"
    assert server(None, env | address, absent) == "https://home.example"
    assert server(None, env | address, pod) == "https://[fd00::1]:443"
    assert server(None, env | address | {"KUBECONFIG": str(listed)}, pod) == "https://listed.example"
    assert server(named, env | {"KUBECONFIG": str(listed)}, pod) == "https://named.example"


def test_files_are_merged_and_the_first_wins(tmp_path: Path) -> None:
    first = write(tmp_path / "a" / "config", "one", current=False, **{"client-certificate": "one.crt"})
    second = write(tmp_path / "b" / "config", "two", **{"client-certificate": "two.crt"})
    shadow = write(tmp_path / "c" / "config", "one", token="shadowed")
    env = {"KUBECONFIG": os.pathsep.join(map(str, (first, tmp_path / "absent", second, shadow)))}
    merged = find_config(environment=env)
    assert merged.context_name == "two"
    assert merged.user is not None
    assert merged.user.client_cert == str(tmp_path / "b" / "two.crt"), "relative to the file that says so"
    one = find_config(context="one", environment=env)
    assert one.user is not None
    assert (one.user.client_cert, one.user.token) == (str(tmp_path / "a" / "one.crt"), None)


def test_nothing_applies(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no kubeconfig") as caught:
        find_config(environment={"HOME": str(tmp_path)}, pod_directory=tmp_path / "absent")
    assert "--kubeconfig" in caught.value.hint


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("clusters: [", "can't be used"),
        ("- a list", "can't be used"),
        ("clusters: []\nusers: []\ncontexts: []\n", "No current context"),
        ("current-context: x\nclusters: []\nusers: []\ncontexts: []\n", "'x' not found"),
        ("current-context: x\ncontexts: [{name: x, context: {cluster: gone, user: gone}}]\n", "'gone'"),
        ("current-context: x\ncontexts: [{name: x, context: {cluster: 3}}]\n", "can't be used"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "config"
    file.write_text(content)
    with pytest.raises(UsageError) as caught:
        find_config(file)
    assert str(file) in caught.value.message
    assert said in caught.value.message


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        find_config(tmp_path / "absent")
    with pytest.raises(UsageError, match="no such file"):
        find_config(environment={"KUBECONFIG": str(tmp_path / "absent"), "HOME": str(tmp_path)})


def test_the_operators_namespace(tmp_path: Path, pod: Path) -> None:
    assert operator_namespace("named", pod_directory=pod) == "named"
    assert operator_namespace(pod_directory=pod) == "irsa"
    assert operator_namespace(pod_directory=tmp_path / "absent") == names.DEFAULT_NAMESPACE
