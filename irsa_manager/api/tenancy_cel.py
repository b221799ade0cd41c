"""What the check of tenancy at admission reads, as CEL: the rule that holds, and what an object asks for.

Sources: Kubernetes documentation, "Common Expression Language in Kubernetes" (libraries, optional types, cost); of its
functions only those that Kubernetes 1.30 has. RE2's syntax for regular expressions.
"""

from __future__ import annotations

from typing import Final

from irsa_manager.api import names

LONGEST_POLICY: Final = 160
"""Characters of a policy's name that is compared at admission; a longer one is left to the planner."""

_SELECTS: Final = (
    "(!has(r.namespaceSelector.matchLabels) || r.namespaceSelector.matchLabels.all(k, "
    "k in variables.labels && variables.labels[k] == r.namespaceSelector.matchLabels[k])) && "
    "(!has(r.namespaceSelector.matchExpressions) || r.namespaceSelector.matchExpressions.all(e, "
    "e.operator == 'In' ? e.key in variables.labels && variables.labels[e.key] in e.values : "
    "e.operator == 'NotIn' ? !(e.key in variables.labels) || !(variables.labels[e.key] in e.values) : "
    "e.operator == 'Exists' ? e.key in variables.labels : !(e.key in variables.labels)))"
)


def _of_rule(field: str, otherwise: str = "[].map(x, string(x))") -> str:
    return f"variables.ruled ? variables.rules[0].?{field}.orValue({otherwise}) : {otherwise}"


def _regex(pattern: str) -> str:
    """A regular expression for one pattern; of its characters only . and + mean something there."""
    return rf"{pattern}.replace('.', r'\.').replace('+', r'\+').replace('?', '.').replace('*', '.*')"


def _lines(regexes: str) -> str:
    """A regular expression for lines that each match one of them: `.` doesn't match a line's end.

    One match of all lines costs as much as one of each, but the expression is compiled once only.
    """
    return rf"'^((' + {regexes}.join('|') + ')\n)*$'"


def _name_of_arn(arn: str) -> str:
    return f"{arn}.substring({arn}.indexOf(':policy/') + 8)"


def _resolved(policy: str) -> str:
    """An ARN as users name that policy, whatever its account and partition: only the planner knows its own."""
    name = _name_of_arn(policy)
    return (
        f"!{policy}.startsWith('arn:') ? {policy} : {policy}.contains('::aws:policy/') ? {name} : 'customer/' + {name}"
    )


_AUDIENCES: Final = (
    "object.?spec.?trust.?audiences.orValue("
    f"[object.?spec.?serviceAccount.?token.?audience.orValue('{names.DEFAULT_AUDIENCE}')])"
)

WORDS: Final[dict[str, tuple[str, str]]] = {
    "NamespaceGlobs": (
        "patterns or a selector of namespaces",
        "size(variables.named) < size(variables.namespaces) || "
        "object.?spec.?serviceAccount.?namespaceSelector.hasValue()",
    ),
    "AdditionalProviders": (
        "trust.additionalProviders",
        "size(object.?spec.?trust.?additionalProviders.orValue([])) > 0",
    ),
    "Audiences": (
        f"audiences other than {names.DEFAULT_AUDIENCE}",
        f"{_AUDIENCES}.exists(a, a != '{names.DEFAULT_AUDIENCE}')",
    ),
    "TrustConditions": ("trust.conditions", "size(object.?spec.?trust.?conditions.orValue([])) > 0"),
    "SubjectPattern": (
        "trust.subjectMatch Pattern",
        "object.?spec.?trust.?subjectMatch.orValue('Exact') == 'Pattern'",
    ),
    "Tags": ("iamRole.tags", "size(object.?spec.?iamRole.?tags.orValue({})) > 0"),
}
"""The words of a rule's `allow`: what each opens, and whether an object asks for that."""

VARIABLES: Final[dict[str, str]] = {
    # Which of several IRSASetups holds is the controller's choice; one that it hasn't looked at doesn't yet.
    "counts": "params.?status.?conditions.orValue([]).exists(c, c.type == 'Ready' && c.reason != 'Ignored')",
    "labels": "namespaceObject.?metadata.?labels.orValue({})",
    "rules": f"params.?spec.?tenancy.?rules.orValue([]).filter(r, {_SELECTS})",
    "ruled": "size(variables.rules) > 0",
    "otherwise": "params.?spec.?tenancy.?default.orValue('Deny')",
    "unjudged": "!variables.counts || !variables.ruled && variables.otherwise == 'Unrestricted'",
    "setup": "'IRSASetup ' + params.metadata.namespace + '/' + params.metadata.name",
    "who": (
        "(variables.ruled ? 'Rule ' + variables.rules[0].name : 'No rule selects namespace ' + request.namespace + "
        "', and tenancy.default ' + variables.otherwise) + \" doesn't allow \""
    ),
    "ask": (
        "'). Nothing was changed. Ask who owns ' + variables.setup + ' to add to ' + (variables.ruled ? 'rule ' + "
        "variables.rules[0].name : 'a rule for namespace ' + request.namespace) + ': '"
    ),
    "kept": "object.?status.?keptBindings.orValue([]).map(b, b.split('/')[0])",
    "namespaces": "object.?spec.?serviceAccount.?namespaces.orValue([]).filter(n, !(n in variables.kept))",
    "named": "variables.namespaces.filter(n, !n.contains('*') && !n.contains('?'))",
    "targets": _of_rule("targetNamespaces"),
    "targetLines": _lines(f"variables.targets.map(g, {_regex('g')})"),
    "strayNamespace": (
        "variables.named.filter(n, size(variables.targets) == 0 ? n != request.namespace : "
        r"!(n + '\n').matches(variables.targetLines))[0]"
    ),
    "roleName": "object.?spec.?iamRole.?name.orValue('')",
    "roleNames": _of_rule("roleNames"),
    "rolePath": "object.?spec.?iamRole.?path.orValue(params.?spec.?roleDefaults.?path.orValue('/'))",
    "rolePaths": _of_rule("rolePaths"),
    "policyPatterns": _of_rule("policies"),
    "asked": "object.?spec.?iamPolicies.orValue([])",
    "policies": f"variables.asked.map(p, {_resolved('p')}).filter(p, size(p) <= {LONGEST_POLICY})",
    # A pattern of ARNs is compared by the policy's name, for any account: whose it is, only the planner can say.
    "policyLines": _lines(
        f"variables.policyPatterns.map(g, !g.startsWith('arn:') ? {_regex('g')} : !g.contains(':policy/') ? '.*' : "
        f"'(customer/)?' + {_regex(_name_of_arn('g'))})"
    ),
    "strayPolicy": r"variables.policies.filter(p, !(p + '\n').matches(variables.policyLines))[0]",
    "management": "object.?spec.?iamRole.?managementPolicy.orValue('Create')",
    "managements": _of_rule("managementPolicies", "['Create']"),
    # The object's and the rule's, both as the name that they stand for.
    "boundaries": (
        "[object.?spec.?iamRole.?permissionsBoundary.orValue(''), "
        "variables.ruled ? variables.rules[0].?permissionsBoundary.orValue('') : '']"
        f".map(p, {_resolved('p')})"
    ),
    "allow": _of_rule("allow"),
}
"""CEL by name; each is worked out once, when it is first needed, from those before it."""


def matches_one(value: str, patterns: str) -> str:
    """Whether the value matches one of the patterns."""
    return f"{value}.matches('^(' + {patterns}.map(g, {_regex('g')}).join('|') + ')$')"
