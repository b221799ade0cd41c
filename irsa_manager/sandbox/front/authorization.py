"""What IAM's authorisation looks at and the emulator's does not: boundaries and policies as condition keys, paths.

Source: Service Authorization Reference, "Actions, resources, and condition keys for AWS Identity and Access
Management": iam:PermissionsBoundary, iam:PolicyARN, iam:ResourceTag, aws:ResourceTag; resources of list operations are
"*"; a role's ARN contains its path; Add/RemoveRoleFromInstanceProfile act on the instance profile.
"""

from __future__ import annotations

import contextvars
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from irsa_manager.sandbox.front import denials
from irsa_manager.sandbox.front.answers import Refused
from irsa_manager.sandbox.front.emulator import Emulator

_BOUNDARY_FROM_REQUEST: Final = frozenset({"CreateRole", "PutRolePermissionsBoundary", "CreateUser"})
_BOUNDARY_OF_ROLE: Final = frozenset(
    {
        "AttachRolePolicy",
        "DetachRolePolicy",
        "PutRolePolicy",
        "DeleteRolePolicy",
        "DeleteRolePermissionsBoundary",
        "UpdateAssumeRolePolicy",
        "DeleteRole",
    }
)
_POLICY_ARN: Final = frozenset(
    {
        "AttachRolePolicy",
        "DetachRolePolicy",
        "AttachUserPolicy",
        "DetachUserPolicy",
        "AttachGroupPolicy",
        "DetachGroupPolicy",
    }
)
_EVERYTHING: Final = frozenset(
    {
        "GetAccountAuthorizationDetails",
        "GetAccountSummary",
        "ListRoles",
        "ListUsers",
        "ListPolicies",
        "ListOpenIDConnectProviders",
    }
)


@dataclass(frozen=True)
class Caller:
    """Who makes the running request: the access key that its signature was checked for."""

    access_key_id: str
    region: str


caller: Final[contextvars.ContextVar[Caller]] = contextvars.ContextVar("caller")


class Authorization:
    """Replaces the emulator's request context and resource for IAM, and asks for permissions that depend on others."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._context = emulator.actions.request_tag_context
        self._resource = emulator.actions.extract_resource_arn
        actions: Any = emulator.actions
        actions.request_tag_context = self.context
        actions.extract_resource_arn = self.resource

    def context(self, service: str, iam_action: str, body: bytes, parameters: dict[str, list[str]]) -> dict[str, Any]:
        """Condition keys of a request: the emulator's, and IAM's own."""
        keys: dict[str, Any] = self._context(service, iam_action, body, parameters)
        if service != "iam":
            return keys
        return {**keys, **self._iam_keys(iam_action.partition(":")[2], _single(parameters))}

    def resource(
        self,
        service: str,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        parameters: dict[str, list[str]],
        region: str,
        account: str,
    ) -> str:
        """The ARN that a request acts on; "*" for operations without resource-level permissions."""
        if service == "iam":
            return self._iam_resource(_single(parameters), account)
        return str(self._resource(service, method, path, headers, body, parameters, region, account))

    def require(self, action: str, resource: str, parameters: Mapping[str, str]) -> None:
        """Ask for a permission that the operation needs besides its own.

        Raises:
            Refused: AccessDenied naming the action, as for the operation itself.

        """
        asking = caller.get()
        listed = {name: [value] for name, value in parameters.items()}
        denied = self._emulator.evaluator.enforce(
            asking.access_key_id,
            action,
            "iam",
            asking.region,
            resource_arn=resource,
            service_context=self.context("iam", f"iam:{parameters.get('Action', '')}", b"", listed),
        )
        if denied is not None:
            if isinstance(denied, self._emulator.evaluator.AuthError):
                raise Refused(denied.code, denied.message, 403)
            raise denials.refused(denied.principal_arn, action, resource)

    def _iam_keys(self, operation: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        keys: dict[str, Any] = {}
        role = self._role(parameters)
        if operation in _POLICY_ARN and "PolicyArn" in parameters:
            keys["iam:PolicyARN"] = parameters["PolicyArn"]
        if operation in _BOUNDARY_FROM_REQUEST and "PermissionsBoundary" in parameters:
            keys["iam:PermissionsBoundary"] = parameters["PermissionsBoundary"]
        if operation in _BOUNDARY_OF_ROLE and role and role.get("PermissionsBoundary"):
            keys["iam:PermissionsBoundary"] = role["PermissionsBoundary"]
        tagged = role
        if tagged is None and "OpenIDConnectProviderArn" in parameters:
            tagged = self._emulator.iam._oidc_providers.get(parameters["OpenIDConnectProviderArn"])
        if operation != "CreateRole" and tagged:
            for tag in tagged["Tags"]:
                keys[f"aws:ResourceTag/{tag['Key']}"] = tag["Value"]
                keys[f"iam:ResourceTag/{tag['Key']}"] = tag["Value"]
        return keys

    def _role(self, parameters: Mapping[str, str]) -> dict[str, Any] | None:
        account = self._emulator.responses.get_account_id()
        return self._emulator.role(account, parameters["RoleName"]) if "RoleName" in parameters else None

    def _iam_resource(self, parameters: Mapping[str, str], account: str) -> str:
        operation, iam = parameters.get("Action", ""), self._emulator.iam
        if operation in _EVERYTHING:
            return "*"
        whole = f"arn:aws:iam::{account}:"
        path = parameters.get("Path", "/")
        if "InstanceProfileName" in parameters:
            profile = iam._instance_profiles.get(parameters["InstanceProfileName"])
            return (
                str(profile["Arn"]) if profile else f"{whole}instance-profile{path}{parameters['InstanceProfileName']}"
            )
        for kind, name, records in (("role", "RoleName", iam._roles), ("user", "UserName", iam._users)):
            if name in parameters:
                record = None if operation.startswith("Create") else records.get(parameters[name])
                at = path if operation in ("CreateRole", "CreateUser") else "/"
                return str(record["Arn"]) if record else f"{whole}{kind}{at}{parameters[name]}"
        if "PolicyArn" in parameters:
            return parameters["PolicyArn"]
        if "PolicyName" in parameters:
            return f"{whole}policy{path}{parameters['PolicyName']}"
        if "OpenIDConnectProviderArn" in parameters:
            return parameters["OpenIDConnectProviderArn"]
        if operation == "CreateOpenIDConnectProvider":
            return f"{whole}oidc-provider/{parameters.get('Url', '').partition('://')[2].replace(':443', '', 1)}"
        if "PolicySourceArn" in parameters:
            return parameters["PolicySourceArn"]
        return f"{whole}group/{parameters['GroupName']}" if "GroupName" in parameters else "*"


def _single(parameters: Mapping[str, list[str]]) -> dict[str, str]:
    return {name: values[0] for name, values in parameters.items() if values}
