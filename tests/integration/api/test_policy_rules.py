"""managementPolicy of role and ServiceAccounts: its values, and fields that would have no effect beside one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from api_objects import ABSENT, IRSA, complaints, put_at

Attempt = Callable[[str, dict[str, Any]], httpx2.Response]

REFERENCE = put_at(put_at(IRSA, "iamRole.managementPolicy", "Reference"), "iamPolicies", ABSENT)
DOCUMENT = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
IP = {"operator": "IpAddress", "key": "aws:SourceIp", "values": ["192.0.2.0/24"]}

WRITES: dict[str, Any] = {
    "iamPolicies": ["AmazonS3ReadOnlyAccess"],
    "inlinePolicies": {"read": DOCUMENT},
    "iamRole.description": "x",
    "iamRole.maxSessionDurationSeconds": 3600,
    "iamRole.permissionsBoundary": "customer/base",
    "iamRole.tags": {"team": "a"},
    "trust.audiences": ["sts.amazonaws.com"],
    "trust.subjectMatch": "Pattern",
    "trust.additionalProviders": [{"issuer": "oidc.example.com/b"}],
    "trust.conditions": [IP],
}
"""Every field of the spec that says how the role should be."""

NOTHING: dict[str, Any] = {
    "iamPolicies": [],
    "inlinePolicies": {},
    "iamRole.tags": {},
    "iamRole.path": "/team-a/",
    "trust": {},
    "trust.subjectMatch": "Exact",
    "trust.additionalProviders": [],
    "serviceAccount.token": {"audience": "sts.amazonaws.com"},
    "serviceAccount.labels": {"team": "a"},
}


@pytest.mark.parametrize("policy", ["Create", "Adopt", "Reference"])
def test_policies_of_a_role(attempt: Attempt, policy: str) -> None:
    answer = attempt("IRSA", put_at(REFERENCE, "iamRole.managementPolicy", policy))
    assert answer.status_code == 201, answer.text
    assert answer.json()["spec"]["iamRole"]["managementPolicy"] == policy


@pytest.mark.parametrize("policy", ["Create", "Annotate", "None"])
def test_policies_of_service_accounts(attempt: Attempt, policy: str) -> None:
    answer = attempt("IRSA", put_at(IRSA, "serviceAccount.managementPolicy", policy))
    assert answer.status_code == 201, answer.text
    assert answer.json()["spec"]["serviceAccount"]["managementPolicy"] == policy


@pytest.mark.parametrize("field", ["iamRole.managementPolicy", "serviceAccount.managementPolicy"])
def test_there_is_no_other_policy(attempt: Attempt, field: str) -> None:
    found = complaints(attempt("IRSA", put_at(IRSA, field, "Delete")))
    assert list(found) == [f"spec.{field}"]
    assert "Unsupported value" in found[f"spec.{field}"]


@pytest.mark.parametrize("field", WRITES)
def test_reference_never_writes_the_role(attempt: Attempt, field: str) -> None:
    assert attempt("IRSA", put_at(IRSA, field, WRITES[field])).status_code == 201
    found = complaints(attempt("IRSA", put_at(REFERENCE, field, WRITES[field])))
    assert list(found) == ["spec.iamRole.managementPolicy"]
    assert f"{field} would have no effect" in found["spec.iamRole.managementPolicy"]
    assert "choose Create or Adopt" in found["spec.iamRole.managementPolicy"]


@pytest.mark.parametrize("field", NOTHING)
def test_what_goes_with_reference(attempt: Attempt, field: str) -> None:
    answer = attempt("IRSA", put_at(REFERENCE, field, NOTHING[field]))
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("labels", {"team": "a"}),
        ("annotations", {"example.com/note": "x"}),
        ("stsRegionalEndpoints", False),
        ("token.expirationSeconds", 3600),
    ],
)
def test_none_writes_no_service_account(attempt: Attempt, field: str, value: Any) -> None:
    spec = put_at(IRSA, f"serviceAccount.{field}", value)
    for policy in ("Create", "Annotate"):
        assert attempt("IRSA", put_at(spec, "serviceAccount.managementPolicy", policy)).status_code == 201
    found = complaints(attempt("IRSA", put_at(spec, "serviceAccount.managementPolicy", "None")))
    assert list(found) == ["spec.serviceAccount"]
    assert f"{field} would have no effect" in found["spec.serviceAccount"]


def test_none_still_trusts_an_audience(attempt: Attempt) -> None:
    spec = put_at(IRSA, "serviceAccount.managementPolicy", "None")
    answer = attempt("IRSA", put_at(spec, "serviceAccount.token.audience", "sts.amazonaws.com"))
    assert answer.status_code == 201, answer.text
