"""Tenancy, limit by limit: what is closed, what opens it, and what no rule opens."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from tenancy_cases import ACCOUNT, HOME, OPERATOR, PROVIDER, ask, irsa, message, names_asked, rule, spec

from irsa_manager.api.irsasetup import Tenancy
from irsa_manager.plan.tenancy import Denied, Permit

OWN, AWS = f"arn:aws:iam::{ACCOUNT}:policy/", "arn:aws:iam::aws:policy/"
FOREIGN, CHINA = "arn:aws:iam::999988887777:policy/", "arn:aws-cn:iam::aws:policy/"
CONDITION = {"operator": "IpAddress", "key": "aws:SourceIp", "values": ["192.0.2.0/24"]}
GLOBS: dict[str, Any] = {"targetNamespaces": ["team-a", "team-a-*"], "allow": ["NamespaceGlobs"]}


def role_asked(**of: Any) -> dict[str, Any]:
    return {"iamRole": of}


def selector(key: str, value: str) -> dict[str, Any]:
    return {"serviceAccount": {"namespaces": [], "namespaceSelector": {"matchLabels": {key: value}}}}


class Limit(NamedTuple):
    """limits: of the rule. right: specs that it permits. wrong: what a refusal says, and the spec that it is for."""

    limits: dict[str, Any]
    right: list[dict[str, Any]]
    wrong: list[tuple[str, dict[str, Any]]]


LIMITS = {
    "no target namespaces: the own one": Limit(
        {},
        [{}, names_asked("team-a", "team-a")],
        [
            ("namespace team-b (allowed: team-a)", names_asked("team-a", "team-b")),
            ("namespaces team-b, absent (allowed: team-a)", names_asked("team-b", "absent")),
        ],
    ),
    "target namespaces": Limit(
        {"targetNamespaces": ["team-a-*", "web?"]},
        [names_asked("team-a-jobs", "team-a-absent", "web1")],
        [
            ("namespace team-a (allowed: team-a-*, web?)", {}),
            ("namespace team-b", names_asked("team-a-jobs", "team-b")),
            ("namespace web", names_asked("web")),
            ("namespace web12", names_asked("web12")),
        ],
    ),
    "globs": Limit(
        GLOBS,
        [names_asked("team-a*"), names_asked("team-?-jobs"), names_asked("no-such-*"), selector("team", "a")],
        [
            ("namespace team-b (allowed: team-a, team-a-*)", names_asked("team-*")),
            ("namespaces default, team-b", names_asked("*")),
            ("namespace team-b", selector("shared", "yes")),
        ],
    ),
    "globs without targets reach the own namespace": Limit(
        {"allow": ["NamespaceGlobs"]},
        [names_asked("tea?-a")],
        [("namespace team-b (allowed: team-a)", names_asked("team-?"))],
    ),
    "globs need their word": Limit(
        {"targetNamespaces": ["*"]},
        [names_asked("team-a-jobs", "team-b")],
        [("patterns or a selector", names_asked("team-a", "team-a-*")), ("patterns or a sel", selector("team", "a"))],
    ),
    "patterns in the trust policy must lie within the targets, whatever exists": Limit(
        {"targetNamespaces": ["team-a", "team-a-*"], "allow": ["NamespaceGlobs", "SubjectPattern"]},
        [
            {**names_asked("team-a-*", "team-a-?obs", "team-a-**"), "trust": {"subjectMatch": "Pattern"}},
            {**names_asked("team-a-?*"), "trust": {"subjectMatch": "Pattern"}},
        ],
        [
            ("namespace team-a*", {**names_asked("team-a*"), "trust": {"subjectMatch": "Pattern"}}),
            ("namespace no-such-*", {**names_asked("no-such-*"), "trust": {"subjectMatch": "Pattern"}}),
        ],
    ),
    "subjectMatch Pattern needs its word": Limit(
        GLOBS,
        [{"trust": {"subjectMatch": "Exact"}}],
        [("trust.subjectMatch Pattern (allowed: patterns or a selector", {"trust": {"subjectMatch": "Pattern"}})],
    ),
    "role names ignore case": Limit(
        {"roleNames": ["Team-A-*", "shared.?"]},
        [role_asked(name="team-a-web"), role_asked(name="TEAM-A-WEB"), role_asked(name="SHARED.x")],
        [
            ("role name web (allowed: Team-A-*, shared.?)", role_asked(name="web")),
            ("role name my-team-a-web", role_asked(name="my-team-a-web")),
            ("role name sharedxx", role_asked(name="sharedxx")),
        ],
    ),
    "no role names: any": Limit({}, [role_asked(name="admin")], []),
    "role paths": Limit(
        {"rolePaths": ["/team-a/", "/team-a/*/"]},
        [role_asked(path="/team-a/"), role_asked(path="/team-a/jobs/x/")],
        [
            ("role path / (allowed: /team-a/, /team-a/*/)", {}),
            ("role path /Team-A/", role_asked(path="/Team-A/")),
            ("role path /x/team-a/", role_asked(path="/x/team-a/")),
        ],
    ),
    "no policies: none": Limit(
        {},
        [{"iamPolicies": []}],
        [("policy AmazonS3ReadOnlyAccess (allowed: none)", {"iamPolicies": ["AmazonS3ReadOnlyAccess"]})],
    ),
    "policies": Limit(
        {"policies": ["customer/team-a/*", "Amazon*ReadOnlyAccess", "service-role/X"]},
        [
            {"iamPolicies": ["customer/team-a/p", f"{OWN}team-a/q/r", "AmazonS3ReadOnlyAccess"]},
            {"iamPolicies": [f"{AWS}AmazonS3ReadOnlyAccess", f"{AWS}service-role/X", "service-role/X"]},
        ],
        [
            ("policy AdministratorAccess (allowed: customer/team-a/*, Ama", {"iamPolicies": ["AdministratorAccess"]}),
            ("policies A, customer/B", {"iamPolicies": ["A", f"{OWN}B", "customer/team-a/p"]}),
            ("policy amazonS3ReadOnlyAccess", {"iamPolicies": ["amazonS3ReadOnlyAccess"]}),
            (f"policy {FOREIGN}team-a/p", {"iamPolicies": [f"{FOREIGN}team-a/p"]}),
            (f"policy {CHINA}AmazonS3ReadOnlyAccess", {"iamPolicies": [f"{CHINA}AmazonS3ReadOnlyAccess"]}),
            # AWS has no such path; it must not pass for a policy of the account.
            (f"policy {AWS}customer/team-a/p", {"iamPolicies": [f"{AWS}customer/team-a/p"]}),
        ],
    ),
    "every policy that has a name": Limit(
        {"policies": ["*"]},
        [{"iamPolicies": ["AdministratorAccess", "customer/x/y", f"{OWN}z"]}],
        [(f"policy {FOREIGN}p", {"iamPolicies": [f"{FOREIGN}p"]})],
    ),
    "policies by ARN": Limit(
        {"policies": [f"{FOREIGN}shared-*", f"{AWS}AmazonS3*", "arn:aws-cn:*"]},
        [{"iamPolicies": [f"{FOREIGN}shared-p", "AmazonS3FullAccess", f"{AWS}AmazonS3FullAccess", f"{CHINA}X"]}],
        [
            (f"policy {FOREIGN}p", {"iamPolicies": [f"{FOREIGN}p"]}),
            ("policy customer/shared-p", {"iamPolicies": ["customer/shared-p"]}),
        ],
    ),
    "no character classes": Limit(
        {"policies": ["[A-Z]*", "a.c"]},
        [{"iamPolicies": ["a.c"]}],
        [("policies AdministratorAccess, abc", {"iamPolicies": ["AdministratorAccess", "abc"]})],
    ),
    "inline policies": Limit(
        {},
        [{"inlinePolicies": {}}],
        [("inline policy read (allowed: none)", {"inlinePolicies": {"read": {}}})],
    ),
    "inline policies allowed": Limit({"inlinePolicies": "Allow"}, [{"inlinePolicies": {"read": {}}}], []),
    "management policy": Limit(
        {},
        [role_asked(managementPolicy="Create")],
        [
            ("iamRole.managementPolicy Adopt (allowed: Create)", role_asked(managementPolicy="Adopt")),
            ("iamRole.managementPolicy Reference", role_asked(managementPolicy="Reference")),
        ],
    ),
    "referenced roles are named like others": Limit(
        {"managementPolicies": ["Reference"], "roleNames": ["team-a-*"], "rolePaths": ["/"]},
        [role_asked(managementPolicy="Reference")],
        [
            ("iamRole.managementPolicy Create (allowed: Reference)", {}),
            ("role name x", role_asked(managementPolicy="Reference", name="x")),
            ("role path /x/", role_asked(managementPolicy="Reference", path="/x/")),
        ],
    ),
    "boundary": Limit(
        {"permissionsBoundary": "customer/team-a"},
        [{}, role_asked(permissionsBoundary="customer/team-a"), role_asked(permissionsBoundary=f"{OWN}team-a")],
        [(f"permissions boundary {OWN}other (allowed: {OWN}team-a)", role_asked(permissionsBoundary="customer/other"))],
    ),
    "no boundary of the rule's": Limit({}, [role_asked(permissionsBoundary="customer/mine")], []),
    "other clusters": Limit(
        {"allow": ["AdditionalProviders"], "targetNamespaces": ["team-a*"]},
        [{"trust": {"additionalProviders": [PROVIDER, {"issuer": "x", "namespaces": ["team-a-x"]}]}}],
        [
            ("namespace there", {"trust": {"additionalProviders": [{**PROVIDER, "namespaces": ["there"]}]}}),
            (
                "namespace kube-system",
                {"trust": {"additionalProviders": [{**PROVIDER, "namespaces": ["kube-system"]}]}},
            ),
            ("namespace team-*", {"trust": {"additionalProviders": [{**PROVIDER, "namespaces": ["team-*"]}]}}),
        ],
    ),
    "patterns of other clusters' namespaces are patterns": Limit(
        {"allow": ["AdditionalProviders", "SubjectPattern"], "targetNamespaces": ["team-a*"]},
        [{"trust": {"additionalProviders": [{**PROVIDER, "namespaces": ["team-a-x"]}], "subjectMatch": "Pattern"}}],
        [
            (
                "patterns or a selector of namespaces",
                {"trust": {"additionalProviders": [{**PROVIDER, "namespaces": ["team-a-*"]}]}},
            )
        ],
    ),
    "words": Limit(
        {"allow": ["AdditionalProviders", "Audiences", "TrustConditions", "Tags"]},
        [
            {"trust": {"additionalProviders": [PROVIDER], "audiences": ["vault"], "conditions": [CONDITION]}},
            role_asked(tags={"team": "a"}),
            {"serviceAccount": {"token": {"audience": "vault"}}},
        ],
        [],
    ),
    "words not given": Limit(
        {"allow": ["SubjectPattern"]},
        [{"trust": {"audiences": ["sts.amazonaws.com"]}}, {"serviceAccount": {"token": {"expirationSeconds": 600}}}],
        [
            ("trust.additionalProviders (allowed: trust.subj", {"trust": {"additionalProviders": [PROVIDER]}}),
            ("audiences other than sts.amazonaws.com", {"trust": {"audiences": ["sts.amazonaws.com", "vault"]}}),
            ("audiences other than sts.amazonaws.com", {"serviceAccount": {"token": {"audience": "vault"}}}),
            ("trust.conditions", {"trust": {"conditions": [CONDITION]}}),
            ("iamRole.tags", role_asked(tags={"team": "a"})),
        ],
    ),
}
RIGHT = [pytest.param(c.limits, s, id=f"{name} {n}") for name, c in LIMITS.items() for n, s in enumerate(c.right)]
WRONG = [pytest.param(c.limits, *w, id=f"{name} {n}") for name, c in LIMITS.items() for n, w in enumerate(c.wrong)]


@pytest.mark.parametrize(("limits", "asked"), RIGHT)
def test_what_a_rule_permits(limits: dict[str, Any], asked: dict[str, Any]) -> None:
    assert isinstance(ask(spec(**asked), rule(**limits)), Permit)


@pytest.mark.parametrize(("limits", "says", "asked"), WRONG)
def test_what_a_rule_refuses(limits: dict[str, Any], says: str, asked: dict[str, Any]) -> None:
    verdict = ask(spec(**asked), rule(**limits))
    assert isinstance(verdict, Denied)
    assert says in message(verdict)


def test_a_refusal_says_who_what_instead_and_what_to_do() -> None:
    asked = spec(iamRole={"name": "reports", "tags": {"team": "a"}}, iamPolicies=["AmazonS3FullAccess"])
    verdict = ask(asked, rule(roleNames=["team-a-*"], policies=["customer/team-a-*"]))
    assert isinstance(verdict, Denied)
    assert message(verdict) == (
        "Rule team-a doesn't allow role name reports (allowed: team-a-*). Existing bindings were kept, nothing new was "
        "made. Ask who owns IRSASetup irsa-manager-system/main to write into rule team-a: {roleNames: [team-a-*, "
        "reports], policies: [customer/team-a-*, AmazonS3FullAccess], allow: [Tags]}"
    )


def test_closed_by_default_with_the_line_that_opens_it() -> None:
    verdict = ask(spec(iamPolicies=["AmazonS3FullAccess"]), Tenancy())
    assert isinstance(verdict, Denied)
    assert message(verdict) == (
        "No rule selects namespace team-a, and tenancy.default Deny doesn't allow IRSAs (allowed: none). Existing "
        "bindings were kept, nothing new was made. Ask who owns IRSASetup irsa-manager-system/main to add to its "
        "spec.tenancy.rules: - {name: team-a, namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: team-a}}, "
        "roleNames: [team-a-web], policies: [AmazonS3FullAccess]}"
    )
    without = ask(spec(), Tenancy(), setup="")
    assert isinstance(without, Denied)
    assert "Ask an administrator for an IRSASetup in namespace irsa-manager-system with, in " in message(without)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"iamPolicies": ["AdministratorAccess", f"{FOREIGN}p"], "inlinePolicies": {"x": {}}}, ""),
        (role_asked(name="anything", path="/any/where/", permissionsBoundary="customer/mine"), ""),
        (names_asked("team-a", "team-b"), "ServiceAccounts in namespace team-b (allowed: team-a)"),
        (names_asked("tea?-a"), "patterns or a selector"),
        (role_asked(managementPolicy="Reference"), "iamRole.managementPolicy Reference (allowed: Create)"),
        (role_asked(tags={"a": "b"}), "iamRole.tags"),
        ({"trust": {"additionalProviders": [PROVIDER]}}, "trust.additionalProviders"),
    ],
)
def test_default_own_namespace(asked: dict[str, Any], says: str) -> None:
    verdict = ask(spec(**asked), Tenancy(default="OwnNamespace"))
    assert isinstance(verdict, Denied) == bool(says)
    assert isinstance(verdict, Permit) or says in message(verdict)


def test_default_unrestricted() -> None:
    everything = spec(
        **names_asked("*", "team-b", "absent"),
        iamRole={"name": "admin", "path": "/x/", "tags": {"a": "b"}, "permissionsBoundary": "A"},
        iamPolicies=["AdministratorAccess", f"{FOREIGN}p", f"{AWS}customer/x"],
        inlinePolicies={"x": {}},
        trust={
            "audiences": ["vault"],
            "additionalProviders": [PROVIDER],
            "conditions": [CONDITION],
            "subjectMatch": "Pattern",
        },
    )
    assert ask(everything, Tenancy(default="Unrestricted")) == Permit()


@pytest.mark.parametrize(
    "tenancy", [Tenancy(), Tenancy(default="Unrestricted"), rule(targetNamespaces=["*", "kube-*"])]
)
@pytest.mark.parametrize("target", ["kube-system", "kube-x", OPERATOR])
def test_system_namespaces_are_bound_from_the_operators_only(tenancy: Any, target: str) -> None:
    asked = spec(**names_asked(HOME, target))
    verdict = ask(asked, tenancy)
    assert isinstance(verdict, Denied)
    assert f"ServiceAccounts in namespace {target} (allowed: namespaces other than kube-*" in message(verdict)
    assert f"make the IRSA in namespace {OPERATOR}." in message(verdict)
    assert ask(irsa(asked, OPERATOR), tenancy) == Permit()
    # Not even an object of that namespace itself, unless it is the operator's.
    assert isinstance(ask(irsa(asked, "kube-system"), tenancy), Denied)


def test_first_rule_that_selects_the_namespace_holds() -> None:
    narrow, wide = rule(name="narrow", roleNames=["a"]), rule(name="wide", namespaceSelector={})
    assert isinstance(ask(spec(), Tenancy(rules=(wide, narrow))), Permit)
    verdict = ask(spec(), Tenancy(rules=(narrow, wide)))
    assert isinstance(verdict, Denied)
    assert verdict.rule == "Rule narrow"
    elsewhere = rule(name="b", namespaceSelector={"matchLabels": {"team": "b"}}, roleNames=["a"])
    assert isinstance(ask(spec(), Tenancy(rules=(elsewhere, wide))), Permit)


def test_a_namespace_that_is_not_seen_yet_gets_nothing_from_rules_made_for_others() -> None:
    others = rule(namespaceSelector={"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]})
    assert isinstance(ask(spec(), others), Permit)
    assert isinstance(ask(spec(), others, labels=None), Denied)
    assert isinstance(ask(spec(), Tenancy(default="Unrestricted"), labels=None), Permit)


def test_a_rule_name_that_is_taken_is_not_shown_for_a_new_rule() -> None:
    taken = tuple(rule(name=name, namespaceSelector={"matchLabels": {"x": "y"}}) for name in (HOME, f"{HOME}-2"))
    verdict = ask(spec(), Tenancy(rules=taken))
    assert isinstance(verdict, Denied)
    assert "- {name: team-a-3, " in verdict.opens


def test_a_role_without_path_has_the_default_one() -> None:
    limits = rule(rolePaths=["/team-a/"])
    assert isinstance(ask(spec(), limits, default_path="/team-a/"), Permit)
    assert isinstance(ask(spec(), limits, default_path="/"), Denied)


def test_boundary_of_the_rule_is_on_every_role() -> None:
    limits = rule(permissionsBoundary="customer/x/team-a")
    assert ask(spec(), limits) == Permit(boundary=f"{OWN}x/team-a")
    assert ask(spec(), rule()) == Permit(boundary=None)
    verdict = ask(spec(iamRole={"permissionsBoundary": "AdministratorAccess"}), limits)
    assert isinstance(verdict, Denied)
    assert "Take spec.iamRole.permissionsBoundary out" in verdict.opens
    assert "IRSASetup" not in verdict.opens  # nobody is asked to take the boundary away


def test_a_long_line_names_what_it_leaves_out_and_stays_yaml() -> None:
    many = [f"customer/{'p' * 60}{number}" for number in range(25)]
    verdict = ask(spec(iamPolicies=many), Tenancy())
    assert isinstance(verdict, Denied)
    assert verdict.opens.endswith(
        "roleNames: [team-a-web]}, and policies for what the object asks for (too long to show)"
    )
    assert len(message(verdict)) < 1024
    assert verdict.opens in message(verdict)
