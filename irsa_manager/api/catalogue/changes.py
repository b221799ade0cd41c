"""Events that tell what the manager changed. Normal, past tense, one per change, never one per retry."""

from typing import Final

from irsa_manager.api.reason import Reason

REASONS: Final = (
    Reason(
        code="RoleCreated",
        kinds=("event",),
        severity="normal",
        summary="The role was made in IAM.",
        meaning="The role didn't exist. It was made with its trust policy, tags and permissions boundary in one call.",
        what="Role {role} was created in {account} (id {role_id}).",
    ),
    Reason(
        code="RoleUpdated",
        kinds=("event",),
        severity="normal",
        summary="An attribute of the role was changed.",
        meaning="Description, longest session, permissions boundary or tags were set to what the object asks for.",
        what="Role {role}: {changes}. {why}",
    ),
    Reason(
        code="RoleDeleted",
        kinds=("event",),
        severity="normal",
        summary="The role was deleted from IAM.",
        meaning=(
            "The object was deleted with cleanup: true, or names another role now. Nobody can get credentials of the "
            "role any more; sessions that exist end at once, since their role is gone."
        ),
        what="Role {role} was deleted from {account}.",
    ),
    Reason(
        code="RoleReleased",
        kinds=("event",),
        severity="normal",
        summary="The role was left in IAM, and isn't managed any more.",
        meaning=(
            "The object was deleted with cleanup: false, or given up with `irsa-manager release`: role, policies, "
            "trust and annotations stay as they are. An adopted role gets back what it had before it was adopted; it "
            "is never deleted, whatever cleanup says."
        ),
        what="Role {role} stays in {account} and isn't managed any more.",
    ),
    Reason(
        code="RoleAdopted",
        kinds=("event",),
        severity="normal",
        summary="A role that existed was taken over.",
        meaning=(
            "spec.iamRole.managementPolicy is Adopt, and the role was somebody else's: its trust policy and policies "
            "are now those of the object. What it had is kept in status.adoption, and given back when the object is "
            "deleted or released; the role itself is never deleted."
        ),
        what="Role {role} in {account} was adopted; what it had is kept in status.adoption.",
    ),
    Reason(
        code="TrustUpdated",
        kinds=("event",),
        severity="normal",
        summary="The role's trust policy was rewritten.",
        meaning="Who may assume the role changed: a ServiceAccount or namespace came or went, or a condition changed.",
        what="The trust policy of role {role} was updated: {why}.",
    ),
    Reason(
        code="PolicyAttached",
        kinds=("event",),
        severity="normal",
        summary="A policy was attached to the role, or an inline policy written.",
        meaning="The role may do more than before.",
        what="Policy {policy} was attached to role {role}.",
    ),
    Reason(
        code="PolicyDetached",
        kinds=("event",),
        severity="normal",
        summary="A policy was detached from the role, or an inline policy deleted.",
        meaning="The role may do less than before.",
        what="Policy {policy} was detached from role {role}.",
    ),
    Reason(
        code="ServiceAccountCreated",
        kinds=("event",),
        severity="normal",
        summary="A ServiceAccount was made, bound to the role.",
        meaning=(
            "It didn't exist. It carries the label irsa-manager.kkb0318.github.io/created and is deleted with the "
            "object (cleanup: true). A Helm chart that wants to make the same ServiceAccount later will refuse: let "
            "the chart make it first, or tell the chart not to."
        ),
        what="ServiceAccount {service_account} was created for role {role}.",
        next="A Helm chart that brings it along can't be installed after that; for one of a chart's set "
        "serviceAccount.managementPolicy: Annotate",
    ),
    Reason(
        code="ServiceAccountAnnotated",
        kinds=("event",),
        severity="normal",
        summary="A ServiceAccount that existed was bound to the role.",
        meaning=(
            "Only our own annotations were set; at the end they are taken off again and the ServiceAccount stays. "
            "Pods get the role when they start: those that run already have to be restarted."
        ),
        what="ServiceAccount {service_account} was annotated with role {role}: {why}.",
    ),
    Reason(
        code="ServiceAccountReleased",
        kinds=("event",),
        severity="normal",
        summary="A ServiceAccount isn't bound to the role any more.",
        meaning=(
            "One that the manager made was deleted; from one that it found its annotations were taken off. Either "
            "way it left the role's trust policy before."
        ),
        what="ServiceAccount {service_account} was released from role {role}: {how}.",
    ),
    Reason(
        code="ServiceAccountInUse",
        kinds=("event",),
        summary="A ServiceAccount is deleted that pods use.",
        meaning=(
            "The manager made the ServiceAccount, and it isn't asked for any more: the object is being deleted, or its "
            "namespace or name left the spec. With it the tokens of its pods end, those for the Kubernetes API as well "
            "as those for AWS. It takes list on pods; without it nothing is said."
        ),
        steps=(
            "To keep it: put namespace and name back into the spec. It is made anew; restart the pods, whose tokens "
            "are the old one's.",
            "Else run the pods with another ServiceAccount.",
        ),
        what="ServiceAccount {service_account} is about to be deleted, and {count:pod} would go on using it{pods}.",
        left="They aren't touched, but their tokens end, also those for the Kubernetes API.",
        next="Restart them with another ServiceAccount, or ask for this one again and restart them.",
    ),
    Reason(
        code="DriftRepaired",
        kinds=("event",),
        severity="normal",
        summary="Something was changed behind the object's back, and was put back.",
        meaning=(
            "A role, policy or ServiceAccount no longer was what the object asks for, though the object hadn't "
            "changed. For changes that are meant to stay: put them into the object, or set spec.suspend to true "
            "before you change anything by hand."
        ),
        what="{thing} was put back: {why}.",
    ),
    Reason(
        code="OrphanedRole",
        kinds=("event",),
        summary="A role that this manager made has no object any more.",
        meaning=(
            "The role carries this cluster's mark and is no IRSA's, whoever names it: its object lost its finalizer by "
            "hand, was deleted while the manager was away for good, or isn't back after a restore. It is reported "
            "once, counted by the metric irsa_manager_orphaned_roles, and left as it is: a mark alone never leads to "
            "a deletion."
        ),
        steps=(
            "To keep it: create the IRSA again under the same namespace and name; it takes the role up by the mark.",
            "Else delete the role.",
        ),
        what="Role {role} in {account} carries this cluster's mark, and is no IRSA's.",
        left="It was left as it is.",
        next="Create {irsa} again, or delete the role.",
    ),
)
