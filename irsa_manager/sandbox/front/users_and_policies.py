"""Users and customer-managed policies: the emulator's handlers behind the checks of names and documents.

Source: IAM API Reference, CreateUser, PutUserPolicy, CreatePolicy, CreatePolicyVersion.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from irsa_manager.sandbox.front import names, policy_document, policy_language, tags
from irsa_manager.sandbox.front.answers import Answer, Refused
from irsa_manager.sandbox.front.authorization import Authorization
from irsa_manager.sandbox.front.names import Rule
from irsa_manager.sandbox.front.quotas import FIXED, exceeded
from irsa_manager.sandbox.front.store import Operation, Parameters, Store

_USER_NAME = Rule("userName", 1, 64, r"[\w+=,.@-]+")
_USER_POLICIES = 2048
"""All inline policies of a user together."""


class UsersAndPolicies:
    """Operations that the emulator carries out once they are checked."""

    def __init__(self, store: Store, authorization: Authorization) -> None:
        self._store = store
        self._authorization = authorization

    def operations(self) -> Mapping[str, Operation]:
        """By the operations' names."""
        return {
            "CreateUser": self.create_user,
            "DeleteUser": self.delete_user,
            "PutUserPolicy": self.put_user_policy,
            "CreatePolicy": self.create_policy,
            "CreatePolicyVersion": self.create_policy_version,
        }

    def create_user(self, parameters: Parameters) -> Answer:
        """CreateUser."""
        name = names.required(parameters, "UserName", _USER_NAME)
        path = names.path(parameters)
        if name.lower() in {user.lower() for user in self._store.iam._users}:
            raise Refused("EntityAlreadyExists", f"User with name {name} already exists.", 409)
        self._check_tags(parameters, "iam:TagUser", f"user{path}{name}")
        return self._emulated("CreateUser", parameters)

    def delete_user(self, parameters: Parameters) -> Answer:
        """DeleteUser; trust policies that name him keep his unique id."""
        user = self._store.iam._users.get(parameters.get("UserName", ""))
        if user and self._store.iam._user_inline_policies.get(user["UserName"]):
            raise Refused("DeleteConflict", "Cannot delete entity, must delete policies first.", 409)
        answer = self._emulated("DeleteUser", parameters)
        if user and answer[0] == 200:
            self._store.bury(user, user["UserId"])
        return answer

    def put_user_policy(self, parameters: Parameters) -> Answer:
        """PutUserPolicy."""
        names.required(parameters, "PolicyName", names.POLICY_NAME)
        checked = self._checked(parameters)
        if policy_language.size(checked["PolicyDocument"]) > _USER_POLICIES:
            text = f"Maximum policy size of {_USER_POLICIES} bytes exceeded for user {parameters.get('UserName', '')}"
            raise Refused("LimitExceeded", text, 409)
        return self._emulated("PutUserPolicy", checked)

    def create_policy(self, parameters: Parameters) -> Answer:
        """CreatePolicy."""
        name = names.required(parameters, "PolicyName", names.POLICY_NAME)
        path = names.path(parameters)
        taken = {policy["PolicyName"].lower() for policy in self._store.iam._policies.values()}
        if name.lower() in taken:
            raise Refused(
                "EntityAlreadyExists", f"A policy called {name} already exists. Duplicate names are not allowed.", 409
            )
        checked = self._checked(parameters)
        self._check_size(checked)
        self._check_tags(parameters, "iam:TagPolicy", f"policy{path}{name}")
        return self._emulated("CreatePolicy", checked)

    def create_policy_version(self, parameters: Parameters) -> Answer:
        """CreatePolicyVersion."""
        checked = self._checked(parameters)
        self._check_size(checked)
        policy = self._store.iam._policies.get(parameters.get("PolicyArn", ""))
        most = FIXED["VersionsPerPolicyQuota"]
        if policy and len(policy["Versions"]) >= most:
            text = (
                f"A managed policy can have up to {most} versions. Before you create a new version, you must delete an "
                "existing version."
            )
            raise Refused("LimitExceeded", text, 409)
        return self._emulated("CreatePolicyVersion", checked)

    def _check_tags(self, parameters: Parameters, action: str, resource: str) -> None:
        if tags.merge([], tags.given(parameters), fold=True):
            self._authorization.require(action, f"arn:aws:iam::{self._store.account}:{resource}", parameters)

    @staticmethod
    def _check_size(parameters: Parameters) -> None:
        most = FIXED["PolicySizeQuota"]
        if policy_language.size(parameters["PolicyDocument"]) > most:
            raise exceeded("PolicySize", most)

    @staticmethod
    def _checked(parameters: Parameters) -> dict[str, str]:
        """The parameters with the document as it is stored."""
        document = names.required(parameters, "PolicyDocument", names.DOCUMENT)
        return {**parameters, "PolicyDocument": policy_document.check(document)}

    def _emulated(self, operation: str, parameters: Parameters) -> Answer:
        listed = {name: [value] for name, value in parameters.items()}
        return cast("Answer", self._store.iam._IAM_HANDLERS[operation](listed))
