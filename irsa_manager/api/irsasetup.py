"""The IRSASetup object: the cluster's issuer, and defaults for its roles."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, Struct, UnsetType, field

from irsa_manager.api.kube import Condition, LabelSelector, Metadata


class S3Spec(Struct, rename="camel", omit_defaults=True, frozen=True):
    """The bucket that publishes a self-hosted issuer."""

    region: str = ""
    bucket_name: str = ""


class DiscoverySpec(Struct, omit_defaults=True, frozen=True):
    """Where a self-hosted issuer is published."""

    s3: S3Spec | UnsetType = UNSET


class RoleDefaults(Struct, rename="camel", omit_defaults=True, frozen=True):
    """For new roles of IRSAs that name none of these."""

    path: str = "/"
    permissions_boundary: str = ""


class TenancyRule(Struct, rename="camel", omit_defaults=True, frozen=True):
    """What IRSAs of the namespaces that it selects may ask for. Every listed limit must hold."""

    name: str
    namespace_selector: LabelSelector = field(default_factory=LabelSelector)
    target_namespaces: tuple[str, ...] = ()
    role_names: tuple[str, ...] = ()
    role_paths: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    inline_policies: Literal["Allow", "Deny"] = "Deny"
    management_policies: tuple[str, ...] = ("Create",)
    allow: tuple[str, ...] = ()
    permissions_boundary: str = ""


class Tenancy(Struct, omit_defaults=True, frozen=True):
    """What IRSAs outside the operator's namespace may ask for: by the first rule that selects it, else by default."""

    default: Literal["Deny", "OwnNamespace", "Unrestricted"] = "Deny"
    rules: tuple[TenancyRule, ...] = ()


class IRSASetupSpec(
    Struct,
    rename={"iam_oidc_provider": "iamOIDCProvider", "cluster_name": "clusterName", "role_defaults": "roleDefaults"},
    omit_defaults=True,
    frozen=True,
):
    """What a cluster administrator sets once."""

    cleanup: bool
    mode: str = "selfhosted"
    iam_oidc_provider: str = ""
    cluster_name: str = ""
    discovery: DiscoverySpec = field(default_factory=DiscoverySpec)
    role_defaults: RoleDefaults = field(default_factory=RoleDefaults)
    tenancy: Tenancy = field(default_factory=Tenancy)


class IRSASetupStatus(
    Struct,
    rename={
        "observed_generation": "observedGeneration",
        "provider_arn": "providerARN",
        "account_id": "accountID",
        "last_sweep_time": "lastSweepTime",
    },
    omit_defaults=True,
    frozen=True,
):
    """What the controller found out about the cluster and its account."""

    observed_generation: int = 0
    issuer: str = ""
    provider_arn: str = ""
    account_id: str = ""
    partition: str = ""
    last_sweep_time: str = ""
    dependents: int = 0
    conditions: tuple[Condition, ...] = ()

    def condition(self, kind: str) -> Condition | None:
        """The condition of that type, if there is one."""
        return next((c for c in self.conditions if c.type == kind), None)


class IRSASetup(Struct, rename="camel", omit_defaults=True):
    """The cluster's issuer, and defaults for its roles."""

    metadata: Metadata
    spec: IRSASetupSpec | UnsetType = UNSET
    status: IRSASetupStatus = field(default_factory=IRSASetupStatus)

    @property
    def key(self) -> str:
        """namespace/name."""
        return f"{self.metadata.namespace}/{self.metadata.name}"
