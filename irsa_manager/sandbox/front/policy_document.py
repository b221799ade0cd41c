"""Identity policies (inline and managed) as IAM accepts and stores them. Pure.

Source: IAM User Guide, "Grammar of the IAM JSON policy language"; IAM API Reference, PutRolePolicy, CreatePolicy.
"""

from __future__ import annotations

import re
from typing import Final

from irsa_manager.sandbox.front import policy_language as language
from irsa_manager.sandbox.front.policy_language import Statement, malformed

_ELEMENTS: Final = frozenset({"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"})
_ACTION: Final = re.compile(r"\*|[A-Za-z0-9-]+:[A-Za-z0-9*?-]+")
_RESOURCE: Final = re.compile(r"\*|arn:[^:]*:[^:]+:[^:]*:[^:]*:.+")


def check(document: str) -> str:
    """An identity policy as it is stored.

    Raises:
        Refused: MalformedPolicyDocument, with IAM's text where it is known.

    """
    policy, statements = language.parse(document)
    for statement in statements:
        _check_statement(statement)
    return language.serialise(policy)


def _check_statement(statement: Statement) -> None:
    if "Principal" in statement or "NotPrincipal" in statement:
        raise malformed("Policy document should not specify a principal.")
    if set(statement) - _ELEMENTS:
        raise malformed()
    action = "Action" if "Action" in statement else "NotAction"
    if action not in statement:
        raise malformed("Policy statement must contain actions.")
    if not all(_ACTION.fullmatch(one) for one in language.strings(statement, action)):
        raise malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
    if ("Resource" in statement) == ("NotResource" in statement):
        raise malformed(
            "Policy statement must contain resources." if "Resource" not in statement else "Syntax errors in policy."
        )
    resource = "Resource" if "Resource" in statement else "NotResource"
    for one in language.strings(statement, resource):
        if not _RESOURCE.fullmatch(one):
            raise malformed(f'Resource {one} must be in ARN format or "*".')
