"""What kubectl shows: the printed columns, the explain pages, the short name and the category."""

from __future__ import annotations

from typing import Any

import httpx2
from api_objects import Object, collection, manifest, until

from irsa_manager.api import names

NOW = "2026-11-24T18:00:00Z"
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}


def table(api: httpx2.Client, kind: str, namespace: str, *, wide: bool) -> tuple[list[str], list[Any]]:
    """Headers and first row, as `kubectl get` (-o wide) prints them."""
    # Right after its definition was stored a kind can't always be listed.
    answer = until(lambda: api.get(collection(kind, namespace), headers=TABLE), lambda answer: answer.is_success)
    body = answer.json()
    shown = [n for n, column in enumerate(body["columnDefinitions"]) if wide or column["priority"] == 0]
    row = body["rows"][0]["cells"]
    return [body["columnDefinitions"][n]["name"].upper() for n in shown], [row[n] for n in shown]


def store(api: httpx2.Client, kind: str, namespace: str, status: Object) -> None:
    path = collection(kind, namespace)
    created = api.post(path, json=manifest(kind, namespace))
    created.raise_for_status()
    condition = {"type": "Ready", "status": "False", "message": "m", "lastTransitionTime": NOW, **status.pop("ready")}
    others = [{**condition, "type": "RoleReady", "status": "True", "reason": "Other"}]
    status["conditions"] = [*others, condition]
    api.put(f"{path}/sample/status", json={**created.json(), "status": status}).raise_for_status()


def test_irsa_columns(api: httpx2.Client, crds: None, namespace: str) -> None:
    bound = [{"namespace": "default", "name": name} for name in ("a", "b")]
    store(
        api,
        "IRSA",
        namespace,
        {"ready": {"reason": "RoleExists"}, "serviceAccounts": bound, "serviceAccountCount": 2},
    )
    headers, row = table(api, "IRSA", namespace, wide=False)
    assert headers == ["NAME", "READY", "ROLE", "AGE"]
    assert row[:3] == ["sample", "False", "irsa1-role"]
    headers, row = table(api, "IRSA", namespace, wide=True)
    assert headers == ["NAME", "READY", "ROLE", "AGE", "REASON", "SERVICEACCOUNT", "BOUND"]
    assert row[4:] == ["RoleExists", "irsa1-sa", 2]


def test_irsasetup_columns(api: httpx2.Client, crds: None, namespace: str) -> None:
    issuer = "https://oidc.eks.us-east-1.amazonaws.com/id/EXAMPLE"
    store(
        api,
        "IRSASetup",
        namespace,
        {"ready": {"reason": "EksOIDCSetupReady", "status": "True"}, "issuer": issuer, "dependents": 41},
    )
    headers, row = table(api, "IRSASetup", namespace, wide=False)
    assert headers == ["NAME", "READY", "MODE", "ISSUER", "AGE"]
    assert row[:4] == ["sample", "True", "eks", issuer]
    headers, row = table(api, "IRSASetup", namespace, wide=True)
    assert headers == ["NAME", "READY", "MODE", "ISSUER", "AGE", "REASON", "IRSAS"]
    assert row[5:] == ["EksOIDCSetupReady", 41]


def test_short_name_and_category(api: httpx2.Client, crds: None) -> None:
    answer = api.get(f"/apis/{names.API_VERSION}")
    kinds = {resource["name"]: resource for resource in answer.json()["resources"]}
    assert kinds["irsas"]["shortNames"] == ["irsa"]
    assert kinds["irsas"]["categories"] == kinds["irsasetups"]["categories"] == ["aws"]
    assert {"irsas/status", "irsasetups/status"} <= set(kinds)


def test_explain_pages(api: httpx2.Client, crds: None) -> None:
    """`kubectl explain` reads this document: each field of a spec says what it does, and in more than a word."""
    published = until(
        lambda: api.get(f"/openapi/v3/apis/{names.API_VERSION}"),
        lambda answer: all(f'.{kind}"' in answer.text for kind in ("IRSA", "IRSASetup")),
    )
    schemas = published.json()["components"]["schemas"]
    pages: dict[str, str] = {}

    def collect(schema: Object, path: str) -> None:
        for name, child in schema.get("properties", {}).items():
            pages[f"{path}.{name}"] = child.get("description", "")
            collect(child, f"{path}.{name}")
        for nested in (schema.get("items"), schema.get("additionalProperties")):
            if isinstance(nested, dict):
                collect(nested, path)

    for name, schema in schemas.items():
        if name.endswith((".IRSA", ".IRSASetup")):
            collect(schema["properties"]["spec"], name.rsplit(".", 1)[1])
    assert len(pages) > 40
    assert [path for path, text in pages.items() if len(text) < 20] == []
    assert "Default false" in pages["IRSA.suspend"]
    assert "Example: irsa1-role" in pages["IRSA.iamRole.name"]
    assert "deletes the old one" in pages["IRSA.iamRole.name"]
    assert "Can't be changed" in pages["IRSASetup.mode"]
