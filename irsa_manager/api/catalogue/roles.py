"""Reasons of an IRSA that concern its role in IAM, or all of the object.

Causes: IAM API reference, "Errors" of the operation named in each; IAM User Guide, "IAM and AWS STS quotas".
"""

from typing import Final

from irsa_manager.api.reason import Reason

REASONS: Final = (
    Reason(
        code="IRSAReady",
        kinds=("Ready", "RoleReady", "ServiceAccountsReady"),
        severity="normal",
        summary="Role, trust policy, policies and ServiceAccounts are as the object asks.",
        meaning=(
            "Everything that the object asks for was written to IAM and to the cluster, or found there. Pods that "
            "start now under a bound ServiceAccount get credentials of the role. STS may refuse a role for about ten "
            "seconds after it was made; the message says so for the first fifteen."
        ),
        what="Role {role} ({account}) trusts {service_accounts:ServiceAccount}; {policies:policy} attached. "
        "Issuer from {source}.",
    ),
    Reason(
        code="Progressing",
        kinds=("Ready", "RoleReady", "ServiceAccountsReady"),
        severity="normal",
        summary="The present generation of the object is being applied.",
        meaning=(
            "The object was made, changed or deleted, and the controller hasn't finished. This lasts a few seconds; "
            "longer only while AWS or the API server asks for patience, which the other conditions then say."
        ),
        steps=("Wait. If nothing changes for a minute, look whether the controller runs and holds its Lease.",),
        what="Generation {generation} is being applied.",
    ),
    Reason(
        code="Suspended",
        kinds=("Ready",),
        severity="normal",
        summary="spec.suspend is true: nothing is written for this object, drift isn't repaired.",
        meaning=(
            "An author set spec.suspend. Role and ServiceAccounts stay as they are and pods keep working, but changes "
            "to the object, and changes made behind its back, have no effect. A deletion waits as well."
        ),
        steps=("Set spec.suspend to false to go on.",),
        what="Suspended; {last_ready}.",
        left="Nothing is written, drift isn't repaired, a deletion waits.",
        next="Set spec.suspend: false to go on.",
    ),
    Reason(
        code="Released",
        kinds=("Ready",),
        severity="normal",
        summary="The object was given up with `irsa-manager release`: nobody looks after its role.",
        meaning=(
            "The object bears the annotation irsa-manager.kkb0318.github.io/release. Its role, policies and "
            "ServiceAccounts were left as they were, an adopted role got back what it had, and the finalizer is off. "
            "Pods keep working, but drift isn't repaired, changes of the object have no effect, and deleting it "
            "removes nothing else."
        ),
        steps=(
            "Delete the object if its role is looked after elsewhere.",
            "Or take the annotation off, `kubectl annotate irsa NAME irsa-manager.kkb0318.github.io/release-`: the "
            "object takes its role up again by the mark.",
        ),
        what="Released; it had {role}.",
        left="All is as it was; nobody looks after it.",
        next="Delete the object, or take the annotation irsa-manager.kkb0318.github.io/release off to go on.",
    ),
    Reason(
        code="RoleExists",
        kinds=("Ready", "RoleReady", "Stalled", "event"),
        stalled=True,
        summary="A role of that name exists and wasn't made for this object.",
        meaning=(
            "Role names are unique in an account, whatever their path and case. The role doesn't carry the mark that "
            "this manager puts on the roles it makes, so it belongs to somebody else: to a person, Terraform, another "
            "cluster. It is neither changed nor bound, since that would take it away from its owner. Roles of the Go "
            "program before us carry no mark either; in the operator's namespace they are "
            "taken over by themselves, elsewhere an administrator says so once."
        ),
        steps=(
            "Choose another spec.iamRole.name.",
            "Or set spec.iamRole.managementPolicy: Adopt takes the role over (its trust policy and policies are "
            "replaced, and given back at the end), Reference uses it as it is and never writes it. Outside the "
            "operator's namespace both need a rule of the IRSASetup's tenancy.",
            "If the Go program made it: an administrator runs `irsa-manager adopt --all-mine`, which lists first.",
            "Or delete the role, if you know that nothing uses it: `aws iam get-role --role-name ROLE` shows when it "
            "was made and last used. The object then goes on by itself.",
        ),
        what="Role {role} exists in {account} and wasn't made by this object ({evidence}).",
        left="It was left untouched and no ServiceAccount annotated.",
        next="Choose another iamRole.name, or set iamRole.managementPolicy: Adopt (take it over) or Reference (use it "
        "as it is).",
    ),
    Reason(
        code="Conflict",
        kinds=("Ready", "RoleReady", "ServiceAccountsReady", "Stalled", "event"),
        stalled=True,
        summary="Another IRSA holds the same role or the same ServiceAccount.",
        meaning=(
            "A role belongs to one IRSA, and a ServiceAccount can name one role only. Who holds it keeps it: first "
            "whose mark the role bears, then the older object. Nothing was written for the other one. An object of "
            "another namespace isn't named to whoever may not read it."
        ),
        steps=(
            "Rename the role or the ServiceAccount in one of the two objects.",
            "Or add this ServiceAccount to the other object: spec.serviceAccount.additionalNames, or its namespace to "
            "spec.serviceAccount.namespaces.",
        ),
        what="{thing} is held by {holder}.",
        left="{left}",
        next="Rename one of the two, or add this ServiceAccount to the other object (additionalNames, namespaces).",
    ),
    Reason(
        code="OwnershipUnknown",
        kinds=("Ready", "RoleReady", "Stalled", "event"),
        stalled=True,
        summary="The role exists, and whether this manager made it can't be seen.",
        meaning=(
            "The mark that says whose a role is can only be read with iam:GetRole or "
            "iam:GetAccountAuthorizationDetails. The manager may do neither, or the Secret with the key that its "
            "marks are checked with is gone. To be safe the role is treated as somebody else's."
        ),
        steps=(
            "Grant the manager iam:GetRole (better still iam:GetAccountAuthorizationDetails).",
            "Or restore Secret irsa-manager-mark in the operator's namespace from your backup.",
            "If the key is lost: an administrator runs `irsa-manager adopt --all-mine`, which lists the roles first "
            "and signs them anew.",
            "Or set spec.iamRole.managementPolicy: Adopt, or choose another spec.iamRole.name.",
        ),
        what="Role {role} exists in {account}; whether we made it can't be seen: {cause}.",
        left="It was left untouched and no ServiceAccount annotated.",
        next="{fix}",
    ),
    Reason(
        code="RoleNotFound",
        kinds=("Ready", "RoleReady", "Stalled", "event"),
        stalled=True,
        summary="The role that the object refers to doesn't exist.",
        meaning=(
            "With spec.iamRole.managementPolicy Reference the role is used as it is and never made. There is no role "
            "of that name in the account that the manager's credentials are of. ServiceAccounts stay as they were."
        ),
        steps=(
            "Check the spelling of spec.iamRole.name, and the account: `aws sts get-caller-identity`.",
            "Make the role; the object goes on by itself.",
            "Or have it made: managementPolicy Create, with the policies it should have.",
        ),
        what="Role {role} doesn't exist in {account}, and managementPolicy is Reference.",
        left="Nothing was made and no ServiceAccount annotated.",
        next="Make the role, mend iamRole.name, or set iamRole.managementPolicy: Create.",
    ),
    Reason(
        code="TrustRefuses",
        kinds=("Ready", "RoleReady", "Stalled", "event"),
        stalled=True,
        summary="The trust policy of a referenced role doesn't let a ServiceAccount in.",
        meaning=(
            "With spec.iamRole.managementPolicy Reference the trust policy is its owner's, and is only read. It was "
            "held against the token that pods of the ServiceAccount get: STS would answer AccessDenied. Conditions "
            "that depend on the request, such as aws:SourceIp, can't be judged and aren't the cause."
        ),
        steps=(
            "Ask who owns the role to add the statement that the message shows, or the subject to one that is there.",
            "Issuer, audience and subject must agree to the letter; case counts.",
        ),
        what="Referenced role {role} doesn't trust {subject} of this cluster's issuer: {why}.",
        left="The role is never written; the ServiceAccounts are annotated.",
        next="{add}",
    ),
    Reason(
        code="TenancyDenied",
        kinds=("Ready", "Stalled", "event"),
        stalled=True,
        summary="What the object asks for isn't open to its namespace.",
        meaning=(
            "Who may write IRSAs gets access to AWS, so outside the operator's namespace nothing is allowed until "
            "spec.tenancy of the IRSASetup opens it. The first rule that selects the namespace holds, else "
            "spec.tenancy.default. Bindings that exist are kept, so that a changed rule stops no pod; nothing new is "
            "made. ServiceAccounts in kube-* and in the operator's namespace can be bound from there only."
        ),
        steps=(
            "Change the object so that it keeps what the message says is allowed.",
            "Or ask who owns the IRSASetup to allow it; the message shows the line.",
            "For an adoption: have the role's owner set the tag that the message shows.",
        ),
        what="{rule} doesn't allow {what} (allowed: {allowed}).",
        left="Existing bindings were kept, nothing new was made.",
        next="{opens}",
    ),
    Reason(
        code="PolicyNotFound",
        kinds=("Ready", "RoleReady", "Stalled", "event", "command"),
        stalled=True,
        summary="A policy that the object names doesn't exist.",
        meaning=(
            "IAM knows no policy of that ARN in this partition, or it can't be attached. A bare name in "
            "spec.iamPolicies means a policy of AWS; one of your own account is written customer/NAME, or "
            "customer/PATH/NAME. The same goes for spec.iamRole.permissionsBoundary."
        ),
        steps=(
            "Check the spelling; names are case-sensitive: `aws iam list-policies --query 'Policies[].Arn'`.",
            "For a policy of your own account write customer/NAME or its full ARN.",
        ),
        what="{missing} or can't be attached.",
        left="{left}",
        next="Check its spelling and case; a policy of your own account is written customer/[PATH/]NAME.",
    ),
    Reason(
        code="MalformedDocument",
        kinds=("Ready", "RoleReady", "Stalled", "event", "command"),
        stalled=True,
        summary="IAM refuses a policy document.",
        meaning=(
            "IAM's grammar of policies is stricter than JSON. The message carries IAM's own words. For the trust "
            "policy the cause is in spec.trust, or an OIDC provider of that name can't be named; for an inline policy "
            "in the document itself. What was in force before still is."
        ),
        steps=(
            "Read IAM's text; it names the element.",
            "`aws accessanalyzer validate-policy --policy-type IDENTITY_POLICY --policy-document FILE` says more.",
        ),
        what="IAM refuses {document} of role {role}: {error}",
        left="What was in force before still is.",
        next="Mend the document in the object.",
    ),
    Reason(
        code="QuotaExceeded",
        kinds=("Ready", "RoleReady", "Stalled", "event", "command"),
        stalled=True,
        summary="A quota of the AWS account is used up.",
        meaning=(
            "IAM limits roles per account, managed policies per role, and the characters of all inline policies of a "
            "role together (10,240, which can't be raised). The message carries the number in force. What fitted is "
            "in place."
        ),
        steps=(
            "Policies per role: merge some into one, or move one to spec.inlinePolicies.",
            "Else raise the quota in Service Quotas (IAM's quotas are found in us-east-1).",
        ),
        what="Role {role}: {quota}.",
        left="What fitted is in place.",
        next="Ask for less, or raise the quota in Service Quotas.",
    ),
    Reason(
        code="TrustTooLarge",
        kinds=("Ready", "RoleReady", "Stalled", "event", "command"),
        stalled=True,
        summary="The trust policy is longer than the account's quota.",
        meaning=(
            "Each ServiceAccount, a name in a namespace, is one line of the role's trust policy, whose length AWS "
            "limits to 2,048 characters at first and up to 8,192 on request. Subjects are listed in one statement "
            "already. IAM's own count decides; it differs a little from the document's length."
        ),
        steps=(
            "Raise the quota `Role trust policy length` in Service Quotas (us-east-1).",
            "Or split the object in two, each with a role of its own.",
            "Or set spec.trust.subjectMatch: Pattern, and read what that opens: whoever may create a namespace that "
            "matches gets the role.",
        ),
        what="The trust policy of role {role} needs about {size:,} characters for {subjects:subject}; the limit is "
        "{limit:,}{over}.",
        left="{left}",
        next="Raise the quota, split the object, or set trust.subjectMatch: Pattern.",
    ),
    Reason(
        code="RoleInUse",
        kinds=("Ready", "RoleReady", "Stalled", "event", "command"),
        stalled=True,
        summary="IAM doesn't delete the role: something still holds it.",
        meaning=(
            "Usually an instance profile that somebody put the role in. All that the manager attached is detached "
            "already and nobody can assume the role as a web identity any more. The finalizer stays, so that the "
            "role isn't forgotten."
        ),
        steps=(
            "`aws iam remove-role-from-instance-profile --instance-profile-name PROFILE --role-name ROLE`.",
            "Or set spec.cleanup to false on the object being deleted: the role then stays and the object goes.",
        ),
        what="Role {role} wasn't deleted: it is held by {holder}.",
        left="Everything of ours was detached; the finalizer stays.",
        next="Take the role out of it, or set cleanup: false.",
    ),
    Reason(
        code="IRSAFailedRoleUpdate",
        kinds=("Ready", "RoleReady", "event", "command"),
        summary="Writing the role failed for a reason that has no name of its own.",
        meaning=(
            "The message carries AWS's own text and the id of its request, or says what of the object IAM can't do. It "
            "is tried again every 5 minutes, and when the object changes."
        ),
        steps=(
            "Read AWS's text.",
            "With the request id AWS support, and CloudTrail, find the call.",
        ),
        what="Role {role} couldn't be brought up to date: {error}",
        left="What was in force before still is.",
        next="Next try {next_try}.",
    ),
    Reason(
        code="IRSAFailedDeletingResources",
        kinds=("Ready", "RoleReady", "ServiceAccountsReady", "event"),
        summary="Cleaning up failed for a reason that has no name of its own.",
        meaning=(
            "Something that has to go (a ServiceAccount, a policy of the role, the role itself) couldn't be removed. "
            "It is tried again; the finalizer of an object being deleted stays until it is true that nothing is left."
        ),
        steps=(
            "Read the text: it is AWS's or the API server's own.",
            "If the role should stay, set spec.cleanup to false; that works on an object being deleted, too.",
        ),
        what="{thing} couldn't be removed: {error}",
        left="{left}",
        next="Next try {next_try}.",
    ),
)
