"""Each AWS action of a plan as the IAM call that it stands for.

To run an action again does no harm: taking away what isn't there counts as done, and putting what is there already
changes nothing. Only CreateRole tells: AwsExists, and the caller, who knows what it meant to do, decides whose role
that is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

from irsa_manager.api.errors import AwsDenied, AwsMissing
from irsa_manager.api.names import OWN_PREFIX
from irsa_manager.aws.calls import Aws
from irsa_manager.aws.documents import encode_document
from irsa_manager.aws.pacing import Priority
from irsa_manager.plan.actions import (
    AttachPolicy,
    AwsAction,
    CreateRole,
    DeleteInlinePolicy,
    DeleteRole,
    DetachPolicy,
    PutInlinePolicy,
    RemoveBoundary,
    SetBoundary,
    TagRole,
    UntagRole,
    UpdateRole,
    UpdateTrust,
)


class Executed(Struct, frozen=True):
    """What came of an action. role_id, role_arn: of a role that was created, "" otherwise.

    tags: with which a role was created. tags_denied: without any, because iam:TagRole is missing. absent: what was to
    be taken away wasn't there.
    """

    role_id: str = ""
    role_arn: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    tags_denied: bool = False
    absent: bool = False


DONE = Executed()
ABSENT = Executed(absent=True)


async def execute(
    aws: Aws, action: AwsAction, *, tags_allowed: bool = True, priority: Priority = Priority.INTERACTIVE
) -> Executed:
    """Do one action.

    tags_allowed: False leaves the tags of a CreateRole out, for an account where iam:TagRole is known to be missing.
    Raises AwsError; after AwsUnavailable it isn't known whether the action took effect.
    """
    if not isinstance(action, AwsAction):
        raise TypeError(f"{type(action).__name__} is no action on AWS")
    role = action.role
    match action:
        case CreateRole():
            return await _create_role(aws, action, tags_allowed, priority)
        case UpdateTrust():
            await aws.call(
                "UpdateAssumeRolePolicy",
                priority=priority,
                RoleName=role,
                PolicyDocument=encode_document(action.trust),
            )
        case AttachPolicy():
            await aws.call("AttachRolePolicy", priority=priority, RoleName=role, PolicyArn=action.policy_arn)
        case DetachPolicy():
            return await _take_away(aws, "DetachRolePolicy", priority, RoleName=role, PolicyArn=action.policy_arn)
        case PutInlinePolicy():
            await aws.call(
                "PutRolePolicy",
                priority=priority,
                RoleName=role,
                PolicyName=action.name,
                PolicyDocument=encode_document(action.document),
            )
        case DeleteInlinePolicy():
            return await _take_away(aws, "DeleteRolePolicy", priority, RoleName=role, PolicyName=action.name)
        case SetBoundary():
            await aws.call(
                "PutRolePermissionsBoundary", priority=priority, RoleName=role, PermissionsBoundary=action.boundary
            )
        case RemoveBoundary():
            return await _take_away(aws, "DeleteRolePermissionsBoundary", priority, RoleName=role)
        case UpdateRole():
            await aws.call("UpdateRole", priority=priority, RoleName=role, **_attributes(action))
        case TagRole():
            await aws.call("TagRole", priority=priority, RoleName=role, Tags=_tags(action.tags))
        case UntagRole():
            await aws.call("UntagRole", priority=priority, RoleName=role, TagKeys=list(action.keys))
        case DeleteRole():
            return await _take_away(aws, "DeleteRole", priority, RoleName=role)
        case _:
            raise TypeError(f"nothing is known about how to do {type(action).__name__}")
    return DONE


async def _create_role(aws: Aws, action: CreateRole, tags_allowed: bool, priority: Priority) -> Executed:
    """CreateRole in one call. IAM refuses the whole call where tags are in it and iam:TagRole is missing."""
    params: dict[str, Any] = {
        "RoleName": action.role,
        "Path": action.path,
        "AssumeRolePolicyDocument": encode_document(action.trust),
    }
    if action.description:
        params["Description"] = action.description
    if action.max_session_seconds is not None:
        params["MaxSessionDuration"] = action.max_session_seconds
    if action.boundary:
        params["PermissionsBoundary"] = action.boundary
    own = {key: value for key, value in action.tags.items() if key.startswith(OWN_PREFIX)}
    # A policy may allow our own keys only (condition aws:TagKeys): with others in the call none would be set.
    attempts = [tags for tags in (action.tags, own) if tags] if tags_allowed else []
    for tags in dict.fromkeys(tuple(tags.items()) for tags in (*attempts, {})):
        try:
            tagged: dict[str, Any] = {"Tags": _tags(dict(tags))} if tags else {}
            answer = await aws.call("CreateRole", priority=priority, **params, **tagged)
        except AwsDenied as error:
            if error.action != "iam:TagRole" or not tags:
                raise
            continue
        role = answer["Role"]
        return Executed(
            role_id=str(role["RoleId"]),
            role_arn=str(role["Arn"]),
            tags=dict(tags),
            tags_denied=bool(action.tags) and tags_allowed and not tags,
        )
    raise AssertionError("the last attempt is without tags and either answers or raises")


async def _take_away(aws: Aws, operation: str, priority: Priority, **params: Any) -> Executed:
    try:
        await aws.call(operation, priority=priority, **params)
    except AwsMissing:
        return ABSENT
    return DONE


def _attributes(action: UpdateRole) -> dict[str, Any]:
    """UpdateRole leaves an attribute alone that isn't sent; an empty description is one that is."""
    attributes: dict[str, Any] = {}
    if action.description is not None:
        attributes["Description"] = action.description
    if action.max_session_seconds is not None:
        attributes["MaxSessionDuration"] = action.max_session_seconds
    return attributes


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
