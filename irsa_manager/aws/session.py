"""From settings to an open connection: one IAM and one STS client, and an Aws that calls through them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore.exceptions import BotoCoreError

from irsa_manager import __version__
from irsa_manager.aws.calls import Aws, Guard, OnCall
from irsa_manager.aws.credentials import AwsSettings, ReloadableCredentials, credentials, region
from irsa_manager.aws.errors import classify
from irsa_manager.aws.pacing import Pacer
from irsa_manager.aws.rolexml import parse_pages_off_the_loop

CONNECT_TIMEOUT: Final = 5.0
READ_TIMEOUT: Final = 10.0
"""Seconds without a byte. A call as a whole has a limit of its own: calls.CALL_TIMEOUT."""

POOL: Final = 20
"""Connections; above the calls in flight, so that none waits for one."""


def client_config() -> AioConfig:
    """How both clients behave: short time-outs, one attempt (see calls.py for why)."""
    return AioConfig(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        max_pool_connections=POOL,
        retries={"mode": "standard", "total_max_attempts": 1},
        user_agent_extra=f"irsa-manager/{__version__}",
    )


@asynccontextmanager
async def open_aws(
    settings: AwsSettings,
    *,
    pacer: Pacer | None = None,
    on_call: OnCall | None = None,
    guard: Guard | None = None,
) -> AsyncIterator[Aws]:
    """Open the account that `settings` describes: `async with open_aws(settings) as aws`.

    pacer: None makes one with the defaults. on_call, guard: see calls.OnCall and calls.Guard. No call is made and no
    credentials are looked for yet; the first call does that. Raises AwsError if the clients can't be made at all
    (AWS_ENDPOINT_URL that is no URL).

    IAM has one endpoint for each partition, and its signature names that endpoint's region, not the one that is asked
    for (AWS General Reference, "IAM endpoints and quotas"); botocore knows both from the region.
    """
    config = client_config()
    found = credentials(settings, config)
    async with AsyncExitStack() as stack:
        try:
            clients = {service: await _client(stack, settings, service, config, found) for service in ("iam", "sts")}
        except (BotoCoreError, ValueError) as error:
            raise classify(error, "client") from error
        parse_pages_off_the_loop(clients["iam"])
        yield Aws(clients, found, Pacer() if pacer is None else pacer, on_call=on_call, guard=guard)


async def _client(
    stack: AsyncExitStack, settings: AwsSettings, service: str, config: AioConfig, found: ReloadableCredentials
) -> Any:
    # The profile decides about endpoints, CA bundle and proxies too; one that is missing is reported by the first call.
    session = AioSession(profile=settings.profile)
    session.register_component("credential_provider", _Provided(found))
    return await stack.enter_async_context(
        session.create_client(service, region_name=region(settings), endpoint_url=settings.endpoint_url, config=config)
    )


class _Provided:
    """A credential provider of botocore's kind that always gives the same credentials object."""

    def __init__(self, found: ReloadableCredentials) -> None:
        self._found = found

    async def load_credentials(self) -> ReloadableCredentials:
        return self._found
