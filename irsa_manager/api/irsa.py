"""The IRSA object: one role, who may assume it, and the ServiceAccounts bound to it."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType, field

from irsa_manager.api.kube import Condition, LabelSelector, Metadata


class TokenSpec(Struct, rename="camel", omit_defaults=True, frozen=True):
    """The projected token that pods of the ServiceAccount get."""

    audience: str | UnsetType = UNSET
    expiration_seconds: int | UnsetType = UNSET


class ServiceAccountSpec(Struct, rename="camel", omit_defaults=True, frozen=True):
    """Which ServiceAccounts are bound to the role."""

    name: str = ""
    additional_names: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    namespace_selector: LabelSelector | UnsetType = UNSET
    management_policy: Literal["Create", "Annotate", "None"] = "Create"
    token: TokenSpec = TokenSpec()
    sts_regional_endpoints: bool | UnsetType = UNSET
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """All names, the main one first, each once."""
        return tuple(dict.fromkeys((self.name, *self.additional_names)))


class RoleSpec(
    Struct,
    rename={
        "management_policy": "managementPolicy",
        "max_session_duration_seconds": "maxSessionDurationSeconds",
        "permissions_boundary": "permissionsBoundary",
    },
    omit_defaults=True,
    frozen=True,
):
    """The IAM role. An attribute that is absent isn't managed."""

    name: str = ""
    path: str | UnsetType = UNSET
    management_policy: Literal["Create", "Adopt", "Reference"] = "Create"
    description: str | UnsetType = UNSET
    max_session_duration_seconds: int | UnsetType = UNSET
    permissions_boundary: str | UnsetType = UNSET
    tags: dict[str, str] = field(default_factory=dict)


class ProviderSpec(Struct, rename="camel", omit_defaults=True, frozen=True):
    """Another cluster that shares the role."""

    issuer: str
    service_account_names: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()


class TrustCondition(Struct, rename="camel", omit_defaults=True, frozen=True):
    """One more condition that every statement of the trust policy demands."""

    operator: str
    key: str
    values: tuple[str, ...]


class TrustSpec(Struct, rename="camel", omit_defaults=True, frozen=True):
    """What the trust policy asks of a token beyond the subject."""

    audiences: tuple[str, ...] = ()
    subject_match: Literal["Exact", "Pattern"] = "Exact"
    additional_providers: tuple[ProviderSpec, ...] = ()
    conditions: tuple[TrustCondition, ...] = ()


class IRSASpec(Struct, rename="camel", omit_defaults=True, frozen=True):
    """What an author asks for."""

    cleanup: bool
    suspend: bool = False
    service_account: ServiceAccountSpec = field(default_factory=ServiceAccountSpec)
    iam_role: RoleSpec = field(default_factory=RoleSpec)
    iam_policies: tuple[str, ...] = ()
    inline_policies: dict[str, Any] = field(default_factory=dict)
    trust: TrustSpec = field(default_factory=TrustSpec)


class RoleStatus(
    Struct,
    rename={
        "account_id": "accountID",
        "trust_policy_sha256": "trustPolicySHA256",
        "attached_policies": "attachedPolicies",
        "inline_policies": "inlinePolicies",
        "foreign_inline_policies": "foreignInlinePolicies",
    },
    omit_defaults=True,
    frozen=True,
):
    """The role as it was last seen or written. A report, never evidence of ownership."""

    name: str = ""
    arn: str = ""
    id: str = ""
    account_id: str = ""
    origin: str = ""
    trust_policy_sha256: str = ""
    attached_policies: tuple[str, ...] = ()
    inline_policies: tuple[str, ...] = ()
    foreign_inline_policies: tuple[str, ...] = ()
    managed: tuple[str, ...] = ()


class Adoption(
    Struct,
    rename={
        "trust_policy": "trustPolicy",
        "attached_policies": "attachedPolicies",
        "inline_policies": "inlinePolicies",
        "permissions_boundary": "permissionsBoundary",
        "max_session_duration_seconds": "maxSessionDurationSeconds",
    },
    omit_defaults=True,
    frozen=True,
):
    """What an adopted role had before it was adopted; it gets it back at the end. Evidence only with the record."""

    trust_policy: dict[str, Any] = field(default_factory=dict)
    attached_policies: tuple[str, ...] = ()
    inline_policies: dict[str, Any] = field(default_factory=dict)
    permissions_boundary: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    description: str | None = None
    max_session_duration_seconds: int | None = None


class Intent(Struct, rename="camel", omit_defaults=True, frozen=True):
    """That the manager is about to create the role, signed; only where no role can be read."""

    role_name: str = ""
    time: str = ""
    mac: str = ""


class Record(Struct, omit_defaults=True, frozen=True):
    """The manager's own signature over the status' role: what makes its id evidence.

    uid: of the object that it was made for. serial: grows with each new signature, so that an earlier status that is
    put back is known as one. over: what an administrator signed over: the mark of another key on the role,
    or that there was none.
    """

    mac: str = ""
    uid: str = ""
    serial: int = 0
    over: str = ""


class BoundServiceAccount(Struct, omit_defaults=True, frozen=True, order=True):
    """A ServiceAccount bound to the role. origin: Created (by this manager) or Found.

    annotations, labels: the keys that were set on it beside the role's ARN, so that they can be taken away again.
    """

    namespace: str = ""
    name: str = ""
    origin: str = ""
    annotations: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


class IRSAStatus(Struct, rename="camel", omit_defaults=True, frozen=True):
    """What the controller last did and saw.

    kept_bindings: namespace/name of ServiceAccounts, kept_audiences: audiences that stay at a takeover; signed too.
    """

    observed_generation: int = 0
    role: RoleStatus = field(default_factory=RoleStatus)
    record: Record = field(default_factory=Record)
    intent: Intent = field(default_factory=Intent)
    adoption: Adoption | UnsetType = UNSET
    kept_bindings: tuple[str, ...] = ()
    kept_audiences: tuple[str, ...] = ()
    retired_roles: tuple[RoleStatus, ...] = ()
    issuer: str = ""
    service_accounts: tuple[BoundServiceAccount, ...] = ()
    service_account_count: int | UnsetType = UNSET
    last_sync_time: str = ""
    conditions: tuple[Condition, ...] = ()

    def condition(self, kind: str) -> Condition | None:
        """The condition of that type, if there is one."""
        return next((c for c in self.conditions if c.type == kind), None)


class IRSA(Struct, rename="camel", omit_defaults=True):
    """One IAM role and the ServiceAccounts that may assume it."""

    metadata: Metadata
    spec: IRSASpec | UnsetType = UNSET
    status: IRSAStatus = field(default_factory=IRSAStatus)

    @property
    def key(self) -> str:
        """namespace/name."""
        return f"{self.metadata.namespace}/{self.metadata.name}"
