"""Who gets the role of an IRSA: the fields serviceAccount and trust of its spec."""

from __future__ import annotations

from typing import Final

from irsa_manager.api import grammar
from irsa_manager.api.selector_fields import label_selector
from irsa_manager.api.structural import Field, Rule

_NO_GLOBS_ELSEWHERE: Final = Rule(
    expression=(
        "!has(self.additionalProviders) || has(self.subjectMatch) && self.subjectMatch == 'Pattern' || "
        "self.additionalProviders.all(p, !has(p.namespaces) || "
        "p.namespaces.all(n, !n.contains('*') && !n.contains('?')))"
    ),
    message=(
        "the namespaces of another cluster can't be listed from here, so a pattern in additionalProviders would match "
        "nothing. Write the names out, or set trust.subjectMatch: Pattern."
    ),
    at=".additionalProviders",
)

_UNUSED: Final = (
    "[has(self.labels) && size(self.labels) > 0 ? 'labels' : '', "
    "has(self.annotations) && size(self.annotations) > 0 ? 'annotations' : '', "
    "has(self.stsRegionalEndpoints) ? 'stsRegionalEndpoints' : '', "
    "has(self.token) && has(self.token.expirationSeconds) ? 'token.expirationSeconds' : '']"
    ".filter(n, n != '')"
)

_NOTHING_FOR_NONE: Final = Rule(
    expression=(f"!has(self.managementPolicy) || self.managementPolicy != 'None' || size({_UNUSED}) == 0"),
    message=(
        "with managementPolicy None nothing is written to ServiceAccounts, so labels, annotations, "
        "stsRegionalEndpoints and token.expirationSeconds would have no effect. Take them out (token.audience may "
        "stay: the role's trust policy asks for it), or choose Create or Annotate."
    ),
    detailed=(
        f"{_UNUSED}[0] + ' would have no effect: with managementPolicy None nothing is written to "
        "ServiceAccounts. Take it out and annotate them yourself, or choose Create or Annotate.'"
    ),
)

TABLE: Final[dict[str, Field]] = {
    "spec.serviceAccount": Field(
        description=(
            "Which ServiceAccounts get the role. By default one that doesn't exist is made, one that exists is "
            "annotated; nothing else of it is touched. managementPolicy says otherwise."
        ),
        rules=(
            Rule(
                expression="has(self.name) && self.name != ''",
                message="serviceAccount.name is missing: the trust policy names a ServiceAccount. Write its name.",
                kept=True,
            ),
            Rule(
                expression="has(self.namespaces) && size(self.namespaces) > 0 || has(self.namespaceSelector)",
                message=(
                    "no namespace: a ServiceAccount lives in one, and a role that none may assume is of no use. Write "
                    "serviceAccount.namespaces or serviceAccount.namespaceSelector."
                ),
                kept=True,
            ),
            _NOTHING_FOR_NONE,
        ),
    ),
    "spec.serviceAccount.name": Field(
        description=(
            "Name of the ServiceAccount, the same in each namespace. Example: irsa1-sa. After a change new ones are "
            "bound first, then the old ones are released."
        ),
        schema={"maxLength": 253},
        rules=(grammar.service_account_name(),),
    ),
    "spec.serviceAccount.additionalNames": Field(
        description=(
            "More ServiceAccounts, in the same namespaces, that get the same role; for add-ons that have two, such as "
            "a controller and a node agent. At most 10. Default none."
        ),
        schema={"maxItems": 10, "x-kubernetes-list-type": "set"},
    ),
    "spec.serviceAccount.additionalNames[]": Field(
        schema={"minLength": 1, "maxLength": 253}, rules=(grammar.service_account_name(),)
    ),
    "spec.serviceAccount.namespaces": Field(
        description=(
            "Namespaces of the ServiceAccounts: names, or patterns with * and ?, such as team-*. A pattern never "
            "matches kube-* namespaces or the operator's own, those have to be named. Namespaces that come to exist "
            "later follow by themselves; one that doesn't exist isn't in the trust policy. At most 300. Together with "
            "namespaceSelector both count. Taking one out releases its ServiceAccount."
        ),
        schema={"maxItems": 300},
        rules=(grammar.unique("namespaces"),),
    ),
    "spec.serviceAccount.namespaces[]": Field(schema={"maxLength": 63}, rules=(grammar.NAMESPACE_GLOB,)),
    "spec.serviceAccount.namespaceSelector": Field(
        description=(
            "Namespaces by their labels, in addition to namespaces. It never selects kube-* namespaces or the "
            "operator's own. Whoever may label a namespace decides who gets the role. Example: {matchLabels: {team: "
            "a}}. Default none; an empty selector, which would mean every namespace, is refused."
        ),
        rules=(
            Rule(
                expression=(
                    "has(self.matchLabels) && size(self.matchLabels) > 0 || "
                    "has(self.matchExpressions) && size(self.matchExpressions) > 0"
                ),
                message=(
                    "an empty namespaceSelector would give the role to every namespace, also to those made later. Name "
                    "a label in matchLabels or matchExpressions, or leave it out."
                ),
            ),
        ),
    ),
    **label_selector("spec.serviceAccount.namespaceSelector"),
    "spec.serviceAccount.managementPolicy": Field(
        description=(
            "What is done about the ServiceAccounts. Create: one that is missing is made. Annotate: one that is "
            "missing is waited for (reason ServiceAccountMissing), for those that a Helm chart makes; irsa-manager "
            "never makes it. None: only the role and its trust policy are looked after, you annotate the "
            "ServiceAccounts yourself. Default Create. A change to None leaves those that are bound as they are."
        ),
        schema={"default": "Create"},
    ),
    "spec.serviceAccount.token": Field(
        description=(
            "The token that pods of the ServiceAccounts get, written as annotations for the pod identity webhook. What "
            "is absent isn't written: the cluster's defaults hold."
        )
    ),
    "spec.serviceAccount.token.audience": Field(
        description=(
            "For whom the token is made. It must be a client id of the cluster's OIDC provider, and among "
            "trust.audiences if those are given. Written as annotation eks.amazonaws.com/audience. Example: "
            "sts.amazonaws.com. No default: the cluster's, which is sts.amazonaws.com. A change reaches pods when they "
            "restart."
        ),
        schema={"minLength": 1, "maxLength": 255},
    ),
    "spec.serviceAccount.token.expirationSeconds": Field(
        description=(
            "How long a token lives, in seconds, 600 to 86400; the kubelet renews it in time. Written as annotation "
            "eks.amazonaws.com/token-expiration. No default: the cluster's, usually 86400. A change reaches pods when "
            "they restart."
        ),
        schema={"format": "int32", "minimum": 600, "maximum": 86400},
    ),
    "spec.serviceAccount.stsRegionalEndpoints": Field(
        description=(
            "Whether SDKs in the pods ask the STS of their own Region (true) or the global one (false). Written as "
            "annotation eks.amazonaws.com/sts-regional-endpoints. No default: the cluster's. A change reaches pods "
            "when they restart."
        )
    ),
    "spec.serviceAccount.labels": Field(
        description=(
            "Labels of ServiceAccounts that irsa-manager makes; one that it finds keeps its own. Example: {team: a}. "
            "Default none. At most 50."
        ),
        schema={"maxProperties": 50},
        rules=grammar.metadata_keys("labels"),
    ),
    "spec.serviceAccount.labels{}": Field(schema={"maxLength": 63}, rules=(grammar.LABEL_VALUE,)),
    "spec.serviceAccount.annotations": Field(
        description=(
            "Annotations of ServiceAccounts that irsa-manager makes; one that it finds gets the binding's annotations "
            "only. Default none. At most 50, of up to 4096 characters each."
        ),
        schema={"maxProperties": 50},
        rules=grammar.metadata_keys("annotations"),
    ),
    "spec.serviceAccount.annotations{}": Field(schema={"maxLength": 4096}),
    "spec.trust": Field(
        description="What the role's trust policy asks of a token, beyond coming from this cluster's ServiceAccounts.",
        rules=(_NO_GLOBS_ELSEWHERE,),
    ),
    "spec.trust.audiences": Field(
        description=(
            "Audiences of which a token must have one, 1 to 5. Default: serviceAccount.token.audience, else the client "
            "ids of the cluster's OIDC provider, else sts.amazonaws.com."
        ),
        schema={"minItems": 1, "maxItems": 5, "x-kubernetes-list-type": "set"},
    ),
    "spec.trust.audiences[]": Field(schema={"minLength": 1, "maxLength": 255}),
    "spec.trust.subjectMatch": Field(
        description=(
            "Exact: the trust policy lists every ServiceAccount by namespace and name. Pattern: patterns in namespaces "
            "are written into it as they are (StringLike), which is shorter, but gives the role to namespaces that "
            "somebody makes later: whoever may create one that matches gets the role. Default Exact."
        ),
        schema={"default": "Exact"},
    ),
    "spec.trust.additionalProviders": Field(
        description=(
            "Other clusters whose ServiceAccounts may assume the role too; their issuers must be OIDC providers of the "
            "same AWS account. The ServiceAccounts there are annotated by you. At most 10. Default none."
        ),
        schema={"maxItems": 10, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["issuer"]},
        rules=(grammar.ISSUERS_BY_SPELLING,),
    ),
    "spec.trust.additionalProviders[]": Field(description="Another cluster."),
    "spec.trust.additionalProviders[].issuer": Field(
        description="Its issuer: host and path, or the same with https:// in front. Example: oidc.example.com/b.",
        schema={"minLength": 1, "maxLength": grammar.MAX_ISSUER},
        rules=(grammar.ISSUER,),
    ),
    "spec.trust.additionalProviders[].serviceAccountNames": Field(
        description="Its ServiceAccounts. Default: serviceAccount.name and additionalNames.",
        schema={"maxItems": 11, "x-kubernetes-list-type": "set"},
    ),
    "spec.trust.additionalProviders[].serviceAccountNames[]": Field(
        schema={"minLength": 1, "maxLength": 253}, rules=(grammar.service_account_name(),)
    ),
    "spec.trust.additionalProviders[].namespaces": Field(
        description=(
            "Its namespaces; patterns only with subjectMatch: Pattern, since they can't be listed from here. Default: "
            "the namespaces of this object."
        ),
        schema={"maxItems": 100, "x-kubernetes-list-type": "set"},
    ),
    "spec.trust.additionalProviders[].namespaces[]": Field(schema={"maxLength": 63}, rules=(grammar.NAMESPACE_GLOB,)),
    "spec.trust.conditions": Field(
        description=(
            "More conditions, all of which every statement of the trust policy demands. At most 10. Example: "
            "{operator: StringEquals, key: aws:SourceVpc, values: [vpc-1]}. Keys that STS doesn't set for a "
            "ServiceAccount's token are refused. Default none."
        ),
        schema={
            "maxItems": 10,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["operator", "key"],
        },
        rules=(grammar.CONDITIONS_BY_CASE,),
    ),
    "spec.trust.conditions[]": Field(description="A condition.", rules=grammar.CONDITION),
    "spec.trust.conditions[].operator": Field(
        description="Condition operator of IAM. Example: StringEquals, IpAddress, StringLikeIfExists.",
        schema={"minLength": 1, "maxLength": 64},
        rules=(grammar.OPERATOR,),
    ),
    "spec.trust.conditions[].key": Field(
        description=(
            "Condition key: aws:SourceIp, aws:SourceVpc, aws:SourceVpce, aws:VpcSourceIp, aws:RequestedRegion, "
            "aws:CurrentTime, aws:EpochTime, aws:SecureTransport, aws:UserAgent, sts:RoleSessionName, or an issuer's "
            "ISSUER:amr, ISSUER:oaud, ISSUER:email (Kubernetes' own tokens carry none of these three)."
        ),
        schema={"minLength": 1, "maxLength": 320},
    ),
    "spec.trust.conditions[].values": Field(
        description="Values, of which one must match.",
        schema={"minItems": 1, "maxItems": 50, "x-kubernetes-list-type": "atomic"},
    ),
    "spec.trust.conditions[].values[]": Field(schema={"maxLength": 512}),
}
