"""`irsa-manager crds`: what is installed is what the program was built with, whatever was there before."""

from __future__ import annotations

import secrets
from typing import Any

import httpx2
import pytest
import typer
import yaml
from api_objects import Object, renamed
from typer.testing import CliRunner

from irsa_manager.api import crd
from irsa_manager.api.errors import KubernetesError
from irsa_manager.cli.crds import crds as command
from irsa_manager.kube.client import Kube
from irsa_manager.kube.definitions import install
from irsa_manager.sandbox.controlplane import ControlPlane

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
IRSAS = "irsas.irsa-manager.kkb0318.github.io"
APPLY = {"Content-Type": "application/apply-patch+yaml"}


def run(*arguments: str) -> str:
    app = typer.Typer()
    app.add_typer(command, name="crds")
    result = CliRunner().invoke(app, ["crds", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("output", ["yaml", "json"])
def test_print(output: str) -> None:
    text = run("print", "-o", output)
    documents = list(yaml.safe_load_all(text)) if output == "yaml" else yaml.safe_load(text)["items"]
    assert documents == crd.definitions()


def differences(wanted: Any, found: Any, path: str = "") -> list[str]:
    """Where `found` isn't `wanted`; what the API server fills in by itself is not wanted, so it doesn't count."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return [d for key in wanted for d in differences(wanted[key], found.get(key), f"{path}.{key}")]
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        return [d for n, item in enumerate(wanted) for d in differences(item, found[n], f"{path}[{n}]")]
    return [] if wanted == found else [f"{path}: {wanted!r} is {found!r}"]


def test_apply_replaces_what_others_installed(api: httpx2.Client, crds: None, control_plane: ControlPlane) -> None:
    """A rule and a column that Helm installed once, and that this version doesn't have, go with the upgrade."""
    foreign: Object = crd.irsa_definition()
    version = foreign["spec"]["versions"][0]
    version["additionalPrinterColumns"].append({"name": "Old", "type": "string", "jsonPath": ".spec.old"})
    root = version["schema"]["openAPIV3Schema"]
    root["properties"]["spec"]["properties"]["old"] = {"type": "string"}
    root["x-kubernetes-validations"].append({"rule": "self.metadata.name != 'old'", "message": "old"})
    api.patch(
        f"{DEFINITIONS}/{IRSAS}", params={"fieldManager": "helm", "force": "true"}, headers=APPLY, json=foreign
    ).raise_for_status()

    output = run("apply", "--kubeconfig", str(control_plane.kubeconfig))

    assert f"ok  {IRSAS} up to date" in output
    stored = api.get(f"{DEFINITIONS}/{IRSAS}").json()
    assert differences(crd.irsa_definition()["spec"], stored["spec"]) == []
    schema = stored["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert "old" not in schema["properties"]["spec"]["properties"]
    assert "old" not in [rule["message"] for rule in schema["x-kubernetes-validations"]]


async def test_install_creates_and_waits(api: httpx2.Client, control_plane: ControlPlane) -> None:
    """Kinds that the cluster has never seen are served when it returns."""
    fresh = [renamed(definition, f"g{secrets.token_hex(4)}.irsa-manager.test") for definition in crd.definitions()]
    async with Kube.connect(control_plane.kubeconfig) as kube:
        done = await install(kube, fresh)
        assert set(done.values()) == {"created"}
        for definition in fresh:
            stored = api.get(f"{DEFINITIONS}/{definition['metadata']['name']}").json()
            served = {c["type"]: c["status"] for c in stored["status"]["conditions"]}
            assert served["Established"] == "True"
        assert set((await install(kube, fresh)).values()) == {"up to date"}
    for definition in fresh:
        api.delete(f"{DEFINITIONS}/{definition['metadata']['name']}").raise_for_status()


async def test_install_says_what_the_api_server_refuses(control_plane: ControlPlane) -> None:
    broken = renamed(crd.irsa_definition(), f"g{secrets.token_hex(4)}.irsa-manager.test")
    broken["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["x-kubernetes-validations"][0]["rule"] = "self.nothing"
    async with Kube.connect(control_plane.kubeconfig) as kube:
        with pytest.raises(KubernetesError) as caught:
            await install(kube, [broken])
    assert "undefined field 'nothing'" in str(caught.value)
    assert broken["metadata"]["name"] in caught.value.object
