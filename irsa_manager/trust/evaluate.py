"""Would STS let this token in? A role's trust policy held against a ServiceAccount's token, without asking AWS.

Source: IAM User Guide, "Policy evaluation logic" (an explicit Deny wins; without an Allow the answer is no). The
parts of the language have files of their own: evaluation_statement (Principal, Action), evaluation_condition,
evaluation_token (values of condition keys), evaluation_mismatch (reasons, in words).

Not judged, since the trust policy doesn't tell: whether the provider exists and has the audience as client id, the
token's signature and times, organisations' resource control policies.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from irsa_manager.trust import evaluation_statement as statement
from irsa_manager.trust.document import Document, ProviderTrust, build
from irsa_manager.trust.evaluation_condition import MalformedPolicyError
from irsa_manager.trust.evaluation_mismatch import Mismatch
from irsa_manager.trust.evaluation_token import Token

__all__ = ["Mismatch", "Token", "Verdict", "evaluate", "suggest"]

_WITH_VARIABLES: Final = "2012-10-17"
_VERSIONS: Final = (_WITH_VARIABLES, "2008-10-17")
"""Without Version a policy is of 2008, in which `${` is text (IAM JSON policy elements: Version)."""

_MEMBERS: Final = frozenset({"Version", "Id", "Statement"})


class Verdict(Struct, frozen=True):
    """The answer.

    allowed: None where it depends on what only the request has, or on what isn't understood: never a guess.
    statement: number, from 1, of the statement that decides or, for None, leaves it open; None where no statement
    applies. reasons: of a refusal or of doubt, nearest first: statements for the token's provider before others.
    """

    allowed: bool | None
    statement: int | None = None
    reasons: tuple[Mismatch, ...] = ()


class _Judged(Struct, frozen=True):
    number: int
    effect: str
    unmet: list[Mismatch]

    @property
    def applies(self) -> bool | None:
        """Whether the statement does; one test that surely fails settles it."""
        if not self.unmet:
            return True
        return None if all(one.kind == "undecided" for one in self.unmet) else False


def evaluate(document: Any, token: Token) -> Verdict:
    """Whether a trust policy, decoded from JSON, lets a token in that STS has verified.

    A document that IAM can't have stored lets nobody in.

    Raises:
        IrsaError: token.provider_arn isn't an ARN and a condition or principal asks for its account.

    """
    number = 0
    judged: list[_Judged] = []
    try:
        variables, statements = _parts(document)
        for number, one in enumerate(statements, start=1):
            unmet = statement.unmet(number, one, token, variables=variables)
            judged.append(_Judged(number, one["Effect"], unmet))
    except MalformedPolicyError as error:
        return Verdict(False, None, (Mismatch(number, "Statement", kind="malformed", note=str(error)),))
    return _decided(judged, [name for name in document if name not in _MEMBERS])


def suggest(document: Any, token: Token) -> Document | None:
    """The statement that, added to the trust policy, lets the token in; None where none does.

    None does where a statement denies it, or the document is malformed.
    """
    verdict = evaluate(document, token)
    if any(reason.kind in ("denies", "malformed") for reason in verdict.reasons):
        return None
    trust = ProviderTrust(token.provider_arn, token.host, (token.audience,), (token.subject,))
    (made,) = build("", (trust,))["Statement"]
    return {element: value for element, value in made.items() if element != "Sid"}


def _parts(document: Any) -> tuple[bool, list[dict[str, Any]]]:
    """Whether the policy has variables, and its statements."""
    if not isinstance(document, dict):
        raise MalformedPolicyError("it isn't a JSON object")
    if document.get("Version", _VERSIONS[-1]) not in _VERSIONS:
        raise MalformedPolicyError("its Version isn't one of IAM's")
    found = document.get("Statement")
    listed: list[Any] = found if isinstance(found, list) else [found]
    if not listed or not all(isinstance(one, dict) for one in listed):
        raise MalformedPolicyError("its Statement isn't an object or a list of objects")
    return document.get("Version") == _WITH_VARIABLES, listed


def _decided(judged: list[_Judged], unknown_members: list[str]) -> Verdict:
    denies = [one for one in judged if one.effect == "Deny"]
    allows = [one for one in judged if one.effect == "Allow"]
    for one in denies:
        if one.applies:
            return Verdict(False, one.number, (Mismatch(one.number, "Effect", wanted=("Deny",), kind="denies"),))
    doubts = [
        Mismatch(0, member, kind="undecided", note="this element isn't judged here") for member in unknown_members
    ]
    open_denies = [one for one in denies if one.applies is None]
    for one in allows:
        if one.applies and not open_denies and not doubts:
            return Verdict(True, one.number)
    if all(one.applies is False for one in allows):
        return Verdict(False, None, _nearest_first(allows))
    unsettled = open_denies if any(one.applies for one in allows) else [one for one in allows if one.applies is None]
    reasons = [*doubts, *(reason for one in unsettled for reason in one.unmet)]
    return Verdict(None, unsettled[0].number if unsettled else None, tuple(reasons))


def _nearest_first(allows: list[_Judged]) -> tuple[Mismatch, ...]:
    """What surely fails, of statements for other principals and actions last."""

    def distance(judged: _Judged) -> tuple[bool, bool, int]:
        elements = {reason.operator for reason in judged.unmet}
        return "Principal" in elements, bool(elements & {"Action", "NotAction"}), judged.number

    ordered = sorted(allows, key=distance)
    return tuple(reason for one in ordered for reason in one.unmet if reason.kind != "undecided")
