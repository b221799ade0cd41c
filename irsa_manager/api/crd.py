"""The two CustomResourceDefinitions, made from the types and their tables of fields."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from irsa_manager.api import irsa_fields, irsasetup_fields, names, status_fields
from irsa_manager.api.irsa import IRSA
from irsa_manager.api.irsasetup import IRSASetup
from irsa_manager.api.structural import Table, structural

_READY: Final = '.status.conditions[?(@.type=="Ready")]'


def definitions() -> list[dict[str, Any]]:
    """Both definitions, as the API server takes them (apiextensions.k8s.io/v1)."""
    return [irsa_definition(), irsasetup_definition()]


def irsa_definition() -> dict[str, Any]:
    """The definition of IRSA."""
    return _definition(
        IRSA,
        plural="irsas",
        short_names=["irsa"],
        table=irsa_fields.TABLE | status_fields.IRSA,
        columns=[
            _column("Ready", f"{_READY}.status", "Whether everything is as the object asks."),
            _column("Role", ".spec.iamRole.name", "The IAM role."),
            _column("Age", ".metadata.creationTimestamp", "Since when the object exists.", kind="date"),
            _column("Reason", f"{_READY}.reason", "Why; irsa-manager help REASON explains it.", wide=True),
            _column("ServiceAccount", ".spec.serviceAccount.name", "The ServiceAccount's name.", wide=True),
            _column("Bound", ".status.serviceAccountCount", "ServiceAccounts bound.", kind="integer", wide=True),
        ],
    )


def irsasetup_definition() -> dict[str, Any]:
    """The definition of IRSASetup."""
    return _definition(
        IRSASetup,
        plural="irsasetups",
        short_names=[],
        table=irsasetup_fields.TABLE | status_fields.IRSASETUP,
        columns=[
            _column("Ready", f"{_READY}.status", "Whether the cluster's issuer is in order."),
            _column("Mode", ".spec.mode", "eks or selfhosted."),
            _column("Issuer", ".status.issuer", "The issuer that roles trust."),
            _column("Age", ".metadata.creationTimestamp", "Since when the object exists.", kind="date"),
            _column("Reason", f"{_READY}.reason", "Why; irsa-manager help REASON explains it.", wide=True),
            _column("IRSAs", ".status.dependents", "IRSAs that depend on it.", kind="integer", wide=True),
        ],
    )


def _definition(
    kind: type[Struct], *, plural: str, short_names: list[str], table: Table, columns: list[dict[str, Any]]
) -> dict[str, Any]:
    spelt: dict[str, Any] = {
        "kind": kind.__name__,
        "listKind": f"{kind.__name__}List",
        "plural": plural,
        "singular": kind.__name__.lower(),
        "categories": ["aws"],
    }
    if short_names:
        spelt["shortNames"] = short_names
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{names.GROUP}"},
        "spec": {
            "group": names.GROUP,
            "names": spelt,
            "scope": "Namespaced",
            "versions": [
                {
                    "name": names.VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": columns,
                    "schema": {"openAPIV3Schema": structural(kind, table)},
                }
            ],
        },
    }


def _column(name: str, path: str, description: str, *, kind: str = "string", wide: bool = False) -> dict[str, Any]:
    column: dict[str, Any] = {"name": name, "type": kind, "jsonPath": path, "description": description}
    return column | {"priority": 1} if wide else column
