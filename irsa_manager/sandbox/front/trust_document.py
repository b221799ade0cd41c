"""Trust policies as IAM accepts and stores them. Pure, but for the question which principals exist.

Source: IAM User Guide, "AWS JSON policy elements: Principal", "Create a role for OpenID Connect federation" and
"Identity-provider controls for shared OIDC providers"; IAM API Reference, CreateRole, MalformedPolicyDocument.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from irsa_manager.sandbox.front import policy_language as language
from irsa_manager.sandbox.front.answers import Refused
from irsa_manager.sandbox.front.policy_language import Statement, malformed

Exists = Callable[[str], bool]
"""Whether the principal of an ARN (a user, role or account root) exists."""

ECHOED: Final = ("Sid", "Effect", "Action", "NotAction", "Principal", "Condition")
"""The order of elements in CreateRole's answer; reads have the stored one."""

_ELEMENTS: Final = frozenset({"Sid", "Effect", "Principal", "Action", "NotAction", "Condition"})
_DOMAINS: Final = frozenset(
    {"accounts.google.com", "cognito-identity.amazonaws.com", "graph.facebook.com", "www.amazon.com"}
)
_SHARED: Final = frozenset({"token.actions.githubusercontent.com", "gitlab.com", "app.terraform.io"})
"""Issuers that everybody's jobs share: an Allow must test the subject (a part of AWS's longer list)."""

_PROVIDER: Final = re.compile(
    r"arn:aws[a-z-]*:iam::\d{12}:(saml-provider/[\w.-]{1,128}|oidc-provider/(?P<host>[a-z0-9.-]+)(:\d+)?(/[\x21-\x7e]*)?)",
    re.IGNORECASE,
)
_SERVICE: Final = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.amazonaws\.com(\.cn)?")
_ACTION: Final = re.compile(r"sts:[A-Za-z*?]+", re.IGNORECASE)
_ACCOUNT: Final = re.compile(r"\d{12}")


def check(document: str, exists: Exists) -> tuple[str, str]:
    """A trust policy as it is stored, and as CreateRole echoes it.

    Raises:
        Refused: MalformedPolicyDocument, with IAM's text where it is known.

    """
    policy, statements = language.parse(document)
    for statement in statements:
        _check_statement(statement, exists)
    return language.serialise(policy), language.serialise(policy, ECHOED)


def with_dead_principal(document: str, arn: str, unique_id: str) -> str:
    """A stored document after the principal of an ARN was deleted: the id that IAM kept in its place shows."""
    return document.replace(f'"{arn}"', f'"{unique_id}"')


def _check_statement(statement: Statement, exists: Exists) -> None:
    for element in ("Resource", "NotResource"):
        if element in statement:
            raise malformed(f"Has prohibited field {element}")
    if "NotPrincipal" in statement:
        allow = statement["Effect"] == "Allow"
        raise malformed(
            "Allow with NotPrincipal is not allowed."
            if allow
            else "AssumeRole policy must not contain NotPrincipal field."
        )
    if set(statement) - _ELEMENTS:
        raise malformed()
    if "Principal" not in statement:
        raise malformed("Missing required field Principal")
    element = "Action" if "Action" in statement else "NotAction"
    if element not in statement:
        raise malformed("Missing required field Action")
    if not all(_ACTION.fullmatch(action) for action in language.strings(statement, element)):
        raise malformed("AssumeRole policy may only specify STS AssumeRole actions.")
    _check_principal(statement, exists)


def _check_principal(statement: Statement, exists: Exists) -> None:
    principal = statement["Principal"]
    if principal == "*":
        raise malformed('AssumeRolepolicy contained an invalid principal: "STAR":"*".')
    if not isinstance(principal, dict) or not principal:
        raise malformed()
    for kind in principal:
        listed = language.strings(principal, kind)
        if kind == "Federated":
            for provider in listed:
                _check_provider(provider, statement)
        elif kind == "Service":
            for service in listed:
                if not _SERVICE.fullmatch(service):
                    raise _invalid("SERVICE", service)
        elif kind == "AWS":
            resolved = [_account_root(one) for one in listed]
            for one in resolved:
                if one != "*" and not exists(one):
                    raise _invalid("AWS", one)
            principal[kind] = resolved[0] if isinstance(principal[kind], str) else resolved
        else:
            raise malformed(f'Invalid principal in policy: "{kind}"')


def _check_provider(provider: str, statement: Statement) -> None:
    match = _PROVIDER.fullmatch(provider)
    if not match and provider not in _DOMAINS:
        raise malformed("Federated principals must be valid domain names or SAML metadata ARNs")
    host = match["host"] if match else None
    if host and host.lower() in _SHARED and statement["Effect"] == "Allow":
        tested = {key.lower() for tests in statement.get("Condition", {}).values() for key in tests}
        if f"{host.lower()}:sub" not in tested:
            raise malformed(f"The trust policy of the shared identity provider {host} must test {host}:sub.")


def _account_root(principal: str) -> str:
    return f"arn:aws:iam::{principal}:root" if _ACCOUNT.fullmatch(principal) else principal


def _invalid(kind: str, principal: str) -> Refused:
    return malformed(f'Invalid principal in policy: "{kind}":"{principal}"')
