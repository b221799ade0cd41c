"""Objects of ours for tests on the real API server, and how to read what it says of them."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import Any

import httpx2

from irsa_manager.api import names

Object = dict[str, Any]

IRSA: Object = {
    "cleanup": True,
    "serviceAccount": {"name": "irsa1-sa", "namespaces": ["kube-system", "default"]},
    "iamRole": {"name": "irsa1-role"},
    "iamPolicies": ["AmazonS3FullAccess"],
}
SETUP: Object = {"cleanup": False, "mode": "eks", "iamOIDCProvider": "oidc.eks.us-east-1.amazonaws.com/id/EXAMPLE"}
SPECS = {"IRSA": IRSA, "IRSASetup": SETUP}
ABSENT: Any = object()


def manifest(kind: str, namespace: str, name: str = "sample", spec: Object | None = None) -> Object:
    """An object of that kind; without a spec the smallest sensible one."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": copy.deepcopy(SPECS[kind] if spec is None else spec),
    }


def put_at(spec: Object, path: str, value: Any) -> Object:
    """A copy of the spec with that value at a.b.c; ABSENT takes the field away; the empty path is the spec itself."""
    changed = copy.deepcopy(spec)
    *parents, last = path.split(".")
    node = changed
    for parent in parents:
        node = node.setdefault(parent, {})
    if value is ABSENT:
        node.pop(last, None)
    else:
        node[last] = value
    return changed


def collection(kind: str, namespace: str, group: str = names.GROUP) -> str:
    """The path of all objects of a kind in a namespace."""
    return f"/apis/{group}/{names.VERSION}/namespaces/{namespace}/{kind.lower()}s"


def complaints(answer: httpx2.Response) -> dict[str, str]:
    """What the API server found wrong: messages by field."""
    assert answer.status_code == 422, f"{answer.status_code}: {answer.text}"
    found: dict[str, str] = {}
    for cause in answer.json()["details"]["causes"]:
        field = cause["field"]
        if "some validation rules were not checked" in cause["message"]:
            continue
        found[field] = f"{found[field]}; {cause['message']}" if field in found else cause["message"]
    return found


def until(ask: Callable[[], httpx2.Response], holds: Callable[[httpx2.Response], bool]) -> httpx2.Response:
    """Ask until it holds: the API server takes a changed definition up by itself, soon after it was stored."""
    deadline = time.monotonic() + 60
    while not holds(answer := ask()):
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.02)
    return answer


def renamed(definition: Object, group: str) -> Object:
    """The definition under another group, so that the ones in use stay as they are."""
    copied = copy.deepcopy(definition)
    copied["spec"]["group"] = group
    copied["spec"]["names"].pop("shortNames", None)
    copied["metadata"]["name"] = f"{copied['spec']['names']['plural']}.{group}"
    return copied
