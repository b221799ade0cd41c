"""Every action of a plan on an AWS that enforces: done, done again, and done where its object is gone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest
from aws_access import calls
from aws_actions import INLINE, S3, SQS, create, trust_of
from front_process import Front

from irsa_manager.api import names
from irsa_manager.api.errors import AwsDenied, AwsExists, AwsMissing, AwsRefused
from irsa_manager.aws.calls import Aws
from irsa_manager.aws.execute import ABSENT, DONE, execute
from irsa_manager.aws.snapshot import read_role
from irsa_manager.plan.actions import (
    AttachPolicy,
    AwsAction,
    CreateServiceAccount,
    DeleteInlinePolicy,
    DeleteRole,
    DetachPolicy,
    PutInlinePolicy,
    RemoveBoundary,
    SetBoundary,
    TagRole,
    UntagRole,
    UpdateRole,
    UpdateTrust,
)


async def test_a_role_is_created_whole_in_one_call(aws: Aws, aws_front: Front, role: str) -> None:
    done = await execute(
        aws,
        create(role, path="/t/", description="D é", max_session_seconds=7200, boundary=S3, tags={"b": "2", "a": "1"}),
    )
    assert calls(aws_front) == {"CreateRole": 1}
    seen = await read_role(aws, role)
    assert seen is not None
    assert (done.role_id, done.role_arn, done.tags_denied) == (seen.id, seen.arn, False)
    assert (seen.path, seen.description, seen.max_session_seconds) == ("/t/", "D é", 7200)
    assert (seen.boundary, seen.tags, seen.attached, seen.inline) == (S3, {"a": "1", "b": "2"}, (), {})
    assert seen.trust is not None
    assert seen.trust["Statement"][0]["Condition"] == trust_of("a")["Statement"][0]["Condition"]


async def test_each_change_is_seen_and_does_no_harm_twice(aws: Aws, role: str) -> None:
    await execute(aws, create(role, description="old", tags={"gone": "1"}))
    actions: list[AwsAction] = [
        UpdateTrust(role=role, reason="", trust=trust_of("x", "y")),
        AttachPolicy(role=role, reason="", policy_arn=S3),
        AttachPolicy(role=role, reason="", policy_arn=SQS),
        PutInlinePolicy(role=role, reason="", name="in", document=INLINE),
        PutInlinePolicy(role=role, reason="", name="out", document=INLINE),
        SetBoundary(role=role, reason="", boundary=S3),
        UpdateRole(role=role, reason="", description="", max_session_seconds=3700),
        TagRole(role=role, reason="", tags={"k": "v"}),
        UntagRole(role=role, reason="", keys=("gone",)),
    ]
    taken = [
        DetachPolicy(role=role, reason="", policy_arn=SQS),
        DeleteInlinePolicy(role=role, reason="", name="out"),
    ]
    for action in [*actions, *actions, *taken]:
        assert await execute(aws, action) == DONE
    for again in taken:
        assert await execute(aws, again) == ABSENT
    seen = await read_role(aws, role)
    assert seen is not None
    assert seen.trust is not None
    assert seen.trust["Statement"][0]["Condition"] == trust_of("x", "y")["Statement"][0]["Condition"]
    assert (seen.attached, set(seen.inline or {})) == ((S3,), {"in"})
    assert (seen.inline or {})["in"]["Statement"][0]["Action"] == "s3:ListAllMyBuckets"
    assert (seen.boundary, seen.description, seen.max_session_seconds, seen.tags) == (S3, "", 3700, {"k": "v"})
    assert await execute(aws, RemoveBoundary(role=role, reason="")) == DONE
    assert (await execute(aws, RemoveBoundary(role=role, reason=""))) in (DONE, ABSENT)


async def test_a_role_is_deleted_once_it_is_empty(aws: Aws, role: str) -> None:
    await execute(aws, create(role))
    await execute(aws, AttachPolicy(role=role, reason="", policy_arn=S3))
    with pytest.raises(AwsRefused) as caught:
        await execute(aws, DeleteRole(role=role, reason=""))
    assert caught.value.code == "RoleInUse"
    await execute(aws, DetachPolicy(role=role, reason="", policy_arn=S3))
    assert await execute(aws, DeleteRole(role=role, reason="")) == DONE
    assert await execute(aws, DeleteRole(role=role, reason="")) == ABSENT
    assert await read_role(aws, role) is None


@pytest.mark.parametrize(
    "action",
    [
        AttachPolicy(role="nobody", reason="", policy_arn=S3),
        UpdateTrust(role="nobody", reason="", trust=trust_of()),
        PutInlinePolicy(role="nobody", reason="", name="p", document=INLINE),
        UpdateRole(role="nobody", reason="", description="d"),
        TagRole(role="nobody", reason="", tags={"k": "v"}),
        UntagRole(role="nobody", reason="", keys=("k",)),
        SetBoundary(role="nobody", reason="", boundary=S3),
    ],
    ids=lambda action: type(action).__name__,
)
async def test_what_changes_an_absent_role_says_that_it_is_missing(aws: Aws, action: AwsAction) -> None:
    with pytest.raises(AwsMissing) as caught:
        await execute(aws, action)
    assert caught.value.code == "IRSAFailedRoleUpdate"


@pytest.mark.parametrize(
    "action",
    [
        DetachPolicy(role="nobody", reason="", policy_arn=S3),
        DeleteInlinePolicy(role="nobody", reason="", name="p"),
        RemoveBoundary(role="nobody", reason=""),
        DeleteRole(role="nobody", reason=""),
    ],
    ids=lambda action: type(action).__name__,
)
async def test_what_takes_from_an_absent_role_is_done(aws: Aws, action: AwsAction) -> None:
    assert await execute(aws, action) == ABSENT


async def test_the_name_of_another_case_is_taken(aws: Aws, role: str) -> None:
    await execute(aws, create(role))
    with pytest.raises(AwsExists) as caught:
        await execute(aws, create(role.upper(), path="/elsewhere/"))
    assert caught.value.code == "RoleExists"


Limited = Callable[..., AbstractAsyncContextManager[Aws]]


async def test_without_the_right_to_tag_the_role_is_made_without_tags(
    limited: Limited, aws: Aws, aws_front: Front, role: str
) -> None:
    async with limited("iam:CreateRole") as mine:
        done = await execute(mine, create(role, tags={"k": "v"}))
        assert done.tags_denied
        assert calls(aws_front)["CreateRole"] == 2
        known = await execute(mine, create(f"{role}-2", tags={"k": "v"}), tags_allowed=False)
        assert not known.tags_denied
        assert calls(aws_front)["CreateRole"] == 3
    seen = await read_role(aws, role)
    assert seen is not None
    assert (seen.id, seen.tags) == (done.role_id, {})


async def test_where_only_our_own_keys_may_be_set_they_are(limited: Limited, aws: Aws, role: str) -> None:
    ours = {names.TAG_MARK: "m", names.TAG_OWNER: "a/b"}
    only_ours = {"ForAllValues:StringLike": {"aws:TagKeys": f"{names.OWN_PREFIX}*"}}
    async with limited("iam:CreateRole", tagging=only_ours) as mine:
        done = await execute(mine, create(role, tags={"k": "v", **ours}))
    assert (done.tags, done.tags_denied) == (ours, False)
    seen = await read_role(aws, role)
    assert seen is not None
    assert seen.tags == ours


async def test_without_the_right_to_create_nothing_is_tried_twice(
    limited: Limited, aws_front: Front, role: str
) -> None:
    async with limited("iam:TagRole") as mine:
        with pytest.raises(AwsDenied) as caught:
            await execute(mine, create(role, tags={"k": "v"}))
    assert caught.value.action == "iam:CreateRole"
    assert calls(aws_front)["CreateRole"] == 1


async def test_an_action_on_kubernetes_is_none_of_its_business(aws: Aws) -> None:
    action = CreateServiceAccount(namespace="n", name="s", reason="", labels={}, annotations={})
    with pytest.raises(TypeError, match="CreateServiceAccount"):
        await execute(aws, action)  # type: ignore[arg-type]
