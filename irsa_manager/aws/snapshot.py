"""What AWS has: the whole account in a sweep, or one role, provider or quota at a time.

A sweep of N roles costs N/1000 calls (GetAccountAuthorizationDetails), and as many more where some object sets a
description or a session duration, which only ListRoles and GetRole report.
"""

from __future__ import annotations

import re
from datetime import datetime
from time import monotonic
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from irsa_manager.api.errors import AwsDenied, AwsMissing, AwsUnavailable
from irsa_manager.aws.calls import PAGE_TIMEOUT, Aws
from irsa_manager.aws.documents import decode_document, rfc3339, trust_document
from irsa_manager.aws.pacing import Priority
from irsa_manager.aws.rolexml import KEY, RolePage
from irsa_manager.plan.observed import ObservedRole

PAGE: Final = 1000
"""Items a page, the most that IAM allows; it may answer with fewer although there are more."""

_ROLE_ARN: Final = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/(.*/)?[\w+=,.@-]+")


class Snapshot(Struct, frozen=True):
    """The account's roles. roles: by lower-case name (IAM's names are unique ignoring case).

    pages: calls that it took. started_monotonic: when it began, of time.monotonic: a role written after that may be
    seen here as it was before. described: whether description and max_session_seconds are filled in.
    """

    roles: dict[str, ObservedRole]
    pages: int
    started_monotonic: float
    described: bool = False


async def sweep(
    aws: Aws, *, descriptions: bool, priority: Priority = Priority.SWEEP, page_size: int = PAGE
) -> Snapshot:
    """Read all roles of the account, service-linked ones too: there is no filter by path or tag.

    descriptions: also read descriptions and session durations, for as many pages more. page_size: 1 to 1,000.
    Needs iam:GetAccountAuthorizationDetails on "*"; without iam:ListRoles there are no descriptions, as `described`
    says. Raises AwsError; there is no half snapshot.
    """
    started = monotonic()
    described: dict[str, ObservedRole] = {}
    listed = detailed = 0
    if descriptions:
        try:
            described, listed = await _pages(aws, "ListRoles", priority, page_size, {})
        except AwsDenied:
            # The sweep itself may be allowed all the same; the few roles that need it can be read singly.
            descriptions = False
    roles, detailed = await _pages(aws, "GetAccountAuthorizationDetails", priority, page_size, {"Filter": ["Role"]})
    for name, extra in described.items():
        role = roles.get(name)
        # Between the two reads a role may have been deleted and made anew; its id tells.
        if role is not None and role.id == extra.id:
            roles[name] = replace(role, description=extra.description, max_session_seconds=extra.max_session_seconds)
    return Snapshot(roles=roles, pages=listed + detailed, started_monotonic=started, described=descriptions)


async def _pages(
    aws: Aws, operation: str, priority: Priority, page_size: int, params: dict[str, Any]
) -> tuple[dict[str, ObservedRole], int]:
    roles: dict[str, ObservedRole] = {}
    marker: dict[str, str] = {}
    pages = 0
    while True:
        answer = await aws.call(
            operation, priority=priority, timeout=PAGE_TIMEOUT, MaxItems=page_size, **params, **marker
        )
        page: RolePage = answer[KEY]
        pages += 1
        for role in page.roles:
            roles[role.name.lower()] = role
        if not page.truncated:
            return roles, pages
        if not page.marker or page.marker == marker.get("Marker"):
            # IAM's contract broken; going on would read the same page for ever, stopping would lose roles.
            raise AwsUnavailable(
                "AWSUnavailable",
                f"{operation} says that there are more roles but not where they start.",
                operation=operation,
                left="The last good state is in force.",
                hint="It is tried again by itself.",
            )
        marker = {"Marker": page.marker}


async def read_id(aws: Aws, name: str) -> str:
    """The unique id of the role of that name, "" if there is none to be seen. Raises AwsError."""
    try:
        return str((await aws.call("GetRole", RoleName=name))["Role"]["RoleId"])
    except AwsMissing:
        return ""


async def read_last_used(aws: Aws, arn: str) -> datetime | None:
    """When credentials of that role were last used, None for never, for another account's, or for one that isn't there.

    AWS tells within four hours, for the last 400 days (IAM User Guide, "Viewing last accessed information"). Raises
    AwsError.
    """
    try:
        role = (await aws.call("GetRole", RoleName=arn.rpartition("/")[2]))["Role"]
    except AwsMissing:
        return None
    used: datetime | None = role.get("RoleLastUsed", {}).get("LastUsedDate")
    return used if role["Arn"] == arn else None


async def read_role(aws: Aws, name: str, *, priority: Priority = Priority.INTERACTIVE) -> ObservedRole | None:
    """Read one role in full; None if there is none of that name.

    A list that we may not read leaves None in its place: attached, inline. instance_profiles is always None (see
    read_instance_profiles). Raises AwsDenied if not even GetRole is allowed (read_attached then tells whether it
    exists), AwsUnavailable also while IAM still answers with a new role's unique id in place of its ARN, and the other
    AwsErrors.
    """
    try:
        role = (await aws.call("GetRole", priority=priority, RoleName=name))["Role"]
        arn = str(role["Arn"])
        if _ROLE_ARN.fullmatch(arn) is None:
            raise AwsUnavailable(
                "AWSUnavailable",
                f"IAM doesn't know the ARN of role {name} yet.",
                operation="GetRole",
                hint="It was made a moment ago; it is read again by itself.",
            )
        try:
            attached = await read_attached(aws, name, priority=priority)
            if attached is None:
                return None
        except AwsDenied:
            attached = None
        try:
            inline = await _read_inline(aws, name, priority)
        except AwsDenied:
            inline = None
    except AwsMissing:
        return None
    return ObservedRole(
        name=str(role["RoleName"]),
        arn=arn,
        id=str(role["RoleId"]),
        path=str(role.get("Path", "/")),
        created=rfc3339(role["CreateDate"]),
        trust=trust_document(role.get("AssumeRolePolicyDocument")),
        attached=attached,
        inline=inline,
        boundary=str(role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", "")),
        tags={str(tag["Key"]): str(tag["Value"]) for tag in role.get("Tags", ())},
        description=str(role.get("Description", "")),
        max_session_seconds=int(role["MaxSessionDuration"]) if "MaxSessionDuration" in role else None,
    )


async def read_attached(aws: Aws, name: str, *, priority: Priority = Priority.INTERACTIVE) -> tuple[str, ...] | None:
    """ARNs of the managed policies attached to a role; None if there is no such role.

    The one read that upstream's documented permissions allow (iam:ListAttachedRolePolicies), so it is also how
    existence is found out where GetRole is denied. Raises AwsError, AwsDenied among them.
    """
    try:
        items = await _all(aws, "ListAttachedRolePolicies", "AttachedPolicies", priority, RoleName=name)
    except AwsMissing:
        return None
    return tuple(str(item["PolicyArn"]) for item in items)


async def _read_inline(aws: Aws, name: str, priority: Priority) -> dict[str, Any]:
    names = await _all(aws, "ListRolePolicies", "PolicyNames", priority, RoleName=name)
    inline: dict[str, Any] = {}
    for policy in names:
        try:
            answer = await aws.call("GetRolePolicy", priority=priority, RoleName=name, PolicyName=policy)
        except AwsMissing:
            # Taken away since it was listed.
            continue
        document = answer["PolicyDocument"]
        inline[str(policy)] = decode_document(document) if isinstance(document, str) else document
    return inline


async def read_provider(
    aws: Aws, provider_arn: str, *, priority: Priority = Priority.INTERACTIVE
) -> tuple[str, ...] | None:
    """Client ids of an OIDC provider; None if there is no such provider. Raises AwsError, AwsDenied among them."""
    try:
        answer = await aws.call("GetOpenIDConnectProvider", priority=priority, OpenIDConnectProviderArn=provider_arn)
    except AwsMissing:
        return None
    return tuple(str(client) for client in answer.get("ClientIDList", ()))


async def read_instance_profiles(
    aws: Aws, name: str, *, priority: Priority = Priority.INTERACTIVE
) -> tuple[str, ...] | None:
    """Names of the instance profiles that a role is in; None if we may not look. A role that is gone is in none."""
    try:
        items = await _all(aws, "ListInstanceProfilesForRole", "InstanceProfiles", priority, RoleName=name)
    except AwsMissing:
        return ()
    except AwsDenied:
        return None
    return tuple(str(item["InstanceProfileName"]) for item in items)


async def account_summary(aws: Aws, *, priority: Priority = Priority.SWEEP) -> dict[str, int] | None:
    """Quotas and counts of the account by IAM's names, as AssumeRolePolicySizeQuota; None if we may not look."""
    try:
        answer = await aws.call("GetAccountSummary", priority=priority)
    except AwsDenied:
        return None
    return {str(key): int(value) for key, value in answer.get("SummaryMap", {}).items()}


async def _all(aws: Aws, operation: str, key: str, priority: Priority, **params: Any) -> list[Any]:
    """The items of a paged list; only IsTruncated and Marker tell whether there are more."""
    items: list[Any] = []
    marker: dict[str, Any] = {}
    while True:
        answer = await aws.call(operation, priority=priority, MaxItems=PAGE, **params, **marker)
        items.extend(answer.get(key, ()))
        if not answer.get("IsTruncated"):
            return items
        marker = {"Marker": str(answer["Marker"])}
