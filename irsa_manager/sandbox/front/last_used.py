"""RoleLastUsed: when a role's credentials last made a request that was let in.

Source: IAM API Reference, RoleLastUsed. AWS tells some hours later; here it is told at once.
"""

from __future__ import annotations

import re
from typing import Final

from irsa_manager.sandbox.front.emulator import Emulator

_SESSION: Final = re.compile(r"arn:aws:sts::(?P<account>\d{12}):assumed-role/(?P<role>[^/]+)/.*")


def note(emulator: Emulator, access_key_id: str, region: str) -> None:
    """The request of that access key was let in: if it is a role session's, its role was used now."""
    identity = emulator.evaluator.resolve_caller_identity(access_key_id) if access_key_id else None
    session = _SESSION.fullmatch(str(identity["userArn"])) if identity else None
    role = emulator.role(session["account"], session["role"]) if session else None
    if role is not None:
        role["RoleLastUsed"] = {"LastUsedDate": emulator.iam._now(), "Region": region}
