"""What may change on an IRSA that exists."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from api_objects import ABSENT, IRSA, collection, complaints, manifest, put_at

BOUND = {"namespace": "default", "name": "irsa1-sa", "origin": "Created"}
NOW = "2026-11-24T18:00:00Z"


def stored(api: httpx2.Client, namespace: str, spec: dict[str, Any]) -> dict[str, Any]:
    answer = api.post(collection("IRSA", namespace), json=manifest("IRSA", namespace, spec=spec))
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize(("before", "after"), [("/a/", "/b/"), ("/a/", ABSENT), (ABSENT, "/a/")])
def test_path_is_fixed_while_the_name_is(
    api: httpx2.Client, crds: None, namespace: str, before: Any, after: Any
) -> None:
    spec = put_at(IRSA, "iamRole.path", before)
    created = stored(api, namespace, spec)
    path = f"{collection('IRSA', namespace)}/sample"
    moved = put_at(spec, "iamRole.path", after)
    found = complaints(api.put(path, json={**created, "spec": moved}))
    assert list(found) == ["spec.iamRole"]
    assert "the path of a role can't be changed" in found["spec.iamRole"]
    assert api.put(path, json={**created, "spec": put_at(moved, "iamRole.name", "other")}).status_code == 200


def test_absent_path_is_the_root(api: httpx2.Client, crds: None, namespace: str) -> None:
    created = stored(api, namespace, IRSA)
    path = f"{collection('IRSA', namespace)}/sample"
    assert api.put(path, json={**created, "spec": put_at(IRSA, "iamRole.path", "/")}).status_code == 200


@pytest.mark.parametrize("part", ["serviceAccount", "iamRole", "serviceAccount.name", "iamRole.name"])
def test_what_an_object_has_it_cannot_lose(api: httpx2.Client, crds: None, namespace: str, part: str) -> None:
    created = stored(api, namespace, IRSA)
    changed = {**created, "spec": put_at(IRSA, part, ABSENT)}
    found = complaints(api.put(f"{collection('IRSA', namespace)}/sample", json=changed))
    assert any(f"{part} is missing" in message for message in found.values()), found


def test_spec_cannot_be_taken_out(api: httpx2.Client, crds: None, namespace: str) -> None:
    created = stored(api, namespace, IRSA)
    bare = {key: value for key, value in created.items() if key != "spec"}
    found = complaints(api.put(f"{collection('IRSA', namespace)}/sample", json=bare))
    assert any("an IRSA without spec asks for nothing" in message for message in found.values())


def test_status_is_kept_by_the_controller_alone(api: httpx2.Client, crds: None, namespace: str) -> None:
    """An author's status is dropped; a write to the subresource stores every field the controller reports."""
    status = {
        "observedGeneration": 1,
        "role": {
            "name": "irsa1-role",
            "arn": "arn:aws:iam::111122223333:role/irsa1-role",
            "id": "AROAEXAMPLE",
            "accountID": "111122223333",
            "origin": "Created",
            "trustPolicySHA256": "9f2c",
            "attachedPolicies": ["arn:aws:iam::aws:policy/AmazonS3FullAccess"],
            "inlinePolicies": ["a"],
            "foreignInlinePolicies": ["AWSRevokeOlderSessions"],
            "managed": ["description"],
        },
        "record": {"mac": "7d0e"},
        "retiredRoles": [{"name": "old"}],
        "issuer": "https://oidc.example.com",
        "serviceAccounts": [{**BOUND, "annotations": ["eks.amazonaws.com/role-arn"]}],
        "serviceAccountCount": 1,
        "lastSyncTime": NOW,
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "IRSAReady",
                "message": "ok",
                "observedGeneration": 1,
                "lastTransitionTime": NOW,
            }
        ],
    }
    created = api.post(
        collection("IRSA", namespace), json={**manifest("IRSA", namespace), "status": {"issuer": "https://forged"}}
    ).json()
    assert "status" not in created
    answer = api.put(f"{collection('IRSA', namespace)}/sample/status", json={**created, "status": status})
    answer.raise_for_status()
    assert answer.json()["status"] == status


def test_conditions_are_a_map_by_type(api: httpx2.Client, crds: None, namespace: str) -> None:
    """Two writers with a condition each don't take each other's away."""
    stored(api, namespace, IRSA)
    path = f"{collection('IRSA', namespace)}/sample/status"
    for manager, kind in (("irsa-manager", "Ready"), ("somebody", "Audited")):
        condition = {"type": kind, "status": "True", "reason": "Ok", "message": "", "lastTransitionTime": NOW}
        body = manifest("IRSA", namespace) | {"status": {"conditions": [condition]}}
        del body["spec"]
        answer = api.patch(
            path,
            params={"fieldManager": manager},
            headers={"Content-Type": "application/apply-patch+yaml"},
            json=body,
        )
        assert answer.status_code == 200, answer.text
    assert [c["type"] for c in answer.json()["status"]["conditions"]] == ["Ready", "Audited"]
