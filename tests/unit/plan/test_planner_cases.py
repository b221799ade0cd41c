"""The planner's single rules, each with the case that it was made for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from strategies import ACCOUNT, FACTS, HOST, KEYS

from irsa_manager.api import names
from irsa_manager.api.irsa import (
    IRSA,
    BoundServiceAccount,
    IRSASpec,
    IRSAStatus,
    ProviderSpec,
    Record,
    RoleSpec,
    RoleStatus,
    ServiceAccountSpec,
    TokenSpec,
    TrustSpec,
)
from irsa_manager.api.irsasetup import Tenancy, TenancyRule
from irsa_manager.api.kube import LabelSelector, Metadata
from irsa_manager.plan import actions as do
from irsa_manager.plan.diff_role import trust_difference
from irsa_manager.plan.facts import NamespaceFact, Situation
from irsa_manager.plan.mark import MarkKeys, Whose, make, sign_record
from irsa_manager.plan.observed import ObservedRole, ObservedServiceAccount
from irsa_manager.plan.ownership import recorded, signable
from irsa_manager.plan.planner import decide
from irsa_manager.plan.removal import decide_deletion
from irsa_manager.trust.document import canonical, deny_all, sids, subjects, too_deep

OWNER = f"{FACTS.operator_namespace}/reports"
OTHER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/oidc.example.com/b"


def irsa(*, status: IRSAStatus | None = None, **spec: Any) -> IRSA:
    defaults: dict[str, Any] = {
        "cleanup": True,
        "iam_role": RoleSpec(name="reports"),
        "service_account": ServiceAccountSpec(name="app", namespaces=("team-a",)),
    }
    metadata = Metadata(name="reports", namespace=FACTS.operator_namespace, generation=1)
    return IRSA(metadata, IRSASpec(**{**defaults, **spec}), status or IRSAStatus())


def own_role(**fields: Any) -> ObservedRole:
    """A role that bears this object's mark, or the one of the given tags, in tag and trust."""
    tags = {names.TAG_MARK: make(KEYS, ACCOUNT, "reports", OWNER)} if fields.get("tags") is None else fields["tags"]
    marked = [{"Sid": tags[names.TAG_MARK]}] if names.TAG_MARK in tags else []
    defaults: dict[str, Any] = {
        "name": "reports",
        "arn": f"arn:aws:iam::{ACCOUNT}:role/reports",
        "id": "AROA1",
        "trust": {"Version": "2012-10-17", "Statement": marked},
        "attached": (),
        "inline": {},
        "boundary": "",
        "tags": tags,
        "description": "",
        "max_session_seconds": 3600,
    }
    return ObservedRole(**{**defaults, **fields})


def situation(role: ObservedRole | None = None, **fields: Any) -> Situation:
    return Situation(
        facts=FACTS,
        keys=KEYS,
        namespaces={"team-a": NamespaceFact(), "kube-system": NamespaceFact()},
        roles={role.name.lower(): role} if role else {},
        service_accounts=fields.pop("service_accounts", {}),
        **fields,
    )


def test_the_role_that_exists_gives_the_arn_its_path_and_its_spelling():
    role = own_role(name="Reports", arn=f"arn:aws:iam::{ACCOUNT}:role/irsa/Reports", path="/irsa/")
    decision = decide(irsa(iam_role=RoleSpec(name="reports", path="/")), situation(role))
    assert decision.desired is not None
    (account,) = decision.desired.service_accounts
    assert account.annotations[names.ANNOTATION_ROLE_ARN] == role.arn
    assert decision.role_warning is not None
    assert "can't move a role" in decision.role_warning.facts["error"]


def test_a_boundary_goes_only_after_everything_else_has():
    status = IRSAStatus(role=RoleStatus(name="reports", id="AROA1", managed=("permissionsBoundary",)))

    mac = sign_record(KEYS, recorded(status, OWNER, ACCOUNT))
    status = replace(status, record=replace(status.record, mac=mac))
    role = own_role(boundary="arn:aws:iam::aws:policy/B", attached=("arn:aws:iam::aws:policy/AdministratorAccess",))
    kinds = [type(a) for a in decide(irsa(status=status), situation(role)).plan.actions]
    assert kinds[-2 if kinds[-1] is do.CreateServiceAccount else -1] is do.RemoveBoundary
    assert kinds.index(do.DetachPolicy) < kinds.index(do.RemoveBoundary)


def test_a_forged_list_of_attributes_takes_no_boundary_away():
    status = IRSAStatus(role=RoleStatus(name="reports", id="AROA1", managed=("permissionsBoundary",)))
    decision = decide(irsa(status=status), situation(own_role(boundary="arn:aws:iam::aws:policy/B")))
    assert do.RemoveBoundary not in [type(a) for a in decision.plan.actions]


def test_forged_keys_strip_no_service_account():
    arn = own_role().arn
    account = ObservedServiceAccount(
        "team-a",
        "app",
        "u",
        "1",
        {names.LABEL_CREATED: "true", "x": "1"},
        {names.ANNOTATION_ROLE_ARN: arn, "y": "2"},
        True,
    )
    forged = BoundServiceAccount("team-a", "app", "Created", ("y",), ("x", names.LABEL_CREATED))
    decision = decide(
        irsa(status=IRSAStatus(service_accounts=(forged,))),
        situation(own_role(), service_accounts={("team-a", "app"): account}),
    )
    assert not [a for a in decision.plan.actions if isinstance(a, do.KubeAction)]


def test_what_may_not_be_read_is_written_when_the_object_changes_and_said():
    role = own_role(attached=None, inline=None)
    wanted = irsa(iam_policies=("P",), inline_policies={"q": {"Statement": []}})
    quiet = decide(wanted, situation(role))
    assert not {do.AttachPolicy, do.PutInlinePolicy} & {type(a) for a in quiet.plan.actions}
    loud = decide(wanted, situation(role), rewrite=True)
    assert {do.AttachPolicy, do.PutInlinePolicy} <= {type(a) for a in loud.plan.actions}
    assert loud.role_warning is not None
    assert loud.role_warning.code == "PermissionMissing"
    assert "iam:ListAttachedRolePolicies" in loud.role_warning.facts["action"]


def test_a_policy_that_cannot_be_seen_is_taken_off_when_it_leaves_the_spec():
    kept = "arn:aws:iam::aws:policy/AWSDenyAll"
    status = IRSAStatus(role=RoleStatus(name="reports", attached_policies=("arn:aws:iam::aws:policy/Old", kept)))
    plan = decide(irsa(status=status), situation(own_role(attached=None)), rewrite=True).plan
    detached = [action.policy_arn for action in plan.actions if isinstance(action, do.DetachPolicy)]
    assert detached == ["arn:aws:iam::aws:policy/Old"]


def test_an_audience_that_the_provider_does_not_list_is_told():
    facts = replace(FACTS, client_ids=("sts.amazonaws.com",))
    wrong = irsa(trust=TrustSpec(audiences=("other",)))
    decision = decide(wrong, replace(situation(), facts=facts))
    assert decision.role_warning is not None
    assert decision.role_warning.code == "AudienceMissing"
    assert decide(irsa(), replace(situation(), facts=facts)).role_warning is None
    both = irsa(trust=TrustSpec(audiences=("other", "sts.amazonaws.com")))
    assert decide(both, replace(situation(), facts=facts)).role_warning is None
    account = ServiceAccountSpec(name="app", namespaces=("team-a",), token=TokenSpec(audience="other"))
    asked = irsa(trust=TrustSpec(audiences=("other", "sts.amazonaws.com")), service_account=account)
    warned = decide(asked, replace(situation(), facts=facts)).role_warning
    assert warned is not None
    assert warned.facts["audience"] == "other"


@pytest.mark.parametrize(
    ("namespaces", "match", "expected"),
    [
        (("there",), "Exact", {(OTHER, "system:serviceaccount:there:app")}),
        ((), "Exact", {(OTHER, "system:serviceaccount:team-a:app")}),
        (("team-*",), "Pattern", {(OTHER, "system:serviceaccount:team-*:app")}),
    ],
)
def test_another_clusters_namespaces_are_taken_as_they_are_written(namespaces, match, expected):
    trust = TrustSpec(
        subject_match=match, additional_providers=(ProviderSpec("oidc.example.com/b", namespaces=namespaces),)
    )
    decision = decide(irsa(trust=trust), situation())
    assert decision.desired is not None
    assert {pair for pair in subjects(decision.desired.role.trust) if pair[0] == OTHER} == expected
    assert decision.role_warning is None


def test_a_provider_that_trusts_nobody_is_told():
    account = ServiceAccountSpec(name="app", namespaces=("team-*",))
    trust = TrustSpec(additional_providers=(ProviderSpec("oidc.example.com/b"),))
    decision = decide(irsa(service_account=account, trust=trust), situation())
    assert decision.role_warning is not None
    assert "names no namespace" in decision.role_warning.facts["error"]


def test_a_document_nested_too_deeply_is_refused_and_nothing_is_written():
    deep: Any = 1
    for _ in range(60):
        deep = {"a": deep}
    assert too_deep(deep)
    assert not too_deep({"Statement": [{"Condition": {"StringEquals": {"a": ["b"]}}}]})
    decision = decide(irsa(inline_policies={"p": deep}), situation(own_role()))
    assert decision.plan.empty
    assert decision.role_problem is not None
    assert decision.role_problem.code == "MalformedDocument"


def test_what_another_object_holds_is_not_taken_away():
    arn = own_role().arn
    account = ObservedServiceAccount("old", "app", "u", "1", {}, {names.ANNOTATION_ROLE_ARN: arn}, made=True)
    status = IRSAStatus(service_accounts=(BoundServiceAccount("old", "app", "Created"),))
    accounts = {("old", "app"): account}
    free = decide(irsa(status=status), situation(own_role(), service_accounts=accounts))
    assert do.DeleteServiceAccount in [type(a) for a in free.plan.actions]
    held = decide(
        irsa(status=status),
        situation(own_role(), service_accounts=accounts, holders={("old", "app"): "team-b/other"}),
    )
    assert do.DeleteServiceAccount not in [type(a) for a in held.plan.actions]


def test_what_another_object_waits_for_goes_with_the_object_that_made_it():
    arn = own_role().arn
    account = ObservedServiceAccount("old", "app", "u", "1", {}, {names.ANNOTATION_ROLE_ARN: arn}, made=True)
    decision = decide_deletion(
        irsa(status=IRSAStatus(service_accounts=(BoundServiceAccount("old", "app", "Created"),))),
        situation(own_role(), service_accounts={("old", "app"): account}, holders={("old", "app"): "team-b/other"}),
    )
    assert do.DeleteServiceAccount in [type(a) for a in decision.plan.actions]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


def vouching(role: ObservedRole) -> IRSAStatus:
    """A status that vouches for a role."""
    status = IRSAStatus(role=RoleStatus(name=role.name, id=role.id, account_id=ACCOUNT, origin="Created"))
    return replace(status, record=Record(sign_record(KEYS, recorded(status, OWNER, ACCOUNT))))


def test_a_mark_in_the_tag_alone_is_no_evidence_since_who_may_only_tag_could_put_an_old_one_back():
    bare = {"Version": "2012-10-17", "Statement": []}
    replayed = decide(irsa(), situation(own_role(trust=bare)))
    assert replayed.plan.empty
    assert replayed.role_problem is not None
    assert replayed.role_problem.code == "OwnershipUnknown"
    # Also where the record's key is lost, what is told is what there is to see and to do.
    lost = replace(vouching(own_role()), record=Record("0" * 22))
    doubted = decide(irsa(status=lost), situation(own_role(trust=bare))).role_problem
    assert doubted is not None
    for problem in (replayed.role_problem, doubted):
        assert problem.facts["cause"].startswith("its tag bears this object's mark")
        assert "adopt --all-mine" in problem.facts["fix"]
    for role, status in ((own_role(trust=bare), vouching(own_role())), (own_role(), None)):
        assert decide(irsa(status=status), situation(role)).role_problem is None
    deleting = decide_deletion(irsa(), situation(own_role(trust=bare)))
    assert not [a for a in deleting.plan.actions if isinstance(a, do.AwsAction)]


def test_a_role_that_another_cluster_has_taken_over_is_told_as_such_whatever_its_tag_still_says():
    theirs = deny_all(make(MarkKeys(b"x" * 32), ACCOUNT, "reports", OWNER), f"arn:aws:iam::{ACCOUNT}:oidc-provider/x")
    for role in (own_role(trust=theirs), own_role(trust=theirs, tags={})):
        decision = decide(irsa(status=vouching(role)), situation(role))
        assert not [a for a in decision.plan.actions if isinstance(a, do.AwsAction)]
        assert decision.role_problem is not None
        assert decision.role_problem.facts["cause"].endswith("another cluster has taken it over")


@given(anything, anything)
def test_whatever_somebody_writes_into_a_trust_is_compared_and_repaired(value, key):
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{HOST}"},
        "Condition": {"StringEquals": {f"{HOST}:sub": value}, "Bool": key},
    }
    for trust in ({"Statement": [statement]}, {"Statement": value}, {"Statement": [value, statement]}, {"x": key}):
        role = own_role(trust=trust)
        decision = decide(irsa(status=vouching(role)), situation(role))
        assert do.UpdateTrust in [type(a) for a in decision.plan.actions]
        canonical(trust)
        assert trust_difference({"Statement": []}, trust)


def bound_to(role: ObservedRole, namespace: str, *, made: bool) -> ObservedServiceAccount:
    return ObservedServiceAccount(
        namespace, "app", uid="1", resource_version="1", annotations={names.ANNOTATION_ROLE_ARN: role.arn}, made=made
    )


@pytest.mark.parametrize("going", [False, True])
def test_what_is_bound_to_a_role_that_is_only_referenced_is_left_where_it_is_not_in_reach(going: bool):
    role = own_role(tags={})
    accounts = {
        (namespace, "app"): bound_to(role, namespace, made=namespace == "made") for namespace in ("team-a", "made", "x")
    }
    forged = IRSAStatus(service_accounts=(BoundServiceAccount("team-a", "app"), BoundServiceAccount("x", "app")))
    home = Metadata(name="reports", namespace="team-a", generation=1)
    spec = IRSASpec(
        cleanup=True,
        iam_role=RoleSpec(name="reports", management_policy="Reference"),
        service_account=ServiceAccountSpec(name="other", namespaces=("team-a",)),
    )
    rule = TenancyRule("a", LabelSelector(), management_policies=("Reference",))
    facts = replace(FACTS, tenancy=Tenancy(rules=(rule,)))
    seen = replace(situation(role, service_accounts=accounts), facts=facts)
    decide_it = decide_deletion if going else decide
    actions = [
        a for a in decide_it(IRSA(home, spec, forged), seen).plan.actions if not isinstance(a, do.CreateServiceAccount)
    ]
    assert [(type(a), a.namespace) for a in actions] == [(do.PatchServiceAccount, "team-a")]


def test_what_a_reference_has_bound_in_another_namespace_in_reach_is_released():
    role = own_role(tags={})
    accounts = {("b", "app"): bound_to(role, "b", made=True)}
    status = IRSAStatus(
        role=RoleStatus(name="reports", arn=role.arn, id=role.id, account_id=ACCOUNT, origin="Referenced"),
        service_accounts=(BoundServiceAccount("b", "app"),),
    )
    spec = IRSASpec(
        cleanup=True,
        iam_role=RoleSpec(name="reports", management_policy="Reference"),
        service_account=ServiceAccountSpec(name="app", namespaces=("b",)),
    )
    rule = TenancyRule("a", LabelSelector(), target_namespaces=("b",), management_policies=("Reference",))
    facts = replace(FACTS, tenancy=Tenancy(rules=(rule,)))
    seen = replace(situation(role, service_accounts=accounts), facts=facts)
    tenants = IRSA(Metadata(name="reports", namespace="team-a", generation=1), spec, status)
    assert [(type(a), a.namespace) for a in decide_deletion(tenants, seen).plan.actions] == [
        (do.DeleteServiceAccount, "b")
    ]


def test_what_points_to_a_role_that_is_gone_is_left_unless_it_was_this_objects():
    role = own_role()
    gone = {("x", "app"): bound_to(role, "x", made=True), ("team-a", "app"): bound_to(role, "team-a", made=True)}
    home = Metadata(name="reports", namespace="team-a", generation=1)
    status = IRSAStatus(
        role=RoleStatus(name="reports", arn=role.arn, id="AROA1", account_id=ACCOUNT, origin="Created"),
        service_accounts=(BoundServiceAccount("team-a", "app"), BoundServiceAccount("x", "app")),
    )
    asking = IRSA(home, irsa().spec, status)
    seen = situation(service_accounts=gone)
    released = [a.namespace for a in decide_deletion(asking, seen).plan.actions]
    assert released == ["team-a"]
    record = Record(sign_record(KEYS, recorded(status, "team-a/reports", ACCOUNT)))
    asking.status = replace(status, record=record)
    assert [a.namespace for a in decide_deletion(asking, seen).plan.actions] == ["team-a", "x"]
    # The record vouches for the list as well: one that was added isn't the object's, and nothing of it is signed later.
    other = ObservedServiceAccount(
        "bees", "hand", uid="2", resource_version="1", annotations={names.ANNOTATION_ROLE_ARN: role.arn}
    )
    longer = (*status.service_accounts, BoundServiceAccount("bees", "hand"))
    asking.status = replace(asking.status, service_accounts=longer)
    seen = situation(service_accounts={**gone, ("bees", "hand"): other})
    assert [a.namespace for a in decide_deletion(asking, seen).plan.actions] == ["team-a"]
    kept = signable(asking, longer, ACCOUNT, KEYS, FACTS.operator_namespace)
    assert kept == (BoundServiceAccount("team-a", "app"),)


@pytest.mark.parametrize("kind", [Whose.MINE, Whose.ADOPTED])
def test_a_denied_role_that_trusts_nobody_any_more_still_bears_its_own_mark(kind: Whose):
    key = "team-a/reports"
    mark = make(KEYS, ACCOUNT, "reports", key, kind)

    def trusting(sid: str) -> dict[str, Any]:
        return {
            "Sid": sid,
            "Effect": "Allow",
            "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{HOST}"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {f"{HOST}:sub": "system:serviceaccount:gone:app"}},
        }

    trust = {"Version": "2012-10-17", "Statement": [trusting("SomebodyElses"), trusting(mark)]}
    role = own_role(tags={}, trust=trust)
    tenant = replace(irsa(), metadata=Metadata(name="reports", namespace="team-a", generation=1))
    decision = decide(tenant, situation(role))
    assert decision.ready_problem is not None
    assert decision.ready_problem.code == "TenancyDenied"
    (action,) = decision.plan.actions
    assert isinstance(action, do.UpdateTrust)
    assert subjects(action.trust) == set()
    assert sids(action.trust) == [mark]
    assert decide(tenant, situation(replace(role, trust=action.trust))).plan.empty


def bound_and_gone(status: IRSAStatus, points_to: str, *, vouching_too: bool = True) -> list[type]:
    """What the deletion of an object does with what points to that role, where no role is left."""
    status = replace(status, service_accounts=(BoundServiceAccount("default", "app", "Created"),))
    if vouching_too:
        status = replace(status, record=Record(sign_record(KEYS, recorded(status, OWNER, ACCOUNT))))
    account = ObservedServiceAccount(
        "default", "app", uid="1", resource_version="1", annotations={names.ANNOTATION_ROLE_ARN: points_to}, made=True
    )
    seen = situation(service_accounts={("default", "app"): account})
    return [type(action) for action in decide_deletion(irsa(status=status), seen).plan.actions]


def test_what_points_to_a_role_that_is_gone_is_released_by_the_arn_that_the_role_had():
    there = f"arn:aws:iam::{ACCOUNT}:role"
    had = RoleStatus(name="reports", arn=f"{there}/a/reports", id="AROA1", account_id=ACCOUNT, origin="Created")
    # roleDefaults.path, or the spec's, is another one by now.
    assert bound_and_gone(IRSAStatus(role=had), had.arn) == [do.DeleteServiceAccount]
    assert bound_and_gone(IRSAStatus(role=had), f"{there}/reports") == [do.DeleteServiceAccount]
    # The record vouches for the name: an ARN that is of another one says nothing.
    for other in (f"{there}/victim", "arn:aws:iam::999999999999:role/reports", "garbage"):
        assert bound_and_gone(IRSAStatus(role=replace(had, arn=other)), other) == []


def test_what_points_to_an_old_role_of_a_rename_is_released_though_that_is_gone_too():
    there = f"arn:aws:iam::{ACCOUNT}:role"
    old = RoleStatus(name="old", arn=f"{there}/a/old", id="AROA0", account_id=ACCOUNT, origin="Created")
    now = RoleStatus(name="reports", id="AROA1", account_id=ACCOUNT, origin="Created")
    assert bound_and_gone(IRSAStatus(role=now, retired_roles=(old,)), old.arn) == [do.DeleteServiceAccount]
    # Renamed, and nothing done yet.
    assert bound_and_gone(IRSAStatus(role=old), old.arn) == [do.DeleteServiceAccount]
    for role, retired in ((now, (old,)), (old, ())):
        forged = IRSAStatus(role=role, retired_roles=retired)
        assert bound_and_gone(forged, old.arn, vouching_too=False) == []
