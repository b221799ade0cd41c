"""From settings to an open connection: one IAM and one STS client, and an Aws that calls through them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore.exceptions import BotoCoreError, UnknownRegionError

from irsa_manager import __version__
from irsa_manager.api.errors import UsageError
from irsa_manager.aws.calls import Aws, Guard, OnCall
from irsa_manager.aws.credentials import AwsSettings, ReloadableCredentials, credentials, new_session, region
from irsa_manager.aws.errors import CREDENTIAL_ERRORS, classify
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
    credentials are looked for yet; the first call does that. Raises UsageError if the clients can't be made at all
    (a region that can't be one, an AWS_ENDPOINT_URL that is no URL), AwsCredentials if the profile doesn't exist.

    IAM has one endpoint for each partition, and its signature names that endpoint's region, not the one that is asked
    for (AWS General Reference, "IAM endpoints and quotas").
    """
    config = client_config()
    found = credentials(settings, config)
    async with AsyncExitStack() as stack:
        # The profile decides about endpoints, CA bundle and proxies too.
        session = new_session(settings.profile)
        session.register_component("credential_provider", _Provided(found))
        at = region(settings)
        regions = {"iam": _iam_region(session, at), "sts": at}
        try:
            clients = {
                service: await stack.enter_async_context(
                    session.create_client(
                        service, region_name=regions[service], endpoint_url=settings.endpoint_url, config=config
                    )
                )
                for service in regions
            }
        except CREDENTIAL_ERRORS as error:
            raise classify(error, "client") from error
        except (BotoCoreError, ValueError) as error:
            said = str(error).rstrip(".")
            raise UsageError(
                "Usage",
                f"No connection to AWS can be made with these settings: {said}.",
                left="Nothing was sent.",
                hint="Check AWS_REGION and AWS_ENDPOINT_URL.",
            ) from error
        parse_pages_off_the_loop(clients["iam"])
        yield Aws(clients, found, Pacer() if pacer is None else pacer, on_call=on_call, guard=guard)


def _iam_region(session: AioSession, at: str) -> str:
    """The region that IAM's signatures are made for, in the partition of the region `at`.

    botocore finds it by itself, but not when AWS_ENDPOINT_URL names the endpoint (a proxy, a VPC endpoint): then it
    signs for `at`, which IAM refuses. A partition that botocore doesn't know, or has no IAM in its list, keeps `at`.
    """
    try:
        name = session.get_partition_for_region(at)
    except UnknownRegionError:
        return at
    for partition in session.get_component("data_loader").load_data("endpoints")["partitions"]:
        iam = partition["services"].get("iam")
        if partition["partition"] == name and iam is not None:
            endpoint = iam["endpoints"].get(iam.get("partitionEndpoint", ""), {})
            return str(endpoint.get("credentialScope", {}).get("region", at))
    return at


class _Provided:
    """A credential provider of botocore's kind that always gives the same credentials object."""

    def __init__(self, found: ReloadableCredentials) -> None:
        self._found = found

    async def load_credentials(self) -> ReloadableCredentials:
        return self._found
