"""Reads of the whole account: GetAccountAuthorizationDetails and GetAccountSummary.

Source: IAM API Reference, GetAccountAuthorizationDetails (data types RoleDetail, UserDetail, GroupDetail,
ManagedPolicyDetail) and GetAccountSummary.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from irsa_manager.sandbox.front import names, paging
from irsa_manager.sandbox.front.answers import Answer, success, validation
from irsa_manager.sandbox.front.quotas import FIXED, Quotas
from irsa_manager.sandbox.front.role_policies import attached
from irsa_manager.sandbox.front.roles import bound, identity, trusted
from irsa_manager.sandbox.front.store import Operation, Parameters, Record, Store

_KINDS: Final = ("User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy")
_LISTS: Final = {"User": "UserDetailList", "Group": "GroupDetailList", "Role": "RoleDetailList"}

Entry = tuple[str, Record]
"""A sort key (kind and name), and the record."""


class Account:
    """The operations on an account as a whole."""

    def __init__(self, store: Store, quotas: Quotas) -> None:
        self._store = store
        self._quotas = quotas

    def operations(self) -> Mapping[str, Operation]:
        """By the operations' names."""
        return {"GetAccountAuthorizationDetails": self.details, "GetAccountSummary": self.summary}

    def details(self, parameters: Parameters) -> Answer:
        """GetAccountAuthorizationDetails: only IsTruncated and Marker say whether more follows."""
        wanted = names.listed(parameters, "Filter") or list(_KINDS)
        for kind in wanted:
            if kind not in _KINDS:
                raise validation(kind, "filter", f"Member must satisfy enum value set: [{', '.join(_KINDS)}]")
        entries = sorted(self._entries(set(wanted)), key=_key)
        found, more = paging.page(entries, _key, parameters)
        lists: dict[str, list[Any]] = {
            "UserDetailList": [],
            "GroupDetailList": [],
            "RoleDetailList": [],
            "Policies": [],
        }
        for key, record in found:
            kind = key.partition("/")[0]
            lists[_LISTS.get(kind, "Policies")].append(self._detail(kind, record))
        return success("GetAccountAuthorizationDetails", {**lists, **more})

    def summary(self, parameters: Parameters) -> Answer:
        """GetAccountSummary: counts, and the quotas in force."""
        iam = self._store.iam
        counted = {
            "Roles": len(iam._roles),
            "RolesQuota": self._quotas["RolesPerAccount"],
            "AssumeRolePolicySizeQuota": self._quotas["ACLSizePerRole"],
            "AttachedPoliciesPerRoleQuota": self._quotas["PoliciesPerRole"],
            "RolePolicySizeQuota": FIXED["RolePolicySizeQuota"],
            "PolicySizeQuota": FIXED["PolicySizeQuota"],
            "VersionsPerPolicyQuota": FIXED["VersionsPerPolicyQuota"],
            "Policies": len(iam._policies),
            "PoliciesQuota": 1500,
            "Providers": len(iam._oidc_providers) + len(iam._saml_providers),
            "Users": len(iam._users),
            "UsersQuota": 5000,
            "Groups": len(iam._groups),
            "GroupsQuota": 300,
            "InstanceProfiles": len(iam._instance_profiles),
            "InstanceProfilesQuota": 1000,
            "AccessKeysPerUserQuota": 2,
        }
        entries = "".join(
            f"<entry><key>{name}</key><value>{number}</value></entry>" for name, number in counted.items()
        )
        status, headers, body = success("GetAccountSummary", {"SummaryMap": "@"})
        return status, headers, body.replace(b">@<", f">{entries}<".encode())

    def _entries(self, wanted: set[str]) -> Iterator[Entry]:
        iam = self._store.iam
        if "Role" in wanted:
            yield from ((f"Role/{role['RoleName']}", role) for role in self._store.roles())
        if "User" in wanted:
            yield from ((f"User/{user['UserName']}", user) for user in iam._users.values())
        if "Group" in wanted:
            yield from ((f"Group/{group['GroupName']}", group) for group in iam._groups.values())
        if "LocalManagedPolicy" in wanted:
            yield from ((f"Policy/{policy['Arn']}", policy) for policy in iam._policies.values())
        if "AWSManagedPolicy" in wanted:
            yield from ((f"Policy/{policy['Arn']}", policy) for policy in self._attached_of_aws())

    def _attached_of_aws(self) -> list[Record]:
        iam = self._store.iam
        holders = [*iam._roles.values(), *iam._users.values(), *iam._groups.values()]
        arns = {arn for holder in holders for arn in holder.get("AttachedPolicies", [])}
        return [iam._aws_managed_policies[arn] for arn in sorted(arns) if arn in iam._aws_managed_policies]

    def _detail(self, kind: str, record: Record) -> dict[str, Any]:
        if kind == "Role":
            return self._role(record)
        managed = {"AttachedManagedPolicies": attached(self._store, record.get("AttachedPolicies", []))}
        if kind == "User":
            own = self._store.iam._user_inline_policies.get(record["UserName"]) or {}
            member_of = [
                group["GroupName"]
                for group in self._store.iam._groups.values()
                if record["UserName"] in group.get("Users", [])
            ]
            shown = {name: record[name] for name in ("Path", "UserName", "UserId", "Arn", "CreateDate")}
            return {**shown, "UserPolicyList": _inline(own), "GroupList": member_of, **managed, "Tags": record["Tags"]}
        if kind == "Group":
            own = self._store.iam._group_inline_policies.get(record["GroupName"]) or {}
            shown = {name: record[name] for name in ("Path", "GroupName", "GroupId", "Arn", "CreateDate")}
            return {**shown, "GroupPolicyList": _inline(own), **managed}
        versions = [
            {
                "Document": quote(version["Document"], safe=""),
                "VersionId": version["VersionId"],
                "IsDefaultVersion": bool(version["IsDefaultVersion"]),
                "CreateDate": version["CreateDate"],
            }
            for version in record["Versions"].values()
        ]
        shown = {name: record[name] for name in ("PolicyName", "PolicyId", "Arn", "Path", "DefaultVersionId")}
        return {**shown, "IsAttachable": True, "PolicyVersionList": versions}

    def _role(self, role: Record) -> dict[str, Any]:
        """RoleDetail: neither Description nor MaxSessionDuration."""
        profiles = [
            {name: profile[name] for name in ("Path", "InstanceProfileName", "InstanceProfileId", "Arn", "CreateDate")}
            for profile in self._store.iam._instance_profiles.values()
            if role["RoleName"] in profile["Roles"]
        ]
        return {
            **identity(role),
            **trusted(role),
            "InstanceProfileList": profiles,
            "RolePolicyList": _inline(role["InlinePolicies"]),
            "AttachedManagedPolicies": attached(self._store, role["AttachedPolicies"]),
            **bound(role),
            "Tags": role["Tags"],
            "RoleLastUsed": role.get("RoleLastUsed", {}),
        }


def _inline(policies: Mapping[str, str]) -> list[Any]:
    return [{"PolicyName": name, "PolicyDocument": quote(text, safe="")} for name, text in policies.items()]


def _key(entry: Entry) -> str:
    return entry[0]
