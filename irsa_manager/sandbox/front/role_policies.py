"""What a role may do: attached managed policies and inline policies.

Source: IAM API Reference, AttachRolePolicy, DetachRolePolicy, ListAttachedRolePolicies, PutRolePolicy, GetRolePolicy,
DeleteRolePolicy, ListRolePolicies; IAM User Guide, "IAM and AWS STS quotas".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote

from irsa_manager.sandbox.front import names, paging, policy_document, policy_language
from irsa_manager.sandbox.front.answers import Answer, Refused, success
from irsa_manager.sandbox.front.quotas import FIXED, Quotas
from irsa_manager.sandbox.front.store import Operation, Parameters, Record, Store


class RolePolicies:
    """The operations on a role's policies."""

    def __init__(self, store: Store, quotas: Quotas) -> None:
        self._store = store
        self._quotas = quotas

    def operations(self) -> Mapping[str, Operation]:
        """By the operations' names."""
        return {
            "AttachRolePolicy": self.attach,
            "DetachRolePolicy": self.detach,
            "ListAttachedRolePolicies": self.list_attached,
            "PutRolePolicy": self.put,
            "GetRolePolicy": self.get,
            "DeleteRolePolicy": self.delete,
            "ListRolePolicies": self.list,
        }

    def attach(self, parameters: Parameters) -> Answer:
        """AttachRolePolicy: attaching what is attached changes nothing and is no error."""
        role = self._store.role_to_change(parameters)
        arn = self._store.attachable(parameters)
        if arn not in role["AttachedPolicies"]:
            self._quotas.check("PoliciesPerRole", len(role["AttachedPolicies"]) + 1)
            self._store.iam.attach_managed_policy(role, arn)
        return success("AttachRolePolicy")

    def detach(self, parameters: Parameters) -> Answer:
        """DetachRolePolicy."""
        role = self._store.role_to_change(parameters)
        arn = names.required(parameters, "PolicyArn", names.POLICY_ARN)
        if arn not in role["AttachedPolicies"]:
            raise Refused("NoSuchEntity", f"Policy {arn} was not found.", 404)
        self._store.iam.detach_managed_policy(role, arn)
        return success("DetachRolePolicy")

    def list_attached(self, parameters: Parameters) -> Answer:
        """ListAttachedRolePolicies."""
        role = self._store.role(parameters)
        found, more = paging.page(sorted(role["AttachedPolicies"]), str, parameters)
        return success("ListAttachedRolePolicies", {"AttachedPolicies": attached(self._store, found), **more})

    def put(self, parameters: Parameters) -> Answer:
        """PutRolePolicy; a name in another spelling is the same policy and keeps its first spelling."""
        role = self._store.role_to_change(parameters)
        name = names.required(parameters, "PolicyName", names.POLICY_NAME)
        document = names.required(parameters, "PolicyDocument", names.DOCUMENT)
        stored = policy_document.check(document)
        kept = _spelling(role, name) or name
        others = sum(policy_language.size(other) for key, other in role["InlinePolicies"].items() if key != kept)
        most = FIXED["RolePolicySizeQuota"]
        if others + policy_language.size(document) > most:
            raise Refused(
                "LimitExceeded", f"Maximum policy size of {most} bytes exceeded for role {role['RoleName']}", 409
            )
        role["InlinePolicies"][kept] = stored
        return success("PutRolePolicy")

    def get(self, parameters: Parameters) -> Answer:
        """GetRolePolicy."""
        role = self._store.role(parameters)
        name = _existing(role, names.required(parameters, "PolicyName", names.POLICY_NAME))
        document = quote(role["InlinePolicies"][name], safe="")
        return success("GetRolePolicy", {"RoleName": role["RoleName"], "PolicyName": name, "PolicyDocument": document})

    def delete(self, parameters: Parameters) -> Answer:
        """DeleteRolePolicy."""
        role = self._store.role_to_change(parameters)
        del role["InlinePolicies"][_existing(role, names.required(parameters, "PolicyName", names.POLICY_NAME))]
        return success("DeleteRolePolicy")

    def list(self, parameters: Parameters) -> Answer:
        """ListRolePolicies."""
        found, more = paging.page(sorted(self._store.role(parameters)["InlinePolicies"]), str, parameters)
        return success("ListRolePolicies", {"PolicyNames": found, **more})


def attached(store: Store, arns: Iterable[str]) -> Sequence[dict[str, str]]:
    """Attached policies as answers list them."""
    return [{"PolicyName": store.policy_name(arn), "PolicyArn": arn} for arn in arns]


def _spelling(role: Record, name: str) -> str | None:
    return next((known for known in role["InlinePolicies"] if known.lower() == name.lower()), None)


def _existing(role: Record, name: str) -> str:
    found = _spelling(role, name)
    if found is None:
        raise Refused("NoSuchEntity", f"The role policy with name {name} cannot be found.", 404)
    return found
