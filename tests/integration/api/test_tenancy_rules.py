"""IRSASetup.spec.tenancy: what the definition accepts, refuses, and fills in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import httpx2
import pytest
from api_objects import ABSENT, SETUP, complaints, put_at

Attempt = Callable[[str, dict[str, Any]], httpx2.Response]
RULE = {"name": "team-a", "namespaceSelector": {"matchLabels": {"team": "a"}}}


class Case(NamedTuple):
    """right: accepted as that field of a rule. wrong: refused, at `field` of it, with a message that says `says`."""

    path: str
    right: Any
    wrong: Any
    field: str
    says: str


def lists(path: str, example: str, longest: str, mistake: str, says: str) -> dict[str, Case]:
    """What each list of patterns keeps: its length, each item's length and characters, no item twice."""
    count = [example.replace("team-a", f"t{n}") for n in range(33)]
    return {
        f"{path} characters": Case(path, [example], [mistake], f"{path}[0]", says),
        f"{path} length": Case(path, [longest], [longest[:-1] + "x" + longest[-1]], f"{path}[0]", "Too long"),
        f"{path} count": Case(path, count[:32], count, path, "Too many"),
        f"{path} twice": Case(path, [example], [example, example], f"{path}[1]", "Duplicate"),
    }


CASES = {
    "name": Case("name", "a", ABSENT, "name", "Required value"),
    "name characters": Case("name", "a-1", "Team A", "name", "not a name for a rule"),
    "name length": Case("name", "a" * 63, "a" * 64, "name", "Too long"),
    "selector": Case("namespaceSelector", {}, ABSENT, "namespaceSelector", "Required value"),
    "selector key": Case(
        "namespaceSelector",
        {"matchLabels": {"kubernetes.io/metadata.name": "a"}},
        {"matchLabels": {"-": "a"}},
        "namespaceSelector.matchLabels",
        "a key isn't one",
    ),
    "selector values": Case(
        "namespaceSelector",
        {"matchExpressions": [{"key": "team", "operator": "In", "values": ["a", "b"]}]},
        {"matchExpressions": [{"key": "team", "operator": "In"}]},
        "namespaceSelector.matchExpressions[0]",
        "In and NotIn compare with values",
    ),
    **lists("targetNamespaces", "team-a-*", "a" * 63, "team_a", "not a namespace that a rule can open"),
    "kube-system": Case(
        "targetNamespaces", ["k*"], ["kube-system"], "targetNamespaces[0]", "reached from the operator's namespace"
    ),
    **lists("roleNames", "TEAM_team-a-*", "a" * 64, "/team/a", "not a role name or pattern"),
    **lists("rolePaths", "/team-a/", "/" + "a" * 254 + "/", "/team-a", "no role's path matches this"),
    "path without a beginning": Case("rolePaths", ["*/a/"], ["a/"], "rolePaths[0]", "no role's path matches this"),
    "the root": Case("rolePaths", ["/", "*", "/team-?*"], [""], "rolePaths[0]", "at least 1"),
    **lists("policies", "customer/team-a-*", "a" * 128, "a b", "not a policy or pattern"),
    "policies by ARN": Case(
        "policies",
        ["arn:aws:iam::111122223333:policy/team-a/*", "service-role/*"],
        ["[ab]*"],
        "policies[0]",
        "not a policy or pattern",
    ),
    "inline": Case("inlinePolicies", "Allow", "Some", "inlinePolicies", "Unsupported value"),
    "management policies": Case(
        "managementPolicies",
        ["Create", "Adopt", "Reference"],
        ["Delete"],
        "managementPolicies[0]",
        "Unsupported value",
    ),
    "no management policy": Case("managementPolicies", ["Reference"], [], "managementPolicies", "at least 1"),
    "allow": Case(
        "allow",
        ["AdditionalProviders", "Audiences", "TrustConditions", "SubjectPattern", "NamespaceGlobs", "Tags"],
        ["RestartOnChange"],
        "allow[0]",
        "Unsupported value",
    ),
    "boundary": Case(
        "permissionsBoundary", "customer/team-a-boundary", "customer/*", "permissionsBoundary", "not a policy"
    ),
    "no boundary": Case("permissionsBoundary", "", " ", "permissionsBoundary", "not a policy"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_rule(attempt: Attempt, case: Case) -> None:
    accepted = attempt("IRSASetup", put_at(SETUP, "tenancy.rules", [put_at(RULE, case.path, case.right)]))
    assert accepted.status_code == 201, accepted.text
    found = complaints(attempt("IRSASetup", put_at(SETUP, "tenancy.rules", [put_at(RULE, case.path, case.wrong)])))
    assert list(found) == [f"spec.tenancy.rules[0].{case.field}"], found
    assert case.says in next(iter(found.values()))


@pytest.mark.parametrize("default", ["Deny", "OwnNamespace", "Unrestricted"])
def test_defaults_of_a_tenancy(attempt: Attempt, default: str) -> None:
    answer = attempt("IRSASetup", put_at(SETUP, "tenancy.default", default))
    assert answer.status_code == 201, answer.text


def test_another_default_is_refused(attempt: Attempt) -> None:
    found = complaints(attempt("IRSASetup", put_at(SETUP, "tenancy.default", "Allow")))
    assert list(found) == ["spec.tenancy.default"]


def test_closed_where_nothing_is_said(attempt: Attempt) -> None:
    stored = attempt("IRSASetup", put_at(SETUP, "tenancy.rules", [RULE])).json()["spec"]["tenancy"]
    assert stored == {
        "default": "Deny",
        "rules": [{**RULE, "inlinePolicies": "Deny", "managementPolicies": ["Create"]}],
    }


def test_names_are_unique(attempt: Attempt) -> None:
    found = complaints(attempt("IRSASetup", put_at(SETUP, "tenancy.rules", [RULE, RULE])))
    assert list(found) == ["spec.tenancy.rules[1]"]
    assert "Duplicate" in found["spec.tenancy.rules[1]"]


def test_number_of_rules(attempt: Attempt) -> None:
    rules = [{**RULE, "name": f"r{n}"} for n in range(129)]
    assert attempt("IRSASetup", put_at(SETUP, "tenancy.rules", rules[:128])).status_code == 201
    found = complaints(attempt("IRSASetup", put_at(SETUP, "tenancy.rules", rules)))
    assert "Too many" in found["spec.tenancy.rules"]
