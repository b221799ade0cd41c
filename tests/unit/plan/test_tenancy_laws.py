"""What holds of tenancy for every object and every rule."""

from __future__ import annotations

import fnmatch
import re

import msgspec
import pytest
import yaml
from hypothesis import assume, event, given
from hypothesis import strategies as st
from msgspec.structs import replace
from strategies import POLICIES, specs
from tenancy_cases import ACCOUNT, CLUSTER, HOME, OPERATOR, UID, ask, irsa, rule, spec

from irsa_manager.api import names
from irsa_manager.api.irsa import IRSASpec, IRSAStatus, ProviderSpec
from irsa_manager.api.irsasetup import Tenancy, TenancyRule
from irsa_manager.api.kube import LabelSelector, Metadata
from irsa_manager.api.tenancy_fields import ALLOWANCES
from irsa_manager.plan.observed import ObservedRole
from irsa_manager.plan.tenancy import Denied, Permit
from irsa_manager.trust.arn import policy_arn

MANAGEMENTS = ("Create", "Adopt", "Reference")


def some(*values: str, least: int = 0) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), unique=True, min_size=least, max_size=4).map(tuple)


rules = st.builds(
    TenancyRule,
    name=st.sampled_from(["one", "two"]),
    namespace_selector=st.sampled_from([LabelSelector(), LabelSelector(match_labels={"team": "b"})]),
    target_namespaces=some("team-*", "*", "web", HOME, "team-b"),
    role_names=some("rep*", "REPORTS", "*", "other?role"),
    role_paths=some("/", "/x/", "/*/"),
    policies=some("*", "arn:*", "Amazon*", "customer/*", "service-role/?*", "arn:aws-cn:iam::aws:policy/*"),
    inline_policies=st.sampled_from(["Allow", "Deny"]),
    management_policies=some(*MANAGEMENTS, least=1),
    allow=st.lists(st.sampled_from(ALLOWANCES), unique=True).map(tuple),
    permissions_boundary=st.sampled_from(["", "customer/base", f"arn:aws:iam::{ACCOUNT}:policy/base"]),
)
tenancies = st.builds(
    Tenancy,
    default=st.sampled_from(["Deny", "OwnNamespace", "Unrestricted"]),
    rules=st.lists(rules, max_size=3, unique_by=lambda r: r.name).map(tuple),
)
wide = st.builds(
    lambda drawn: replace(
        drawn,
        namespace_selector=LabelSelector(),
        target_namespaces=("*",),
        policies=("*", "arn:*"),
        inline_policies="Allow",
        management_policies=MANAGEMENTS,
        allow=ALLOWANCES,
    ),
    rules,
)
"""Rules that permit enough to be a tenant's, so that permits are drawn as often as refusals."""

roles = st.one_of(
    st.none(),
    st.builds(
        ObservedRole,
        name=st.just("reports"),
        arn=st.just(""),
        id=st.sampled_from(["", "AROA1"]),
        path=st.sampled_from(["/", "/x/"]),
        tags=st.sampled_from([None, {}, {names.TAG_ADOPT_BY: f"{UID}/{HOME}/web"}, {names.TAG_ADOPT_BY: "*"}]),
    ),
)


@st.composite
def tame(draw) -> IRSASpec:
    """A spec that names no namespace of the system, which nothing opens."""
    drawn = draw(specs)
    policy = draw(st.sampled_from(MANAGEMENTS))
    namespaces = tuple(n for n in drawn.service_account.namespaces if n not in ("kube-system", OPERATOR)) or (HOME,)
    return replace(
        drawn,
        service_account=replace(drawn.service_account, namespaces=namespaces),
        iam_role=replace(drawn.iam_role, management_policy=policy),
    )


def permitted(*given_: object, **more: object) -> bool:
    verdict = ask(*given_, **more)  # type: ignore[arg-type]
    event(f"permitted: {isinstance(verdict, Permit)}")
    return isinstance(verdict, Permit)


@given(specs, tenancies, roles, st.booleans())
def test_a_refusal_is_never_empty_and_fits_its_message(spec, tenancy, role, mine):
    verdict = ask(spec, tenancy, role=role, mine=mine)  # which looks at every part of a refusal
    assert isinstance(verdict, Denied | Permit)


@given(specs, tenancies, roles)
def test_everything_is_open_to_the_operators_namespace(spec, tenancy, role):
    assert ask(irsa(spec, OPERATOR), tenancy, role=role) == Permit()


NARROWER = {
    "target_namespaces": [(), ("team-*",), (HOME, "default", "web")],
    "role_names": [("rep*",), ("other-role", "third")],
    "role_paths": [("/",), ("/x/*",)],
    "policies": [(), ("*",), ("Amazon*", "customer/*")],
    "inline_policies": ["Deny"],
    "management_policies": [("Create",), ("Adopt", "Reference")],
    "allow": [(), *(tuple(w for w in ALLOWANCES if w != word) for word in ALLOWANCES)],
    "permissions_boundary": ["customer/base"],
}
one_limit = st.sampled_from([(field, value) for field, values in NARROWER.items() for value in values])


@given(tame(), wide, one_limit, roles)
def test_a_rule_with_fewer_words_permits_at_most_as_much(spec, more, limit, role):
    field, value = limit
    fewer = replace(more, **{field: value})
    if field in ("role_names", "role_paths", "permissions_boundary"):  # where none is no limit
        more = replace(more, **{field: type(value)()})
    before, after = permitted(spec, more, role=role), permitted(spec, fewer, role=role)
    event(f"{before} then {after}")
    assert before or not after


SPELLINGS = [*POLICIES, "customer/team/p", "AdministratorAccess", "arn:aws:iam::999988887777:policy/p"]


@given(tame(), wide, rules, some(*SPELLINGS, least=1), st.sampled_from(SPELLINGS))
def test_spellings_of_a_policy_are_judged_alike(spec, drawn, limits, policies, boundary):
    drawn = replace(drawn, policies=limits.policies)
    by_name = replace(spec, iam_policies=policies, iam_role=replace(spec.iam_role, permissions_boundary=boundary))
    by_arn = replace(
        spec,
        iam_policies=tuple(policy_arn(p, "aws", ACCOUNT) for p in policies),
        iam_role=replace(spec.iam_role, permissions_boundary=policy_arn(boundary, "aws", ACCOUNT)),
    )
    assert ask(by_name, drawn) == ask(by_arn, drawn)
    event(f"permitted: {isinstance(ask(by_name, drawn), Permit)}")


@given(tame(), wide, st.sampled_from([str.upper, str.lower, str.swapcase, str.title]))
def test_case_of_a_role_name_changes_nothing(spec, drawn, changed):
    other = replace(spec, iam_role=replace(spec.iam_role, name=changed(spec.iam_role.name)))
    assert permitted(spec, drawn) == permitted(other, drawn)


FORGED = {"team": "b", "kubernetes.io/metadata.name": OPERATOR, names.ANNOTATION_RELEASE: "true", "x": "y"}


@given(tame(), tenancies, roles, st.booleans())
def test_nothing_that_an_author_can_write_beside_the_spec_counts(spec, tenancy, role, mine):
    """Status, labels, annotations, finalizers, uid: an owner of the namespace can write all of them."""
    plain = irsa(spec)
    forged = irsa(spec)
    forged.metadata = Metadata(
        namespace=HOME,
        name="web",
        uid="forged",
        generation=9,
        creation_timestamp="2001-01-01T00:00:00Z",
        finalizers=[names.FINALIZER],
        labels=FORGED,
        annotations=FORGED,
    )
    forged.status = msgspec.convert(
        {
            "role": {"name": spec.iam_role.name, "id": "AROA1", "origin": "Adopted"},
            "record": {"mac": "0" * 64},
            "adoption": {"trustPolicy": {}},
            "keptBindings": [f"{ns}/{name}" for ns in CLUSTER for name in ("web", "job", "x", "y", "default")],
            "serviceAccounts": [{"namespace": "team-b", "name": "web", "origin": "Created"}],
            "conditions": [{"type": "Ready", "status": "True", "reason": "IRSAReady"}],
        },
        IRSAStatus,
    )
    assert ask(plain, tenancy, role=role, mine=mine) == ask(forged, tenancy, role=role, mine=mine)


@given(tame(), tenancies, st.sampled_from(["kube-system", OPERATOR, "kube-node-lease"]), st.booleans())
def test_no_rule_opens_a_namespace_of_the_system(spec, tenancy, namespace, elsewhere):
    if elsewhere:
        # Of another cluster; but its issuer may be written so that it is this one.
        other = ProviderSpec(issuer="oidc.example.com/z", namespaces=(namespace,))
        asked = replace(spec, trust=replace(spec.trust, additional_providers=(other,)))
    else:
        account = spec.service_account
        asked = replace(spec, service_account=replace(account, namespaces=(*account.namespaces, namespace)))
    assert not permitted(asked, tenancy)


globs = st.lists(st.from_regex(r"(team|te\?m|t\*)-?[ab?*]?[ab?*]?", fullmatch=True), min_size=1, max_size=2).map(tuple)


@given(globs, globs, st.from_regex(r"te[ax]m-?[ab]?[ab]?", fullmatch=True))
def test_a_pattern_in_the_trust_policy_lets_in_nothing_that_the_rule_does_not(asked, targets, later):
    """Whatever namespaces there are now: all that match will be let in as soon as somebody makes them."""
    of = spec(serviceAccount={"namespaces": list(asked)}, trust={"subjectMatch": "Pattern"})
    allowed = permitted(of, rule(targetNamespaces=list(targets), allow=list(ALLOWANCES)), cluster={})
    if allowed and any(fnmatch.fnmatchcase(later, glob) for glob in asked):
        assert any(fnmatch.fnmatchcase(later, glob) for glob in targets)


def opened(tenancy: Tenancy, opens: str) -> Tenancy:
    """The tenancy once somebody has pasted what the refusal says."""
    new = re.search(r"spec\.tenancy\.rules: (- \{.*\})$", opens)
    if new:
        [item] = yaml.safe_load(new[1])
        return replace(tenancy, rules=(*tenancy.rules, msgspec.convert(item, TenancyRule)))
    change = re.search(r"into rule (\S+): (\{.*\})$", opens)
    assert change
    raw = [msgspec.to_builtins(r) for r in tenancy.rules]
    changed = [r | yaml.safe_load(change[2]) if r["name"] == change[1] else r for r in raw]
    return replace(tenancy, rules=msgspec.convert(changed, tuple[TenancyRule, ...]))


@given(tame(), tenancies, st.sampled_from([(), ("AdministratorAccess",)]))
def test_the_line_that_a_refusal_shows_opens_it_and_no_more(spec, tenancy, extra):
    # A boundary is never opened, its refusal asks for another change.
    role = replace(spec.iam_role, permissions_boundary=msgspec.UNSET)
    spec = replace(spec, iam_role=role, iam_policies=tuple(p for p in spec.iam_policies if p not in extra))
    verdict = ask(spec, tenancy)
    assume(isinstance(verdict, Denied) and "too long" not in verdict.opens)
    after = opened(tenancy, verdict.opens)
    assert isinstance(ask(spec, after), Permit)
    if "to add to its" in verdict.opens:
        beyond = replace(spec, iam_policies=(*spec.iam_policies, "AdministratorAccess"))
        assert isinstance(ask(beyond, after), Denied)
        other = replace(spec, iam_role=replace(role, name="another"))
        assert isinstance(ask(other, after), Denied)


@pytest.mark.parametrize(
    "name", ["true", "No", "null", "123", "1e3", "0x1f", "2026-01-01", "a,b", "=x", "@y", "-z", "+1"]
)
def test_names_that_yaml_takes_for_something_else_are_quoted(name):
    asked = spec(iamRole={"name": name})
    verdict = ask(asked, Tenancy())
    assert isinstance(verdict, Denied)
    after = opened(Tenancy(), verdict.opens)
    assert after.rules[0].role_names == (name,)
    changed = ask(asked, rule(roleNames=["x"]))
    assert isinstance(changed, Denied)
    assert opened(Tenancy(rules=(rule(roleNames=["x"]),)), changed.opens).rules[0].role_names == ("x", name)
