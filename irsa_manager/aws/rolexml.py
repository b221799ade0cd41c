"""The two large answers, read as a stream off the event loop: GetAccountAuthorizationDetails and ListRoles.

botocore builds a tree and then dictionaries of every element, on the loop: 220 to 300 ms of CPU for 1,000 roles. Expat
with handlers for the few fields that are wanted takes 65 to 72, in a thread, where it gives up the interpreter's lock
often enough that the loop stalls for about 10 ms (docs/architecture.md has the measurements; bench/snapshot.py repeats
them).

The answers are those of IAM's query protocol: `<OperationResponse><OperationResult>...`, lists as `<member>`
(IAM API reference, GetAccountAuthorizationDetails and ListRoles, examples). A document type declaration is refused:
IAM sends none, and entities are how small XML becomes large.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final
from xml.parsers import expat  # document types, the only way to entities, are refused below
from xml.sax.saxutils import escape

from msgspec import Struct

from irsa_manager.api.errors import AwsUnavailable
from irsa_manager.aws.documents import decode_document, rfc3339, trust_document
from irsa_manager.plan.observed import ObservedRole

KEY: Final = "_irsa_manager_page"
"""Where the page is in botocore's answer. Not under a name of IAM's: botocore would post-process it."""

_DETAILS: Final = "/GetAccountAuthorizationDetailsResponse/GetAccountAuthorizationDetailsResult"
_LIST: Final = "/ListRolesResponse/ListRolesResult"


class RolePage(Struct, frozen=True):
    """One page of roles. marker: where the next one starts. truncated: whether there is a next one."""

    roles: list[ObservedRole]
    marker: str
    truncated: bool
    request_id: str


class _Role:
    """A role while its elements arrive."""

    __slots__ = ("attached", "boundary", "fields", "inline", "key", "profiles", "tags", "value")

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self.attached: list[str] = []
        self.inline: dict[str, Any] = {}
        self.profiles: list[str] = []
        self.tags: dict[str, str] = {}
        self.boundary = ""
        self.key = ""
        self.value = ""


def _field(name: str) -> Callable[[_Role, str], None]:
    def keep(role: _Role, text: str) -> None:
        role.fields[name] = text

    return keep


def _key(role: _Role, text: str) -> None:
    role.key = text


def _value(role: _Role, text: str) -> None:
    role.value = text


def _tag(role: _Role, _: str) -> None:
    role.tags[role.key] = role.value
    role.key = role.value = ""


def _inline(role: _Role, _: str) -> None:
    role.inline[role.key] = decode_document(role.value)
    role.key = role.value = ""


def _boundary(role: _Role, text: str) -> None:
    role.boundary = text


# Element below a role's <member> -> what its end does. Elements of a pair may come in either order.
_PARTS: Final[dict[str, Callable[[_Role, str], None]]] = {
    "/RoleName": _field("name"),
    "/Arn": _field("arn"),
    "/RoleId": _field("id"),
    "/Path": _field("path"),
    "/CreateDate": _field("created"),
    "/AssumeRolePolicyDocument": _field("trust"),
    "/Description": _field("description"),
    "/MaxSessionDuration": _field("seconds"),
    "/AttachedManagedPolicies/member/PolicyArn": lambda role, text: role.attached.append(text),
    "/InstanceProfileList/member/InstanceProfileName": lambda role, text: role.profiles.append(text),
    "/RolePolicyList/member/PolicyName": _key,
    "/RolePolicyList/member/PolicyDocument": _value,
    "/RolePolicyList/member": _inline,
    "/PermissionsBoundary/PermissionsBoundaryArn": _boundary,
    "/Tags/member/Key": _key,
    "/Tags/member/Value": _value,
    "/Tags/member": _tag,
}


class _Reader:
    """Expat's handlers for one answer: keeps the path of the open element and the text of those that matter."""

    def __init__(self, result: str, member: str, finish: Callable[[_Role], ObservedRole]) -> None:
        self._member = member
        self._finish = finish
        self._ends = {member + part: act for part, act in _PARTS.items()}
        self._plain = {f"{result}/Marker", f"{result}/IsTruncated"}
        response = result.rpartition("/")[0]
        self._plain.add(f"{response}/ResponseMetadata/RequestId")
        self._paths = [""]
        self._text: list[str] | None = None
        self._role = _Role()
        self.roles: list[ObservedRole] = []
        self.plain: dict[str, str] = {}

    def read(self, body: bytes) -> None:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = self._refuse
        parser.Parse(body, True)

    def _start(self, name: str, _: dict[str, str]) -> None:
        path = f"{self._paths[-1]}/{name}"
        self._paths.append(path)
        if path == self._member:
            self._role = _Role()
        self._text = [] if path in self._ends or path in self._plain else None

    def _characters(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)

    def _end(self, name: str) -> None:
        path = self._paths.pop()
        act = self._ends.get(path)
        if act is not None:
            act(self._role, "".join(self._text or ()))
        elif path == self._member:
            self.roles.append(self._finish(self._role))
        elif path in self._plain:
            self.plain[name] = "".join(self._text or ())
        self._text = None

    def _refuse(self, *_: object) -> None:
        raise expat.ExpatError("a document type declaration, which IAM never sends")


def parse_details(body: bytes) -> RolePage:
    """Parse an answer of GetAccountAuthorizationDetails. description and max_session_seconds are None: not in it.

    Raises AwsUnavailable if it isn't such an answer.
    """
    return _parse(body, "GetAccountAuthorizationDetails", _DETAILS, f"{_DETAILS}/RoleDetailList/member", _whole)


def parse_list(body: bytes) -> RolePage:
    """Parse an answer of ListRoles, of which only names, ids, descriptions and session durations are kept.

    Raises AwsUnavailable if it isn't such an answer.
    """
    return _parse(body, "ListRoles", _LIST, f"{_LIST}/Roles/member", _described)


def parse_pages_off_the_loop(iam: Any) -> None:
    """Have an IAM client of aiobotocore read both answers by the parsers above; the page is under KEY.

    Uses botocore's event before-parse, whose handlers may change the body that botocore goes on to parse.
    """
    for operation, parse in (("GetAccountAuthorizationDetails", parse_details), ("ListRoles", parse_list)):
        iam.meta.events.register(f"before-parse.iam.{operation}", _handler(operation, parse))


def _handler(operation: str, parse: Callable[[bytes], RolePage]) -> Callable[..., Any]:
    async def before_parse(
        response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object
    ) -> None:
        if response_dict["status_code"] != 200:
            return
        page = await asyncio.to_thread(parse, response_dict["body"])
        customized_response_dict[KEY] = page
        response_dict["body"] = (
            f"<{operation}Response><{operation}Result/><ResponseMetadata><RequestId>{escape(page.request_id)}</RequestId>"
            f"</ResponseMetadata></{operation}Response>"
        ).encode()

    return before_parse


def _parse(body: bytes, operation: str, result: str, member: str, finish: Callable[[_Role], ObservedRole]) -> RolePage:
    reader = _Reader(result, member, finish)
    try:
        reader.read(body)
    except expat.ExpatError as error:
        raise _unreadable(operation, str(error)) from error
    if "IsTruncated" not in reader.plain and not reader.roles:
        raise _unreadable(operation, "no result in it")
    return RolePage(
        roles=reader.roles,
        marker=reader.plain.get("Marker", ""),
        truncated=reader.plain.get("IsTruncated", "").strip() == "true",
        request_id=reader.plain.get("RequestId", ""),
    )


def _unreadable(operation: str, why: str) -> AwsUnavailable:
    return AwsUnavailable(
        "AWSUnavailable",
        f"The answer to {operation} can't be read: {why}.",
        operation=operation,
        hint="Is there a proxy in between, or an AWS_ENDPOINT_URL that isn't AWS?",
    )


def _whole(role: _Role) -> ObservedRole:
    fields = role.fields
    return ObservedRole(
        name=fields.get("name", ""),
        arn=fields.get("arn", ""),
        id=fields.get("id", ""),
        path=fields.get("path", "/"),
        created=rfc3339(fields.get("created", "")),
        trust=trust_document(decode_document(fields.get("trust", ""))),
        attached=tuple(role.attached),
        inline=role.inline,
        boundary=role.boundary,
        tags=role.tags,
        instance_profiles=tuple(role.profiles),
    )


def _described(role: _Role) -> ObservedRole:
    fields = role.fields
    seconds = fields.get("seconds", "")
    return ObservedRole(
        name=fields.get("name", ""),
        arn=fields.get("arn", ""),
        id=fields.get("id", ""),
        description=fields.get("description", ""),
        max_session_seconds=int(seconds) if seconds.isdecimal() else None,
    )
