"""What carries a plan out, where account and cluster aren't as they were seen: nothing is taken for gone too early."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from e2e_aws import Account
from e2e_lab import unique

from irsa_manager.aws.credentials import AwsSettings
from irsa_manager.aws.pacing import Pacer
from irsa_manager.aws.session import open_aws
from irsa_manager.controller.carry_out import Hands, Outcome
from irsa_manager.controller.roles import RoleStore
from irsa_manager.controller.shown import HOLD_SECONDS
from irsa_manager.kube.client import Kube
from irsa_manager.plan import actions as do
from irsa_manager.plan.observed import ObservedRole
from irsa_manager.sandbox.running import RunningSandbox


class Stage:
    """The hands that the controller has, with a clock to turn. seen: the roles as last seen."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.seen = RoleStore(clock=lambda: self.now)
        self.hands: Hands | None = None

    async def carry_out(self, *actions: do.AwsAction | do.KubeAction) -> Outcome:
        assert self.hands is not None
        return await self.hands.carry_out(do.Plan(actions))


@pytest.fixture
async def stage(sandbox: RunningSandbox, account: Account) -> AsyncIterator[Stage]:
    made = Stage()
    settings = AwsSettings.from_environment(sandbox.environment())
    async with Kube.connect(sandbox.kubeconfig) as kube, open_aws(settings, pacer=Pacer(500)) as aws:
        made.hands = Hands(aws, kube, made.seen, lambda: None, wrote=lambda _account: None)
        yield made
    account.faults()


def known(role: str, role_id: str = "AROA1") -> ObservedRole:
    return ObservedRole(role, f"arn:aws:iam::000000000000:role/{role}", role_id)


def deletion(role: str) -> do.DeleteRole:
    return do.DeleteRole(role=role, reason="the object is being deleted")


async def test_a_role_that_was_written_a_moment_ago_and_is_not_found_is_not_taken_for_deleted(stage: Stage) -> None:
    role = unique("role")
    stage.seen.wrote(role, known(role))
    outcome = await stage.carry_out(deletion(role))
    assert outcome.done == ()
    assert [failure.error.code for failure in outcome.failures] == ["AWSUnavailable"]
    assert "may show it late" in outcome.failures[0].error.message
    assert stage.seen.get(role) == known(role)
    stage.now += HOLD_SECONDS
    assert (await stage.carry_out(deletion(role))).done == (deletion(role),)
    assert stage.seen.get(role) is None


async def test_one_that_is_deleted_and_one_that_was_only_seen_are_not_waited_for(
    stage: Stage, account: Account
) -> None:
    there, seen = unique("there"), unique("seen")
    account.foreign_role(there)
    stage.seen.wrote(there, known(there, ""))
    stage.seen.saw(seen, known(seen))
    outcome = await stage.carry_out(deletion(there), deletion(seen))
    assert outcome.done == (deletion(there), deletion(seen))
    assert account.role(there) is None


async def test_no_role_goes_before_the_serviceaccounts_that_point_to_it(stage: Stage, account: Account) -> None:
    role = unique("role")
    theirs = account.foreign_role(role)
    outrun = do.DeleteServiceAccount(namespace=role, name="web", reason="why", uid="1", resource_version="1")
    outcome = await stage.carry_out(outrun, deletion(role))
    assert outcome.outrun
    assert outcome.done == ()
    assert account.role(role) == theirs
    account.wipe(role)


async def test_another_role_of_that_name_is_left_also_where_it_can_not_be_read_whole(
    stage: Stage, account: Account
) -> None:
    role = unique("role")
    theirs = account.foreign_role(role)
    stage.seen.saw(role, known(role, "AROAOURS"))
    account.faults(error=1.0, operations=["ListRolePolicies"])
    outcome = await stage.carry_out(deletion(role))
    assert [(failure.action, failure.error.code) for failure in outcome.failures] == [
        (deletion(role), "AWSUnavailable")
    ]
    account.faults()
    assert account.role(role) == theirs
    account.wipe(role)


async def test_a_refusal_of_something_else_tells_nothing_about_a_creation_without_an_answer(
    stage: Stage, account: Account
) -> None:
    role = unique("role")
    account.foreign_role(role)
    stage.seen.attempted(role)
    outcome = await stage.carry_out(do.UpdateTrust(role=role, reason="why", trust={"Version": "never"}))
    assert [type(failure.action) for failure in outcome.failures] == [do.UpdateTrust]
    assert stage.seen.may_appear(role)
    account.wipe(role)
