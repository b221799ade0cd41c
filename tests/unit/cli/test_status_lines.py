"""The tables of irsa-manager status."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from irsa_manager.api.irsa import (
    IRSA,
    BoundServiceAccount,
    IRSASpec,
    IRSAStatus,
    RoleSpec,
    RoleStatus,
    ServiceAccountSpec,
)
from irsa_manager.api.irsasetup import IRSASetup, IRSASetupSpec, IRSASetupStatus
from irsa_manager.api.kube import Condition, Metadata
from irsa_manager.cli.status_lines import Seen, as_data, lines
from irsa_manager.controller.releasing import live
from irsa_manager.kube.resources import Lease, LeaseSpec

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def irsa(name: str, *conditions: Condition, generation: int = 1) -> IRSA:
    made = (NOW - timedelta(minutes=3)).isoformat()
    return IRSA(
        metadata=Metadata(name=name, namespace="a", generation=generation, creation_timestamp=made),
        spec=IRSASpec(cleanup=True, iam_role=RoleSpec(name="r")),
        status=IRSAStatus(service_accounts=(BoundServiceAccount("a", "web"),), conditions=conditions),
    )


def test_a_row_tells_who_is_which_role_and_below_the_table_why_it_is_not_ready() -> None:
    good = irsa("good", Condition("Ready", "True", "IRSAReady", "All is well.", 1))
    bad = irsa("bad", Condition("Ready", "False", "RoleExists", "Role r exists.", 1))
    used = Seen({("a", "web"): 3}, {"arn:r": NOW - timedelta(minutes=4)})
    good = replace(good, status=replace(good.status, role=RoleStatus(name="r", arn="arn:r")))
    assert lines([], [good, bad], used, NOW) == [
        "NAMESPACE  SERVICEACCOUNT  ROLE  READY  PODS  LAST USED  REASON",
        "a          web             r     yes    3     4m         IRSAReady",
        "a          web             r     NO     3     -          RoleExists",
        "  a/bad: Role r exists.",
    ]
    assert lines([], [bad], Seen(), NOW, wide=True)[1].split() == [
        *("a", "web", "r", "NO", "-", "-", "RoleExists"),
        *("a/bad", "-", "-", "-", "3m"),
    ]


def test_what_is_not_bound_yet_is_shown_as_the_spec_asks_for_it() -> None:
    spec = ServiceAccountSpec(name="web", additional_names=("job",), namespaces=("b", "team-*"))
    new = irsa("new")
    new = replace(new, status=IRSAStatus(), spec=IRSASpec(cleanup=True, service_account=spec))
    assert [row.split()[:4] for row in lines([], [new], Seen(), NOW)[1:3]] == [
        ["b", "job", "-", "?"],
        ["b", "web", "-", "?"],
    ]
    everywhere = replace(new, spec=IRSASpec(cleanup=True, service_account=replace(spec, namespaces=("*",))))
    assert lines([], [everywhere], Seen(), NOW)[1].split()[:2] == ["-", "web"]


def test_setups_come_first() -> None:
    setup = IRSASetup(
        metadata=Metadata(name="s", namespace="op", creation_timestamp=(NOW - timedelta(days=9)).isoformat()),
        spec=IRSASetupSpec(cleanup=False, mode="eks"),
        status=IRSASetupStatus(
            account_id="111122223333", conditions=(Condition("Ready", "True", "EksOIDCSetupReady"),)
        ),
    )
    told = lines([setup], [], Seen(), NOW)
    assert told[1].split() == ["op/s", "yes", "eks", "111122223333", "EksOIDCSetupReady", "9d"]
    assert told[-1] == "There are no IRSAs."


@pytest.mark.parametrize("conditions", [(), (Condition("Ready", "True", "IRSAReady", "", 1),)])
def test_what_was_not_judged_is_unknown(conditions: tuple[Condition, ...]) -> None:
    data = as_data([], [irsa("new", *conditions, generation=2)], Seen())["irsas"][0]
    assert data["ready"] == "Unknown"
    assert "judged" in data["message"]
    assert data["serviceAccounts"] == ["a/web"]


@pytest.mark.parametrize(("holder", "age", "alive"), [("x", 14, True), ("x", 16, False), ("", 1, False)])
def test_a_controller_lives_as_long_as_it_renews_its_lease(holder: str, age: int, alive: bool) -> None:
    renewed = (NOW - timedelta(seconds=age)).isoformat()
    lease = Lease(Metadata(name="l"), LeaseSpec(holder_identity=holder, lease_duration_seconds=15, renew_time=renewed))
    assert live(lease, NOW) is alive
    assert not live(None, NOW)
