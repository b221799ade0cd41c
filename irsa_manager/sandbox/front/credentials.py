"""Whose request it is: root keys are random and checked like any other; nothing else is root.

ministack takes the access keys "test" and any 12 digits, and a request without a key, for the account's root user and
checks no signature for them. Here root is an access key like others: known ids only, signature verified. The session
of a role that was deleted and made again under its name is refused, as its credentials belong to the old unique id
(IAM User Guide, "IAM identifiers", unique identifiers).
"""

from __future__ import annotations

import contextvars
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

anonymous_s3: Final[contextvars.ContextVar[bool]] = contextvars.ContextVar("anonymous_s3", default=False)
"""True while an S3 request that carries no credentials at all is served; S3 then looks at what is public."""


@dataclass(frozen=True)
class Root:
    """An account's root user."""

    account: str
    secret: str


class Keyring:
    """The root access keys of the accounts, and the replacements for the emulator's own key lookups."""

    def __init__(self) -> None:
        self._roots: dict[str, Root] = {}

    def add(self, access_key_id: str, account: str, secret: str) -> None:
        """Make an access key the root user of an account."""
        self._roots[access_key_id] = Root(account, secret)

    def accounts(self) -> set[str]:
        """The accounts that exist: those with a root key."""
        return {root.account for root in self._roots.values()}

    def install(self, evaluator: ModuleType) -> None:
        """Replace the evaluator's key lookups; must run before any module that imports them by name."""
        find_account = evaluator.find_iam_access_key_account
        resolve = evaluator.resolve_credential
        unchecked = evaluator._SESSION_TOKEN_NOT_CHECKED

        def is_root_access_key(access_key_id: str) -> bool:
            return False

        def find_iam_access_key_account(access_key_id: str) -> Any:
            root = self._roots.get(access_key_id)
            return root.account if root else find_account(access_key_id)

        def resolve_credential(
            access_key_id: str, account_id: str | None = None, session_token: Any = unchecked
        ) -> Any:
            if not access_key_id:
                return self._anonymous(evaluator, account_id)
            root = self._roots.get(access_key_id)
            if root is None:
                found = resolve(access_key_id, account_id, session_token)
                return evaluator._unknown_access_key() if _is_of_a_gone_role(found) else found
            wrong = evaluator._validate_session_token(None, session_token)
            return wrong or _as_root(evaluator, access_key_id, root.account, root.secret)

        replaced: Any = evaluator
        replaced.is_root_access_key = is_root_access_key
        replaced.find_iam_access_key_account = find_iam_access_key_account
        replaced.resolve_credential = resolve_credential

    @staticmethod
    def _anonymous(evaluator: ModuleType, account: str | None) -> Any:
        # The emulator's S3 module decides itself what an anonymous caller may read; it must get that far.
        if anonymous_s3.get():
            return _as_root(evaluator, "", account or "", "")
        return evaluator._unknown_access_key()


def _as_root(evaluator: ModuleType, access_key_id: str, account: str, secret: str) -> Any:
    return evaluator.ResolvedCredential(
        access_key_id=access_key_id,
        secret_access_key=secret,
        account_id=account,
        principal_arn=f"arn:aws:iam::{account}:root",
        principal_id=account,
        principal_type="Root",
        source_access_key_id=access_key_id,
    )


def _is_of_a_gone_role(credential: Any) -> bool:
    """Whether a role session's unique id isn't that of the role that has the name now."""
    if getattr(credential, "principal_type", "") != "AssumedRole":
        return False
    from ministack.services import iam  # noqa: PLC0415  (importable only once the emulator's environment is set)

    name = credential.principal_arn.split("/")[1]
    role = iam._roles.get_scoped(credential.account_id, None, name)
    return role is None or role["RoleId"] != credential.principal_id.split(":")[0]
