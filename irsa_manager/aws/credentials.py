"""Whose AWS credentials the operator uses: upstream's environment variables, botocore's chain, role switching.

AWS_ROLE_ARN means two things. With AWS_WEB_IDENTITY_TOKEN_FILE beside it, it is the manager's own IRSA, and botocore's
chain exchanges the token for that role; assuming it once more would fail or double the session. Without a token file,
botocore ignores it (botocore, credentials.py), and it is the switch that irsa-manager has always had: sts:AssumeRole
into that role with whatever credentials there are. Static keys go before a token file in every SDK, so with keys the
variable is the switch again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from time import monotonic
from typing import Any, Final

from aiobotocore.config import AioConfig
from aiobotocore.credentials import AioCredentials, AioDeferredRefreshableCredentials
from aiobotocore.session import AioSession
from botocore.exceptions import BotoCoreError, CredentialRetrievalError, NoCredentialsError
from botocore.loaders import Loader, create_loader

FALLBACK_REGION: Final = "us-east-1"
"""Where nothing names a region: IAM is global, and STS answers there for the whole partition `aws`."""

RELOAD_AT_MOST_EVERY: Final = 5.0
"""Seconds between two looks for better credentials after AWS refused the present ones."""


@dataclass(frozen=True)
class AwsKeys:
    """A static pair of keys, with the token of a session or without. Never printed."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class AwsSettings:
    """Where AWS is and who calls it.

    region: None asks botocore's chain (profile), then us-east-1. endpoint_url: in place of AWS's own, for IAM and STS.
    role_arn: the role to switch to by sts:AssumeRole; None for none. external_id: goes with the switch.
    session_name: of the switched session, seen in CloudTrail. profile: of the shared AWS config files.
    keys: static keys; None for botocore's chain. session_seconds: how long a switched session lasts; None: STS's
    default of one hour, the most that role chaining allows (STS API, AssumeRole, DurationSeconds).
    """

    region: str | None = None
    endpoint_url: str | None = None
    role_arn: str | None = None
    external_id: str | None = None
    session_name: str = "irsa-manager"
    profile: str | None = None
    keys: AwsKeys | None = None
    session_seconds: int | None = None

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> AwsSettings:
        """Settings of the process environment `env`; a variable that is empty counts as absent.

        Reads AWS_REGION before AWS_DEFAULT_REGION (botocore reads only the latter), AWS_ENDPOINT_URL, AWS_ROLE_ARN,
        AWS_ROLE_SESSION_NAME, AWS_WEB_IDENTITY_TOKEN_FILE and the three key variables. Everything else of botocore's
        chain (profiles, containers, instance metadata) stays botocore's, which reads the process's own environment.
        """
        access_key, secret_key = env.get("AWS_ACCESS_KEY_ID"), env.get("AWS_SECRET_ACCESS_KEY")
        keys = None
        if access_key and secret_key:
            keys = AwsKeys(access_key, secret_key, env.get("AWS_SESSION_TOKEN") or None)
        switch = keys is not None or not env.get("AWS_WEB_IDENTITY_TOKEN_FILE")
        return cls(
            region=env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or None,
            endpoint_url=env.get("AWS_ENDPOINT_URL") or None,
            role_arn=(env.get("AWS_ROLE_ARN") or None) if switch else None,
            session_name=env.get("AWS_ROLE_SESSION_NAME") or "irsa-manager",
            keys=keys,
        )


class ReloadableCredentials(AioCredentials):  # type: ignore[misc]  # aiobotocore ships no types
    """Credentials that are looked for when they are first needed and again when AWS has refused them.

    botocore reads a shared credentials file once; a Secret that is rotated while the operator runs would be noticed
    only by a restart. load: gives fresh credentials, or raises one of botocore's credential errors.
    """

    def __init__(self, load: Callable[[], Awaitable[Any]]) -> None:
        super().__init__(access_key="", secret_key="", method="irsa-manager")
        self._load = load
        self._found: Any = None
        self._reloaded_at = float("-inf")
        self._lock = asyncio.Lock()

    async def get_frozen_credentials(self) -> Any:
        """The keys to sign with, refreshed if they are about to expire."""
        async with self._lock:
            if self._found is None:
                self._found = await self._load()
            found = self._found
        try:
            return await found.get_frozen_credentials()
        except RuntimeError as error:
            # botocore's word for credentials that are still expired after their refresh.
            raise CredentialRetrievalError(provider=getattr(found, "method", ""), error_msg=str(error)) from error

    def reload(self) -> bool:
        """Forget the credentials, so that the next call looks again. Returns False if that was done a moment ago."""
        if monotonic() - self._reloaded_at < RELOAD_AT_MOST_EVERY:
            return False
        self._reloaded_at = monotonic()
        self._found = None
        return True


def credentials(settings: AwsSettings, config: AioConfig) -> ReloadableCredentials:
    """The credentials that `settings` describes. Nothing is read or called until they are needed.

    config: time-outs for the call of sts:AssumeRole.
    """

    async def load() -> Any:
        base = base_session(settings)
        found = await base.get_credentials()
        if found is None:
            raise NoCredentialsError()
        if settings.role_arn is None:
            return found
        return AioDeferredRefreshableCredentials(_assume(settings, base, config), "assume-role")

    return ReloadableCredentials(load)


def new_session(profile: str | None) -> AioSession:
    """A session of botocore that shares the service models, which take a third of a second to read, with all others."""
    session = AioSession(profile=profile)
    session.register_component("data_loader", _models())
    return session


@cache
def _models() -> Loader:
    return create_loader()


def base_session(settings: AwsSettings) -> AioSession:
    """A session of botocore with the settings' profile and keys, before any switch of role."""
    session = new_session(settings.profile)
    if settings.keys is not None:
        keys = settings.keys
        session.set_credentials(keys.access_key_id, keys.secret_access_key, keys.session_token)
    return session


def region(settings: AwsSettings) -> str:
    """The region that clients are made for."""
    if settings.region:
        return settings.region
    try:
        found = base_session(settings).get_config_variable("region")
    except BotoCoreError:
        # A profile that doesn't exist: said by the first call, as an error about credentials.
        found = None
    return str(found) if found else FALLBACK_REGION


def _assume(settings: AwsSettings, base: AioSession, config: AioConfig) -> Callable[[], Awaitable[dict[str, Any]]]:
    """What refreshes a switched session: sts:AssumeRole, in the form that botocore's refreshable credentials take."""
    request: dict[str, Any] = {"RoleArn": settings.role_arn, "RoleSessionName": settings.session_name}
    if settings.external_id:
        request["ExternalId"] = settings.external_id
    if settings.session_seconds:
        request["DurationSeconds"] = settings.session_seconds

    async def refresh() -> dict[str, Any]:
        async with base.create_client(
            "sts", region_name=region(settings), endpoint_url=settings.endpoint_url, config=config
        ) as sts:
            answer = (await sts.assume_role(**request))["Credentials"]
        return {
            "access_key": answer["AccessKeyId"],
            "secret_key": answer["SecretAccessKey"],
            "token": answer["SessionToken"],
            "expiry_time": answer["Expiration"].isoformat(),
        }

    return refresh


class _WithoutTraceback(logging.Filter):
    """Takes the traceback off botocore's warning about a failed refresh: the error itself is reported by the call."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.exc_info = None
        return True


logging.getLogger("aiobotocore.credentials").addFilter(_WithoutTraceback())
