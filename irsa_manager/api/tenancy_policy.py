"""The check of tenancy at admission: a refusal that is seen at kubectl apply, before the controller says it.

plan/tenancy.py decides; this ValidatingAdmissionPolicy says early what CEL can say of it, and refuses nothing that the
planner allows. So it lets pass what it can't judge: whose account an ARN is of, patterns whose namespaces have to be
looked up, consent on the role itself, bindings kept at a takeover, an IRSASetup that the controller hasn't taken up,
and what would cost more than the API server grants (failurePolicy Ignore).

Kubernetes documentation, "Validating Admission Policy": parameters, variables, match conditions, messageExpression (at
most 5,120 bytes), and the cost limits (1,000,000 for one expression, 10,000,000 for all).
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from irsa_manager.api import names
from irsa_manager.api.tenancy_cel import VARIABLES, WORDS, matches_one

NAME: Final = "irsa-manager-tenancy"

MOST_NAMESPACES: Final = 100
"""Namespaces that are compared with a rule's patterns here; of an object that names more the planner judges."""

_SHOWN: Final = 300
_ASKS: Final = ("serviceAccount", "iamRole", "iamPolicies", "inlinePolicies", "trust")


class Limit(Struct, frozen=True):
    """One limit, in CEL. holds: a bool. The others are strings for the message.

    what: what the object asks for. allowed: what it may. opens: what a rule would have to say.
    """

    holds: str
    what: str
    allowed: str
    opens: str


def documents(namespace: str = names.DEFAULT_NAMESPACE) -> list[dict[str, Any]]:
    """The policy and its binding, as the API server takes them (admissionregistration.k8s.io/v1).

    namespace: the operator's. IRSAs in it are never refused, and the IRSASetup in it is the parameter.
    """
    return [_policy(namespace), _binding(namespace)]


def _policy(namespace: str) -> dict[str, Any]:
    elsewhere = {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": [namespace]}
    irsas = {
        "apiGroups": [names.GROUP],
        "apiVersions": [names.VERSION],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["irsas"],
    }
    # cleanup and suspend may be changed on an object that wouldn't be accepted any more.
    changed = [f"object.?spec.?{part} != oldObject.?spec.?{part}" for part in _ASKS]
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": NAME},
        "spec": {
            "failurePolicy": "Ignore",
            "paramKind": {"apiVersion": names.API_VERSION, "kind": "IRSASetup"},
            "matchConstraints": {
                "namespaceSelector": {"matchExpressions": [elsewhere]},
                "resourceRules": [irsas],
            },
            "matchConditions": [
                {"name": "stays", "expression": "!has(object.metadata.deletionTimestamp)"},
                {"name": "asks-for-more", "expression": " || ".join(["oldObject == null", *changed])},
            ],
            "variables": [{"name": name, "expression": expression} for name, expression in VARIABLES.items()],
            "validations": [
                _closed(),
                _reserved(namespace),
                *(_validation(limit) for limit in LIMITS),
                _boundary(),
            ],
        },
    }


def _binding(namespace: str) -> dict[str, Any]:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": NAME},
        "spec": {
            "policyName": NAME,
            "paramRef": {"namespace": namespace, "selector": {}, "parameterNotFoundAction": "Allow"},
            "validationActions": ["Deny"],
        },
    }


def _joined(items: str, none: str = "none") -> str:
    """CEL: a list for a message, not longer than it may be."""
    text = f"{items}.join(', ')"
    return f"(size({items}) == 0 ? '{none}' : size({text}) <= {_SHOWN} ? {text} : {text}.substring(0, {_SHOWN}) + '…')"


_INLINE: Final = "object.?spec.?inlinePolicies.orValue({})"
_ROLE_NAMES: Final = "variables.roleNames.map(n, n.lowerAscii())"  # IAM takes names that differ in case for the same
_OWN_ONLY: Final = "size(variables.targets) == 0"

LIMITS: Final[tuple[Limit, ...]] = (
    Limit(
        holds="variables.management in variables.managements",
        what="'iamRole.managementPolicy ' + variables.management",
        allowed=_joined("variables.managements"),
        opens="'managementPolicies: [' + variables.management + ']'",
    ),
    Limit(
        holds=(
            f"{_OWN_ONLY} ? variables.named.all(n, n == request.namespace) : size(variables.named) > {MOST_NAMESPACES} "
            r"|| variables.named.map(n, n + '\n').join('').matches(variables.targetLines)"
        ),
        what="'ServiceAccounts in namespace ' + variables.strayNamespace",
        allowed=f"{_OWN_ONLY} ? request.namespace : " + _joined("variables.targets"),
        opens="'targetNamespaces: [' + variables.strayNamespace + ']'",
    ),
    Limit(
        holds=f"size(variables.roleNames) == 0 || {matches_one('variables.roleName.lowerAscii()', _ROLE_NAMES)}",
        what="'role name ' + variables.roleName",
        allowed=_joined("variables.roleNames"),
        opens="'roleNames: [' + variables.roleName + ']'",
    ),
    Limit(
        holds=f"size(variables.rolePaths) == 0 || {matches_one('variables.rolePath', 'variables.rolePaths')}",
        what="'role path ' + variables.rolePath",
        allowed=_joined("variables.rolePaths"),
        opens="'rolePaths: [' + variables.rolePath + ']'",
    ),
    Limit(
        holds=r"!variables.ruled || variables.policies.map(p, p + '\n').join('').matches(variables.policyLines)",
        what="'policy ' + variables.strayPolicy",
        allowed=_joined("variables.policyPatterns"),
        opens="'policies: [' + variables.strayPolicy + ']'",
    ),
    Limit(
        holds=(
            f"!variables.ruled || size({_INLINE}) == 0 || variables.rules[0].?inlinePolicies.orValue('Deny') == 'Allow'"
        ),
        what="'inline policies'",
        allowed="'none'",
        opens="'inlinePolicies: Allow'",
    ),
    *(
        Limit(
            holds=f"'{word}' in variables.allow || !({asks})",
            what=f"'{said}'",
            allowed=_joined("variables.allow"),
            opens=f"'allow: [{word}]'",
        )
        for word, (said, asks) in WORDS.items()
    ),
)
"""What a rule limits; for namespaces of no rule OwnNamespace is a rule that limits targets and `allow` alone."""


def _validation(limit: Limit) -> dict[str, Any]:
    said = f"variables.who + {limit.what} + ' (allowed: ' + ({limit.allowed}) + variables.ask + {limit.opens}"
    return _entry(f"variables.unjudged || ({limit.holds})", said)


def _closed() -> dict[str, Any]:
    """Nothing is open to the namespace."""
    line = (
        "'- {name: ' + request.namespace + ', namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ' + "
        "request.namespace + '}}, roleNames: [' + variables.roleName + '], policies: [' + "
        + _joined("variables.asked", "")
        + " + ']}'"
    )
    said = (
        "'No rule selects namespace ' + request.namespace + ', and tenancy.default is Deny. Nothing "
        "was changed. Ask who owns ' + variables.setup + ' for a line as this under spec.tenancy.rules: ' + " + line
    )
    return _entry("variables.unjudged || variables.ruled || variables.otherwise != 'Deny'", said)


def _reserved(namespace: str) -> dict[str, Any]:
    """Namespaces that no rule opens."""
    reserved = f"n.startsWith('kube-') || n == '{namespace}'"
    said = (
        f"'ServiceAccounts in namespace ' + variables.named.filter(n, {reserved})[0] + ' are bound by IRSAs in "
        f"namespace {namespace} only. Nothing was changed. Ask an administrator to make this IRSA there.'"
    )
    return _entry(f"!variables.counts || !variables.named.exists(n, {reserved})", said)


def _boundary() -> dict[str, Any]:
    """The rule's boundary is nothing to be opened: it bounds whatever else the rule opens."""
    said = (
        "variables.who + 'permissions boundary ' + variables.boundaries[0] + ' (allowed: ' + variables.boundaries[1] + "
        "'). Nothing was changed. Take iamRole.permissionsBoundary out: the rule sets its own on every role.'"
    )
    holds = "variables.boundaries.exists(b, b == '') || variables.boundaries[0] == variables.boundaries[1]"
    return _entry(f"variables.unjudged || {holds}", said)


def _entry(expression: str, said: str) -> dict[str, Any]:
    return {
        "expression": expression,
        "message": "Tenancy doesn't allow what this IRSA asks for. Nothing was changed. Ask who owns the IRSASetup.",
        "messageExpression": said,
        "reason": "Forbidden",
    }
