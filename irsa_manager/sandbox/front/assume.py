"""STS: AssumeRoleWithWebIdentity with a verified token, and what AssumeRole checks beyond the emulator.

Source: AWS STS API Reference, AssumeRoleWithWebIdentity and AssumeRole; IAM User Guide, "Methods to assume a role"
(role chaining, 1 hour).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from irsa_manager.sandbox.front import keys, names, trust_evaluation, web_identity
from irsa_manager.sandbox.front.answers import STS, Answer, Refused, success
from irsa_manager.sandbox.front.consistency import Consistency
from irsa_manager.sandbox.front.emulator import Emulator
from irsa_manager.sandbox.front.issuers import Issuers
from irsa_manager.sandbox.front.names import RoleArn
from irsa_manager.sandbox.front.web_identity import Token

DEFAULT_DURATION: Final = 3600
_PACKED: Final = 25
"""PackedPolicySize that STS reports even without a session policy (in percent of what is allowed)."""

_DENIED: Final = "Not authorized to perform sts:AssumeRoleWithWebIdentity"
_TOO_LONG: Final = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
_CHAINED: Final = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"


async def with_web_identity(
    emulator: Emulator, issuers: Issuers, parameters: Mapping[str, str], consistency: Consistency
) -> Answer:
    """AssumeRoleWithWebIdentity: credentials for a role in exchange for a token of a registered issuer.

    Raises:
        Refused: with STS's code and text for the first thing found wrong.

    """
    arn = names.role_arn(names.required(parameters, "RoleArn", names.ROLE_ARN))
    session_name = names.required(parameters, "RoleSessionName", names.SESSION_NAME)
    compact = names.required(parameters, "WebIdentityToken", names.TOKEN)
    duration = names.number(parameters, "DurationSeconds", 900, 43200) or DEFAULT_DURATION
    if "ProviderId" in parameters:
        raise web_identity.refused("Provided Token is not a Login With Amazon token")
    policies = _session_policies(emulator, parameters, arn.account)
    token = web_identity.parse(compact)
    with consistency.around(trust_evaluation.OPERATION, parameters):
        provider = _provider(emulator, arn.account, token)
    keys.verify(keys.choose(await issuers.keys(token.issuer), token), token)
    audience = web_identity.audience(token, provider["ClientIDList"])
    web_identity.check_times(token, int(time.time()))
    with consistency.around(trust_evaluation.OPERATION, parameters):
        role = _assumable(emulator, arn, duration, token, audience, session_name)
    return success(
        "AssumeRoleWithWebIdentity",
        {
            "SubjectFromWebIdentityToken": token.subject,
            "Audience": audience,
            **_session(emulator, role, session_name, duration, policies),
            "Provider": provider["Arn"],
            "PackedPolicySize": _PACKED,
        },
        STS,
    )


def check_assume_role(emulator: Emulator, parameters: Mapping[str, str], caller: str) -> None:
    """Refuse an AssumeRole that the emulator would carry out and STS would not; `caller` is the caller's ARN.

    Raises:
        Refused: ill-formed parameters, a role whose path differs from the ARN's, a session longer than the role's
            maximum, or longer than an hour for a caller that is a role session itself.

    """
    arn = names.role_arn(names.required(parameters, "RoleArn", names.ROLE_ARN))
    names.required(parameters, "RoleSessionName", names.SESSION_NAME)
    duration = names.number(parameters, "DurationSeconds", 900, 43200) or DEFAULT_DURATION
    role = emulator.role(arn.account, arn.name)
    if role is None or role["Arn"] != arn.arn:
        raise Refused(
            "AccessDenied", f"User: {caller} is not authorized to perform: sts:AssumeRole on resource: {arn.arn}", 403
        )
    if ":assumed-role/" in caller and duration > DEFAULT_DURATION:
        raise Refused("ValidationError", _CHAINED)
    if duration > role["MaxSessionDuration"]:
        raise Refused("ValidationError", _TOO_LONG)


def _assumable(
    emulator: Emulator, arn: RoleArn, duration: int, token: Token, audience: str, session_name: str
) -> dict[str, Any]:
    """The role, if it is there under exactly this ARN and its trust policy lets the token in."""
    role = emulator.role(arn.account, arn.name)
    if role is None or role["Arn"] != arn.arn:
        raise Refused("AccessDenied", _DENIED, 403)
    if duration > role["MaxSessionDuration"]:
        raise Refused("ValidationError", _TOO_LONG)
    if not trust_evaluation.allows(emulator, role, token, audience, session_name):
        raise Refused("AccessDenied", _DENIED, 403)
    return role


def _provider(emulator: Emulator, account: str, token: Token) -> Mapping[str, Any]:
    """The provider that the role's account has for exactly the token's issuer (a trailing slash makes another)."""
    path = web_identity.host_path(token.issuer)
    provider = emulator.provider(account, path) if path else None
    if provider is None:
        raise web_identity.refused(f"No OpenIDConnect provider found in your account for {token.issuer}")
    return provider


def _session_policies(emulator: Emulator, parameters: Mapping[str, str], account: str) -> dict[str, Any] | None:
    given = {name: [value] for name, value in parameters.items() if name.startswith("Policy")}
    if len(given.get("Policy", [""])[0]) > 2048:
        raise Refused("PackedPolicyTooLarge", "Packed size of session policy consumes more than 100% of allotted space")
    policies, wrong = emulator.sts._session_policies(given, account)
    if wrong is not None:
        raise Refused("MalformedPolicyDocument", "The session policy is malformed, or names a policy that isn't there.")
    return policies if any(policies.values()) else None


def _session(
    emulator: Emulator, role: dict[str, Any], session_name: str, duration: int, policies: dict[str, Any] | None
) -> dict[str, Any]:
    """Register a session with the emulator, and say what its credentials are."""
    iam = emulator.iam
    account = role["Arn"].split(":")[4]
    key, secret, session_token = iam._gen_session_access_key(), iam._gen_secret(), iam._gen_session_token()
    assumed = {
        "AssumedRoleId": f"{role['RoleId']}:{session_name}",
        "Arn": f"arn:aws:sts::{account}:assumed-role/{role['RoleName']}/{session_name}",
    }
    emulator.sts.register_session(
        key,
        {
            "Arn": assumed["Arn"],
            "UserId": assumed["AssumedRoleId"],
            "SecretAccessKey": secret,
            "SessionToken": session_token,
            "Expiration": time.time() + duration,
            "AccountId": account,
            "PrincipalType": "AssumedRole",
            "SessionPolicies": policies,
        },
    )
    return {
        "AssumedRoleUser": assumed,
        "Credentials": {
            "AccessKeyId": key,
            "SecretAccessKey": secret,
            "SessionToken": session_token,
            "Expiration": iam._future(duration),
        },
    }
