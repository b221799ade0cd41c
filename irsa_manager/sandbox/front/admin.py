"""/_sandbox: the sandbox's own levers, for tests and for people at the same machine; never for a web page.

GET health · PUT, GET issuers · GET, DELETE calls · PUT, GET faults · PUT, GET quotas · PUT, GET accounts.
A request with an Origin header, or with a Host that isn't this machine's loopback, is refused: that is what a page in
a browser sends, also by DNS rebinding (WHATWG Fetch, "Origin header"; RFC 9110 section 7.2).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from irsa_manager.sandbox.front.config import Issuer
from irsa_manager.sandbox.front.request import AwsRequest

PREFIX: Final = "/_sandbox"
_LOOPBACK: Final = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?")

JsonAnswer = tuple[int, dict[str, Any]]


class Wrong(ValueError):  # noqa: N818  (it answers a request, as Refused does)
    """What was put isn't acceptable; the text says which key or value."""


Lever = Callable[[Any], dict[str, Any]]
"""Takes the decoded body (None where there is none), returns the answer's body; raises Wrong."""


class Admin:
    """The levers by method and path."""

    def __init__(self) -> None:
        self._levers: dict[tuple[str, str], Lever] = {}

    def add(self, method: str, name: str, lever: Lever) -> None:
        """Offer METHOD /_sandbox/NAME."""
        self._levers[method, f"{PREFIX}/{name}"] = lever

    def answer(self, request: AwsRequest) -> JsonAnswer:
        """Status and JSON body for a request under /_sandbox."""
        if "origin" in request.headers or not _LOOPBACK.fullmatch(request.headers.get("host", "").lower()):
            return 403, {"error": "/_sandbox answers programs on this machine only: no Origin, a loopback Host"}
        lever = self._levers.get((request.method, request.raw_path))
        if lever is None:
            known = sorted(f"{method} {path}" for method, path in self._levers)
            return 404, {"error": f"there is no {request.method} {request.raw_path}", "known": known}
        try:
            return 200, lever(json.loads(request.body) if request.body else None)
        except (Wrong, ValueError) as error:
            return 400, {"error": str(error)}


def issuer(body: object) -> Issuer:
    """An issuer mapping from a request's body.

    Raises:
        Wrong: a key missing, unknown or of a wrong type.

    """
    try:
        return msgspec.convert(body, type=Issuer)
    except msgspec.ValidationError as error:
        raise Wrong(str(error)) from error


def only_keys(body: object, allowed: Mapping[str, object]) -> dict[str, Any]:
    """A JSON object that has no other keys than the allowed ones.

    Raises:
        Wrong: not an object, or an unknown key.

    """
    if not isinstance(body, dict):
        raise Wrong("the body must be a JSON object")
    unknown = sorted(set(body) - set(allowed))
    if unknown:
        raise Wrong(f"unknown: {', '.join(unknown)}; known: {', '.join(sorted(allowed))}")
    return body
