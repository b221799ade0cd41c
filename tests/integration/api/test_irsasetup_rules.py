"""Each rule of an IRSASetup: something that keeps it is accepted, something that breaks it is told why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import httpx2
import pytest
from api_objects import ABSENT, SETUP, collection, complaints, manifest, put_at

Attempt = Callable[[str, dict[str, Any]], httpx2.Response]
S3 = {"region": "eu-west-1", "bucketName": "my-oidc"}


class Case(NamedTuple):
    """right: accepted at path. wrong: refused there, at `field` (below spec.), with a message that says `says`."""

    path: str
    right: Any
    wrong: Any
    field: str
    says: str


CASES = {
    "cleanup": Case("cleanup", True, ABSENT, "cleanup", "Required value"),
    "mode": Case("mode", "eks", "EKS", "mode", "Unsupported value"),
    "mode forgotten": Case("mode", "eks", ABSENT, "mode", "Did you mean mode: eks?"),
    "mode contradicted": Case("mode", "eks", "selfhosted", "mode", "Did you mean mode: eks?"),
    "provider": Case(
        "iamOIDCProvider",
        "arn:aws-us-gov:iam::111122223333:oidc-provider/oidc.eks.us-gov-west-1.amazonaws.com/id/ABC",
        "http://oidc.example.com",
        "iamOIDCProvider",
        "not an OIDC provider",
    ),
    "provider as URL": Case(
        "iamOIDCProvider",
        "https://s3-eu-west-1.amazonaws.com/my-oidc",
        "arn:aws:iam::111122223333:role/x",
        "iamOIDCProvider",
        "not an OIDC provider",
    ),
    "provider left to the cluster": Case(
        "iamOIDCProvider", "", "oidc.example.com#x", "iamOIDCProvider", "not an OIDC provider"
    ),
    "cluster name": Case("clusterName", "c" * 63, "c" * 64, "clusterName", "Too long"),
    "cluster name empty": Case("clusterName", "prod eu", "", "clusterName", "at least 1 chars long"),
    "cluster name characters": Case("clusterName", "prod/eu-1", "prod*", "clusterName", "it becomes a tag's value"),
    "bucket": Case("discovery.s3", S3, {**S3, "bucketName": "My-OIDC"}, "discovery.s3.bucketName", "not a bucket name"),
    "bucket of empty strings": Case(
        "discovery.s3", {"region": "", "bucketName": ""}, {"region": ""}, "discovery.s3.bucketName", "Required value"
    ),
    "region": Case("discovery.s3", S3, {**S3, "region": "Ireland"}, "discovery.s3.region", "not an AWS Region"),
    "default path": Case("roleDefaults.path", "/irsa/prod/", "irsa", "roleDefaults.path", "not an IAM path"),
    "default boundary": Case(
        "roleDefaults.permissionsBoundary",
        "customer/irsa-boundary",
        "arn:aws:iam::aws:role/x",
        "roleDefaults.permissionsBoundary",
        "not a policy",
    ),
    "no default boundary": Case(
        "roleDefaults.permissionsBoundary", "", " ", "roleDefaults.permissionsBoundary", "not a policy"
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_rule(attempt: Attempt, case: Case) -> None:
    accepted = attempt("IRSASetup", put_at(SETUP, case.path, case.right))
    assert accepted.status_code == 201, accepted.text
    found = complaints(attempt("IRSASetup", put_at(SETUP, case.path, case.wrong)))
    assert list(found) == [f"spec.{case.field}"], found
    assert case.says in found[f"spec.{case.field}"]


def test_defaults(attempt: Attempt) -> None:
    stored = attempt("IRSASetup", {"cleanup": False, "discovery": {"s3": S3}, "roleDefaults": {}}).json()["spec"]
    assert stored["mode"] == "selfhosted"
    assert stored["roleDefaults"] == {"path": "/"}


@pytest.mark.parametrize(
    ("before", "after"), [("eks", "selfhosted"), ("selfhosted", "eks"), (ABSENT, "eks"), ("eks", ABSENT)]
)
def test_mode_cannot_change(api: httpx2.Client, crds: None, namespace: str, before: Any, after: Any) -> None:
    spec = {"cleanup": False, "discovery": {"s3": S3}}
    path = collection("IRSASetup", namespace)
    created = api.post(path, json=manifest("IRSASetup", namespace, spec=put_at(spec, "mode", before)))
    created.raise_for_status()
    changed = created.json() | {"spec": put_at(spec, "mode", after)}
    found = complaints(api.put(f"{path}/sample", json=changed))
    assert list(found) == ["spec.mode"]
    assert "mode can't be changed" in found["spec.mode"]


def test_absent_mode_is_selfhosted(api: httpx2.Client, crds: None, namespace: str) -> None:
    spec = {"cleanup": False, "discovery": {"s3": S3}}
    path = collection("IRSASetup", namespace)
    created = api.post(path, json=manifest("IRSASetup", namespace, spec=spec))
    created.raise_for_status()
    kept = created.json() | {"spec": {**spec, "mode": "selfhosted", "cleanup": True}}
    assert api.put(f"{path}/sample", json=kept).status_code == 200
