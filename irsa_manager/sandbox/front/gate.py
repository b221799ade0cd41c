"""What is let through to the emulator at all. Everything that isn't known to be authorised there is turned away.

ministack has data planes of its own (function URLs, load balancers, OAuth pages, its /_ministack endpoints); the
application that serves them isn't run, and this gate keeps requests from reaching the parts that the dispatcher knows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from irsa_manager.sandbox.front.answers import Refused
from irsa_manager.sandbox.front.emulator import SERVICES
from irsa_manager.sandbox.front.request import AwsRequest

_LOOPBACK: Final = re.compile(r"127\.0\.0\.1|localhost|\[::1\]")
_BUCKET_HOST: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9](\.s3(\.[a-z0-9-]+)?)?\.localhost")
_PATHS: Final[Mapping[str, re.Pattern[str]]] = {
    "sqs": re.compile(r"/|/\d{12}/[\w.-]{1,80}/?"),
    "eks": re.compile(r"/(clusters|tags|addons)(/.*)?"),
}
_ROOT: Final = re.compile("/")
_PUBLIC_READS: Final = frozenset({"GET", "HEAD"})


def check_host(request: AwsRequest) -> bool:
    """Whether the Host names a bucket (virtual-hosted style).

    Raises:
        Refused: the Host isn't one of this machine's.

    """
    if _LOOPBACK.fullmatch(request.host):
        return False
    if _BUCKET_HOST.fullmatch(request.host):
        return True
    raise Refused("MisdirectedRequest", f"The sandbox's AWS doesn't answer for {request.host!r}.", 421)


def check_service(service: str, request: AwsRequest, parameters: Mapping[str, str]) -> None:
    """Let only known services through, on the paths that their protocols use.

    Raises:
        Refused: the service isn't part of the sandbox, the path isn't the service's, or IAM or STS is called by a
            protocol that they don't have.

    """
    if service not in SERVICES:
        raise Refused("UnknownOperationException", f"The sandbox's AWS has no service {service}.", 404)
    if service == "s3":
        # No bucket's name begins with an underscore (S3 User Guide, "General purpose bucket naming rules").
        if request.path.lstrip("/").startswith("_"):
            raise Refused("NoSuchBucket", "The specified bucket does not exist", 404)
        return
    if not _PATHS.get(service, _ROOT).fullmatch(request.path):
        raise Refused("UnknownOperationException", f"{service} has no operation at this path.", 404)
    if service in ("iam", "sts") and ("x-amz-target" in request.headers or "Action" not in parameters):
        raise Refused("MissingAction", "The query must contain the parameter Action.")


def is_anonymous(request: AwsRequest) -> bool:
    """Whether a request carries no credentials: neither an Authorization header nor a signed query."""
    signed = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "AWSAccessKeyId", "Signature")
    return "authorization" not in request.headers and not any(name in request.query for name in signed)


def check_anonymous(service: str, request: AwsRequest, parts: list[str]) -> None:
    """Anonymous callers may read objects of buckets; whether these are public, S3 decides.

    Raises:
        Refused: anything else without credentials.

    """
    if service != "s3":
        raise Refused("MissingAuthenticationToken", "Request is missing Authentication Token", 403)
    if request.method not in _PUBLIC_READS or not parts:
        raise Refused("AccessDenied", "Access Denied", 403)
