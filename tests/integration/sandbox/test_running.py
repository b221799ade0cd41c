"""A whole sandbox in this process: what is in it when it is ready, and that nothing of it is left."""

from __future__ import annotations

import os
from pathlib import Path

import aiohttp
import pytest
from aiobotocore.session import AioSession
from kernel_facts import listening, open_to_others

from irsa_manager.api.errors import SandboxError, UsageError
from irsa_manager.sandbox.directory import SandboxDirectory
from irsa_manager.sandbox.finder import find
from irsa_manager.sandbox.running import RunningSandbox, Sandbox, Step, running_sandbox


def iam(sandbox: Sandbox):
    return AioSession().create_client(
        "iam",
        region_name=sandbox.region,
        endpoint_url=sandbox.aws_url,
        aws_access_key_id=sandbox.access_key_id,
        aws_secret_access_key=sandbox.secret_access_key,
    )


async def providers(sandbox: Sandbox) -> set[str]:
    async with iam(sandbox) as client:
        answer = await client.list_open_id_connect_providers()
    return {item["Arn"] for item in answer["OpenIDConnectProviderList"]}


async def test_the_issuer_is_registered_and_aws_can_fetch_its_keys(sandbox: RunningSandbox) -> None:
    host_path = sandbox.issuer.removeprefix("https://")
    assert sandbox.provider_arn == f"arn:aws:iam::{sandbox.account}:oidc-provider/{host_path}"
    async with iam(sandbox) as client:
        provider = await client.get_open_id_connect_provider(OpenIDConnectProviderArn=sandbox.provider_arn)
    assert provider["ClientIDList"] == ["sts.amazonaws.com"]


async def test_all_files_are_private(sandbox: RunningSandbox) -> None:
    assert {"kubeconfig", "sandbox.json", "front.json"} <= {path.name for path in sandbox.dir.rglob("*")}
    assert open_to_others(sandbox.dir) == []


async def test_everything_listens_on_loopback_only(sandbox: RunningSandbox) -> None:
    # Those of now: another test may have started one of them anew.
    found = [address.partition(":")[0] for address in listening(child.pid for child in sandbox.children())]
    assert len(found) >= 4
    assert set(found) == {"0100007F"}


async def test_a_second_cluster_shares_the_account_and_leaves_it_as_it_was(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    before = await providers(sandbox)
    steps: list[Step] = []
    async with running_sandbox(
        tmp_path / "second", sandbox.aws_url, binaries=find(), environ=sandbox.environment(), on_step=steps.append
    ) as second:
        assert (second.aws_url, second.account, second.shared_aws) == (sandbox.aws_url, sandbox.account, True)
        assert "aws" not in second.processes
        assert second.issuer != sandbox.issuer
        assert await providers(sandbox) == before | {second.provider_arn}
        pids = list(second.processes.values())
    assert await providers(sandbox) == before
    assert {step.what.split()[0] for step in steps} == {"control", "AWS", "OIDC"}
    assert not (tmp_path / "second").exists()
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []


@pytest.mark.parametrize(
    ("url", "environ", "message"),
    [
        ("http://127.0.0.1:1", {}, "missing: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION"),
        ("https://iam.amazonaws.com", {}, "isn't the address of a sandbox's AWS"),
    ],
)
async def test_sharing_says_what_it_lacks(url: str, environ: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        async with running_sandbox(tmp_path / "x", url, binaries=find(), environ=environ):
            raise AssertionError("it started")
    assert not (tmp_path / "x").exists()


async def test_an_aws_that_does_not_answer_is_named_and_nothing_stays(tmp_path: Path) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}
    with pytest.raises(SandboxError, match=r"No sandbox's AWS answers at http://127\.0\.0\.1:9 "):
        async with running_sandbox(tmp_path / "x", "http://127.0.0.1:9", binaries=find(), environ=keys):
            raise AssertionError("it started")
    assert {path.name for path in (tmp_path / "x").iterdir()} == {"ended", "logs"}
    mine = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    assert not [pid for pid in mine if str(tmp_path) in Path(f"/proc/{pid}/cmdline").read_text()]


async def test_state_is_readable_while_it_runs(sandbox: RunningSandbox) -> None:
    found = Sandbox.read(SandboxDirectory(sandbox.dir))
    assert found is not None
    assert found.environment() == sandbox.environment()
    assert sandbox.secret_access_key not in repr(sandbox)
    async with aiohttp.ClientSession() as session, session.get(f"{found.aws_url}/_sandbox/health") as response:
        assert response.status == 200
