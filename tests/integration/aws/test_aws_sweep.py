"""What is read: an account in pages, one role with less and less permission, and what botocore would have read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from aws_access import calls, settings_for
from aws_actions import INLINE, PROVIDER, S3, SQS, create, trust_of
from front_process import Front
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from irsa_manager.api.errors import AwsDenied, AwsUnavailable
from irsa_manager.aws.calls import Aws
from irsa_manager.aws.documents import rfc3339
from irsa_manager.aws.execute import execute
from irsa_manager.aws.pacing import Pacer
from irsa_manager.aws.session import open_aws
from irsa_manager.aws.snapshot import (
    account_summary,
    read_attached,
    read_instance_profiles,
    read_provider,
    read_role,
    sweep,
)
from irsa_manager.plan.actions import AttachPolicy, PutInlinePolicy, UpdateTrust
from irsa_manager.plan.observed import ObservedRole

Limited = Callable[..., AbstractAsyncContextManager[Aws]]


async def furnish(aws: Aws, role: str) -> None:
    await execute(
        aws,
        create(role, path="/team/", description="A & B", max_session_seconds=7200, boundary=S3, tags={"k": "v"}),
    )
    await execute(aws, AttachPolicy(role=role, reason="", policy_arn=S3))
    await execute(aws, AttachPolicy(role=role, reason="", policy_arn=SQS))
    await execute(aws, PutInlinePolicy(role=role, reason="", name="in", document=INLINE))


async def test_a_sweep_and_a_single_read_see_the_same_role(aws: Aws, role: str) -> None:
    await furnish(aws, role)
    snapshot = await sweep(aws, descriptions=True)
    swept, read = snapshot.roles[role.lower()], await read_role(aws, role)
    assert read is not None
    assert swept == ObservedRole(
        **{**{name: getattr(read, name) for name in read.__struct_fields__}, "instance_profiles": ()}
    )
    assert (swept.description, swept.max_session_seconds, swept.boundary) == ("A & B", 7200, S3)
    plain = await sweep(aws, descriptions=False)
    assert (plain.roles[role.lower()].description, plain.described, snapshot.described) == (None, False, True)
    assert plain.started_monotonic > snapshot.started_monotonic


async def test_pages_are_followed_to_the_end(aws: Aws, aws_front: Front, role: str) -> None:
    names = [f"{role}-{number}" for number in range(25)]
    await asyncio.gather(*(execute(aws, create(name)) for name in names))
    aws_front.sandbox("DELETE", "calls")
    snapshot = await sweep(aws, descriptions=True, page_size=7)
    assert {name for name in snapshot.roles if name.startswith(role)} == set(names)
    counted = calls(aws_front)
    assert counted["GetAccountAuthorizationDetails"] >= 4
    assert snapshot.pages == counted["GetAccountAuthorizationDetails"] + counted["ListRoles"]
    whole = await sweep(aws, descriptions=False)
    assert set(whole.roles) == set(snapshot.roles)


async def test_another_accounts_roles_are_not_ours(aws_front: Front, aws: Aws, role: str) -> None:
    status, key = aws_front.sandbox("PUT", "accounts", {"account": "111122223333"})
    assert status == 200, key
    settings = settings_for(aws_front, (key["access_key_id"], key["secret_access_key"]))
    async with open_aws(settings, pacer=Pacer(500)) as other:
        assert (await other.identity()).account == "111122223333"
        await execute(other, create(role))
        assert role in (await sweep(other, descriptions=False)).roles
    assert role not in (await sweep(aws, descriptions=False)).roles


odd = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=30)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(odd, min_size=1, max_size=4))
async def test_documents_with_odd_characters_come_back_as_botocore_reads_them(
    aws: Aws, iam: Any, texts: list[str]
) -> None:
    if await read_role(aws, "odd") is None:
        await execute(aws, create("odd"))
    await execute(aws, UpdateTrust(role="odd", reason="", trust=trust_of(*texts)))
    ours = (await sweep(aws, descriptions=False)).roles["odd"]
    theirs = next(
        detail
        for page in iam.get_paginator("get_account_authorization_details").paginate(Filter=["Role"])
        for detail in page["RoleDetailList"]
        if detail["RoleName"] == "odd"
    )
    assert ours.trust == theirs["AssumeRolePolicyDocument"]
    assert (ours.arn, ours.id, ours.created) == (theirs["Arn"], theirs["RoleId"], rfc3339(theirs["CreateDate"]))
    assert ours.trust is not None
    found = ours.trust["Statement"][0]["Condition"]["StringEquals"]["oidc.example.test/id/aws:sub"]
    assert set([found] if isinstance(found, str) else found) == set(texts)


async def test_each_missing_permission_takes_away_its_part_only(aws: Aws, limited: Limited, role: str) -> None:
    await furnish(aws, role)
    whole = await read_role(aws, role)
    assert whole is not None
    reads = ("iam:GetRole", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies", "iam:GetRolePolicy")
    for missing, part in ((reads[1], "attached"), (reads[2], "inline"), (reads[3], "inline")):
        async with limited(*(action for action in reads if action != missing)) as mine:
            seen = await read_role(mine, role)
        assert seen is not None
        assert getattr(seen, part) is None
        other = "inline" if part == "attached" else "attached"
        assert getattr(seen, other) == getattr(whole, other)
        assert (seen.trust, seen.id) == (whole.trust, whole.id)
    async with limited(*reads[1:]) as mine:
        with pytest.raises(AwsDenied) as caught:
            await read_role(mine, role)
        assert caught.value.action == "iam:GetRole"
        assert await read_attached(mine, role) == whole.attached
        assert await read_attached(mine, f"{role}-absent") is None
        with pytest.raises(AwsDenied) as caught:
            await sweep(mine, descriptions=False)
        assert caught.value.action == "iam:GetAccountAuthorizationDetails"
        assert await account_summary(mine) is None
        assert await read_instance_profiles(mine, role) is None
    async with limited("iam:GetAccountAuthorizationDetails") as mine:
        undescribed = await sweep(mine, descriptions=True)
        assert not undescribed.described
        assert undescribed.roles[role].description is None
        assert undescribed.roles[role].tags == whole.tags


async def test_providers_profiles_and_quotas(aws: Aws, aws_front: Front, role: str) -> None:
    assert await read_provider(aws, PROVIDER) is None
    iam = aws_front.client("iam")
    iam.create_open_id_connect_provider(Url="https://oidc.example.test/id/aws", ClientIDList=["sts.amazonaws.com", "b"])
    assert set(await read_provider(aws, PROVIDER) or ()) == {"sts.amazonaws.com", "b"}
    await execute(aws, create(role))
    assert await read_instance_profiles(aws, role) == ()
    iam.create_instance_profile(InstanceProfileName=f"p-{role}")
    iam.add_role_to_instance_profile(InstanceProfileName=f"p-{role}", RoleName=role)
    assert await read_instance_profiles(aws, role) == (f"p-{role}",)
    assert (await sweep(aws, descriptions=False)).roles[role.lower()].instance_profiles == (f"p-{role}",)
    assert await read_instance_profiles(aws, "nobody") == ()
    assert aws_front.sandbox("PUT", "quotas", {"ACLSizePerRole": 4096})[0] == 200
    summary = await account_summary(aws)
    assert summary is not None
    assert summary["AssumeRolePolicySizeQuota"] == 4096


async def test_a_sweep_that_fails_half_way_is_no_sweep(aws: Aws, aws_front: Front, role: str) -> None:
    await asyncio.gather(*(execute(aws, create(f"{role}-{number}")) for number in range(6)))
    status, _ = aws_front.sandbox(
        "PUT", "faults", {"error": 0.5, "seed": 3, "operations": ["GetAccountAuthorizationDetails"]}
    )
    assert status == 200
    with pytest.raises(AwsUnavailable):
        for _ in range(20):
            await sweep(aws, descriptions=False, page_size=1)
