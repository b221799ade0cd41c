"""What a plan is made from, besides the object itself: the cluster, its account, its namespaces."""

from __future__ import annotations

from collections.abc import Container, Mapping

from msgspec import Struct, field

from irsa_manager.api.irsasetup import RoleDefaults, Tenancy
from irsa_manager.plan.mark import MarkKeys
from irsa_manager.plan.observed import ObservedRole, ObservedServiceAccount


class ClusterFacts(Struct, frozen=True):
    """The cluster and the account that its roles are in.

    issuer: URL without trailing slash of IAM's own. host: its host path. client_ids: of the provider, None where they
    may not be read. cluster: name for people. issuer_source: where the issuer is from, for messages.
    policy_quota: managed policies that a role may have (IAM quota; 10 unless read). tenancy: what IRSAs outside the
    operator's namespace may ask for; setup: namespace/name of the IRSASetup that says so. cluster_uid: uid of namespace
    kube-system, by which a role's owner consents to an adoption. own_role: name of the role under which the manager
    runs, "" where it is none.
    """

    partition: str
    account: str
    issuer: str
    host: str
    cluster: str
    operator_namespace: str
    client_ids: tuple[str, ...] | None = None
    issuer_source: str = ""
    role_defaults: RoleDefaults = RoleDefaults()
    policy_quota: int = 10
    tenancy: Tenancy = field(default_factory=Tenancy)
    setup: str = ""
    cluster_uid: str = ""
    own_role: str = ""


class NamespaceFact(Struct, frozen=True):
    """A namespace that exists."""

    labels: dict[str, str] = field(default_factory=dict)
    terminating: bool = False


class Situation(Struct, frozen=True):
    """Everything that was looked at for one object.

    namespaces: of the whole cluster, by name. roles: the account's, by lower-case name (role names are unique
    ignoring case). service_accounts: by (namespace, name), those that may concern the object. holders: of
    ServiceAccounts that other objects claim too and hold, by (namespace, name): the other's namespace/name. objects:
    namespace/name of every IRSA, None where that isn't known. rival: namespace/name of another object that goes first
    for the role while that is nobody's, "" where none does.
    """

    facts: ClusterFacts
    keys: MarkKeys
    namespaces: Mapping[str, NamespaceFact]
    roles: Mapping[str, ObservedRole]
    service_accounts: Mapping[tuple[str, str], ObservedServiceAccount] = field(default_factory=dict)
    holders: Mapping[tuple[str, str], str] = field(default_factory=dict)
    objects: Container[str] | None = None
    rival: str = ""
