"""The actions a plan is made of: data, printable, serialisable, idempotent to re-run.

Each says why it is there (`reason`). AWS actions are one IAM call each (IAM API reference, the operation of the same
name); Kubernetes actions one request each.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field


class AwsAction(Struct, frozen=True, tag_field="action", kw_only=True):
    """One IAM call on the role `role`."""

    role: str
    reason: str


class CreateRole(AwsAction, frozen=True, tag=True):
    """CreateRole with everything that one call takes. tags may be left out where iam:TagRole is missing."""

    path: str
    trust: dict[str, Any]
    description: str
    max_session_seconds: int | None = None
    boundary: str = ""
    tags: dict[str, str] = field(default_factory=dict)


class UpdateTrust(AwsAction, frozen=True, tag=True):
    """UpdateAssumeRolePolicy.

    narrowed: what to write if IAM refuses `trust` for good: what is there, without those who have to leave.
    """

    trust: dict[str, Any]
    narrowed: dict[str, Any] | None = None


class AttachPolicy(AwsAction, frozen=True, tag=True):
    """AttachRolePolicy."""

    policy_arn: str


class DetachPolicy(AwsAction, frozen=True, tag=True):
    """DetachRolePolicy; a policy that isn't attached counts as done."""

    policy_arn: str


class PutInlinePolicy(AwsAction, frozen=True, tag=True):
    """PutRolePolicy."""

    name: str
    document: Any


class DeleteInlinePolicy(AwsAction, frozen=True, tag=True):
    """DeleteRolePolicy; one that isn't there counts as done."""

    name: str


class SetBoundary(AwsAction, frozen=True, tag=True):
    """PutRolePermissionsBoundary."""

    boundary: str


class RemoveBoundary(AwsAction, frozen=True, tag=True):
    """DeleteRolePermissionsBoundary."""


class UpdateRole(AwsAction, frozen=True, tag=True):
    """UpdateRole. None leaves the attribute as it is."""

    description: str | None = None
    max_session_seconds: int | None = None


class TagRole(AwsAction, frozen=True, tag=True):
    """TagRole."""

    tags: dict[str, str]


class UntagRole(AwsAction, frozen=True, tag=True):
    """UntagRole."""

    keys: tuple[str, ...]


class DeleteRole(AwsAction, frozen=True, tag=True):
    """DeleteRole; one that isn't there counts as done."""


class KubeAction(Struct, frozen=True, tag_field="action", kw_only=True):
    """One request on the ServiceAccount namespace/name."""

    namespace: str
    name: str
    reason: str


class CreateServiceAccount(KubeAction, frozen=True, tag=True):
    """Create it, with the label that says so."""

    labels: dict[str, str]
    annotations: dict[str, str]


class PatchServiceAccount(KubeAction, frozen=True, tag=True):
    """Set (value) or take away (None) labels and annotations, only if it is still the version that was judged."""

    resource_version: str
    labels: dict[str, str | None] = field(default_factory=dict)
    annotations: dict[str, str | None] = field(default_factory=dict)


class DeleteServiceAccount(KubeAction, frozen=True, tag=True):
    """Delete it, only if it is still the object and version that was judged."""

    uid: str
    resource_version: str


Action = (
    CreateRole
    | UpdateTrust
    | AttachPolicy
    | DetachPolicy
    | PutInlinePolicy
    | DeleteInlinePolicy
    | SetBoundary
    | RemoveBoundary
    | UpdateRole
    | TagRole
    | UntagRole
    | DeleteRole
    | CreateServiceAccount
    | PatchServiceAccount
    | DeleteServiceAccount
)


class Plan(Struct, frozen=True):
    """The ordered actions for one object. Empty: nothing to do."""

    actions: tuple[AwsAction | KubeAction, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.actions
