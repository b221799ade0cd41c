"""Old roles of a rename: the status' record vouches for those that the object made, and for nothing that was forged."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from irsa_manager.api import names
from irsa_manager.api.irsa import (
    IRSA,
    BoundServiceAccount,
    IRSASpec,
    IRSAStatus,
    Record,
    RoleSpec,
    RoleStatus,
    ServiceAccountSpec,
)
from irsa_manager.api.kube import Metadata
from irsa_manager.controller.foretelling import foretold
from irsa_manager.controller.signing import signed
from irsa_manager.controller.trouble import role_arn
from irsa_manager.plan.actions import DeleteServiceAccount
from irsa_manager.plan.facts import ClusterFacts, NamespaceFact, Situation
from irsa_manager.plan.mark import MarkKeys, Whose
from irsa_manager.plan.observed import ObservedRole, ObservedServiceAccount
from irsa_manager.plan.ownership import whose
from irsa_manager.plan.planner import decide
from irsa_manager.trust.arn import role_path

ACCOUNT = "111122223333"
KEYS = MarkKeys(b"k" * 32)
FACTS = ClusterFacts("aws", ACCOUNT, "https://oidc.example.com/a", "oidc.example.com/a", "c", "irsa-manager-system")
SPEC = IRSASpec(
    cleanup=True,
    iam_role=RoleSpec(name="new"),
    service_account=ServiceAccountSpec(name="app", namespaces=("team-a",)),
)
CURRENT = RoleStatus(name="current", id="AROA1", account_id=ACCOUNT, origin="Created")
OLD = RoleStatus(name="old", id="AROA0", account_id=ACCOUNT, origin="Created")


def irsa(*retired: RoleStatus) -> IRSA:
    """An object whose status says this of old roles, with a record of it."""
    made = IRSA(Metadata(name="a", namespace=FACTS.operator_namespace, generation=2), SPEC, IRSAStatus())
    status = IRSAStatus(role=CURRENT, retired_roles=retired)
    return replace(made, status=replace(status, record=signed(KEYS, made, status)))


def seen(name: str, role_id: str = "") -> ObservedRole:
    return ObservedRole(name=name, arn=f"arn:aws:iam::{ACCOUNT}:role/{name}", id=role_id, attached=())


def verdict(role: ObservedRole, of: IRSA) -> Whose:
    return whose(role, of.key, ACCOUNT, KEYS, of.status)


@pytest.mark.parametrize("role_id", ["", "AROA0"])
def test_an_old_role_is_known_by_the_record(role_id: str) -> None:
    assert verdict(seen("OLD", role_id), irsa(OLD)) is Whose.MINE


@pytest.mark.parametrize("origin", ["Adopted", "Referenced", ""])
def test_one_that_the_object_did_not_make_is_not(origin: str) -> None:
    assert verdict(seen("old", "AROA0"), irsa(replace(OLD, origin=origin))) is Whose.UNMARKED


def test_another_role_of_that_name_is_not() -> None:
    assert verdict(seen("old", "AROA9"), irsa(OLD)) is Whose.UNMARKED


@pytest.mark.parametrize(
    "forged",
    [
        (OLD, replace(OLD, name="victim", id="AROA7")),
        (replace(OLD, id="AROA7"),),
        (replace(OLD, name="victim"),),
    ],
    ids=["added", "another id", "another name"],
)
def test_a_forged_entry_makes_no_role_ours(forged: tuple[RoleStatus, ...]) -> None:
    of = irsa(OLD)
    of = replace(of, status=replace(of.status, retired_roles=forged))
    for name, role_id in (("victim", "AROA7"), ("victim", ""), ("old", "AROA7"), ("old", "")):
        assert verdict(seen(name, role_id), of) is Whose.UNMARKED


def test_an_entry_that_was_moved_elsewhere_vouches_for_nothing() -> None:
    of = irsa(OLD)
    forged = replace(of.status, retired_roles=(), kept_bindings=("old/AROA0",))
    assert verdict(seen("current"), replace(of, status=forged)) is Whose.UNMARKED


@pytest.mark.parametrize("mac", ["", "valid"])
def test_what_is_written_before_a_rename_vouches_for_nothing_that_was_forged(mac: str) -> None:
    victim = replace(OLD, name="victim", id="AROA7")
    of = irsa(OLD)
    forged = replace(of.status, retired_roles=(OLD, victim), record=of.status.record if mac else Record())
    of = replace(of, status=forged)
    roles = {
        name: seen(name, role_id) for name, role_id in (("victim", "AROA7"), ("old", "AROA0"), ("current", "AROA1"))
    }
    situation = Situation(
        facts=FACTS, keys=KEYS, namespaces={"team-a": NamespaceFact()}, roles=roles, service_accounts={}, holders={}
    )
    decision = decide(of, situation)
    after = replace(of, status=foretold(of, decision, FACTS, KEYS))
    assert {old.name for old in after.status.retired_roles} == {"old", "victim", "current"}
    for role in roles.values():
        assert verdict(role, after) is Whose.UNMARKED


def test_what_is_written_before_a_rename_vouches_for_what_is_ours() -> None:
    of = irsa(OLD)
    roles = {name: seen(name, role_id) for name, role_id in (("old", "AROA0"), ("current", "AROA1"))}
    situation = Situation(
        facts=FACTS, keys=KEYS, namespaces={"team-a": NamespaceFact()}, roles=roles, service_accounts={}, holders={}
    )
    decision = decide(of, situation)
    after = replace(of, status=foretold(of, decision, FACTS, KEYS))
    for role in roles.values():
        assert verdict(role, after) is Whose.MINE


def test_an_old_role_that_can_not_be_read_has_its_own_arn_and_not_the_one_of_the_new_name() -> None:
    start = f"arn:aws:iam::{ACCOUNT}:role"
    current = replace(CURRENT, arn=f"{start}/x/current")
    of = irsa(replace(OLD, arn=f"{start}/y/old"), replace(OLD, name="far", arn="arn:aws:iam::999999999999:role/z/far"))
    of = replace(of, status=replace(of.status, role=current))
    for name, found in (("current", "x/current"), ("old", "y/old"), ("new", "new"), ("far", "far")):
        assert role_arn(of, FACTS, name) == f"{start}/{found}"
        assert role_path(role_arn(of, FACTS, name)) == f"/{found.removesuffix(name)}"


def test_what_points_to_an_old_role_that_is_gone_is_released_if_the_record_vouches_for_that_role() -> None:
    start, victim = f"arn:aws:iam::{ACCOUNT}:role", f"arn:aws:iam::{ACCOUNT}:role/victim"
    new = ObservedRole(name="new", arn=f"{start}/new", id="AROA2", attached=())
    bound = (BoundServiceAccount("team-b", "app"),)

    def released(old: RoleStatus, points_to: str, *roles: ObservedRole, vouched: bool = True) -> bool:
        status = IRSAStatus(role=replace(CURRENT, name="new", id="AROA2"), retired_roles=(old,), service_accounts=bound)
        made = IRSA(Metadata(name="a", namespace=FACTS.operator_namespace, generation=2), SPEC, status)
        made.status = replace(status, record=signed(KEYS, made, status) if vouched else Record("0" * 22))
        account = ObservedServiceAccount(
            "team-b", "app", "u", "1", {}, {names.ANNOTATION_ROLE_ARN: points_to}, made=True
        )
        situation = Situation(
            facts=FACTS,
            keys=KEYS,
            namespaces={"team-a": NamespaceFact()},
            roles={role.name: role for role in (new, *roles)},
            service_accounts={("team-b", "app"): account},
        )
        return DeleteServiceAccount in [type(action) for action in decide(made, situation).plan.actions]

    old = replace(OLD, arn=f"{start}/x/old")
    assert released(old, old.arn)
    assert not released(old, old.arn, vouched=False)
    assert not released(replace(old, origin=""), old.arn)
    assert not released(old, victim)
    # A forged ARN: what the record vouches for is the name.
    assert not released(replace(old, arn=victim), victim)
    # Also where somebody has made another of that name since: the ServiceAccount was bound to ours.
    theirs = ObservedRole(name="old", arn=old.arn, id="AROA9", trust={}, attached=())
    assert released(old, old.arn, theirs)
    assert not released(old, old.arn, theirs, vouched=False)
    # What it referred to was never its own, and what was bound to that is.
    assert released(replace(old, origin="Referenced"), old.arn, theirs)
