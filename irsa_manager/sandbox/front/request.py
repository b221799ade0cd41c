"""One AWS request as it came: which service and operation it is, and its parameters.

Source: AWS General Reference, "Query APIs"; botocore's models of S3's REST operations.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qs, unquote

from irsa_manager.sandbox.front.answers import Refused

_BUCKET_OPERATIONS: Final = {
    "acl": "BucketAcl",
    "cors": "BucketCors",
    "encryption": "BucketEncryption",
    "lifecycle": "BucketLifecycleConfiguration",
    "location": "BucketLocation",
    "ownershipControls": "BucketOwnershipControls",
    "policy": "BucketPolicy",
    "policyStatus": "BucketPolicyStatus",
    "publicAccessBlock": "PublicAccessBlock",
    "tagging": "BucketTagging",
    "versioning": "BucketVersioning",
    "website": "BucketWebsite",
}
_OBJECT_OPERATIONS: Final = {"acl": "ObjectAcl", "tagging": "ObjectTagging", "attributes": "ObjectAttributes"}
_VERBS: Final = {"GET": "Get", "PUT": "Put", "DELETE": "Delete"}
_PLAIN: Final = {
    ("GET", 0): "ListBuckets",
    ("PUT", 1): "CreateBucket",
    ("DELETE", 1): "DeleteBucket",
    ("HEAD", 1): "HeadBucket",
    ("GET", 1): "ListObjects",
    ("PUT", 2): "PutObject",
    ("GET", 2): "GetObject",
    ("DELETE", 2): "DeleteObject",
    ("HEAD", 2): "HeadObject",
}


@dataclass(frozen=True)
class AwsRequest:
    """A request with its body read. `path` is decoded, `raw_path` as sent; header names are in lower case."""

    method: str
    raw_path: str
    query_string: str
    headers: Mapping[str, str]
    raw_headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    query: dict[str, list[str]] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "query", parse_qs(self.query_string, keep_blank_values=True))

    @property
    def path(self) -> str:
        """The path with its percent-escapes decoded."""
        return unquote(self.raw_path)

    @property
    def host(self) -> str:
        """The Host header, without the port, in lower case."""
        name, _, port = self.headers.get("host", "").lower().rpartition(":")
        return name if port.isdigit() and name else self.headers.get("host", "").lower()


def read(method: str, target: str, raw_headers: Iterable[tuple[bytes, bytes]], body: bytes) -> AwsRequest:
    """A request from its parts; `target` is the request line's, "/path?query"."""
    raw_path, _, query = target.partition("?")
    lowered = tuple((name.lower(), value) for name, value in raw_headers)
    headers: dict[str, str] = {}
    for name, value in lowered:
        key, text = name.decode("latin-1"), _text(value)
        # RFC 9110 section 5.2: a repeated field is its values joined by commas.
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return AwsRequest(method, raw_path, query, headers, lowered, body)


def form(request: AwsRequest) -> dict[str, str]:
    """The parameters of a query-protocol call; see `parameters`."""
    return parameters(request.method, request.headers.get("content-type", ""), request.body, request.query)


def parameters(method: str, content_type: str, body: bytes, query: Mapping[str, list[str]]) -> dict[str, str]:
    """The parameters of a query-protocol call, from the query string and a form body.

    Raises:
        Refused: a parameter is given twice. The emulator would authorise one and carry out the other.

    """
    listed = {name: list(values) for name, values in query.items()}
    if method == "POST" and content_type.startswith("application/x-www-form-urlencoded"):
        for name, values in parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True).items():
            listed.setdefault(name, []).extend(values)
    for name, values in listed.items():
        if len(values) > 1:
            raise Refused("MalformedQueryString", f"The parameter {name} is given more than once.")
    return {name: values[0] for name, values in listed.items()}


def operation(service: str, request: AwsRequest, parameters: Mapping[str, str]) -> str:
    """The SDK's name of the operation (CreateRole, PutObject, SendMessage); "Unknown" where there is none."""
    target = request.headers.get("x-amz-target", "")
    if target:
        return target.rpartition(".")[2]
    if "Action" in parameters:
        return parameters["Action"]
    return _s3_operation(request) if service == "s3" else "Unknown"


def _s3_operation(request: AwsRequest) -> str:
    depth = min(len([part for part in request.path.split("/") if part]), 2)
    if request.method == "POST":
        return "DeleteObjects" if depth == 1 and "delete" in request.query else "Unknown"
    if depth == 1 and request.query.get("list-type") == ["2"]:
        return "ListObjectsV2"
    for name, thing in (_BUCKET_OPERATIONS if depth == 1 else _OBJECT_OPERATIONS).items():
        if name in request.query and request.method in _VERBS:
            return _VERBS[request.method] + thing
    return _PLAIN.get((request.method, depth), "Unknown")


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")
