"""The sandbox's AWS: its process, and the OIDC provider that the cluster's issuer needs in the account."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from irsa_manager.api.errors import SandboxError, UsageError
from irsa_manager.api.names import DEFAULT_AUDIENCE
from irsa_manager.sandbox.files import private_directory, write_private
from irsa_manager.sandbox.ports import free_ports
from irsa_manager.sandbox.process import Child

ACCOUNT, REGION = "000000000000", "us-east-1"
READY_SECONDS = 30.0
POLL_SECONDS = 0.05
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True)
class Account:
    """Where the AWS is, and a key that may do everything in `account`."""

    url: str
    access_key_id: str
    secret_access_key: str
    region: str = REGION
    account: str = ACCOUNT


def random_access_key() -> tuple[str, str]:
    """An id that looks like a root user's or an IAM user's (AKIA + 16 of base32), and 40 characters of secret."""
    return "AKIA" + base64.b32encode(secrets.token_bytes(10)).decode(), secrets.token_urlsafe(30)


def issuer_mapping(issuer: str, url: str, ca_pem: str) -> dict[str, str]:
    """An entry of the front's issuers: documents of `issuer` are fetched from `url`, trusting only ca_pem."""
    return {"issuer": issuer, "url": url, "ca_pem": ca_pem}


def start_front(directory: Path, logs: Path, issuer: Mapping[str, str]) -> tuple[Child, Account]:
    """Start an AWS of our own with its files in `directory`; it isn't ready yet (wait_ready)."""
    private_directory(directory)
    (port,) = free_ports(1)
    key_id, secret = random_access_key()
    config = {
        "port": port,
        "account": ACCOUNT,
        "region": REGION,
        "root": {"access_key_id": key_id, "secret_access_key": secret},
        "state_dir": str(private_directory(directory / "state")),
        "issuers": [dict(issuer)],
    }
    file = write_private(directory / "front.json", json.dumps(config))
    argv = [sys.executable, "-P", "-m", "irsa_manager.sandbox.front", "--config", str(file)]
    return Child.start("aws", argv, log=logs / "aws.log"), Account(f"http://127.0.0.1:{port}", key_id, secret)


def shared_account(url: str, environ: Mapping[str, str]) -> Account:
    """The AWS of another sandbox, with the keys that its `sandbox env` prints.

    Raises UsageError where url isn't on loopback or a variable is missing.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or parts.hostname not in LOOPBACK:
        raise UsageError(
            "Usage",
            f"--aws {url} isn't the address of a sandbox's AWS (http://127.0.0.1:PORT).",
            left="nothing was started",
            hint='see AWS_ENDPOINT_URL in the other one\'s "irsa-manager sandbox env"',
        )
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION")
    if missing := [name for name in names if not environ.get(name)]:
        raise UsageError(
            "Usage",
            f"--aws needs the other sandbox's keys in the environment; missing: {', '.join(missing)}.",
            left="nothing was started",
            hint='first: eval "$(irsa-manager sandbox env --dir THE-OTHER-ONE)"',
        )
    key_id, secret, region = (environ[name] for name in names)
    return Account(url.rstrip("/"), key_id, secret, region)


async def wait_ready(account: Account, front: Child | None) -> None:
    """Wait until GET /_sandbox/health answers. Raises SandboxError; for a shared AWS (front None) at the first no."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + READY_SECONDS
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        while loop.time() < deadline:
            if front is not None and front.returncode is not None:
                raise front.failure(f"ended with status {front.returncode} before it was ready")
            try:
                async with session.get(f"{account.url}/_sandbox/health") as response:
                    if response.status == 200:
                        return
            except (aiohttp.ClientError, TimeoutError) as exc:
                if front is None:
                    raise _unreachable(account, type(exc).__name__) from exc
            else:
                if front is None:
                    raise _unreachable(account, f"/_sandbox/health answered {response.status}")
            await asyncio.sleep(POLL_SECONDS)
    raise _unreachable(account, "time-out") if front is None else front.failure("wasn't ready in time")


async def add_issuer(account: Account, issuer: Mapping[str, str]) -> None:
    """Tell a running AWS where an issuer's documents are really served. Raises SandboxError."""
    timeout = aiohttp.ClientTimeout(total=10)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.put(f"{account.url}/_sandbox/issuers", json=dict(issuer)) as response,
    ):
        if response.status != 200:
            raise _unreachable(account, f"PUT /_sandbox/issuers answered {response.status}: {await response.text()}")


async def register_provider(account: Account, issuer: str) -> tuple[str, str]:
    """Create the IAM OIDC provider of the issuer, client id sts.amazonaws.com, as eksctl would for an EKS cluster.

    Returns its ARN and the account's number. Raises SandboxError with AWS's own words.
    """

    async def calls(session: Any) -> tuple[str, str]:
        async with session("sts") as sts, session("iam") as iam:
            number = (await sts.get_caller_identity())["Account"]
            answer = await iam.create_open_id_connect_provider(Url=issuer, ClientIDList=[DEFAULT_AUDIENCE])
            return str(answer["OpenIDConnectProviderArn"]), str(number)

    return await _with_aws(account, calls)


async def remove_provider(account: Account, arn: str) -> None:
    """Take the provider out of a shared account again. Raises SandboxError."""

    async def calls(session: Any) -> tuple[str, str]:
        async with session("iam") as iam:
            await iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
            return arn, ""

    await _with_aws(account, calls)


async def _with_aws(account: Account, calls: Callable[[Any], Awaitable[tuple[str, str]]]) -> tuple[str, str]:
    # Imported here: they take half a second, which passes while the components start.
    from aiobotocore.config import AioConfig  # noqa: PLC0415
    from aiobotocore.session import AioSession  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    config = AioConfig(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 1}, proxies={})

    def client(service: str) -> Any:
        return AioSession().create_client(
            service,
            region_name=account.region,
            endpoint_url=account.url,
            aws_access_key_id=account.access_key_id,
            aws_secret_access_key=account.secret_access_key,
            config=config,
        )

    try:
        return await calls(client)
    except (BotoCoreError, ClientError) as exc:
        raise SandboxError("SandboxFailed", f"The sandbox's AWS at {account.url} refused: {exc}") from exc


def _unreachable(account: Account, why: str) -> SandboxError:
    return SandboxError(
        "SandboxFailed",
        f"No sandbox's AWS answers at {account.url} ({why}).",
        hint="is the other sandbox running? irsa-manager sandbox status --dir THE-OTHER-ONE",
    )
