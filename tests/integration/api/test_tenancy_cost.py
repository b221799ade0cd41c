"""The admission check stays within what the API server grants a policy, with the longest lists that both kinds allow.

Its failurePolicy is Fail here: an expression that costs too much refuses, and says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from api_objects import Object
from api_tenancy import Tenants, refusal, tenants

from irsa_manager.api import tenancy_cel, tenancy_policy
from irsa_manager.api.tenancy_fields import ALLOWANCES, MAX_PATH_PATTERN, MAX_PATTERNS, MAX_POLICY_PATTERN, MAX_RULES

MESSAGE_BYTES = 5120
"""Of a messageExpression's value (Kubernetes documentation, "Validating Admission Policy")."""


@pytest.fixture(scope="module")
def cluster(api: httpx2.Client, crds: None) -> Iterator[tuple[Tenants, str]]:
    """The policy, and a namespace with as many labels as a selector can name."""
    with tenants(api, failure_policy="Fail") as found:
        name = found.namespace("big", **{label(n): "v" for n in range(32)})
        yield found, name
        api.delete(f"/api/v1/namespaces/{name}").raise_for_status()


def label(number: int) -> str:
    return f"{'p' * 20}.example/{'n' * 20}{number:03}"


def selector(**last: Any) -> Object:
    """A selector of as many parts as it may have; it selects the fixture's namespace, unless `last` says otherwise.

    Its keys and values are shorter than they may be: 128 such selectors wouldn't fit into etcd.
    """
    labels = {label(n): "v" for n in range(16)}
    values = [f"{n:02}" for n in range(31)] + ["v"]
    expressions = [{"key": label(n), "operator": "In", "values": values} for n in range(16, 31)]
    return {"matchLabels": labels, "matchExpressions": [*expressions, {"key": label(31), "operator": "Exists"} | last]}


def patterns(size: int, fits: str, filler: str = ".") -> list[str]:
    """As many as a rule may have, as long as they may be, of the most costly characters; the last one fits."""
    return [f"{n:02}" + filler * (size - 2) for n in range(MAX_PATTERNS - 1)] + [fits.ljust(size, "*")]


def longest_rule(name: str) -> Object:
    """The longest rule, its first 126 neighbours aside; everything that longest_object asks for is allowed."""
    return {
        "name": name,
        "namespaceSelector": selector(),
        "targetNamespaces": patterns(63, "t", "?"),
        "roleNames": patterns(64, "r"),
        "rolePaths": [f"/{p}/" for p in patterns(MAX_PATH_PATTERN - 2, "p")],
        "policies": patterns(MAX_POLICY_PATTERN, "customer/"),
        "inlinePolicies": "Allow",
        "managementPolicies": ["Create", "Adopt", "Reference"],
        "allow": list(ALLOWANCES),
        "permissionsBoundary": "customer/" + "b" * 119,
    }


def longest_object(namespaces: int) -> Object:
    """An object with everything, each name as long as it may be."""
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    return {
        "cleanup": True,
        "serviceAccount": {
            "name": "s" * 253,
            "namespaces": [f"t{n:03}" + "n" * 59 for n in range(namespaces)],
            "additionalNames": [f"{n}" + "s" * 250 for n in range(10)],
            "namespaceSelector": selector(),
        },
        "iamRole": {
            "name": "r" * 64,
            "path": "/" + "p" * 510 + "/",
            "permissionsBoundary": "customer/" + "b" * 119,
            "tags": {f"{n:02}" + "k" * 126: "v" * 256 for n in range(45)},
        },
        "iamPolicies": [f"customer/{n:02}".ljust(tenancy_cel.LONGEST_POLICY, "p") for n in range(25)],
        "inlinePolicies": {f"{n}" * 128: document for n in range(1, 10)},
        "trust": {
            "audiences": [f"{n}" * 255 for n in range(5)],
            "additionalProviders": [
                {
                    "issuer": f"{n}.example/" + "i" * 200,
                    "namespaces": [f"{m:03}" + "n" * 60 for m in range(100)],
                    "serviceAccountNames": [f"{m:02}" + "s" * 250 for m in range(11)],
                }
                for n in range(10)
            ],
            "conditions": [
                {
                    "operator": "StringNotEquals",
                    "key": f"{n}.example/{'k' * 200}:email",
                    "values": [f"{m:02}" + "v" * 500 for m in range(50)],
                }
                for n in range(10)
            ],
        },
    }


def rules(last: Object) -> list[Object]:
    """As many rules as there may be beside the fixture's own; only the last one selects the namespace."""
    never = selector(key="never/there", operator="Exists")
    others = [{"name": f"r{n}", "namespaceSelector": never} for n in range(MAX_RULES - 2)]
    return [*others, last]


@pytest.mark.parametrize("namespaces", [tenancy_policy.MOST_NAMESPACES, 300])
def test_the_longest_object_under_the_longest_rule(cluster: tuple[Tenants, str], namespaces: int) -> None:
    here, name = cluster
    here.allow(*rules(longest_rule("big")))
    answer = here.attempt(name, longest_object(namespaces))
    assert answer.status_code == 201, answer.text


FITS = {"roleNames": "role name", "rolePaths": "role path", "policies": "policy", "targetNamespaces": "ServiceAccounts"}


@pytest.mark.parametrize("field", FITS)
def test_its_refusals_are_said_in_full(cluster: tuple[Tenants, str], field: str) -> None:
    """The message is worked out as well, and is no longer than it may be."""
    here, name = cluster
    rule = longest_rule("big")
    here.allow(*rules({**rule, field: rule[field][:-1]}))
    message = refusal(here.attempt(name, longest_object(tenancy_policy.MOST_NAMESPACES)))
    assert message.startswith(f"Rule big doesn't allow {FITS[field]} "), message
    assert f"Nothing was changed. Ask who owns IRSASetup {here.operator}/main to add to rule big: {field}: " in message
    assert len(message.encode()) <= MESSAGE_BYTES


def test_nothing_open_is_said_in_full(cluster: tuple[Tenants, str]) -> None:
    here, name = cluster
    here.allow(*rules({"name": "last", "namespaceSelector": selector(key="never/there", operator="Exists")}))
    message = refusal(here.attempt(name, longest_object(300)))
    assert message.startswith(f"No rule selects namespace {name}, and tenancy.default is Deny.")
    assert len(message.encode()) <= MESSAGE_BYTES
