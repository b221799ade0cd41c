"""Whose credentials are used, on an AWS that checks them: keys, profiles, role switching, the manager's own IRSA."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from pathlib import Path

import pytest
from aws_access import calls, settings_for
from aws_actions import create
from front_issuer import AUDIENCE, ISSUER, SUBJECT, claims, key, public, running, sign, trust
from front_process import ACCOUNT, Front

from irsa_manager.api.errors import AwsCredentials, AwsDenied, AwsUnavailable
from irsa_manager.aws.credentials import AwsSettings
from irsa_manager.aws.execute import execute
from irsa_manager.aws.pacing import Pacer
from irsa_manager.aws.session import open_aws


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A process environment without any AWS setting, and no instance metadata."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    return monkeypatch


def assumable(front: Front, role: str, by: str, external_id: str = "", grant: str = "iam:GetAccountSummary") -> str:
    """A role that the principal `by` may assume; its ARN."""
    statement: dict[str, object] = {"Effect": "Allow", "Principal": {"AWS": by}, "Action": "sts:AssumeRole"}
    if external_id:
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    iam = front.client("iam")
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    arn = str(iam.create_role(RoleName=role, AssumeRolePolicyDocument=document)["Role"]["Arn"])
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": grant, "Resource": "*"}]}
    iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=json.dumps(allow))
    return arn


def base_user(front: Front, role: str) -> tuple[str, tuple[str, str]]:
    """A user who may do nothing but assume roles; his ARN and key."""
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}]}
    return f"arn:aws:iam::{ACCOUNT}:user/base-{role}", front.user(f"base-{role}", allow)


async def test_the_switched_role_makes_the_calls(aws_front: Front, role: str) -> None:
    user, keys = base_user(aws_front, role)
    arn = assumable(aws_front, role, user, external_id="42")
    aws_front.sandbox("DELETE", "calls")
    settings = settings_for(aws_front, keys, role_arn=arn, external_id="42", session_name="manager")
    async with open_aws(settings, pacer=Pacer(500)) as mine:
        identity, again = await asyncio.gather(mine.identity(), mine.identity())
        assert identity is again
        assert identity.arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/manager"
        assert (identity.account, identity.partition) == (ACCOUNT, "aws")
        assert (await mine.call("GetAccountSummary"))["SummaryMap"]
        with pytest.raises(AwsDenied) as caught:
            await execute(mine, create(f"{role}-2"))
        assert identity.arn in caught.value.message
    # One switch for all calls of both clients, and one question who we are.
    assert (calls(aws_front)["AssumeRole"], calls(aws_front)["GetCallerIdentity"]) == (1, 1)


async def test_a_switch_that_is_refused_is_about_credentials(aws_front: Front, role: str) -> None:
    user, keys = base_user(aws_front, role)
    arn = assumable(aws_front, role, user, external_id="42")
    async with open_aws(settings_for(aws_front, keys, role_arn=arn), pacer=Pacer(500)) as mine:
        with pytest.raises(AwsCredentials) as caught:
            await mine.call("GetAccountSummary")
    assert "AssumeRole failed" in caught.value.message


async def test_a_session_about_to_end_is_renewed(aws_front: Front, role: str, caplog: pytest.LogCaptureFixture) -> None:
    """botocore renews 15 minutes before the end, so a session of 15 minutes is due at each call."""
    user, keys = base_user(aws_front, role)
    arn = assumable(aws_front, role, user)
    aws_front.sandbox("DELETE", "calls")
    settings = settings_for(aws_front, keys, role_arn=arn, session_seconds=900)
    async with open_aws(settings, pacer=Pacer(500)) as mine:
        for count in (1, 2, 3):
            await mine.call("GetAccountSummary")
            assert calls(aws_front)["AssumeRole"] >= count
        # The session that is there is good for a while yet, so a renewal that fails stops nothing.
        aws_front.sandbox("PUT", "faults", {"error": 1.0, "operations": ["AssumeRole"]})
        assert (await mine.call("GetAccountSummary"))["SummaryMap"]
    async with open_aws(settings, pacer=Pacer(500)) as mine:
        with pytest.raises(AwsUnavailable, match="AssumeRole"):
            await mine.call("GetAccountSummary")
    assert all(record.exc_info is None for record in caplog.records)


async def test_the_managers_own_irsa_is_exchanged_once_and_never_assumed_again(
    aws_front: Front, role: str, bare_environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    signing = key("RS256", "one")
    iam = aws_front.client("iam")
    iam.create_open_id_connect_provider(Url=ISSUER, ClientIDList=[AUDIENCE])
    arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust())["Role"]["Arn"]
    token = tmp_path / "token"
    token.touch(mode=0o600)
    token.write_text(sign(signing, claims()))
    environment = {
        "AWS_ENDPOINT_URL": aws_front.url,
        "AWS_REGION": "us-east-1",
        "AWS_ROLE_ARN": arn,
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
        "AWS_ROLE_SESSION_NAME": "own",
    }
    for name, value in environment.items():
        bare_environment.setenv(name, value)
    with running() as issuer:
        issuer.publish([public(signing)])
        mapping = {"issuer": ISSUER, "url": issuer.url, "ca_pem": issuer.ca_pem}
        assert aws_front.sandbox("PUT", "issuers", mapping)[0] == 200
        aws_front.sandbox("DELETE", "calls")
        async with open_aws(AwsSettings.from_environment(environment), pacer=Pacer(500)) as mine:
            assert (await mine.identity()).arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/own"
            with pytest.raises(AwsDenied):
                await mine.call("GetAccountSummary")
        counted = calls(aws_front)
        assert counted["AssumeRoleWithWebIdentity"] == 1
        assert "AssumeRole" not in counted
        # Another subject's token: the role's trust refuses it, which is about credentials and not about IAM's actions.
        token.write_text(sign(signing, claims(sub=f"{SUBJECT}-other")))
        async with open_aws(AwsSettings.from_environment(environment), pacer=Pacer(500)) as mine:
            with pytest.raises(AwsCredentials, match="AssumeRoleWithWebIdentity"):
                await mine.identity()
    token.unlink()
    async with open_aws(AwsSettings.from_environment(environment), pacer=Pacer(500)) as mine:
        with pytest.raises(AwsCredentials) as caught:
            await mine.identity()
    assert str(token) in caught.value.message


async def test_no_credentials_anywhere(aws_front: Front, bare_environment: pytest.MonkeyPatch) -> None:
    settings = AwsSettings.from_environment({"AWS_ENDPOINT_URL": aws_front.url})
    async with open_aws(settings, pacer=Pacer(500)) as mine:
        with pytest.raises(AwsCredentials) as caught:
            await mine.identity()
    assert caught.value.code == "CredentialsInvalid"
    assert "aws-secret" in caught.value.hint


async def test_a_profile_that_does_not_exist_is_about_credentials(
    aws_front: Front, bare_environment: pytest.MonkeyPatch
) -> None:
    with pytest.raises(AwsCredentials, match="nowhere"):
        async with open_aws(AwsSettings(endpoint_url=aws_front.url, profile="nowhere")) as mine:
            await mine.identity()


async def test_a_rotated_credentials_file_is_noticed_without_a_restart(
    aws_front: Front, bare_environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "credentials"

    def write(access_key: str, secret_key: str) -> None:
        file.touch(mode=0o600)
        file.write_text(f"[default]\naws_access_key_id = {access_key}\naws_secret_access_key = {secret_key}\n")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600

    write("AKIA0000000000000000", "x" * 40)
    settings = AwsSettings.from_environment({"AWS_ENDPOINT_URL": aws_front.url, "AWS_REGION": "us-east-1"})
    async with open_aws(settings, pacer=Pacer(500)) as mine:
        with pytest.raises(AwsCredentials):
            await mine.identity()
        write(*aws_front.root)
        assert (await mine.identity()).account == ACCOUNT


async def test_who_we_are_is_asked_again_after_credentials_failed(aws_front: Front, role: str) -> None:
    name, keys = base_user(aws_front, role)
    async with open_aws(settings_for(aws_front, keys), pacer=Pacer(500)) as mine:
        assert (await mine.identity()).arn == name
        user = name.rpartition("/")[2]
        aws_front.client("iam").update_access_key(UserName=user, AccessKeyId=keys[0], Status="Inactive")
        assert (await mine.identity()).arn == name
        with pytest.raises(AwsCredentials):
            await mine.call("GetAccountSummary")
        with pytest.raises(AwsCredentials):
            await mine.identity()
        aws_front.client("iam").update_access_key(UserName=user, AccessKeyId=keys[0], Status="Active")
        assert (await mine.identity()).arn == name
