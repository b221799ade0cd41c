"""One statement of a trust policy: which of its elements keep it from applying to a token.

Source: IAM User Guide, "IAM JSON policy elements" (Principal, Action, NotAction) and "Create a role for OpenID Connect
federation". Only Principal.Federated lets a web identity in, by the exact ARN of the provider.
"""

from __future__ import annotations

import re
from typing import Any, Final

from irsa_manager.trust import evaluation_condition as condition
from irsa_manager.trust.arn import account_of
from irsa_manager.trust.evaluation_condition import MalformedPolicyError
from irsa_manager.trust.evaluation_mismatch import Mismatch, differing_in_case
from irsa_manager.trust.evaluation_token import Token

ACTION: Final = "sts:AssumeRoleWithWebIdentity"

_ELEMENTS: Final = frozenset({"Sid", "Effect", "Principal", "Action", "NotAction", "Condition"})
_ACCOUNT: Final = re.compile(r"([0-9]{12})|arn:[^:]*:iam::([0-9]{12}):root")

_ELEMENT: Final = "this element isn't judged here"
_EVERYBODY: Final = "whether such a Deny reaches web identities isn't known here"


def unmet(number: int, statement: dict[str, Any], token: Token, *, variables: bool) -> list[Mismatch]:
    """What keeps statement `number` from applying to the token: Principal, Action, then Condition. Nothing: it applies.

    variables: whether `${...}` in the condition's values is a policy variable.

    Raises:
        MalformedPolicyError: IAM can't have stored such a statement; the text says why.

    """
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise MalformedPolicyError("its Effect is neither Allow nor Deny")
    unknown = [element for element in statement if element not in _ELEMENTS]
    return [
        *(Mismatch(number, element, kind="undecided", note=_ELEMENT) for element in unknown),
        *(_principal(number, statement, token) if "NotPrincipal" not in statement else ()),
        *_action(number, statement),
        *condition.unmet(number, statement.get("Condition", {}), token, variables=variables),
    ]


def _principal(number: int, statement: dict[str, Any], token: Token) -> list[Mismatch]:
    principal = statement.get("Principal")
    if principal == "*":
        principal = {"AWS": "*"}  # the same (IAM User Guide, "All principals")
    if not isinstance(principal, dict) or not principal:
        raise MalformedPolicyError("its Principal isn't an object that names one")
    named = {kind: _strings(given, f"Principal.{kind}") for kind, given in principal.items()}
    federated = named.get("Federated", ())
    if token.provider_arn in federated:
        return []
    everybody = [one for one in named.get("AWS", ()) if _includes(one, token)]
    if statement["Effect"] == "Deny" and everybody:
        return [Mismatch(number, "Principal", "AWS", tuple(everybody), kind="undecided", note=_EVERYBODY)]
    kind, wanted = ("Federated", federated) if federated else next(iter(named.items()))
    note = differing_in_case(wanted, token.provider_arn)
    return [Mismatch(number, "Principal", kind, wanted, token.provider_arn, note=note)]


def _includes(principal: str, token: Token) -> bool:
    """Whether a principal of kind AWS stands for everybody, or for everybody of the provider's account."""
    account = _ACCOUNT.fullmatch(principal)
    if account is None:
        return principal == "*"
    return account_of(token.provider_arn) in account.groups()


def _action(number: int, statement: dict[str, Any]) -> list[Mismatch]:
    if ("Action" in statement) == ("NotAction" in statement):
        raise MalformedPolicyError("it wants exactly one of Action and NotAction")
    element = "Action" if "Action" in statement else "NotAction"
    patterns = _strings(statement[element], element)
    named = any(condition.like(pattern.lower(), ACTION.lower()) for pattern in patterns)
    if named == (element == "Action"):
        return []
    return [Mismatch(number, element, wanted=patterns, note=f"asked for is {ACTION}")]


def _strings(given: object, element: str) -> tuple[str, ...]:
    listed = given if isinstance(given, list) else [given]
    if not listed or not all(isinstance(one, str) for one in listed):
        raise MalformedPolicyError(f"its {element} isn't text or a list of texts")
    return tuple(listed)
