"""AWS on a bad day: throttled, slow, failing, answers lost. What is sent again, and what never is."""

from __future__ import annotations

import asyncio

import pytest
from aws_access import calls
from aws_actions import S3, create
from front_process import Front

from irsa_manager.api.errors import AwsExists, AwsThrottled, AwsUnavailable
from irsa_manager.aws.calls import RESENDS, Aws
from irsa_manager.aws.credentials import AwsSettings
from irsa_manager.aws.execute import execute
from irsa_manager.aws.pacing import Pacer
from irsa_manager.aws.session import open_aws
from irsa_manager.aws.snapshot import read_role
from irsa_manager.plan.actions import AttachPolicy, DeleteRole, DetachPolicy


def faults(front: Front, **given: object) -> None:
    status, answer = front.sandbox("PUT", "faults", given)
    assert status == 200, answer
    front.sandbox("DELETE", "calls")


async def test_a_throttled_call_is_sent_again_and_then_given_up(root: AwsSettings, aws_front: Front, role: str) -> None:
    seen: list[tuple[str, str]] = []
    pacer = Pacer(500)
    async with open_aws(root, pacer=pacer, on_call=lambda op, outcome, _: seen.append((op, outcome))) as aws:
        faults(aws_front, throttle=1.0)
        with pytest.raises(AwsThrottled) as caught:
            await execute(aws, create(role))
        assert seen == [("CreateRole", "throttled")] * (RESENDS + 1)
        assert pacer.rate < 500
        assert caught.value.code == "Throttled"
        faults(aws_front)
        slow = pacer.rate
        await execute(aws, create(role))
        assert pacer.rate > slow
        assert seen[-1] == ("CreateRole", "ok")


async def test_random_throttling_loses_no_call(aws: Aws, aws_front: Front, role: str) -> None:
    faults(aws_front, throttle=0.3, seed=7)
    await execute(aws, create(role))

    async def flip() -> None:
        await execute(aws, AttachPolicy(role=role, reason="", policy_arn=S3))
        await execute(aws, DetachPolicy(role=role, reason="", policy_arn=S3))

    for done in await asyncio.gather(*(flip() for _ in range(30)), return_exceptions=True):
        # Four refusals in a row are rare but real; they are reported as what they are.
        assert done is None or isinstance(done, AwsThrottled)
    faults(aws_front)
    await execute(aws, DetachPolicy(role=role, reason="", policy_arn=S3))
    await execute(aws, DeleteRole(role=role, reason=""))


@pytest.mark.parametrize("fault", [{"drop": 1.0}, {"error": 1.0}], ids=["answer lost", "500"])
async def test_a_create_whose_end_is_unknown_is_never_sent_again(
    aws: Aws, aws_front: Front, role: str, fault: dict[str, float]
) -> None:
    faults(aws_front, operations=["CreateRole"], **fault)
    with pytest.raises(AwsUnavailable) as caught:
        await execute(aws, create(role))
    assert caught.value.code == "AWSUnavailable"
    assert calls(aws_front) == {"CreateRole": 1}
    made = await read_role(aws, role) is not None
    assert made == ("drop" in fault)
    faults(aws_front)
    if made:
        with pytest.raises(AwsExists):
            await execute(aws, create(role))


async def test_a_call_ends_before_a_lease_would(aws: Aws, aws_front: Front, role: str) -> None:
    faults(aws_front, latency=60.0, operations=["CreateRole"])
    with pytest.raises(AwsUnavailable, match="no answer in time"):
        await aws.call("CreateRole", timeout=0.2, RoleName=role, AssumeRolePolicyDocument="{}")


async def test_a_cancelled_call_is_counted_and_frees_its_turn(root: AwsSettings, aws_front: Front, role: str) -> None:
    outcomes: list[str] = []
    pacer = Pacer(500, in_flight=1)
    async with open_aws(root, pacer=pacer, on_call=lambda _op, outcome, _s: outcomes.append(outcome)) as aws:
        faults(aws_front, latency=60.0, operations=["GetRole"])
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await aws.call("GetRole", RoleName=role)
        assert pacer.running == 0
        assert (await aws.call("GetAccountSummary"))["SummaryMap"]
    assert outcomes == ["cancelled", "ok"]


class LostError(Exception):
    """Leadership is gone."""


async def test_the_guard_has_the_last_word_after_the_wait(root: AwsSettings, aws_front: Front, role: str) -> None:
    leader = True

    def guard() -> None:
        if not leader:
            raise LostError

    pacer = Pacer(500, in_flight=1)
    async with open_aws(root, pacer=pacer, guard=guard) as aws:
        async with pacer.turn():
            creating = asyncio.create_task(execute(aws, create(role)))
            await asyncio.sleep(0)
            leader = False
        with pytest.raises(LostError):
            await creating
        assert pacer.running == 0
    assert "CreateRole" not in calls(aws_front)


async def test_a_role_is_not_seen_at_once_under_eventual_consistency(aws: Aws, aws_front: Front, role: str) -> None:
    faults(aws_front, consistency=3600.0)
    await execute(aws, create(role))
    assert await read_role(aws, role) is None
