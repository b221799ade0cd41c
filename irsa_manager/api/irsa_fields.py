"""What an IRSA's spec may hold: a page of `kubectl explain`, bounds and rules for each field.

Bounds and rules are kept apart from the types on purpose: objects that were stored before a rule existed must still be
read, edited and deleted.
"""

from __future__ import annotations

from typing import Final

from irsa_manager.api import binding_fields, grammar
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

_WRITES: Final = (
    "[has(self.iamPolicies) && size(self.iamPolicies) > 0 ? 'iamPolicies' : '', "
    "has(self.inlinePolicies) && size(self.inlinePolicies) > 0 ? 'inlinePolicies' : '', "
    "has(self.iamRole.description) ? 'iamRole.description' : '', "
    "has(self.iamRole.maxSessionDurationSeconds) ? 'iamRole.maxSessionDurationSeconds' : '', "
    "has(self.iamRole.permissionsBoundary) ? 'iamRole.permissionsBoundary' : '', "
    "has(self.iamRole.tags) && size(self.iamRole.tags) > 0 ? 'iamRole.tags' : '', "
    "has(self.trust) && has(self.trust.audiences) ? 'trust.audiences' : '', "
    "has(self.trust) && has(self.trust.subjectMatch) && self.trust.subjectMatch != 'Exact' "
    "? 'trust.subjectMatch' : '', "
    "has(self.trust) && has(self.trust.additionalProviders) && size(self.trust.additionalProviders) > 0 "
    "? 'trust.additionalProviders' : '', "
    "has(self.trust) && has(self.trust.conditions) && size(self.trust.conditions) > 0 ? 'trust.conditions' : '']"
    ".filter(n, n != '')"
)

_REFERENCE_ONLY_LOOKS: Final = Rule(
    expression=(
        "!has(self.iamRole) || !has(self.iamRole.managementPolicy) || self.iamRole.managementPolicy != 'Reference' "
        f"|| size({_WRITES}) == 0"
    ),
    message=(
        "with iamRole.managementPolicy Reference the role is never written, so policies, tags, boundary, description, "
        "session duration and trust would have no effect. Take them out, or choose Create or Adopt."
    ),
    at=".iamRole.managementPolicy",
    detailed=(
        f"{_WRITES}[0] + ' would have no effect: with iamRole.managementPolicy Reference the role is never "
        "written. Take it out, or choose Create or Adopt.'"
    ),
)

_TABLE: Final[dict[str, Field]] = {
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
            _REFERENCE_ONLY_LOOKS,
        ),
    ),
    "spec.cleanup": Field(
        description=(
            "What happens to role and ServiceAccounts when this object is deleted. true: the role and the "
            "ServiceAccounts that irsa-manager made are deleted, those it found lose its annotations; an adopted role "
            "gets back what it had, a referenced one is left alone. false: all of it stays as it is, and isn't managed "
            "any more. Required, no default. May be changed at any time, also while the object is being deleted."
        )
    ),
    "spec.suspend": Field(
        description=(
            "true: nothing is written for this object, in AWS or in the cluster; drift isn't repaired, a deletion "
            "waits. Pods keep their credentials. For incidents and changes by hand. Default false."
        ),
        schema={"default": False},
    ),
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
            "case. A role that exists and wasn't made for this object is left alone (reason RoleExists) unless "
            "managementPolicy says otherwise. Outside the operator's namespace IRSASetup.spec.tenancy says which names "
            "are allowed. Example: irsa1-role. A change makes the new role first, moves the ServiceAccounts, then "
            "deletes the old one."
        ),
        schema={"maxLength": 64},
        rules=(grammar.ROLE_NAME,),
    ),
    "spec.iamRole.path": Field(
        description=(
            "Path of the role, beginning and ending with /. Example: /team-a/. Default: the one of the IRSASetup's "
            "roleDefaults, else /. Can't be changed while the name stays the same. With managementPolicy Reference: "
            "where the role is, needed only if the manager may not read roles."
        ),
        schema={"minLength": 1, "maxLength": grammar.MAX_PATH},
        rules=(grammar.PATH,),
    ),
    "spec.iamRole.managementPolicy": Field(
        description=(
            "What is done about the role. Create: it is made; one that exists and wasn't made for this object is left "
            "alone (reason RoleExists). Adopt: one that exists is taken over as well, its trust policy and policies "
            "replaced by what is written here; what it had is kept in status.adoption and given back at the end; an "
            "adopted role is never deleted. Reference: it is used as it is and never written; whether its trust policy "
            "lets the ServiceAccounts in is checked (reason TrustRefuses). Default Create. Outside the operator's "
            "namespace Adopt and Reference need a rule of IRSASetup.spec.tenancy, and Adopt a tag on the role itself, "
            "which the refusal prints."
        ),
        schema={"default": "Create"},
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
            "Example: customer/base. Default: the one that a rule of the IRSASetup's tenancy demands (another is "
            "refused), else a new role gets the one of its roleDefaults."
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
            Rule(
                expression="self.all(k, !k.lowerAscii().startsWith('awsrevokeoldersessions'))",
                message=(
                    "AWSRevokeOlderSessions is the name of the policy by which the console revokes sessions; an IRSA "
                    "that had one of that name would undo it. Rename it."
                ),
            ),
        ),
    ),
}

TABLE: Final[dict[str, Field]] = _TABLE | binding_fields.TABLE
"""All fields of an IRSA but its status."""
