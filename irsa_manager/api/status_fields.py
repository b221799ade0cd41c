"""What the status of both kinds holds. Without bounds: a report that can't be written helps nobody."""

from __future__ import annotations

from typing import Any, Final

from irsa_manager.api.structural import Field

_TIME: Final[dict[str, Any]] = {"format": "date-time"}
_INT32: Final[dict[str, Any]] = {"format": "int32"}
_ANYTHING: Final[dict[str, Any]] = {"x-kubernetes-preserve-unknown-fields": True}
_INT64: Final[dict[str, Any]] = {"format": "int64"}
MAX_RETIRED: Final = 16
"""Each is looked at, so that a forged list must not be long."""

_WHOLE: Final[dict[str, Any]] = {"x-kubernetes-map-type": "atomic"}
"""For what comes and goes as a whole: an apply that takes the last key out of another map leaves null, which the schema
refuses."""


def _conditions(kinds: str) -> dict[str, Field]:
    """Conditions as metav1.Condition has them, a map by type so that several writers don't overwrite each other."""
    at = "status.conditions"
    return {
        at: Field(
            description=f"What is in order and what isn't: {kinds}",
            schema={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
        f"{at}[]": Field(schema={"required": ["type", "status", "lastTransitionTime", "reason", "message"]}),
        f"{at}[].type": Field(description="What the condition is about.", schema={"maxLength": 316}),
        f"{at}[].status": Field(
            description="True, False, or Unknown: not judged yet, or it may not be looked at.",
            schema={"enum": ["True", "False", "Unknown"]},
        ),
        f"{at}[].reason": Field(
            description="Why, in one word. `irsa-manager help REASON` explains it.",
            schema={"minLength": 1, "maxLength": 1024},
        ),
        f"{at}[].message": Field(
            description="What happened, what was left as it was, what to do next.", schema={"maxLength": 32768}
        ),
        f"{at}[].observedGeneration": Field(
            description="Generation of the object that this was said of.", schema={"minimum": 0, **_INT64}
        ),
        f"{at}[].lastTransitionTime": Field(description="When the status last changed.", schema=_TIME),
    }


def _role(at: str) -> dict[str, Field]:
    return {
        f"{at}.name": Field(description="Name."),
        f"{at}.arn": Field(description="ARN."),
        f"{at}.id": Field(description="IAM's unique id, AROA…; another one means that the role was made anew."),
        f"{at}.accountID": Field(description="The AWS account, 12 digits."),
        f"{at}.origin": Field(
            description="Created: irsa-manager made it. Adopted: taken over. Referenced: used as it is, never written."
        ),
        f"{at}.trustPolicySHA256": Field(description="SHA-256 of the trust policy in canonical form, hexadecimal."),
        f"{at}.attachedPolicies": Field(description="ARNs of the attached policies."),
        f"{at}.inlinePolicies": Field(description="Names of the inline policies that this object asks for."),
        f"{at}.foreignInlinePolicies": Field(
            description="Names of inline policies that others gave the role. They are kept."
        ),
        f"{at}.managed": Field(
            description="Attributes that irsa-manager set, and takes back when they leave the spec."
        ),
    }


IRSA: Final[dict[str, Field]] = {
    "status": Field(description="What the controller last did and saw. A report: nothing is decided by it."),
    "status.observedGeneration": Field(
        description="Generation of the spec that this status was made from.", schema=_INT64
    ),
    "status.role": Field(description="The role as it was last seen or written."),
    **_role("status.role"),
    "status.record": Field(description="What makes the role's id evidence.", schema={**_WHOLE}),
    "status.record.mac": Field(
        description=(
            "HMAC over account, role name and id, namespace and name, adoption, keptBindings, keptAudiences and "
            "retiredRoles, with the manager's key."
        )
    ),
    "status.record.uid": Field(
        description="Uid of the object that it was signed for; for another one it is no evidence whose the role is."
    ),
    "status.record.serial": Field(
        description="Number of the signature; an earlier one that is put back is no evidence.", schema=_INT64
    ),
    "status.record.over": Field(
        description="What `irsa-manager adopt --all-mine` signed over: another key's mark on the role, or none."
    ),
    "status.intent": Field(
        description=(
            "That the role is about to be made; only where no role can be read. A crash in between is known by it."
        ),
        schema={**_WHOLE},
    ),
    "status.intent.roleName": Field(description="Name of the role."),
    "status.intent.time": Field(description="When it was looked that no such role exists.", schema=_TIME),
    "status.intent.mac": Field(
        description="HMAC over account, role, time, namespace and name, with the manager's key."
    ),
    "status.adoption": Field(
        description="What an adopted role had before. It is given back at the end, if record.mac vouches for it.",
        schema={**_WHOLE},
    ),
    "status.adoption.trustPolicy": Field(description="Its trust policy.", schema={**_ANYTHING}),
    "status.adoption.attachedPolicies": Field(description="ARNs of the policies that were attached to it."),
    "status.adoption.inlinePolicies": Field(
        description="Its inline policies by name.", schema={"additionalProperties": {"type": "object", **_ANYTHING}}
    ),
    "status.adoption.permissionsBoundary": Field(description="ARN of its permissions boundary."),
    "status.adoption.tags": Field(description="Its tags."),
    "status.adoption.description": Field(description="Its description.", schema={"type": "string"}),
    "status.adoption.maxSessionDurationSeconds": Field(
        description="Its longest session, in seconds.", schema={"type": "integer", **_INT32}
    ),
    "status.keptBindings": Field(
        description=(
            "ServiceAccounts, as namespace/name, that were bound when the role was taken over from the Go program. "
            "They stay bound whatever tenancy says, if record.mac vouches for them."
        )
    ),
    "status.keptAudiences": Field(
        description=(
            "Audiences that bound ServiceAccounts asked for when the role was taken over from the Go program. The role "
            "accepts them as long as one asks, unless trust.audiences is set, if record.mac vouches for them."
        )
    ),
    "status.retiredRoles": Field(
        description="Roles of former names, until they are gone.", schema={"maxItems": MAX_RETIRED}
    ),
    **_role("status.retiredRoles[]"),
    "status.issuer": Field(description="Issuer whose tokens the role trusts."),
    "status.serviceAccounts": Field(description="The ServiceAccounts that are bound to the role."),
    "status.serviceAccounts[]": Field(schema={"required": ["name", "namespace"]}),
    "status.serviceAccounts[].namespace": Field(description="Its namespace.", schema={"minLength": 1}),
    "status.serviceAccounts[].name": Field(description="Its name.", schema={"minLength": 1}),
    "status.serviceAccounts[].origin": Field(
        description="Created: irsa-manager made it. Found: it existed. A report: its label decides."
    ),
    "status.serviceAccounts[].annotations": Field(
        description="Keys of the annotations that were set on it, so that they can be taken away again."
    ),
    "status.serviceAccounts[].labels": Field(
        description="Keys of the labels that were set on it, so that they can be taken away again."
    ),
    "status.serviceAccountCount": Field(description="How many they are.", schema=_INT32),
    "status.lastSyncTime": Field(
        description="When something was last written or found different. Not a heartbeat.", schema=_TIME
    ),
    **_conditions(
        "Ready sums up, RoleReady is about IAM, ServiceAccountsReady about the cluster; Stalled is there while nothing "
        "improves until somebody acts."
    ),
}

IRSASETUP: Final[dict[str, Field]] = {
    "status": Field(description="What the controller found out about the cluster and its account."),
    "status.observedGeneration": Field(
        description="Generation of the spec that this status was made from.", schema=_INT64
    ),
    "status.issuer": Field(description="The issuer that roles trust, an https URL."),
    "status.providerARN": Field(description="ARN of the OIDC provider of that issuer."),
    "status.accountID": Field(description="The AWS account, 12 digits."),
    "status.partition": Field(description="The AWS partition: aws, aws-cn, aws-us-gov."),
    "status.lastSweepTime": Field(
        description="When all roles were last read and compared; read one by one, the time of the oldest look.",
        schema=_TIME,
    ),
    "status.dependents": Field(description="How many IRSAs depend on this setup.", schema=_INT32),
    **_conditions(
        "Ready sums up, ProviderReady is about the OIDC provider in IAM; Stalled is there while nothing improves until "
        "somebody acts."
    ),
}
