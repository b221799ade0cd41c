"""Roles: making, reading, changing and deleting them, with all that IAM checks.

Source: IAM API Reference, CreateRole, GetRole, ListRoles, UpdateRole, UpdateAssumeRolePolicy, DeleteRole,
Put/DeleteRolePermissionsBoundary, TagRole, UntagRole, ListRoleTags.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from irsa_manager.sandbox.front import names, paging, policy_language, tags, trust_document
from irsa_manager.sandbox.front.answers import Answer, Refused, success, validation
from irsa_manager.sandbox.front.authorization import Authorization
from irsa_manager.sandbox.front.quotas import Quotas
from irsa_manager.sandbox.front.store import Operation, Parameters, Record, Store

DURATION: Final = (3600, 43200)
"""MaxSessionDuration, in seconds."""


class Roles:
    """The operations on roles."""

    def __init__(self, store: Store, quotas: Quotas, authorization: Authorization) -> None:
        self._store = store
        self._quotas = quotas
        self._authorization = authorization

    def operations(self) -> Mapping[str, Operation]:
        """By the operations' names."""
        return {
            "CreateRole": self.create,
            "GetRole": self.get,
            "ListRoles": self.list,
            "UpdateRole": self.update,
            "UpdateRoleDescription": self.update_description,
            "UpdateAssumeRolePolicy": self.update_trust,
            "DeleteRole": self.delete,
            "PutRolePermissionsBoundary": self.put_boundary,
            "DeleteRolePermissionsBoundary": self.delete_boundary,
            "TagRole": self.tag,
            "UntagRole": self.untag,
            "ListRoleTags": self.list_tags,
        }

    def create(self, parameters: Parameters) -> Answer:
        """CreateRole: all or nothing; Tags need iam:TagRole on the role besides."""
        name = names.required(parameters, "RoleName", names.ROLE_NAME)
        path = names.path(parameters)
        self._store.check_path(path)
        description = names.DESCRIPTION.check(parameters["Description"]) if "Description" in parameters else None
        duration = names.number(parameters, "MaxSessionDuration", *DURATION) or DURATION[0]
        given = tags.given(parameters)
        if len(given) > tags.MOST:
            raise validation("[...]", "tags", f"Member must have length less than or equal to {tags.MOST}")
        tagged = tags.merge([], given, fold=True)
        arn = f"arn:aws:iam::{self._store.account}:role{path}{name}"
        if given:
            self._authorization.require("iam:TagRole", arn, parameters)
        taken = {role["RoleName"].lower() for role in self._store.roles()}
        if name.lower() in taken:
            raise Refused("EntityAlreadyExists", f"Role with name {name} already exists.", 409)
        stored, echoed = self._trust(parameters, "AssumeRolePolicyDocument")
        boundary = self._store.boundary(parameters) if "PermissionsBoundary" in parameters else None
        self._quotas.check("RolesPerAccount", len(taken) + 1)
        role = {
            "RoleName": name,
            "Arn": arn,
            "RoleId": self._store.iam._gen_id("AROA"),
            "CreateDate": self._store.iam._now(),
            "Path": path,
            "AssumeRolePolicyDocument": stored,
            "Description": description,
            "MaxSessionDuration": duration,
            "PermissionsBoundary": boundary,
            "AttachedPolicies": [],
            "InlinePolicies": {},
            "Tags": tagged,
        }
        self._store.iam._roles[name] = role
        answered = {**identity(role), "AssumeRolePolicyDocument": quote(echoed, safe=""), **bound(role)}
        return success("CreateRole", {"Role": {**answered, "Tags": role["Tags"] or None}})

    def get(self, parameters: Parameters) -> Answer:
        """GetRole: the only read that has everything."""
        role = self._store.role(parameters)
        whole = {
            **listed(role),
            **bound(role),
            "Tags": role["Tags"] or None,
            "RoleLastUsed": role.get("RoleLastUsed", {}),
        }
        return success("GetRole", {"Role": whole})

    def list(self, parameters: Parameters) -> Answer:
        """ListRoles: without tags and boundaries."""
        prefix = names.PATH_PREFIX.check(parameters.get("PathPrefix", "/"))
        matching = [role for role in self._store.roles() if role["Path"].startswith(prefix)]
        found, more = paging.page(matching, lambda role: str(role["RoleName"]), parameters)
        return success("ListRoles", {"Roles": [listed(role) for role in found], **more})

    def update(self, parameters: Parameters) -> Answer:
        """UpdateRole: what isn't given stays, also MaxSessionDuration."""
        role = self._store.role_to_change(parameters)
        duration = names.number(parameters, "MaxSessionDuration", *DURATION)
        if "Description" in parameters:
            role["Description"] = names.DESCRIPTION.check(parameters["Description"])
        role["MaxSessionDuration"] = duration or role["MaxSessionDuration"]
        return success("UpdateRole", {})

    def update_description(self, parameters: Parameters) -> Answer:
        """UpdateRoleDescription."""
        role = self._store.role_to_change(parameters)
        role["Description"] = names.required(parameters, "Description", names.DESCRIPTION)
        return success("UpdateRoleDescription", {"Role": listed(role)})

    def update_trust(self, parameters: Parameters) -> Answer:
        """UpdateAssumeRolePolicy."""
        role = self._store.role_to_change(parameters)
        role["AssumeRolePolicyDocument"], _ = self._trust(parameters, "PolicyDocument")
        return success("UpdateAssumeRolePolicy")

    def delete(self, parameters: Parameters) -> Answer:
        """DeleteRole: refused while anything hangs on it."""
        role = self._store.role_to_change(parameters)
        name = role["RoleName"]
        profiles = self._store.iam._instance_profiles.values()
        for hangs, what in (
            (role["AttachedPolicies"], "detach all policies"),
            (role["InlinePolicies"], "delete policies"),
            (any(name in profile["Roles"] for profile in profiles), "remove roles from instance profile"),
        ):
            if hangs:
                raise Refused("DeleteConflict", f"Cannot delete entity, must {what} first.", 409)
        self._store.iam._roles.pop(name)
        self._store.bury(role, role["RoleId"])
        return success("DeleteRole")

    def put_boundary(self, parameters: Parameters) -> Answer:
        """PutRolePermissionsBoundary."""
        role = self._store.role_to_change(parameters)
        role["PermissionsBoundary"] = self._store.boundary(parameters)
        return success("PutRolePermissionsBoundary")

    def delete_boundary(self, parameters: Parameters) -> Answer:
        """DeleteRolePermissionsBoundary."""
        role = self._store.role_to_change(parameters)
        if not role["PermissionsBoundary"]:
            raise Refused("NoSuchEntity", f"Principal {role['RoleId']} does not have scope", 404)
        role["PermissionsBoundary"] = None
        return success("DeleteRolePermissionsBoundary")

    def tag(self, parameters: Parameters) -> Answer:
        """TagRole."""
        role = self._store.role_to_change(parameters)
        role["Tags"] = tags.merge(role["Tags"], tags.given(parameters), fold=True)
        return success("TagRole")

    def untag(self, parameters: Parameters) -> Answer:
        """UntagRole."""
        role = self._store.role_to_change(parameters)
        role["Tags"] = tags.without(role["Tags"], names.listed(parameters, "TagKeys"), fold=True)
        return success("UntagRole")

    def list_tags(self, parameters: Parameters) -> Answer:
        """ListRoleTags."""
        ordered = sorted(self._store.role(parameters)["Tags"], key=lambda tag: str(tag["Key"]))
        found, more = paging.page(ordered, lambda tag: str(tag["Key"]), parameters)
        return success("ListRoleTags", {"Tags": found, **more})

    def _trust(self, parameters: Parameters, name: str) -> tuple[str, str]:
        document = names.required(parameters, name, names.DOCUMENT)
        checked = trust_document.check(document, self._store.principal_exists)
        self._quotas.check("ACLSizePerRole", policy_language.size(document))
        return checked


def identity(role: Record) -> dict[str, Any]:
    """What every answer has of a role."""
    return {name: role[name] for name in ("Path", "RoleName", "RoleId", "Arn", "CreateDate")}


def trusted(role: Record) -> dict[str, Any]:
    """The trust policy as it goes over the wire: percent-encoded (RFC 3986)."""
    return {"AssumeRolePolicyDocument": quote(role["AssumeRolePolicyDocument"], safe="")}


def bound(role: Record) -> dict[str, Any]:
    """The permissions boundary, where there is one."""
    arn = role.get("PermissionsBoundary")
    if not arn:
        return {}
    return {
        "PermissionsBoundary": {
            "PermissionsBoundaryType": "PermissionsBoundaryPolicy",
            "PermissionsBoundaryArn": arn,
        }
    }


def listed(role: Record) -> dict[str, Any]:
    """A role in ListRoles."""
    shown = {"Description": role.get("Description") or None, "MaxSessionDuration": role["MaxSessionDuration"]}
    return {**identity(role), **trusted(role), **shown}
