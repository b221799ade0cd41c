"""Each rule of an IRSA: something that keeps it is accepted, something that breaks it is told why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import httpx2
import pytest
from api_objects import ABSENT, IRSA, complaints, put_at

from irsa_manager.api import names

Attempt = Callable[[str, dict[str, Any]], httpx2.Response]
DOCUMENT = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
IP = {"operator": "IpAddress", "key": "aws:SourceIp", "values": ["192.0.2.0/24"]}
OTHER = {"issuer": "oidc.example.com/b", "serviceAccountNames": ["web"], "namespaces": ["default"]}


def condition(**changes: Any) -> list[dict[str, Any]]:
    return [{**IP, **changes}]


class Case(NamedTuple):
    """right: accepted at path. wrong: refused there, at `field` (below spec.), with a message that says `says`."""

    path: str
    right: Any
    wrong: Any
    field: str
    says: str


CASES = {
    "cleanup": Case("cleanup", False, ABSENT, "cleanup", "Required value"),
    "service account": Case("serviceAccount", IRSA["serviceAccount"], ABSENT, "", "serviceAccount is missing"),
    "service account name": Case(
        "serviceAccount.name", "web.v2", ABSENT, "serviceAccount", "serviceAccount.name is missing"
    ),
    "service account empty name": Case(
        "serviceAccount.name", "web", "", "serviceAccount", "serviceAccount.name is missing"
    ),
    "service account case": Case(
        "serviceAccount.name", "irsa1-sa", "Irsa1-sa", "serviceAccount.name", "not a ServiceAccount name"
    ),
    "service account length": Case("serviceAccount.name", "a" * 253, "a" * 254, "serviceAccount.name", "Too long"),
    "additional names": Case(
        "serviceAccount.additionalNames", ["b", "c"], ["b", "b"], "serviceAccount.additionalNames[1]", "Duplicate"
    ),
    "additional names count": Case(
        "serviceAccount.additionalNames",
        [f"n{n}" for n in range(10)],
        [f"n{n}" for n in range(11)],
        "serviceAccount.additionalNames",
        "Too many",
    ),
    "additional name": Case(
        "serviceAccount.additionalNames", ["b"], ["b_"], "serviceAccount.additionalNames[0]", "not a ServiceAcc"
    ),
    "namespaces": Case("serviceAccount.namespaces", ["default"], ABSENT, "serviceAccount", "no namespace"),
    "namespaces empty": Case("serviceAccount.namespaces", ["default"], [], "serviceAccount", "no namespace"),
    "namespaces twice": Case(
        "serviceAccount.namespaces", ["a", "b"], ["b", "a", "c", "a"], "serviceAccount.namespaces", "a is listed twice"
    ),
    "namespace name": Case(
        "serviceAccount.namespaces", ["team-*", "k?*"], ["team_a"], "serviceAccount.namespaces[0]", "not a namespace"
    ),
    "namespace length": Case(
        "serviceAccount.namespaces", ["a" * 63], ["a" * 64], "serviceAccount.namespaces[0]", "Too long"
    ),
    "namespaces count": Case(
        "serviceAccount.namespaces",
        [f"n{n}" for n in range(300)],
        [f"n{n}" for n in range(301)],
        "serviceAccount.namespaces",
        "Too many",
    ),
    "selector": Case(
        "serviceAccount.namespaceSelector",
        {"matchLabels": {"team": "a"}},
        {},
        "serviceAccount.namespaceSelector",
        "an empty namespaceSelector",
    ),
    "selector of empty parts": Case(
        "serviceAccount.namespaceSelector",
        {"matchExpressions": [{"key": "team", "operator": "Exists"}]},
        {"matchLabels": {}, "matchExpressions": []},
        "serviceAccount.namespaceSelector",
        "an empty namespaceSelector",
    ),
    "selector operator": Case(
        "serviceAccount.namespaceSelector",
        {"matchExpressions": [{"key": "team", "operator": "In", "values": ["a"]}]},
        {"matchExpressions": [{"key": "team", "operator": "Has", "values": ["a"]}]},
        "serviceAccount.namespaceSelector.matchExpressions[0].operator",
        "Unsupported value",
    ),
    "selector values": Case(
        "serviceAccount.namespaceSelector",
        {"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]},
        {"matchExpressions": [{"key": "team", "operator": "In"}]},
        "serviceAccount.namespaceSelector.matchExpressions[0]",
        "In and NotIn compare with values",
    ),
    "selector label value": Case(
        "serviceAccount.namespaceSelector",
        {"matchLabels": {"team": ""}},
        {"matchLabels": {"team": "a b"}},
        "serviceAccount.namespaceSelector.matchLabels[team]",
        "not a label's value",
    ),
    "selector label key": Case(
        "serviceAccount.namespaceSelector",
        {"matchLabels": {"example.com/Team": "a"}},
        {"matchLabels": {"Example.com/team": "a"}},
        "serviceAccount.namespaceSelector.matchLabels",
        "a key isn't one that Kubernetes takes for labels",
    ),
    "selector expression key": Case(
        "serviceAccount.namespaceSelector",
        {"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "Exists"}]},
        {"matchExpressions": [{"key": "team!", "operator": "Exists"}]},
        "serviceAccount.namespaceSelector.matchExpressions[0].key",
        "not a label's key",
    ),
    "audience among the trusted": Case(
        "trust", {"audiences": ["x", "sts.amazonaws.com"]}, {"audiences": ["x"]}, "", "isn't among trust.audiences"
    ),
    "audience length": Case(
        "serviceAccount.token.audience", "a" * 255, "a" * 256, "serviceAccount.token.audience", "Too long"
    ),
    "token lifetime": Case(
        "serviceAccount.token.expirationSeconds", 600, 599, "serviceAccount.token.expirationSeconds", "600"
    ),
    "token lifetime at most": Case(
        "serviceAccount.token.expirationSeconds", 86400, 86401, "serviceAccount.token.expirationSeconds", "86400"
    ),
    "labels": Case(
        "serviceAccount.labels",
        {"app.kubernetes.io/part-of": "shop"},
        {f"{names.OWN_PREFIX}created": "true"},
        "serviceAccount.labels",
        "bind a ServiceAccount",
    ),
    "label key": Case(
        "serviceAccount.labels", {"a_b": "x"}, {"-a": "x"}, "serviceAccount.labels", "takes for labels"
    ),
    "label value": Case(
        "serviceAccount.labels", {"a": "x_y"}, {"a": "x y"}, "serviceAccount.labels[a]", "not a label's value"
    ),
    "annotations": Case(
        "serviceAccount.annotations",
        {"example.com/note": "free text, ü"},
        {"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/admin"},
        "serviceAccount.annotations",
        "bind a ServiceAccount",
    ),
    "role": Case("iamRole", IRSA["iamRole"], ABSENT, "", "iamRole is missing"),
    "role name": Case("iamRole.name", "a=b,c.d@e-f_+", ABSENT, "iamRole", "iamRole.name is missing"),
    "role name characters": Case("iamRole.name", "r", "team/r", "iamRole.name", "not a role name"),
    "role name length": Case("iamRole.name", "r" * 64, "r" * 65, "iamRole.name", "Too long"),
    "path": Case("iamRole.path", "/", "/team-a", "iamRole.path", "not an IAM path"),
    "path double slash": Case("iamRole.path", "/a/b/", "/a//b/", "iamRole.path", "not an IAM path"),
    "description": Case("iamRole.description", "für\tS3", "📦", "iamRole.description", "Latin-1"),
    "description length": Case("iamRole.description", "ü" * 1000, "ü" * 1001, "iamRole.description", "Too long"),
    "session": Case(
        "iamRole.maxSessionDurationSeconds", 3600, 3599, "iamRole.maxSessionDurationSeconds", "3600"
    ),
    "session at most": Case(
        "iamRole.maxSessionDurationSeconds", 43200, 43201, "iamRole.maxSessionDurationSeconds", "43200"
    ),
    "boundary": Case(
        "iamRole.permissionsBoundary", "customer/base", "arn:aws:iam::1:policy/x", "iamRole.permissionsBoundary",
        "not a policy",
    ),
    "tags of AWS": Case(
        "iamRole.tags", {"awsome": "1"}, {"AWS:x": "1"}, "iamRole.tags", "keys beginning with aws: are AWS's own"
    ),
    "tags of ours": Case(
        "iamRole.tags", {"Team": "ä"}, {"IRSA-Manager.kkb0318.github.io/mark": "x"}, "iamRole.tags", "say whose a role"
    ),
    "tag key": Case("iamRole.tags", {"k" * 128: ""}, {"k" * 129: ""}, "iamRole.tags", "a tag's key is wrong"),
    "tag key characters": Case("iamRole.tags", {"a b:/=+-@": ""}, {"a*": ""}, "iamRole.tags", "a tag's key is wrong"),
    "tag keys by case": Case(
        "iamRole.tags", {"team": "a", "tema": "b"}, {"team": "a", "Team": "b"}, "iamRole.tags", "differ only in case"
    ),
    "tag value": Case("iamRole.tags", {"a": "x y"}, {"a": "x,y"}, "iamRole.tags[a]", "a tag's value"),
    "tag value length": Case("iamRole.tags", {"a": "x" * 256}, {"a": "x" * 257}, "iamRole.tags.a", "Too long"),
    "tags count": Case(
        "iamRole.tags",
        {f"k{n}": "" for n in range(45)},
        {f"k{n}": "" for n in range(46)},
        "iamRole.tags",
        "Too many",
    ),
    "policy": Case(
        "iamPolicies",
        [
            "AmazonS3FullAccess",
            "service-role/AmazonEBSCSIDriverPolicy",
            "customer/team-a/reader",
            "arn:aws-cn:iam::aws:policy/AmazonS3FullAccess",
            "arn:aws:iam::111122223333:policy/team/reader",
        ],
        ["arn:aws:iam::111122223333:role/reader"],
        "iamPolicies[0]",
        "not a policy",
    ),
    "policies twice": Case("iamPolicies", ["A", "B"], ["A", "A"], "iamPolicies", "A is listed twice"),
    "policies count": Case(
        "iamPolicies", [f"P{n}" for n in range(25)], [f"P{n}" for n in range(26)], "iamPolicies", "Too many"
    ),
    "inline": Case(
        "inlinePolicies", {"read-bucket": DOCUMENT}, {"read bucket": DOCUMENT}, "inlinePolicies", "a name isn't one"
    ),
    "inline is an object": Case(
        "inlinePolicies", {"a": {}}, {"a": '{"Version": "2012-10-17"}'}, "inlinePolicies.a", "must be of type object"
    ),
    "inline by case": Case(
        "inlinePolicies", {"a": DOCUMENT, "b": DOCUMENT}, {"a": DOCUMENT, "A": DOCUMENT}, "inlinePolicies",
        "differ only in case",
    ),
    "inline of incident response": Case(
        "inlinePolicies", {"Revoke": DOCUMENT}, {"AwsRevokeOlderSessions": DOCUMENT}, "inlinePolicies", "would undo it"
    ),
    "inline count": Case(
        "inlinePolicies",
        {f"p{n}": DOCUMENT for n in range(10)},
        {f"p{n}": DOCUMENT for n in range(11)},
        "inlinePolicies",
        "Too many",
    ),
    "audiences": Case(
        "trust.audiences", ["sts.amazonaws.com"], [], "trust.audiences", "at least 1"
    ),
    "audiences twice": Case(
        "trust.audiences", ["sts.amazonaws.com", "b"], ["b", "sts.amazonaws.com", "b"], "trust.audiences[2]",
        "Duplicate",
    ),
    "subject match": Case("trust.subjectMatch", "Pattern", "pattern", "trust.subjectMatch", "Unsupported value"),
    "other cluster": Case(
        "trust.additionalProviders",
        [{"issuer": "https://oidc.example.com/b"}],
        [{"issuer": "http://oidc.example.com/b"}],
        "trust.additionalProviders[0].issuer",
        "not an issuer",
    ),
    "other cluster's query": Case(
        "trust.additionalProviders",
        [{"issuer": "s3-eu-west-1.amazonaws.com/bucket"}],
        [{"issuer": "oidc.example.com/b?x=1"}],
        "trust.additionalProviders[0].issuer",
        "not an issuer",
    ),
    "other clusters twice": Case(
        "trust.additionalProviders", [OTHER], [OTHER, OTHER], "trust.additionalProviders[1]", "Duplicate"
    ),
    "other clusters by spelling": Case(
        "trust.additionalProviders",
        [OTHER, {**OTHER, "issuer": "https://oidc.example.com/b/"}],
        [OTHER, {**OTHER, "issuer": "https://oidc.example.com/b"}],
        "trust.additionalProviders",
        "with and without https:// is the same",
    ),
    "other cluster's patterns": Case(
        "trust",
        {"subjectMatch": "Pattern", "additionalProviders": [{**OTHER, "namespaces": ["team-*"]}]},
        {"additionalProviders": [{**OTHER, "namespaces": ["team-*"]}]},
        "trust.additionalProviders",
        "can't be listed from here",
    ),
    "condition on sub": Case(
        "trust.conditions", condition(), condition(operator="StringLike", key="oidc.example.com/b:SUB"),
        "trust.conditions[0].key", "keys ending in :sub or :aud are refused",
    ),
    "condition on aud": Case(
        "trust.conditions", condition(), condition(operator="StringEquals", key="oidc.example.com/b:aud"),
        "trust.conditions[0].key", "keys ending in :sub or :aud are refused",
    ),
    "condition key": Case(
        "trust.conditions",
        condition(operator="StringEquals", key="AWS:sourceVpc", values=["vpc-1"]),
        condition(operator="StringEquals", key="aws:PrincipalOrgID", values=["o-1"]),
        "trust.conditions[0].key",
        "STS doesn't set this key",
    ),
    "condition on a tag": Case(
        "trust.conditions",
        condition(operator="StringLike", key="sts:RoleSessionName", values=["web-*"]),
        condition(operator="StringEquals", key="aws:RequestTag/team", values=["a"]),
        "trust.conditions[0].key",
        "STS doesn't set this key",
    ),
    "condition on a foreign claim": Case(
        "trust.conditions",
        condition(operator="StringEquals", key="oidc.example.com/b:email", values=["a@example.com"]),
        condition(operator="StringEquals", key="oidc.example.com/b:kubernetes.io", values=["a"]),
        "trust.conditions[0].key",
        "STS doesn't set this key",
    ),
    "condition on many values": Case(
        "trust.conditions",
        condition(operator="ForAnyValue:StringEquals", key="oidc.example.com/b:amr", values=["mfa"]),
        condition(operator="StringNotEqualsIfExists", key="oidc.example.com/b:amr", values=["mfa"]),
        "trust.conditions[0].operator",
        "have several values",
    ),
    "condition on one value": Case(
        "trust.conditions",
        condition(operator="StringEqualsIfExists", key="aws:SourceVpc", values=["vpc-1"]),
        condition(operator="ForAllValues:StringEquals", key="aws:SourceVpc", values=["vpc-1"]),
        "trust.conditions[0].operator",
        "would let requests without it pass",
    ),
    "condition operator": Case(
        "trust.conditions",
        condition(operator="Null", values=["false"]),
        condition(operator="NullIfExists", values=["false"]),
        "trust.conditions[0].operator",
        "not a condition operator",
    ),
    "condition operator's case": Case(
        "trust.conditions", condition(operator="NotIpAddress"), condition(operator="ipaddress"),
        "trust.conditions[0].operator", "not a condition operator",
    ),
    "conditions twice": Case(
        "trust.conditions", [IP], [IP, IP], "trust.conditions[1]", "Duplicate"
    ),
    "conditions by case": Case(
        "trust.conditions",
        [IP, {**IP, "operator": "NotIpAddress", "key": "aws:sourceip"}],
        [IP, {**IP, "key": "aws:sourceip"}],
        "trust.conditions",
        "differ only in case",
    ),
    "condition without values": Case(
        "trust.conditions", condition(values=["::1/128"]), condition(values=[]), "trust.conditions[0].values",
        "at least 1",
    ),
}  # fmt: skip

WITH_TOKEN = put_at(IRSA, "serviceAccount.token.audience", "sts.amazonaws.com")


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_rule(attempt: Attempt, case: Case) -> None:
    base = WITH_TOKEN if case.path == "trust" else IRSA
    accepted = attempt("IRSA", put_at(base, case.path, case.right))
    assert accepted.status_code == 201, accepted.text
    found = complaints(attempt("IRSA", put_at(base, case.path, case.wrong)))
    field = f"spec.{case.field}".rstrip(".")
    assert list(found) == [field], found
    assert case.says in found[field]


def test_an_object_needs_a_spec(api: httpx2.Client, crds: None) -> None:
    body = {"apiVersion": names.API_VERSION, "kind": "IRSA", "metadata": {"name": "bare"}}
    path = f"/apis/{names.API_VERSION}/namespaces/default/irsas"
    answer = api.post(path, params={"dryRun": "All"}, json=body)
    assert "an IRSA without spec asks for nothing" in str(complaints(answer))


def test_defaults_are_written_only_where_they_are_promised(attempt: Attempt) -> None:
    stored = attempt("IRSA", put_at(IRSA, "trust", {"audiences": ["sts.amazonaws.com"]})).json()["spec"]
    assert stored == {
        **IRSA,
        "suspend": False,
        "serviceAccount": {**IRSA["serviceAccount"], "managementPolicy": "Create"},
        "iamRole": {**IRSA["iamRole"], "managementPolicy": "Create"},
        "trust": {"audiences": ["sts.amazonaws.com"], "subjectMatch": "Exact"},
    }


def test_fields_of_later_issues_are_not_kept(attempt: Attempt) -> None:
    later = {**IRSA, "restartOnChange": True, "delivery": "PodIdentity", "wellKnownPolicies": [{"name": "ebs-csi"}]}
    assert not attempt("IRSA", later).json()["spec"].keys() & {"restartOnChange", "delivery", "wellKnownPolicies"}
