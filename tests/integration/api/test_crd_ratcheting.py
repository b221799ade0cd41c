"""Objects that were stored under upstream's schema: they can be read, edited, released, and get no worse.

The definitions carry another group here, so that the ones in use stay as they are.
"""

from __future__ import annotations

import copy
import secrets
from collections.abc import Callable, Iterator
from typing import NamedTuple

import httpx2
import pytest
from api_objects import Object, collection, complaints, renamed, until

from irsa_manager.api import crd, names

UPSTREAM_SPECS: dict[str, Object] = {
    "IRSA": {
        "type": "object",
        "required": ["cleanup"],
        "properties": {
            "cleanup": {"type": "boolean"},
            "serviceAccount": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "namespaces": {"type": "array", "items": {"type": "string"}},
                },
            },
            "iamRole": {"type": "object", "properties": {"name": {"type": "string"}}},
            "iamPolicies": {"type": "array", "items": {"type": "string"}},
        },
    },
    "IRSASetup": {
        "type": "object",
        "required": ["cleanup"],
        "properties": {
            "cleanup": {"type": "boolean"},
            "mode": {"type": "string", "enum": ["selfhosted", "eks"]},
            "iamOIDCProvider": {"type": "string"},
            "discovery": {
                "type": "object",
                "properties": {
                    "s3": {
                        "type": "object",
                        "required": ["region", "bucketName"],
                        "properties": {"region": {"type": "string"}, "bucketName": {"type": "string"}},
                    }
                },
            },
        },
    },
}
"""What upstream's definitions (release of 2024-09) say of the fields, without descriptions."""


class Old(NamedTuple):
    """An object of upstream's. spec: None for none. wrong: changes that are refused, with a part of the reason."""

    kind: str
    spec: Object | None
    wrong: dict[str, Object]


OLD = {
    "duplicates": Old(
        "IRSA",
        {
            "cleanup": True,
            "serviceAccount": {"name": "sa", "namespaces": ["a", "a"]},
            "iamRole": {"name": "role"},
            "iamPolicies": ["P", "P"],
        },
        {
            "a is listed twice": {"serviceAccount": {"namespaces": ["a", "a", "b"]}},
            "P is listed twice": {"iamPolicies": ["P", "P", "Q"]},
        },
    ),
    "bare": Old("IRSA", {"cleanup": True}, {"no namespace": {"serviceAccount": {"name": "sa"}}}),
    "half": Old(
        "IRSA",
        {"cleanup": True, "serviceAccount": {"namespaces": ["a"]}, "iamRole": {}},
        {"not a namespace": {"serviceAccount": {"namespaces": ["a_b"]}}, "not a role name": {"iamRole": {"name": "/"}}},
    ),
    "specless": Old("IRSA", None, {"Required value": {"suspend": True}}),
    "odd": Old(
        "IRSA",
        {
            "cleanup": True,
            "serviceAccount": {"name": "Web_SA", "namespaces": ["Team_A"]},
            "iamRole": {"name": "team/role"},
            "iamPolicies": [f"P{n}" for n in range(30)],
        },
        {"not a role name": {"iamRole": {"name": "team/other"}}, "Too many": {"iamPolicies": ["P"] * 31}},
    ),
    "confused": Old(
        "IRSASetup",
        {"cleanup": False, "iamOIDCProvider": "oidc.example.com"},
        {"mode can't be changed": {"mode": "eks"}, "not an OIDC provider": {"iamOIDCProvider": "http://x"}},
    ),
    "eks": Old(
        "IRSASetup",
        {
            "cleanup": False,
            "mode": "eks",
            "iamOIDCProvider": "http://oidc.example.com",
            "discovery": {"s3": {"region": "", "bucketName": ""}},
        },
        {"mode can't be changed": {"mode": "selfhosted"}, "not an OIDC provider": {"iamOIDCProvider": "http://y"}},
    ),
}

CONDITION = {
    "type": "Ready",
    "status": "True",
    "reason": "IRSAReady",
    "message": "successfully setup resources",
    "lastTransitionTime": "2024-09-20T10:00:00Z",
}
STATUS = {"conditions": [CONDITION], "serviceAccounts": [{"name": "sa", "namespace": "a"}]}
PATCH = {"Content-Type": "application/merge-patch+json"}
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def permissive(definition: Object) -> Object:
    copied = copy.deepcopy(definition)
    schema = copied["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema.pop("x-kubernetes-validations", None)
    schema["properties"]["spec"] = UPSTREAM_SPECS[copied["spec"]["names"]["kind"]]
    schema["properties"]["status"] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return copied


def answers(status: int) -> Callable[[httpx2.Response], bool]:
    return lambda answer: answer.status_code == status


@pytest.fixture(scope="module")
def group(api: httpx2.Client) -> Iterator[str]:
    """A group of its own with one object of each of OLD, stored under upstream's schema, now under ours."""
    group = f"g{secrets.token_hex(4)}.irsa-manager.test"
    ours = [renamed(definition, group) for definition in crd.definitions()]
    for definition in ours:
        api.post(DEFINITIONS, json=permissive(definition)).raise_for_status()
        until(
            lambda kind=definition["spec"]["names"]["kind"]: api.get(collection(kind, "default", group)), answers(200)
        )
    for name, old in OLD.items():
        path = collection(old.kind, "default", group)
        body: Object = {"apiVersion": f"{group}/{names.VERSION}", "kind": old.kind}
        body["metadata"] = {"name": name, "finalizers": [names.FINALIZER]}
        if old.spec is not None:
            body["spec"] = old.spec
        created = until(lambda path=path, body=body: api.post(path, json=body), answers(201)).json()
        api.put(f"{path}/{name}/status", json={**created, "status": STATUS}).raise_for_status()
    for definition in ours:
        path = f"{DEFINITIONS}/{definition['metadata']['name']}"
        api.patch(path, headers=PATCH, json={"spec": definition["spec"]}).raise_for_status()
        kind = definition["spec"]["names"]["kind"]
        bad = {"apiVersion": f"{group}/{names.VERSION}", "kind": kind, "metadata": {"name": "bad"}}
        at = collection(kind, "default", group)
        until(lambda at=at, bad=bad: api.post(at, params={"dryRun": "All"}, json=bad), answers(422))
    yield group
    for definition in ours:
        api.delete(f"{DEFINITIONS}/{definition['metadata']['name']}").raise_for_status()


@pytest.mark.parametrize("name", OLD)
def test_an_old_object_lives_on(api: httpx2.Client, group: str, name: str) -> None:
    old = OLD[name]
    path = f"{collection(old.kind, 'default', group)}/{name}"

    def patch(change: Object, where: str = "") -> httpx2.Response:
        return api.patch(path + where, headers=PATCH, json=change)

    labelled = patch({"metadata": {"labels": {"team": "a"}}})
    assert labelled.status_code == 200, labelled.text
    assert labelled.json()["status"] == (STATUS if old.kind == "IRSA" else {"conditions": [CONDITION]})
    if old.spec is not None:
        edited = patch({"spec": {"cleanup": not old.spec["cleanup"]}})
        assert edited.status_code == 200, edited.text
    reported = patch({"status": {"conditions": [CONDITION, {**CONDITION, "type": "Stalled"}]}}, "/status")
    assert reported.status_code == 200, reported.text
    for says, change in old.wrong.items():
        found = complaints(patch({"spec": change}))
        assert any(says in message for message in found.values()), found

    assert api.delete(path).status_code == 200
    assert patch({"metadata": {"finalizers": None}}).status_code == 200
    assert api.get(path).status_code == 404


def test_a_new_object_must_be_right(api: httpx2.Client, group: str) -> None:
    for old in OLD.values():
        body: Object = {"apiVersion": f"{group}/{names.VERSION}", "kind": old.kind, "metadata": {"name": "new"}}
        if old.spec is not None:
            body["spec"] = old.spec
        assert complaints(api.post(collection(old.kind, "default", group), params={"dryRun": "All"}, json=body))
