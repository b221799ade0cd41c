"""Whether a role's trust policy lets a verified web identity in: the emulator's evaluator, fed as STS feeds its own.

Source: IAM User Guide, "Available keys for AWS OIDC federation" and "AWS global condition context keys". A web
identity has no aws:PrincipalArn, its aws:PrincipalType is User, its account is the provider's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from irsa_manager.sandbox.front.emulator import Emulator
from irsa_manager.sandbox.front.web_identity import Token, host_path

OPERATION: Final = "AssumeRoleWithWebIdentity"
_MULTI_VALUED: Final = ("amr", "oaud")
_NEVER: Final = {"Null": {"aws:currenttime": "true"}}


def allows(emulator: Emulator, role: dict[str, Any], token: Token, audience: str, session_name: str) -> bool:
    """Whether the trust policy allows the token's provider to assume the role with these claims."""
    issuer = host_path(token.issuer) or ""
    account = role["Arn"].split(":")[4]
    provider = f"arn:aws:iam::{account}:oidc-provider/{issuer}"
    keys: dict[str, Any] = {
        f"{issuer}:aud": audience,
        f"{issuer}:sub": token.subject,
        "sts:rolesessionname": session_name,
        "aws:userid": provider,
    }
    if token.authorized_party is not None:
        keys[f"{issuer}:oaud"] = list(token.audiences)
    for name in ("amr", "email"):
        if name in token.claims:
            keys[f"{issuer}:{name}"] = token.claims[name]
    context = emulator.evaluator.EvalContext(
        principal_arn=None,
        principal_type="User",
        principal_account=account,
        action=f"sts:{OPERATION}",
        resource_arn=role["Arn"],
        region=emulator.region,
        service_context={name.lower(): value for name, value in keys.items()},
    )
    document = _without_plain_tests_of_lists(json.loads(role["AssumeRolePolicyDocument"]), issuer)
    return bool(emulator.evaluator.evaluate_trust_policy(document, provider, context))


def _without_plain_tests_of_lists(document: dict[str, Any], issuer: str) -> dict[str, Any]:
    """A plain operator on a multi-valued key never matches, not even negated or IfExists: it needs a set operator."""
    multi_valued = {f"{issuer}:{name}".lower() for name in _MULTI_VALUED}
    statements = document.get("Statement", [])
    replaced = [
        {**statement, "Condition": _NEVER} if multi_valued & set(_plainly_tested(statement)) else statement
        for statement in ([statements] if isinstance(statements, dict) else statements)
    ]
    return {**document, "Statement": replaced}


def _plainly_tested(statement: dict[str, Any]) -> Iterator[str]:
    for operator, tests in (statement.get("Condition") or {}).items():
        if not operator.lower().startswith(("forallvalues:", "foranyvalue:")) and operator.lower() != "null":
            yield from (key.lower() for key in tests)
