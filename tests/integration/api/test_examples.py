"""Every example, and every manifest of upstream's documentation, applies as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from api_objects import Object, collection, manifest

from irsa_manager.api import names

EXAMPLES = Path(__file__).parents[3] / "examples"
# rbac.yaml holds Kubernetes' own kinds; tests/e2e/test_rbac.py applies it.
FILES = sorted(path.name for path in EXAMPLES.glob("*.yaml") if path.name != "rbac.yaml")

UPSTREAM: dict[str, Object] = {
    "sample": {
        "kind": "IRSA",
        "spec": {
            "cleanup": True,
            "serviceAccount": {"name": "irsa1-sa", "namespaces": ["kube-system", "default"]},
            "iamRole": {"name": "irsa1-role"},
            "iamPolicies": ["AmazonS3FullAccess"],
        },
    },
    "policy by ARN": {
        "kind": "IRSA",
        "spec": {
            "cleanup": False,
            "serviceAccount": {"name": "irsa1-sa", "namespaces": ["default"]},
            "iamRole": {"name": "irsa1-role"},
            "iamPolicies": ["arn:aws:iam::111122223333:policy/team/mine", "service-role/AmazonEBSCSIDriverPolicy"],
        },
    },
    "self-hosted": {
        "kind": "IRSASetup",
        "spec": {
            "cleanup": True,
            "mode": "selfhosted",
            "discovery": {"s3": {"region": "ap-northeast-1", "bucketName": "irsa-manager-1234567"}},
        },
    },
    "self-hosted by default": {
        "kind": "IRSASetup",
        "spec": {"cleanup": True, "discovery": {"s3": {"region": "eu-west-1", "bucketName": "my.oidc"}}},
    },
    "eks": {
        "kind": "IRSASetup",
        "spec": {
            "cleanup": False,
            "mode": "eks",
            "iamOIDCProvider": "oidc.eks.ap-northeast-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF",
        },
    },
    "eks as a Go client writes it": {
        "kind": "IRSASetup",
        "spec": {
            "cleanup": False,
            "mode": "eks",
            "iamOIDCProvider": "oidc.eks.us-east-1.amazonaws.com/id/EXAMPLE",
            "discovery": {"s3": {"region": "", "bucketName": ""}},
        },
    },
}
"""What upstream's README and samples show, and what its client makes of them."""


def path_of(api: httpx2.Client, manifest: Object) -> str:
    """Where an object of any kind goes, as the API server's discovery says; namespaced ones to `default`."""
    version = manifest["apiVersion"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    served = api.get(root)
    served.raise_for_status()
    kinds = [found for found in served.json()["resources"] if "/" not in found["name"]]
    kind = next(found for found in kinds if found["kind"] == manifest["kind"])
    namespace = "/namespaces/default" if kind["namespaced"] else ""
    return f"{root}{namespace}/{kind['name']}/{manifest['metadata']['name']}"


def applied(api: httpx2.Client, manifest: Object) -> httpx2.Response:
    """Server-side apply without storing, in namespace `default`, since the manifest's own need not exist here."""
    metadata = {"name": "sample", **manifest.get("metadata", {})}
    if "namespace" in metadata:
        metadata["namespace"] = "default"
    manifest = {"apiVersion": names.API_VERSION, **manifest, "metadata": metadata}
    return api.patch(
        path_of(api, manifest),
        params={"dryRun": "All", "fieldManager": "kubectl", "fieldValidation": "Strict"},
        headers={"Content-Type": "application/apply-patch+yaml"},
        json=manifest,
    )


def test_there_are_examples() -> None:
    assert {"irsa.yaml", "irsasetup-eks.yaml"} <= set(FILES)


@pytest.mark.parametrize("file", FILES)
def test_example_applies(api: httpx2.Client, crds: None, file: str) -> None:
    for document in yaml.safe_load_all((EXAMPLES / file).read_text()):
        answer = applied(api, document)
        assert answer.is_success, answer.text
        assert "warning" not in answer.headers, answer.headers["warning"]


@pytest.mark.parametrize("name", UPSTREAM)
def test_upstream_manifest_applies(api: httpx2.Client, crds: None, name: str) -> None:
    answer = applied(api, UPSTREAM[name])
    assert answer.is_success, answer.text
    assert within(UPSTREAM[name]["spec"], answer.json()["spec"])


def within(said: Any, stored: Any) -> bool:
    """Whether everything that was said is stored; defaults may have come on top."""
    if isinstance(said, dict):
        return all(key in stored and within(value, stored[key]) for key, value in said.items())
    return bool(said == stored)


def test_a_misspelt_field_is_named(api: httpx2.Client, crds: None) -> None:
    wrong = manifest("IRSA", "default", spec={**UPSTREAM["sample"]["spec"], "iamPolicy": ["A"]})
    answer = api.post(collection("IRSA", "default"), params={"dryRun": "All", "fieldValidation": "Strict"}, json=wrong)
    assert answer.status_code == 400, answer.text
    assert 'unknown field \\"spec.iamPolicy\\"' in answer.text
