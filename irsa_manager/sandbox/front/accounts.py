"""More AWS accounts in the same sandbox: PUT /_sandbox/accounts {"account": "111122223333"} gives root keys for one."""

from __future__ import annotations

import re
import secrets
from typing import Any

from irsa_manager.sandbox.front.admin import Wrong, only_keys
from irsa_manager.sandbox.front.credentials import Keyring


class Accounts:
    """The accounts that exist. An account comes to be when its first root key is made."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def put(self, body: object) -> dict[str, Any]:
        """A new root key for an account, random.

        Raises:
            Wrong: not 12 digits.

        """
        account = only_keys(body, {"account": ""}).get("account")
        if not isinstance(account, str) or not re.fullmatch(r"\d{12}", account, re.ASCII):
            raise Wrong("account must be 12 digits")
        key, secret = f"AKIA{secrets.token_hex(8).upper()}", secrets.token_urlsafe(30)
        self._keyring.add(key, account, secret)
        return {"account": account, "access_key_id": key, "secret_access_key": secret}

    def get(self, body: object) -> dict[str, Any]:
        """The accounts, without any key."""
        return {"accounts": sorted(self._keyring.accounts())}
