"""The controller's identity in AWS with the rights of the documented policies, which may change while it runs."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any, Protocol

from e2e_aws import Account
from e2e_process import Controller
from e2e_rbac import EXAMPLES

ROW = "eks"
"""What users of the Go program have granted: examples/aws-policy-eks.json."""
RICHER = ("read", "sweep", "tags", "boundary", "inline", "describe")
"""The policies that may be given besides, in the order in which docs/permissions.md recommends them."""


def statements(name: str, account: str) -> list[dict[str, Any]]:
    """The statements of examples/aws-policy-NAME.json, in that account."""
    text = (EXAMPLES / f"aws-policy-{name}.json").read_text()
    return json.loads(text.replace("111122223333", account))["Statement"]  # type: ignore[no-any-return]


def actions(*names: str) -> list[str]:
    """All actions of these policies."""
    return [action for name in names for statement in statements(name, "1") for action in statement["Action"]]


class Manager:
    """An IAM user for the controller. environment: his keys."""

    def __init__(self, account: Account, *policies: str) -> None:
        self._account = account
        self.name = f"manager-{secrets.token_hex(4)}"
        self.policies = policies
        self.environment = account.user(self.name, *self._statements(()))

    def grant(self, *policies: str) -> None:
        """Have exactly these policies from now on."""
        self.policies = policies
        self.without()

    def without(self, *denied: str) -> None:
        """Have his policies from now on, less these actions."""
        document = {"Version": "2012-10-17", "Statement": self._statements(denied)}
        self._account.iam.put_user_policy(UserName=self.name, PolicyName="only", PolicyDocument=json.dumps(document))

    def _statements(self, denied: tuple[str, ...]) -> list[dict[str, Any]]:
        found = []
        for policy in self.policies:
            for statement in statements(policy, self._account.sandbox.account):
                left = [action for action in statement["Action"] if action not in denied]
                found += [{**statement, "Action": left}] if left else []
        return found


class StartAs(Protocol):
    """Starts a controller with that identity in AWS and the rights of examples/rbac.yaml, in place of the one there.

    environment: what is to be otherwise than in the sandbox.
    """

    def __call__(self, manager: Manager, environment: Mapping[str, str] | None = None) -> Controller: ...
