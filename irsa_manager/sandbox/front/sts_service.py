"""STS: the emulator's, behind the checks that AssumeRole lacks there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from irsa_manager.sandbox.front import assume
from irsa_manager.sandbox.front import request as requests
from irsa_manager.sandbox.front.answers import STS, Answer, Refused, failure
from irsa_manager.sandbox.front.authorization import caller
from irsa_manager.sandbox.front.consistency import Consistency
from irsa_manager.sandbox.front.emulator import Emulator

Handler = Callable[[str, str, dict[str, str], bytes, dict[str, list[str]]], Awaitable[Answer]]


class StsService:
    """Answers STS's signed requests after the emulator authenticated and authorised them."""

    def __init__(self, emulator: Emulator, consistency: Consistency) -> None:
        self._emulator = emulator
        self._emulated: Handler = emulator.sts.handle_request
        self._consistency = consistency

    async def handle(
        self, method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
    ) -> Answer:
        """The emulator's interface of a service."""
        parameters = requests.parameters(method, headers.get("content-type", ""), body, query)
        if parameters.get("Action") == "AssumeRole":
            identity = self._emulator.evaluator.resolve_caller_identity(caller.get().access_key_id)
            try:
                with self._consistency.around("AssumeRole", parameters):
                    assume.check_assume_role(self._emulator, parameters, str(identity["userArn"]) if identity else "")
            except Refused as refused:
                return failure(refused, STS)
        return await self._emulated(method, path, headers, body, query)
