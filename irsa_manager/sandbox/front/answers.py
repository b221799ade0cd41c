"""Answers in the query protocol of IAM and STS: XML built in one place, so that everything in it is escaped."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Final
from xml.sax.saxutils import escape

Answer = tuple[int, dict[str, str], bytes]
"""HTTP status, headers, body: what the emulator's handlers return too."""

IAM: Final = "https://iam.amazonaws.com/doc/2010-05-08/"
STS: Final = "https://sts.amazonaws.com/doc/2011-06-15/"


class Refused(Exception):  # noqa: N818  (it is the outcome of a rule, named as people say it)
    """A rule says no: AWS's error code, its text, and the HTTP status that goes with them."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def validation(value: object, member: str, constraint: str) -> Refused:
    """IAM's and STS's answer to a parameter of a wrong form (one violation; AWS may list several)."""
    return Refused(
        "ValidationError",
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {constraint}",
    )


def xml(tree: object) -> str:
    """Mappings become elements, other iterables <member> lists, None an absent element, text is escaped."""
    if tree is None:
        return ""
    if isinstance(tree, bool):
        return "true" if tree else "false"
    if isinstance(tree, (str, int)):
        return escape(str(tree))
    if isinstance(tree, Mapping):
        return "".join(f"<{name}>{xml(value)}</{name}>" for name, value in tree.items() if value is not None)
    if isinstance(tree, Iterable):
        return "".join(f"<member>{xml(value)}</member>" for value in tree)
    raise TypeError(f"{type(tree).__name__} has no form in an answer")


def success(operation: str, result: Mapping[str, object] | None = None, namespace: str = IAM) -> Answer:
    """The answer of a call that worked; `result` is None for operations whose answer has no result element."""
    inner = "" if result is None else f"<{operation}Result>{xml(result)}</{operation}Result>"
    body = (
        f'<{operation}Response xmlns="{namespace}">{inner}'
        f"<ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata></{operation}Response>"
    )
    return 200, {"Content-Type": "text/xml"}, body.encode()


def failure(refused: Refused, namespace: str = IAM) -> Answer:
    """The error envelope; Type says whose fault it is (Sender below 500)."""
    kind = "Sender" if refused.status < 500 else "Receiver"
    body = (
        f'<ErrorResponse xmlns="{namespace}"><Error><Type>{kind}</Type><Code>{escape(refused.code)}</Code>'
        f"<Message>{escape(refused.message)}</Message></Error><RequestId>{uuid.uuid4()}</RequestId></ErrorResponse>"
    )
    return refused.status, {"Content-Type": "text/xml"}, body.encode()
