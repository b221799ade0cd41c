"""What IRSAs outside the operator's namespace may ask for: the field tenancy of an IRSASetup's spec.

Every list and every text is bounded: the check at admission (api/tenancy_policy.py) multiplies their lengths, and must
stay within the cost that the API server grants a policy even for the longest ones.
"""

from __future__ import annotations

from typing import Any, Final

from irsa_manager.api import grammar
from irsa_manager.api.selector_fields import label_selector
from irsa_manager.api.structural import Field, Rule

MAX_RULES: Final = 128
MAX_PATTERNS: Final = 32
MAX_POLICY_PATTERN: Final = 128
MAX_PATH_PATTERN: Final = 256

ALLOWANCES: Final = ("AdditionalProviders", "Audiences", "TrustConditions", "SubjectPattern", "NamespaceGlobs", "Tags")
"""The words of `allow`: what a rule opens beside names."""

_RULE: Final = "spec.tenancy.rules[]"
_PATTERNS: Final[dict[str, Any]] = {"maxItems": MAX_PATTERNS, "x-kubernetes-list-type": "set"}

TABLE: Final[dict[str, Field]] = {
    "spec.tenancy": Field(
        description=(
            "What IRSAs outside the operator's namespace may ask for. The first rule that selects an IRSA's namespace "
            "holds, else default. Those in the operator's namespace may ask for everything; ServiceAccounts in kube-* "
            "and in the operator's namespace are reached from there only, whatever is written here. Bindings that "
            "exist are kept when a rule is taken away; nothing new is made (reason TenancyDenied)."
        )
    ),
    "spec.tenancy.default": Field(
        description=(
            "For namespaces that no rule selects. Deny: their IRSAs get nothing. OwnNamespace: ServiceAccounts of "
            "their own namespace, with any role name and any policy, inline ones too; that is every permission of the "
            "AWS account for whoever may write IRSAs there. Unrestricted: everything. Default Deny."
        ),
        schema={"default": "Deny"},
    ),
    "spec.tenancy.rules": Field(
        description="Rules, the first that selects the IRSA's namespace holds. At most 128. Default none.",
        schema={"maxItems": MAX_RULES, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    ),
    _RULE: Field(description="A rule.", schema={"required": ["name", "namespaceSelector"]}),
    f"{_RULE}.name": Field(
        description="Name of the rule, for messages; unique. Example: team-a.",
        schema={"minLength": 1, "maxLength": 63},
        rules=(
            Rule(
                expression=grammar.matches(grammar.LABEL),
                message=(
                    "not a name for a rule: lower-case letters, digits and '-', beginning and ending with a letter or "
                    "digit."
                ),
            ),
        ),
    ),
    f"{_RULE}.namespaceSelector": Field(
        description=(
            "Which namespaces the rule is for, by their labels. Required; {} is every namespace that no rule before it "
            "selects. Whoever may label a namespace decides which rule holds for it; the label "
            "kubernetes.io/metadata.name is the API server's own. Example: {matchLabels: {team: a}}."
        )
    ),
    **label_selector(f"{_RULE}.namespaceSelector"),
    f"{_RULE}.targetNamespaces": Field(
        description=(
            "Namespaces whose ServiceAccounts may be bound, here and in trust.additionalProviders: names, or patterns "
            "with * and ?. At most 32. Default: only the IRSA's own namespace. Example: [team-a-*]."
        ),
        schema=_PATTERNS,
    ),
    f"{_RULE}.targetNamespaces[]": Field(schema={"maxLength": 63}, rules=(grammar.NAMESPACE_LIMIT,)),
    f"{_RULE}.roleNames": Field(
        description=(
            "Role names that may be used, with * and ?; case doesn't count, as in IAM. At most 32. Default: any; give "
            "each team a prefix of its own, or one can take the other's names. Example: [team-a-*]."
        ),
        schema=_PATTERNS,
    ),
    f"{_RULE}.roleNames[]": Field(schema={"minLength": 1, "maxLength": 64}, rules=(grammar.ROLE_NAME_LIMIT,)),
    f"{_RULE}.rolePaths": Field(
        description=(
            "Paths of roles that may be used, with * and ?, of which * matches / as well. An IRSA that names no path "
            "has that of roleDefaults. At most 32. Default: any. Example: [/team-a/]."
        ),
        schema=_PATTERNS,
    ),
    f"{_RULE}.rolePaths[]": Field(
        schema={"minLength": 1, "maxLength": MAX_PATH_PATTERN}, rules=(grammar.ROLE_PATH_LIMIT,)
    ),
    f"{_RULE}.policies": Field(
        description=(
            "Managed policies that may be attached, as iamPolicies names them, with * and ?; an ARN is compared as the "
            "name it stands for, and one of another account or partition only matches a pattern of ARNs. At most 32, "
            "of up to 128 characters. Default: none. Example: [customer/team-a-*, AmazonS3ReadOnlyAccess]."
        ),
        schema=_PATTERNS,
    ),
    f"{_RULE}.policies[]": Field(
        schema={"minLength": 1, "maxLength": MAX_POLICY_PATTERN}, rules=(grammar.POLICY_LIMIT,)
    ),
    f"{_RULE}.inlinePolicies": Field(
        description=(
            "Whether inline policies may be written: Allow or Deny. No pattern can judge a document, so Allow means "
            "every permission, but for what permissionsBoundary takes away. Default Deny."
        ),
        schema={"default": "Deny"},
    ),
    f"{_RULE}.managementPolicies": Field(
        description=(
            "Values of iamRole.managementPolicy that may be used: Create, Adopt, Reference. Adopt also needs the tag "
            "irsa-manager.kkb0318.github.io/adopt-by on the role, set by who owns it. Default [Create]."
        ),
        schema={"minItems": 1, "maxItems": 3, "x-kubernetes-list-type": "set", "default": ["Create"]},
    ),
    f"{_RULE}.managementPolicies[]": Field(schema={"enum": ["Create", "Adopt", "Reference"]}),
    f"{_RULE}.allow": Field(
        description=(
            "What else may be used. AdditionalProviders: trust.additionalProviders. Audiences: audiences other than "
            "sts.amazonaws.com. TrustConditions: trust.conditions. SubjectPattern: trust.subjectMatch Pattern. "
            "NamespaceGlobs: patterns and selectors of namespaces. Tags: iamRole.tags, which may open other people's "
            "resources where access goes by tags. Default none."
        ),
        schema={"maxItems": len(ALLOWANCES), "x-kubernetes-list-type": "set"},
    ),
    f"{_RULE}.allow[]": Field(schema={"enum": list(ALLOWANCES)}),
    f"{_RULE}.permissionsBoundary": Field(
        description=(
            "Permissions boundary that every role of these IRSAs gets: a policy's name or ARN, as in iamPolicies. An "
            "IRSA that names another is refused. Example: customer/team-a-boundary. Default: none of the rule's."
        ),
        schema={"maxLength": grammar.MAX_POLICY},
        rules=(
            Rule(expression=f"self == '' || {grammar.POLICY_NAME.expression}", message=grammar.POLICY_NAME.message),
        ),
    ),
}
