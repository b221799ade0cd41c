"""Answers that AWS gives rarely, and that something else gives in its place."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from wire_server import Wire, wire

from irsa_manager.api.errors import AwsCredentials, AwsUnavailable
from irsa_manager.aws.calls import Aws
from irsa_manager.aws.credentials import AwsKeys, AwsSettings
from irsa_manager.aws.execute import execute
from irsa_manager.aws.pacing import Pacer
from irsa_manager.aws.session import open_aws
from irsa_manager.aws.snapshot import read_attached, read_role, sweep
from irsa_manager.plan.actions import AttachPolicy

DETAILS = "GetAccountAuthorizationDetails"
PAGE = b"<html><body>Please sign in</body></html>"


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Wire]:
    async with wire() as made:
        yield made


@pytest_asyncio.fixture
async def connected(server: Wire) -> AsyncIterator[Aws]:
    settings = AwsSettings(region="us-east-1", endpoint_url=server.url, keys=AwsKeys("AKIA0000000000000000", "x" * 40))
    async with open_aws(settings, pacer=Pacer(500)) as aws:
        yield aws


def member(name: str) -> str:
    return f"<member><RoleName>{name}</RoleName><RoleId>AROA{name}</RoleId><Arn>arn:x</Arn></member>"


async def test_a_new_role_with_its_id_in_place_of_its_arn_is_not_read(connected: Aws, server: Wire) -> None:
    role = (
        "<Role><RoleName>r</RoleName><RoleId>AROA1</RoleId><Path>/</Path><CreateDate>2026-11-24T18:00:00Z</CreateDate>"
        "<Arn>AROA1</Arn></Role>"
    )
    server.will("GetRole", role)
    with pytest.raises(AwsUnavailable, match="doesn't know the ARN of role r yet"):
        await read_role(connected, "r")


async def test_a_page_may_be_short_or_empty_although_there_are_more(connected: Aws, server: Wire) -> None:
    for marker, names in (("m1", "a"), ("m2", ""), ("m&3", "bc")):
        more = f"<IsTruncated>true</IsTruncated><Marker>{marker.replace('&', '&amp;')}</Marker>"
        server.will(DETAILS, f"{more}<RoleDetailList>{''.join(map(member, names))}</RoleDetailList>")
    server.will(DETAILS, f"<IsTruncated>false</IsTruncated><RoleDetailList>{member('D')}</RoleDetailList>")
    snapshot = await sweep(connected, descriptions=False)
    assert (list(snapshot.roles), snapshot.pages) == (["a", "b", "c", "d"], 4)
    assert [asked.get("Marker") for asked in server.asked] == [None, "m1", "m2", "m&3"]
    assert {(asked["MaxItems"], asked["Filter.member.1"]) for asked in server.asked} == {("1000", "Role")}


@pytest.mark.parametrize("marker", ["", "<Marker>same</Marker>"])
async def test_a_listing_that_would_never_end_is_no_snapshot(connected: Aws, server: Wire, marker: str) -> None:
    for _ in range(2):
        server.will(DETAILS, f"<IsTruncated>true</IsTruncated>{marker}<RoleDetailList>{member('a')}</RoleDetailList>")
    with pytest.raises(AwsUnavailable, match="not where they start"):
        await sweep(connected, descriptions=False)


async def test_descriptions_are_those_of_the_same_role(connected: Aws, server: Wire) -> None:
    """Between ListRoles and the details, `b` was deleted and made again."""
    listed = member("a") + member("b").replace("AROAb", "AROAold")
    server.will("ListRoles", f"<IsTruncated>false</IsTruncated><Roles>{listed}</Roles>")
    server.will(DETAILS, f"<IsTruncated>false</IsTruncated><RoleDetailList>{member('a')}{member('b')}</RoleDetailList>")
    roles = (await sweep(connected, descriptions=True)).roles
    assert (roles["a"].description, roles["b"].description) == ("", None)


async def test_lists_of_policies_are_followed_to_the_end(connected: Aws, server: Wire) -> None:
    for marker, policy in (("next", "one"), ("", "two")):
        more = f"<IsTruncated>{str(bool(marker)).lower()}</IsTruncated>" + (
            f"<Marker>{marker}</Marker>" if marker else ""
        )
        arn = (
            f"<member><PolicyName>{policy}</PolicyName><PolicyArn>arn:aws:iam::aws:policy/{policy}</PolicyArn></member>"
        )
        server.will("ListAttachedRolePolicies", f"{more}<AttachedPolicies>{arn}</AttachedPolicies>")
    assert await read_attached(connected, "r") == ("arn:aws:iam::aws:policy/one", "arn:aws:iam::aws:policy/two")
    assert server.asked[1]["Marker"] == "next"


@pytest.mark.parametrize(("status", "body"), [(200, PAGE), (502, PAGE), (503, b""), (200, b"not even XML")])
async def test_what_isnt_aws_is_unavailable(connected: Aws, server: Wire, status: int, body: bytes) -> None:
    """Not even for an operation that returns nothing, so that any page would do as its success."""
    server.answers = {name: [(status, body)] for name in (DETAILS, "GetCallerIdentity", "AttachRolePolicy")}
    with pytest.raises(AwsUnavailable):
        await sweep(connected, descriptions=False)
    with pytest.raises(AwsUnavailable):
        await connected.identity()
    with pytest.raises(AwsUnavailable):
        await execute(connected, AttachPolicy(role="r", reason="", policy_arn="arn:aws:iam::aws:policy/P"))


@pytest.mark.parametrize(
    ("arn", "account", "partition"),
    [
        ("arn:aws:iam::111122223333:root", "111122223333", "aws"),
        ("arn:aws-cn:sts::111122223333:assumed-role/m/s", "111122223333", "aws-cn"),
        ("arn:aws-us-gov:iam::111122223333:user/path/u", "111122223333", "aws-us-gov"),
        ("arn:aws:sts::111122223333:federated-user/f", "111122223333", "aws"),
    ],
)
async def test_the_partition_is_the_callers(
    connected: Aws, server: Wire, arn: str, account: str, partition: str
) -> None:
    server.will("GetCallerIdentity", f"<Arn>{arn}</Arn><UserId>U</UserId><Account>{account}</Account>")
    identity = await connected.identity()
    assert (identity.account, identity.partition, identity.arn, identity.user_id) == (account, partition, arn, "U")


async def test_expired_credentials_are_about_credentials(connected: Aws, server: Wire) -> None:
    body = (
        b"<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredToken</Code><Message>The security token included in "
        b"the request is expired</Message></Error><RequestId>r-9</RequestId></ErrorResponse>"
    )
    server.answers = {"GetRole": [(403, body)]}
    with pytest.raises(AwsCredentials) as caught:
        await read_role(connected, "r")
    assert (caught.value.aws_code, caught.value.request_id) == ("ExpiredToken", "r-9")
