"""One request from the socket to its answer.

The order: /_sandbox or AWS · gate · counted · faults before the effect · AssumeRoleWithWebIdentity here, everything
else in the emulator with our handlers · faults after the effect. Each request runs in a task of its own, because the
emulator keeps the caller in context variables and a connection serves many callers.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web

from irsa_manager.sandbox.front import assume, gate, last_used
from irsa_manager.sandbox.front import request as requests
from irsa_manager.sandbox.front.admin import PREFIX, Admin
from irsa_manager.sandbox.front.answers import IAM, STS, Answer, Refused, failure
from irsa_manager.sandbox.front.authorization import Caller, caller
from irsa_manager.sandbox.front.calls import Calls
from irsa_manager.sandbox.front.consistency import Consistency
from irsa_manager.sandbox.front.credentials import anonymous_s3
from irsa_manager.sandbox.front.emulator import Emulator
from irsa_manager.sandbox.front.faults import Faults
from irsa_manager.sandbox.front.issuers import Issuers
from irsa_manager.sandbox.front.request import AwsRequest

MAX_BODY: Final = 64 * 1024 * 1024

Guard = Callable[[str, AwsRequest], Answer | None]
"""A rule of a service that the emulator lacks: an answer refuses the request before it is dispatched."""


class Dropped(Exception):  # noqa: N818
    """The answer gets lost: the connection is closed though the call took effect."""


class Server:
    """Answers AWS's requests and the sandbox's own."""

    def __init__(
        self, emulator: Emulator, issuers: Issuers, admin: Admin, calls: Calls, faults: Faults, consistency: Consistency
    ) -> None:
        self._emulator = emulator
        self._issuers = issuers
        self._admin = admin
        self._calls = calls
        self._faults = faults
        self._consistency = consistency
        self.guards: list[Guard] = []

    async def handle(self, incoming: web.Request) -> web.StreamResponse:
        """aiohttp's handler."""
        body = await incoming.read()
        request = requests.read(incoming.method, incoming.raw_path, incoming.raw_headers, body)
        if request.path == PREFIX or request.path.startswith(f"{PREFIX}/"):
            status, answer = self._admin.answer(request)
            return web.json_response(answer, status=status)
        try:
            status, headers, content = await _in_own_context(self._answer(request))
        except Dropped:
            if incoming.transport is not None:
                incoming.transport.abort()
            raise asyncio.CancelledError from None
        return _response(incoming.method, status, headers, content)

    async def read_bucket(self, region: str, bucket: str, path: str) -> bytes | None:
        """An object as anybody on the Internet gets it, by the same way a request of his would take."""
        owner = self._emulator.bucket_owner(bucket)
        if owner is None or (owner[1].get("region") or self._emulator.region) != region:
            return None
        request = requests.read("GET", f"/{bucket}{path}", ((b"host", b"localhost"),), b"")
        status, _, content = await _in_own_context(self._dispatch("s3", request, by_host=False))
        return content if status == 200 else None

    async def _answer(self, request: AwsRequest) -> Answer:
        service = "s3"
        try:
            by_host = gate.check_host(request)
            parameters: dict[str, str] = {}
            if not by_host:
                service = self._service(request)
                parameters = requests.form(request) if service in ("iam", "sts") else _plain(request)
                gate.check_service(service, request, parameters)
            operation = requests.operation(service, request, parameters)
            self._calls.count(operation)
            fate = self._faults.draw(service, operation)
            await asyncio.sleep(fate.latency)
            if fate.refused is not None:
                raise fate.refused
            if operation == "AssumeRoleWithWebIdentity" and service == "sts":
                answer = await assume.with_web_identity(self._emulator, self._issuers, parameters, self._consistency)
            else:
                answer = await self._dispatch(service, request, by_host=by_host)
        except Refused as refused:
            return refusal(service, self._emulator, refused)
        if fate.dropped:
            raise Dropped
        return answer

    def _service(self, request: AwsRequest) -> str:
        routing = self._emulator.app._routing_params(
            request.method, request.path, dict(request.headers), request.body, request.query
        )
        return str(self._emulator.app.detect_service(request.method, request.path, dict(request.headers), routing))

    async def _dispatch(self, service: str, request: AwsRequest, *, by_host: bool) -> Answer:
        """Authenticate, authorise and carry out a request in the emulator."""
        app, evaluator, responses = self._emulator.app, self._emulator.evaluator, self._emulator.responses
        anonymous = gate.is_anonymous(request)
        if anonymous:
            parts = [part for part in request.path.split("/") if part]
            gate.check_anonymous(service, request, ["bucket", *parts] if by_host else parts)
        anonymous_s3.set(anonymous and service == "s3")
        for guard in self.guards:
            if (refusing := guard(service, request)) is not None:
                return refusing
        headers = dict(request.headers)
        key = app.extract_access_key_id(headers, request.query)
        responses.set_request_account_id(app._request_account_scope(key) if key else "")
        region = app.extract_region(headers, request.query)
        responses.set_request_region(region)
        caller.set(Caller(key, region))
        evaluator.pin_request_origin("127.0.0.1", True)
        evaluator.pin_signed_request(request.method, request.raw_path, request.query, list(request.raw_headers))
        try:
            body = await app._read_request_body(_receiver(request.body), request.method, headers)
        except app._IncompleteRequestBody as incomplete:
            refused = app._incomplete_request_body_response(request.method, request.path, headers, request.query)
            if refused is None:
                raise Refused("IncompleteBody", str(incomplete)) from incomplete
            return _checked(refused)
        if by_host:
            answer = await app._handle_s3_vhost_request(
                headers.get("host", ""), request.path, request.method, headers, body, request.query
            )
            if answer is None:
                raise Refused("NoSuchBucket", "The specified bucket does not exist", 404)
            return _checked(answer)
        answer = await app._dispatch_service_request(
            request.method, request.path, headers, body, request.query, _request_id()
        )
        if answer[0] < 400:
            last_used.note(self._emulator, key, region)
        s3 = self._emulator.s3
        head = request.method == "HEAD" and service == "s3"
        if head and s3.is_standard_object_request("HEAD", request.path, headers, request.query):
            answer = s3.format_head_response(request.path, headers, answer)
        return _checked(answer)


def refusal(service: str, emulator: Emulator, refused: Refused) -> Answer:
    """An error in the service's own form."""
    if service == "s3":
        return _checked(emulator.s3._error(refused.code, refused.message, refused.status))
    if service in ("iam", "sts"):
        return failure(refused, STS if service == "sts" else IAM)
    return (
        _checked(
            emulator.actions.access_denied_response(
                service, "", "", _request_id(), error_code=refused.code, message=refused.message, headers={}
            )
        )
        if refused.status == 403
        else _json_failure(refused)
    )


def _json_failure(refused: Refused) -> Answer:
    body = json.dumps({"__type": refused.code, "message": refused.message}).encode()
    headers = {
        "Content-Type": "application/x-amz-json-1.0",
        "x-amzn-errortype": refused.code,
        "x-amzn-query-error": f"{refused.code};{'Sender' if refused.status < 500 else 'Receiver'}",
    }
    return refused.status, headers, body


async def _in_own_context(answering: Awaitable[Any]) -> Any:
    async def run() -> Any:
        return await answering

    return await asyncio.create_task(run(), context=contextvars.copy_context())


def _receiver(body: bytes) -> Callable[[], Awaitable[dict[str, Any]]]:
    """The body as an ASGI receive channel, which the emulator's reader takes."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _plain(request: AwsRequest) -> dict[str, str]:
    return {name: values[0] for name, values in request.query.items()}


def _checked(answer: Any) -> Answer:
    status, headers, body = answer
    content = body.encode() if isinstance(body, str) else body
    if not isinstance(content, bytes):
        raise Refused("NotImplemented", "The sandbox's AWS doesn't stream answers.", 501)
    return int(status), {str(name): str(value) for name, value in headers.items()}, content


def _response(method: str, status: int, headers: dict[str, str], content: bytes) -> web.Response:
    """The HTTP answer; the emulator's wildcard CORS headers are left out, no web page has business here."""
    kept = {
        name: value
        for name, value in headers.items()
        if not (name.lower().startswith("access-control-") and value == "*")
        and name.lower() not in ("transfer-encoding", "access-control-allow-methods")
    }
    if method != "HEAD":
        kept = {name: value for name, value in kept.items() if name.lower() != "content-length"}
    return web.Response(status=status, headers=kept, body=None if method == "HEAD" else content)


def _request_id() -> str:
    return str(uuid.uuid4())
