"""One AWS call: paced, timed, counted, logged, and sent again only when AWS has said that it had no effect.

botocore's own retries are off (session.py). They resend a CreateRole whose answer was lost and then meet
EntityAlreadyExists for a role of their own making; only the executor, which knows what it meant to do, can judge that.
A throttled call had no effect, so that one is sent again here.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, Final

import structlog
from botocore import xform_name
from msgspec import Struct

from irsa_manager.api.errors import (
    AwsCredentials,
    AwsDenied,
    AwsError,
    AwsExists,
    AwsMissing,
    AwsThrottled,
    AwsUnavailable,
)
from irsa_manager.aws.credentials import ReloadableCredentials
from irsa_manager.aws.errors import FROM_BOTOCORE, classify, not_of_aws
from irsa_manager.aws.pacing import Pacer, Priority

CALL_TIMEOUT: Final = 4.5
"""Seconds for a call, credentials included. Shorter than what is left of a lease when its renewal fails, so that a call
in flight has ended before another replica may act."""

PAGE_TIMEOUT: Final = 20.0
"""Seconds for a page of a sweep, which changes nothing and may be large."""

RESENDS: Final = 3
FIRST_BACKOFF: Final = 0.1
"""Seconds; doubled each time, full jitter (AWS Architecture Blog, "Exponential backoff and jitter")."""

OnCall = Callable[[str, str, float], None]
"""Told of every call sent: operation, outcome (see `outcome`), seconds without the wait for a turn."""

Guard = Callable[[], None]
"""Run right before a call is sent; raises if it must not be (leadership lost while waiting for a turn)."""

_log = structlog.get_logger("irsa_manager.aws")
_CALLER_ARN: Final = re.compile(r"arn:(?P<partition>aws[a-z-]*):(?:sts|iam)::(?P<account>\d{12}):.+")


class Identity(Struct, frozen=True):
    """Who calls AWS (STS API, GetCallerIdentity). partition: of the caller's ARN: aws, aws-cn, aws-us-gov, ..."""

    account: str
    partition: str
    arn: str
    user_id: str


class _Sent(Struct, frozen=True):
    """A call that has been sent: which, and the attempt and the moment (time.monotonic)."""

    operation: str
    params: dict[str, Any]
    attempt: int
    started: float


class Aws:
    """IAM and STS of one account. Made by session.open_aws; belongs to one event loop."""

    def __init__(
        self,
        clients: Mapping[str, Any],
        credentials: ReloadableCredentials,
        pacer: Pacer,
        *,
        on_call: OnCall | None = None,
        guard: Guard | None = None,
    ) -> None:
        self._clients = clients
        self._credentials = credentials
        self._on_call = on_call
        self._guard = guard
        self._identity: Identity | None = None
        self._asking = asyncio.Lock()
        self.pacer = pacer

    async def call(
        self,
        operation: str,
        *,
        priority: Priority = Priority.INTERACTIVE,
        timeout: float = CALL_TIMEOUT,
        **params: Any,
    ) -> dict[str, Any]:
        """Call an IAM or STS operation by its API name (CreateRole) with the API's own parameter names.

        priority: who waits for it. timeout: seconds from sending it to its answer, the wait for a turn not counted.
        Returns botocore's answer. Raises AwsError of the class that fits; AwsThrottled after RESENDS more attempts;
        and whatever the guard raises.
        """
        backoff = FIRST_BACKOFF
        for attempt in range(1, RESENDS + 1):
            try:
                return await self._send(operation, priority, timeout, attempt, params)
            except AwsThrottled:
                await asyncio.sleep(random.uniform(0, backoff))  # noqa: S311  (spreads load, hides nothing)
                backoff *= 2
        return await self._send(operation, priority, timeout, RESENDS + 1, params)

    def client(self, service: str) -> Any:
        """aiobotocore's own client, "iam" or "sts": for its settings and events; calls through it aren't paced."""
        return self._clients[service]

    async def identity(self) -> Identity:
        """Who we are; asked once, and again after the credentials were found wrong. Raises AwsError.

        GetCallerIdentity needs no permission (STS API).
        """
        async with self._asking:
            if self._identity is None:
                self._identity = _identity(await self.call("GetCallerIdentity"))
            return self._identity

    async def _send(
        self, operation: str, priority: Priority, timeout: float, attempt: int, params: dict[str, Any]
    ) -> dict[str, Any]:
        async with self.pacer.turn(priority):
            if self._guard is not None:
                self._guard()
            sent = _Sent(operation, params, attempt, monotonic())
            try:
                answer = await self._answer(operation, timeout, params)
            except AwsError as error:
                self._note(outcome(error), sent, error.request_id)
                self._learn(error)
                raise
            except asyncio.CancelledError:
                self._note("cancelled", sent, "")
                raise
            request_id = str(answer.get("ResponseMetadata", {}).get("RequestId", ""))
            self._note("ok", sent, request_id)
            self.pacer.accepted()
            return answer

    async def _answer(self, operation: str, timeout: float, params: dict[str, Any]) -> dict[str, Any]:
        client = self._clients["sts" if operation == "GetCallerIdentity" else "iam"]
        try:
            async with asyncio.timeout(timeout):
                answer: dict[str, Any] = await getattr(client, xform_name(operation))(**params)
        except FROM_BOTOCORE as error:
            raise classify(error, operation) from error
        if not answer.get("ResponseMetadata", {}).get("RequestId"):
            # Every answer of AWS has one. Where an operation returns nothing, botocore takes any page for a success.
            raise not_of_aws(operation)
        return answer

    def _learn(self, error: AwsError) -> None:
        """What an error says about the next call: its pace, and whether the credentials are still any good."""
        if isinstance(error, AwsThrottled):
            self.pacer.throttled()
        elif not isinstance(error, (AwsUnavailable, AwsCredentials)):
            self.pacer.accepted()
        if isinstance(error, AwsCredentials):
            self._identity = None
            self._credentials.reload()

    def _note(self, result: str, sent: _Sent, request_id: str) -> None:
        operation, params, seconds = sent.operation, sent.params, monotonic() - sent.started
        if self._on_call is not None:
            self._on_call(operation, result, seconds)
        fields: dict[str, Any] = {"awsOperation": operation, "outcome": result, "attempt": sent.attempt}
        if "RoleName" in params:
            fields["role"] = params["RoleName"]
        if request_id:
            fields["awsRequestID"] = request_id
        _log.debug("AWS call", durationSeconds=round(seconds, 4), **fields)


def outcome(error: AwsError) -> str:
    """The word for an error in metrics: throttled, denied, credentials, unavailable, exists, missing or refused."""
    words: dict[type[AwsError], str] = {
        AwsThrottled: "throttled",
        AwsDenied: "denied",
        AwsCredentials: "credentials",
        AwsUnavailable: "unavailable",
        AwsExists: "exists",
        AwsMissing: "missing",
    }
    return words.get(type(error), "refused")


def _identity(answer: Mapping[str, Any]) -> Identity:
    arn = str(answer.get("Arn", ""))
    found = _CALLER_ARN.fullmatch(arn)
    if found is None:
        raise AwsUnavailable(
            "AWSUnavailable",
            f"GetCallerIdentity answered with {arn!r}, which is no caller's ARN.",
            operation="GetCallerIdentity",
            hint="Is AWS_ENDPOINT_URL an endpoint of AWS?",
        )
    return Identity(
        account=str(answer.get("Account") or found["account"]),
        partition=found["partition"],
        arn=arn,
        user_id=str(answer.get("UserId", "")),
    )
