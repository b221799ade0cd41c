"""The admission check of tenancy: each limit holds, what isn't limited passes, and nobody is refused by mistake."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx2
import pytest
from api_objects import ABSENT, Object, collection, put_at, until
from api_tenancy import IGNORED, POLICIES, READY, Tenants, refusal, tenants

DOCUMENT = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
IP = {"operator": "IpAddress", "key": "aws:SourceIp", "values": ["192.0.2.0/24"]}
ALL = {"matchLabels": {"team": "a"}}


class Cluster(NamedTuple):
    """tenants: the policy and its IRSASetup. a: labelled team=a. b: without labels."""

    tenants: Tenants
    a: str
    b: str

    def spec(self, *changes: tuple[str, Any]) -> Object:
        """An IRSA's spec for namespace a, with values at paths; {a} and {b} stand for the namespaces' names."""
        spec: Object = {
            "cleanup": True,
            "serviceAccount": {"name": "sa", "namespaces": [self.a]},
            "iamRole": {"name": "team-a-web"},
        }
        for path, value in changes:
            spec = put_at(spec, path, self.named(value))
        return spec

    def named(self, value: Any) -> Any:
        """The value with the namespaces' names."""
        if isinstance(value, str):
            return value.replace("{a}", self.a).replace("{b}", self.b).replace("{op}", self.tenants.operator)
        if isinstance(value, list):
            return [self.named(item) for item in value]
        return value

    def rule(self, **limits: Any) -> Object:
        """A rule for namespace a."""
        return {"name": "team-a", "namespaceSelector": ALL} | {key: self.named(value) for key, value in limits.items()}


@pytest.fixture(scope="module")
def cluster(api: httpx2.Client, crds: None) -> Iterator[Cluster]:
    """The policy with failurePolicy Fail: an expression that can't be worked out is an error and not a pass."""
    with tenants(api, failure_policy="Fail") as found:
        a, b = found.namespace("a", team="a"), found.namespace("b")
        yield Cluster(found, a, b)
        for name in (a, b):
            api.delete(f"/api/v1/namespaces/{name}").raise_for_status()


class Case(NamedTuple):
    """limits: of the rule. right, wrong: values at path that pass and don't. says, opens: parts of the message."""

    limits: dict[str, Any]
    path: str
    right: list[Any]
    wrong: list[Any]
    says: str
    opens: str


NAMESPACES, SELECTOR = "serviceAccount.namespaces", "serviceAccount.namespaceSelector"
PATTERN: dict[str, Any] = {"policies": ["customer/team-a/*", "AmazonS3Read?nlyAccess", "service-role/A.b+c"]}
ARN = "arn:aws:iam::111122223333:policy"

CASES = {
    "own namespace": Case(
        {}, NAMESPACES, [["{a}"]], [["{b}"], ["{a}", "{b}"]], "(allowed: {a})", "targetNamespaces: [{b}]"
    ),
    "target namespaces": Case(
        {"targetNamespaces": ["{a}", "team-a-*", "te?m"]},
        NAMESPACES,
        [["{a}"], ["team-a-x", "team-a-0", "team"], ["{a}", "tesm"]],
        [["team-a"], ["xteam-a-x"], ["{a}", "teaam"], ["{b}"]],
        "ServiceAccounts in namespace ",
        "targetNamespaces: [",
    ),
    "a rule needn't open its own namespace": Case(
        {"targetNamespaces": ["{b}"]}, NAMESPACES, [["{b}"]], [["{a}"]], "(allowed: {b})", "targetNamespaces: [{a}]"
    ),
    "role names": Case(
        {"roleNames": ["team-a-*", "App.?+"]},
        "iamRole.name",
        ["team-a-x", "TEAM-A-X", "app.1+"],
        ["team-b-x", "xteam-a-x", "appx1+", "app.11+"],
        "role name ",
        "roleNames: [",
    ),
    "role paths": Case(
        {"rolePaths": ["/team-a/*", "/x/"]},
        "iamRole.path",
        ["/team-a/", "/team-a/b/c/", "/x/"],
        ["/", "/x/y/", "/team-b/", ABSENT],
        "role path ",
        "rolePaths: [",
    ),
    "the root": Case({"rolePaths": ["/"]}, "iamRole.path", ["/", ABSENT], ["/a/"], "role path /a/", "rolePaths: [/a/]"),
    "no policies": Case({}, "iamPolicies", [[], ABSENT], [["A"], [f"{ARN}/B"]], "(allowed: none)", "policies: ["),
    "policies": Case(
        PATTERN,
        "iamPolicies",
        [
            ["customer/team-a/x", "AmazonS3ReadOnlyAccess", "service-role/A.b+c"],
            ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess", f"{ARN}/team-a/x"],
            ["customer/team-a/x/y"],
        ],
        [
            ["AdministratorAccess"],
            ["customer/team-a/x", "customer/team-b/x"],
            ["amazonS3ReadOnlyAccess"],
            ["xAmazonS3ReadOnlyAccess"],
            ["service-role/Axb+c"],
            ["service-role/A.bbc"],
            ["arn:aws:iam::aws:policy/AdministratorAccess"],
            [f"{ARN}/team-b/x"],
            [f"{ARN}/AmazonS3ReadOnlyAccess"],
        ],
        "(allowed: customer/team-a/*, AmazonS3Read?nlyAccess, service-role/A.b+c)",
        "policies: [",
    ),
    "policies of other accounts": Case(
        {"policies": ["arn:aws:iam::999988887777:policy/x*", "arn:*:*:*:*:policy/y"]},
        "iamPolicies",
        [["arn:aws:iam::999988887777:policy/x"], ["arn:aws-cn:iam::123456789012:policy/y"], ["customer/xy"], ["y"]],
        [["AdministratorAccess"], ["arn:aws:iam::999988887777:policy/z"], ["customer/yx"]],
        "policy ",
        "policies: [",
    ),
    "policies by any ARN": Case({"policies": ["arn:*"]}, "iamPolicies", [["A", "customer/A", f"{ARN}/B"]], [], "", ""),
    "inline policies": Case(
        {}, "inlinePolicies", [{}, ABSENT], [{"x": DOCUMENT}], "inline policies", "inlinePolicies: Allow"
    ),
    "inline policies allowed": Case({"inlinePolicies": "Allow"}, "inlinePolicies", [{"x": DOCUMENT}], [], "", ""),
    "boundary": Case(
        {"permissionsBoundary": "customer/b"},
        "iamRole.permissionsBoundary",
        ["customer/b", f"{ARN}/b", ABSENT],
        ["customer/c", "b", "arn:aws:iam::aws:policy/b"],
        "(allowed: customer/b). ",
        "",
    ),
    "boundary by ARN": Case(
        {"permissionsBoundary": f"{ARN}/b"},
        "iamRole.permissionsBoundary",
        ["customer/b", f"{ARN}/b", ABSENT],
        ["customer/B"],
        "permissions boundary customer/B (allowed: customer/b). ",
        "",
    ),
    "any boundary": Case({}, "iamRole.permissionsBoundary", ["customer/c"], [], "", ""),
    "create only": Case(
        {},
        "iamRole.managementPolicy",
        ["Create", ABSENT],
        ["Adopt", "Reference"],
        "(allowed: Create)",
        "managementPolicies: [",
    ),
    "management policies": Case(
        {"managementPolicies": ["Reference", "Adopt"]},
        "iamRole.managementPolicy",
        ["Reference", "Adopt"],
        ["Create", ABSENT],
        "iamRole.managementPolicy Create (allowed: Reference, Adopt)",
        "managementPolicies: [Create]",
    ),
}

WORDS: dict[str, list[tuple[str, Any]]] = {
    "AdditionalProviders": [("trust.additionalProviders", [{"issuer": "oidc.example.com/b"}])],
    "Audiences": [("trust.audiences", ["vault"]), ("serviceAccount.token", {"audience": "vault"})],
    "TrustConditions": [("trust.conditions", [IP])],
    "SubjectPattern": [("trust.subjectMatch", "Pattern")],
    "NamespaceGlobs": [(NAMESPACES, ["{a}", "{a}*"]), (SELECTOR, {"matchLabels": {"team": "a"}})],
    "Tags": [("iamRole.tags", {"team": "a"})],
}
HARMLESS: list[tuple[str, Any]] = [
    ("trust", {}),
    ("trust.audiences", ["sts.amazonaws.com"]),
    ("trust.additionalProviders", []),
    ("trust.conditions", []),
    ("serviceAccount.token", {"audience": "sts.amazonaws.com", "expirationSeconds": 3600}),
    ("serviceAccount.managementPolicy", "Annotate"),
    ("iamRole.tags", {}),
    ("iamRole.description", "x"),
]
"""What needs no word."""


def test_each_expression_is_of_the_right_types(api: httpx2.Client, cluster: Cluster) -> None:
    """The API server checks the policy against both kinds' definitions."""
    path = f"{POLICIES}/{cluster.tenants.mark}"
    checked = until(lambda: api.get(path), lambda answer: "typeChecking" in answer.json().get("status", {}))
    assert checked.json()["status"]["typeChecking"] == {}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_limit(cluster: Cluster, case: Case) -> None:
    cluster.tenants.allow(cluster.rule(**case.limits))
    for value in case.right:
        answer = cluster.tenants.attempt(cluster.a, cluster.spec((case.path, value)))
        assert answer.status_code == 201, answer.text
    for value in case.wrong:
        message = refusal(cluster.tenants.attempt(cluster.a, cluster.spec((case.path, value))))
        assert message.startswith("Rule team-a doesn't allow "), message
        assert cluster.named(case.says) in message
        _, _, todo = message.partition(" Nothing was changed. ")
        if case.opens:
            asks = f"Ask who owns IRSASetup {cluster.tenants.operator}/main to add to rule team-a: "
            assert todo.startswith(asks + cluster.named(case.opens)), message
        else:
            assert todo == "Take iamRole.permissionsBoundary out: the rule sets its own on every role."


@pytest.mark.parametrize("word", WORDS)
def test_word(cluster: Cluster, word: str) -> None:
    """Each needs its own word and no other."""
    others = [other for other in WORDS if other != word]
    cluster.tenants.allow(cluster.rule(allow=others, targetNamespaces=["{a}*"]))
    for change in WORDS[word]:
        message = refusal(cluster.tenants.attempt(cluster.a, cluster.spec(change)))
        assert message.endswith(f"to add to rule team-a: allow: [{word}]"), message
    cluster.tenants.allow(cluster.rule(allow=[word], targetNamespaces=["{a}*"]))
    for change in WORDS[word]:
        answer = cluster.tenants.attempt(cluster.a, cluster.spec(change))
        assert answer.status_code == 201, answer.text


def test_what_needs_no_word(cluster: Cluster) -> None:
    cluster.tenants.allow(cluster.rule())
    for change in HARMLESS:
        answer = cluster.tenants.attempt(cluster.a, cluster.spec(change))
        assert answer.status_code == 201, answer.text


def test_nothing_is_open_by_default(cluster: Cluster) -> None:
    cluster.tenants.allow()
    asked = cluster.spec(("iamPolicies", ["A", "customer/B"]))
    message = refusal(cluster.tenants.attempt(cluster.a, asked))
    assert message == (
        f"No rule selects namespace {cluster.a}, and tenancy.default is Deny. Nothing was changed. Ask who owns "
        f"IRSASetup {cluster.tenants.operator}/main for a line as this under spec.tenancy.rules: - {{name: "
        f"{cluster.a}, namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {cluster.a}}}}}, roleNames: "
        "[team-a-web], policies: [A, customer/B]}"
    )


def test_the_line_that_opens_it_does(cluster: Cluster) -> None:
    import yaml

    cluster.tenants.allow()
    asked = cluster.spec(("iamPolicies", ["A", "customer/B"]))
    _, _, line = refusal(cluster.tenants.attempt(cluster.a, asked)).partition("spec.tenancy.rules: ")
    cluster.tenants.allow(*yaml.safe_load(line))
    assert cluster.tenants.attempt(cluster.a, asked).status_code == 201


@pytest.mark.parametrize(
    "selector",
    [
        {},
        {"matchLabels": {"team": "a"}},
        {"matchExpressions": [{"key": "team", "operator": "In", "values": ["b", "a"]}]},
        {"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["b"]}]},
        {"matchExpressions": [{"key": "team", "operator": "Exists"}, {"key": "x", "operator": "DoesNotExist"}]},
        {"matchLabels": {"team": "a"}, "matchExpressions": [{"key": "x", "operator": "NotIn", "values": ["y"]}]},
    ],
)
def test_first_rule_that_selects_the_namespace_holds(cluster: Cluster, selector: Object) -> None:
    others: list[Object] = [
        {"name": "b", "namespaceSelector": {"matchLabels": {"team": "b"}}},
        {"name": "in", "namespaceSelector": {"matchExpressions": [{"key": "x", "operator": "In", "values": ["a"]}]}},
        {"name": "no", "namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}},
        {"name": "half", "namespaceSelector": {"matchLabels": {"team": "a", "x": "y"}}},
    ]
    right = {"name": "right", "namespaceSelector": selector, "roleNames": ["team-a-*"]}
    later = {"name": "later", "namespaceSelector": {}, "roleNames": ["*"]}
    cluster.tenants.allow(*others, right, later)
    assert cluster.tenants.attempt(cluster.a, cluster.spec()).status_code == 201
    message = refusal(cluster.tenants.attempt(cluster.a, cluster.spec(("iamRole.name", "x"))))
    assert message.startswith("Rule right doesn't allow role name x (allowed: team-a-*).")


def test_own_namespace(cluster: Cluster) -> None:
    """Any role and policy, inline ones too, but nothing beyond the namespace and nothing of `allow`."""
    cluster.tenants.allow(default="OwnNamespace")
    wide = cluster.spec(
        ("iamRole", {"name": "x", "path": "/x/", "permissionsBoundary": "customer/x"}),
        ("iamPolicies", ["AdministratorAccess"]),
        ("inlinePolicies", {"x": DOCUMENT}),
    )
    assert cluster.tenants.attempt(cluster.a, wide).status_code == 201
    wrong: list[tuple[str, Any]] = [(NAMESPACES, ["{b}"]), ("iamRole.managementPolicy", "Adopt")]
    for change in [*wrong, *(change for changes in WORDS.values() for change in changes)]:
        message = refusal(cluster.tenants.attempt(cluster.a, cluster.spec(change)))
        assert message.startswith(
            f"No rule selects namespace {cluster.a}, and tenancy.default OwnNamespace doesn't allow "
        ), message
        assert f"to add to a rule for namespace {cluster.a}: " in message


def test_unrestricted(cluster: Cluster) -> None:
    cluster.tenants.allow(default="Unrestricted")
    wide = cluster.spec((NAMESPACES, ["{b}", "x"]), ("iamRole.managementPolicy", "Adopt"), ("iamPolicies", ["A"]))
    assert cluster.tenants.attempt(cluster.a, wide).status_code == 201
    for changes in WORDS.values():
        for change in changes:
            assert cluster.tenants.attempt(cluster.a, cluster.spec(change)).status_code == 201


@pytest.mark.parametrize("default", ["Rule", "OwnNamespace", "Unrestricted"])
@pytest.mark.parametrize("target", ["kube-system", "kube-x", "{op}"])
def test_system_namespaces_are_never_open(cluster: Cluster, default: str, target: str) -> None:
    rule = cluster.rule(targetNamespaces=["*"], allow=["NamespaceGlobs"])
    cluster.tenants.allow(*([rule] if default == "Rule" else []), default="Deny" if default == "Rule" else default)
    message = refusal(cluster.tenants.attempt(cluster.a, cluster.spec((NAMESPACES, ["{a}", target]))))
    assert message == (
        f"ServiceAccounts in namespace {cluster.named(target)} are bound by IRSAs in namespace "
        f"{cluster.tenants.operator} only. Nothing was changed. Ask an administrator to make this IRSA there."
    )


def test_operators_namespace_is_free(cluster: Cluster) -> None:
    cluster.tenants.allow()
    wide = cluster.spec(
        (NAMESPACES, ["kube-system", "{op}", "{b}"]),
        ("iamRole.managementPolicy", "Adopt"),
        ("iamPolicies", ["AdministratorAccess"]),
        ("trust.audiences", ["vault"]),
    )
    assert cluster.tenants.attempt(cluster.tenants.operator, wide).status_code == 201


def test_only_what_asks_for_more_is_judged(cluster: Cluster) -> None:
    """An object that a changed rule closed can be labelled, suspended, reported on and deleted; nothing else."""
    here = cluster.tenants
    here.allow(cluster.rule())
    name = "closed"
    here.stored(cluster.a, name, cluster.spec())
    here.allow()
    passes: list[tuple[Object, str]] = [
        ({"metadata": {"labels": {"x": "y"}, "finalizers": ["irsa-manager.test/hold"]}}, ""),
        ({"spec": {"suspend": True, "cleanup": False}}, ""),
        ({"status": {"issuer": "https://oidc.example.com"}}, "/status"),
    ]
    for change, where in passes:
        answer = here.patch(cluster.a, name, change, where)
        assert answer.status_code == 200, answer.text
    for change in ({"iamPolicies": ["A"]}, {"iamRole": {"name": "other"}}, {"trust": {"subjectMatch": "Pattern"}}):
        refusal(here.patch(cluster.a, name, {"spec": change}))
    here.api.delete(f"{collection('IRSA', cluster.a)}/{name}").raise_for_status()
    # What is being deleted isn't judged: its author may still choose what happens to the role.
    assert here.patch(cluster.a, name, {"spec": {"iamPolicies": ["A"], "cleanup": True}}).status_code == 200
    assert here.patch(cluster.a, name, {"metadata": {"finalizers": None}}).status_code == 200


def test_bindings_kept_at_a_takeover_are_no_targets(cluster: Cluster) -> None:
    here = cluster.tenants
    here.allow(cluster.rule(targetNamespaces=["{b}", "{a}"]))
    name = "kept"
    here.stored(cluster.a, name, cluster.spec((NAMESPACES, ["{b}"])))
    assert here.patch(cluster.a, name, {"status": {"keptBindings": [f"{cluster.b}/sa"]}}, "/status").status_code == 200
    here.allow(cluster.rule())
    more = {"serviceAccount": {"namespaces": [cluster.a, cluster.b]}}
    answer = here.patch(cluster.a, name, {"spec": more})
    assert answer.status_code == 200, answer.text
    message = refusal(here.patch(cluster.a, name, {"spec": {"serviceAccount": {"namespaces": [cluster.b, "x"]}}}))
    assert "ServiceAccounts in namespace x (allowed" in message


def test_another_irsasetup_refuses_nothing(cluster: Cluster) -> None:
    """The controller says in their status which of several counts; one that it hasn't looked at doesn't yet."""
    here = cluster.tenants
    here.setup("other", {"default": "Deny"}, IGNORED)
    here.setup("new", {"default": "Deny"}, None)
    here.allow(cluster.rule())
    until(lambda: here.attempt(cluster.a, cluster.spec()), lambda answer: answer.status_code == 201)
    # Once it is in use it does: the answer above wasn't for want of having seen it.
    here.setup("other", {"default": "Deny"}, READY)
    refused = until(lambda: here.attempt(cluster.a, cluster.spec()), lambda answer: answer.status_code == 403)
    assert "/other for a line" in refusal(refused)
    for name in ("other", "new"):
        here.api.delete(f"{collection('IRSASetup', here.operator)}/{name}").raise_for_status()
    until(lambda: here.attempt(cluster.a, cluster.spec()), lambda answer: answer.status_code == 201)
