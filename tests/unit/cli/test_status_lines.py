"""The tables of irsa-manager status."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from irsa_manager.api.irsa import IRSA, BoundServiceAccount, IRSASpec, IRSAStatus, RoleSpec
from irsa_manager.api.irsasetup import IRSASetup, IRSASetupSpec, IRSASetupStatus
from irsa_manager.api.kube import Condition, Metadata
from irsa_manager.cli.status import as_data, lines
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


def test_what_is_not_ready_says_why_below_the_table() -> None:
    good = irsa("good", Condition("Ready", "True", "IRSAReady", "All is well.", 1))
    bad = irsa("bad", Condition("Ready", "False", "RoleExists", "Role r exists.", 1))
    assert lines([], [good, bad], NOW) == [
        "IRSA    READY  ROLE  BOUND  REASON      AGE",
        "a/good  True   r     1      IRSAReady   3m",
        "a/bad   False  r     1      RoleExists  3m",
        "  a/bad: Role r exists.",
    ]


def test_setups_come_first() -> None:
    setup = IRSASetup(
        metadata=Metadata(name="s", namespace="op", creation_timestamp=(NOW - timedelta(days=9)).isoformat()),
        spec=IRSASetupSpec(cleanup=False, mode="eks"),
        status=IRSASetupStatus(
            account_id="111122223333", conditions=(Condition("Ready", "True", "EksOIDCSetupReady"),)
        ),
    )
    told = lines([setup], [], NOW)
    assert told[1].split() == ["op/s", "True", "eks", "111122223333", "EksOIDCSetupReady", "9d"]
    assert told[-1] == "There are no IRSAs."


@pytest.mark.parametrize("conditions", [(), (Condition("Ready", "True", "IRSAReady", "", 1),)])
def test_what_was_not_judged_is_unknown(conditions: tuple[Condition, ...]) -> None:
    data = as_data([], [irsa("new", *conditions, generation=2)])["irsas"][0]
    assert data["ready"] == "Unknown"
    assert "judged" in data["message"]
    assert data["serviceAccounts"] == ["a/web"]


@pytest.mark.parametrize(("holder", "age", "alive"), [("x", 14, True), ("x", 16, False), ("", 1, False)])
def test_a_controller_lives_as_long_as_it_renews_its_lease(holder: str, age: int, alive: bool) -> None:
    renewed = (NOW - timedelta(seconds=age)).isoformat()
    lease = Lease(Metadata(name="l"), LeaseSpec(holder_identity=holder, lease_duration_seconds=15, renew_time=renewed))
    assert live(lease, NOW) is alive
    assert not live(None, NOW)
