"""What an IRSA's spec may hold: a page of `kubectl explain`, bounds and rules for each field.

Bounds and rules are kept apart from the types on purpose: objects that were stored before a rule existed must still be
read, edited and deleted.
"""

from __future__ import annotations

from typing import Final

from irsa_manager.api import grammar
from irsa_manager.api.structural import Field, Rule

_AUDIENCE_LISTED: Final = Rule(
    expression=(
        "!has(self.serviceAccount) || !has(self.serviceAccount.token) || !has(self.serviceAccount.token.audience) || "
        "!has(self.trust) || !has(self.trust.audiences) || "
        "self.trust.audiences.exists(a, a == self.serviceAccount.token.audience)"
    ),
    message=(
        "serviceAccount.token.audience isn't among trust.audiences, so the role would refuse the very tokens that its "
        "pods get. Add it to trust.audiences, or leave one of the two out."
    ),
)

_PATH_FIXED: Final = Rule(
    expression=(
        "!has(self.name) || !has(oldSelf.name) || self.name != oldSelf.name || "
        "(has(self.path) ? self.path : '/') == (has(oldSelf.path) ? oldSelf.path : '/')"
    ),
    message=(
        "the path of a role can't be changed: IAM has no call for it. Change iamRole.name as well, which makes a new "
        "role, or keep the path (absent means /)."
    ),
)

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

TABLE: Final[dict[str, Field]] = {
    "": Field(
        description=(
            "An IRSA gives ServiceAccounts an IAM role: irsa-manager makes the role, its trust policy and policies in "
            "AWS, makes or annotates the ServiceAccounts, and keeps all of it as written here. Pods that start under "
            "these ServiceAccounts get short-lived credentials of the role. Who may write IRSAs has access to AWS."
        ),
        rules=(
            Rule(
                expression="has(self.spec)",
                message=(
                    "an IRSA without spec asks for nothing. Write spec.cleanup, spec.serviceAccount and spec.iamRole."
                ),
                kept=True,
            ),
        ),
    ),
    "apiVersion": Field(description="Version of the API: irsa-manager.kkb0318.github.io/v1alpha1."),
    "kind": Field(description="IRSA."),
    "spec": Field(
        description="The role that is wanted, and who gets it.",
        rules=(
            Rule(
                expression="has(self.serviceAccount)",
                message="serviceAccount is missing: nobody could assume the role. Write its name and namespaces.",
                kept=True,
            ),
            Rule(
                expression="has(self.iamRole)",
                message="iamRole is missing: the ServiceAccounts need a role to get. Write iamRole.name.",
                kept=True,
            ),
            _AUDIENCE_LISTED,
        ),
    ),
    "spec.cleanup": Field(
        description=(
            "What happens to role and ServiceAccounts when this object is deleted. true: the role and the "
            "ServiceAccounts that irsa-manager made are deleted, those it found lose its annotations. false: all of it "
            "stays as it is, and isn't managed any more. Required, no default. May be changed at any time, also while "
            "the object is being deleted."
        )
    ),
    "spec.suspend": Field(
        description=(
            "true: nothing is written for this object, in AWS or in the cluster; drift isn't repaired, a deletion "
            "waits. Pods keep their credentials. For incidents and changes by hand. Default false."
        ),
        schema={"default": False},
    ),
    "spec.serviceAccount": Field(
        description=(
            "Which ServiceAccounts get the role. One that doesn't exist is made, one that exists is annotated; nothing "
            "else of it is touched."
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
    "spec.serviceAccount.namespaceSelector.matchLabels": Field(
        description="Labels that a namespace must have, with these values.",
        schema={"maxProperties": 16},
        rules=(grammar.keys("labels"),),
    ),
    "spec.serviceAccount.namespaceSelector.matchLabels{}": Field(
        schema={"maxLength": 63}, rules=(grammar.LABEL_VALUE,)
    ),
    "spec.serviceAccount.namespaceSelector.matchExpressions": Field(
        description="Conditions on labels, all of which must hold.",
        schema={"maxItems": 16, "x-kubernetes-list-type": "atomic"},
    ),
    "spec.serviceAccount.namespaceSelector.matchExpressions[]": Field(
        rules=(
            Rule(
                expression=(
                    "self.operator in ['In', 'NotIn'] ? has(self.values) && size(self.values) > 0 : "
                    "!has(self.values) || size(self.values) == 0"
                ),
                message=(
                    "In and NotIn compare with values, Exists and DoesNotExist don't. Add values, take them out, or "
                    "change the operator."
                ),
            ),
        )
    ),
    "spec.serviceAccount.namespaceSelector.matchExpressions[].key": Field(
        description="The label's key. Example: team.",
        schema={"minLength": 1, "maxLength": 317},
        rules=(grammar.LABEL_KEY,),
    ),
    "spec.serviceAccount.namespaceSelector.matchExpressions[].operator": Field(
        description="In, NotIn, Exists or DoesNotExist.",
        schema={"enum": ["In", "NotIn", "Exists", "DoesNotExist"]},
    ),
    "spec.serviceAccount.namespaceSelector.matchExpressions[].values": Field(
        description="Values for In and NotIn; none for Exists and DoesNotExist.",
        schema={"maxItems": 32, "x-kubernetes-list-type": "atomic"},
    ),
    "spec.serviceAccount.namespaceSelector.matchExpressions[].values[]": Field(schema={"maxLength": 63}),
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
    "spec.iamRole": Field(
        description=(
            "The IAM role. Attributes that are absent aren't managed: a role keeps what it has. Taking one out again "
            "takes back what irsa-manager had set."
        ),
        rules=(
            Rule(
                expression="has(self.name) && self.name != ''",
                message="iamRole.name is missing: the ServiceAccounts need a role to get. Write its name.",
                kept=True,
            ),
            _PATH_FIXED,
        ),
    ),
    "spec.iamRole.name": Field(
        description=(
            "Name of the role, 1 to 64 letters, digits and _+=,.@-, unique in the AWS account whatever its path and "
            "case. It must be free: a role that exists and wasn't made for this object is left alone (reason "
            "RoleExists). Example: irsa1-role. A change makes the new role first, moves the ServiceAccounts, then "
            "deletes the old one."
        ),
        schema={"maxLength": 64},
        rules=(grammar.ROLE_NAME,),
    ),
    "spec.iamRole.path": Field(
        description=(
            "Path of the role, beginning and ending with /. Example: /team-a/. Default: the one of the IRSASetup's "
            "roleDefaults, else /. Can't be changed while the name stays the same."
        ),
        schema={"minLength": 1, "maxLength": grammar.MAX_PATH},
        rules=(grammar.PATH,),
    ),
    "spec.iamRole.description": Field(
        description=(
            "Description of the role, for people, up to 1000 characters of Latin-1. Default: a new role's says which "
            "IRSA it belongs to."
        ),
        schema={"maxLength": 1000},
        rules=(grammar.DESCRIPTION,),
    ),
    "spec.iamRole.maxSessionDurationSeconds": Field(
        description=(
            "The longest session that a pod may ask for, in seconds, 3600 to 43200. Default: not managed; a new role "
            "has IAM's 3600."
        ),
        schema={"format": "int32", "minimum": 3600, "maximum": 43200},
    ),
    "spec.iamRole.permissionsBoundary": Field(
        description=(
            "Policy that bounds what the role may do, whatever is attached to it: a name or ARN, as in iamPolicies. "
            "Example: customer/base. Default: a new role gets the one of the IRSASetup's roleDefaults."
        ),
        schema={"minLength": 1, "maxLength": grammar.MAX_POLICY},
        rules=(grammar.POLICY_NAME,),
    ),
    "spec.iamRole.tags": Field(
        description=(
            "Tags of the role, at most 45 (AWS allows 50, irsa-manager sets a few of its own). Example: {team: a}. "
            "Default none. Other tags of the role are left alone; one that is taken out here is taken off."
        ),
        schema={"maxProperties": 45},
        rules=grammar.TAG_KEYS,
    ),
    "spec.iamRole.tags{}": Field(schema={"maxLength": 256}, rules=(grammar.TAG_VALUE,)),
    "spec.iamPolicies": Field(
        description=(
            "Managed policies attached to the role: the name of a policy of AWS (AmazonS3ReadOnlyAccess, "
            "service-role/NAME), customer/NAME or customer/PATH/NAME for one of the role's own account, or an ARN of "
            "any partition. At most 25, of which AWS allows 10 to begin with. Others that somebody attached to the "
            "role are detached. Default none."
        ),
        schema={"maxItems": 25},
        rules=(grammar.unique("policies"),),
    ),
    "spec.iamPolicies[]": Field(schema={"maxLength": grammar.MAX_POLICY}, rules=(grammar.POLICY_NAME,)),
    "spec.inlinePolicies": Field(
        description=(
            "Inline policies of the role by name: IAM policy documents, as YAML or pasted JSON. At most 10, of 10240 "
            "characters together. Inline policies that others gave the role are kept and reported. Example: "
            '{read-bucket: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "s3:GetObject", Resource: '
            '"arn:aws:s3:::b/*"}]}}. Default none.'
        ),
        schema={
            "maxProperties": 10,
            "additionalProperties": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        },
        rules=(
            Rule(
                expression=f"self.all(k, size(k) <= 128 && {grammar.matches(grammar.IAM_NAME, 'k')})",
                message=(
                    "a name isn't one that IAM takes for an inline policy: 1 to 128 letters, digits and _+=,.@-. "
                    "Rename it."
                ),
            ),
            Rule(
                expression="self.all(a, self.all(b, a == b || a.lowerAscii() != b.lowerAscii()))",
                message="IAM takes names that differ only in case for the same policy. Rename one of them.",
            ),
        ),
    ),
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
