"""Credentials from a program that the kubeconfig names, as `aws eks get-token`.

lightkube runs such programs for the older API versions only, for each refusal once, and trips over answers that have no
token. https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import httpx2
import msgspec
from lightkube.config.models import UserExec
from lightkube.core.exceptions import ConfigError
from msgspec import Struct

VERSIONS: Final = tuple(f"client.authentication.k8s.io/{version}" for version in ("v1", "v1beta1", "v1alpha1"))
LONGEST_SECONDS: Final = 60.0
EARLY: Final = timedelta(seconds=10)
"""A token that is about to expire isn't used: it might do so on the way."""


class _Answer(Struct, rename={"expires": "expirationTimestamp"}):
    token: str = ""
    expires: datetime | None = None


class _ExecCredential(Struct):
    status: _Answer


class ExecCredentialAuth(httpx2.Auth):
    """Sends the program's token; runs it at first, when the token expires, and once more where it is refused (401).

    directory: of the kubeconfig, which a relative path of the program is relative to. Requests raise ConfigError where
    the program is missing, fails, takes more than 60 s, or gives no token. What it writes to its standard output is a
    secret and in no message.
    """

    def __init__(self, program: UserExec, directory: Path) -> None:
        self._program = program
        self._directory = directory
        self._answer: _Answer | None = None
        self._lock = asyncio.Lock()

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """httpx2's protocol for one request."""
        answer = await self._credential(refused=None)
        request.headers["Authorization"] = f"Bearer {answer.token}"
        response = yield request
        if response.status_code == 401:
            answer = await self._credential(refused=answer)
            request.headers["Authorization"] = f"Bearer {answer.token}"
            yield request

    async def _credential(self, *, refused: _Answer | None) -> _Answer:
        async with self._lock:
            known = self._answer
            # One run serves all requests that were refused at the same time.
            if known is not None and known is not refused and _lasts(known):
                return known
            self._answer = await self._run()
            return self._answer

    async def _run(self) -> _Answer:
        program = self._program
        if program.apiVersion not in VERSIONS:
            raise ConfigError(f"the kubeconfig's exec has the unknown apiVersion {program.apiVersion}")
        command = program.command
        if os.sep in command:
            command = str(self._directory / command)
        info = {"apiVersion": program.apiVersion, "kind": "ExecCredential", "spec": {"interactive": False}}
        environment = {**os.environ, "KUBERNETES_EXEC_INFO": msgspec.json.encode(info).decode()}
        environment |= {variable.name: variable.value for variable in program.env or ()}
        try:
            child = await asyncio.create_subprocess_exec(
                command,
                *(program.args or ()),
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        except OSError as error:
            hint = f". {program.installHint.strip()}" if program.installHint else ""
            raise ConfigError(f"{program.command} can't be run: {error.strerror}{hint}") from error
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                output, complaint = await child.communicate()
        except TimeoutError as error:
            raise ConfigError(f"{program.command} gave no credentials within {LONGEST_SECONDS:.0f} s") from error
        finally:
            if child.returncode is None:
                child.kill()
        if child.returncode != 0:
            said = (complaint.decode(errors="replace").strip().splitlines() or ["nothing"])[-1][:200]
            raise ConfigError(f"{program.command} ended with status {child.returncode} and said: {said}")
        try:
            answer = msgspec.json.decode(output, type=_ExecCredential).status
        except msgspec.MsgspecError as error:
            raise ConfigError(f"{program.command} gave something that is no ExecCredential") from error
        if not answer.token:
            raise ConfigError(f"{program.command} gave no token (client certificates aren't taken)")
        return answer


def _lasts(answer: _Answer) -> bool:
    return answer.expires is None or answer.expires - EARLY > datetime.now(UTC)
