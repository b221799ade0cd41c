"""The cluster as the controller's caches have it, indexed by what a reconcile asks for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from msgspec import UNSET

from irsa_manager.api import names
from irsa_manager.api.irsa import IRSA
from irsa_manager.controller.roles import RoleStore
from irsa_manager.kube.resources import Namespace, ServiceAccount, split_key
from irsa_manager.plan.facts import ClusterFacts, NamespaceFact, Situation
from irsa_manager.plan.mark import MarkKeys
from irsa_manager.plan.namespaces import may_concern, resolve
from irsa_manager.plan.observed import ObservedServiceAccount

Key = tuple[str, str]


def observe(account: ServiceAccount) -> ObservedServiceAccount:
    """The ServiceAccount as the planner sees it."""
    metadata = account.metadata
    managers = {entry.manager for entry in metadata.managed_fields}
    return ObservedServiceAccount(
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        resource_version=metadata.resource_version,
        labels=metadata.labels,
        annotations=metadata.annotations,
        # Upstream's ServiceAccounts bear no label, but nobody else ever wrote them.
        made=metadata.labels.get(names.LABEL_CREATED) == "true" or managers == {names.FIELD_MANAGER},
        deleting=metadata.deleting,
    )


class ClusterView:
    """Stores of the reflectors, and indexes over them that are kept as they change."""

    def __init__(self, roles: RoleStore) -> None:
        self.roles = roles
        self.irsas: Mapping[str, IRSA] = {}
        self.accounts: Mapping[str, ServiceAccount] = {}
        self._namespace_facts: dict[str, NamespaceFact] = {}
        self._by_account_name: defaultdict[str, set[str]] = defaultdict(set)
        self._by_role: defaultdict[str, set[str]] = defaultdict(set)
        self._pointing: defaultdict[str, set[Key]] = defaultdict(set)
        self._claims: defaultdict[Key, set[str]] = defaultdict(set)
        self._claimed: dict[str, set[Key]] = {}

    def irsa_changed(self, key: str, old: IRSA | None, new: IRSA | None) -> set[str]:
        """Keep the indexes; which other objects must look again because this one gave something up."""
        others: set[str] = set()
        if old is not None:
            for name in _account_names(old):
                self._by_account_name[name].discard(key)
            for role in _role_names(old):
                self._by_role[role].discard(key)
        if new is not None:
            for name in _account_names(new):
                self._by_account_name[name].add(key)
            for role in _role_names(new):
                self._by_role[role].add(key)
        else:
            others |= self.claim(key, ())
        if old is not None:
            for role in _role_names(old) - (_role_names(new) if new else set()):
                others |= self._by_role[role]
        return others - {key}

    def claim(self, key: str, wanted: Iterable[Key]) -> set[str]:
        """The object claims exactly these ServiceAccounts now. Who else claims what it gave up."""
        now, before = set(wanted), self._claimed.get(key, set())
        others: set[str] = set()
        for gone in before - now:
            self._claims[gone].discard(key)
            others |= self._claims[gone]
        for new in now - before:
            self._claims[new].add(key)
        if now:
            self._claimed[key] = now
        else:
            self._claimed.pop(key, None)
        return others - {key}

    def account_changed(self, key: str, old: ServiceAccount | None, new: ServiceAccount | None) -> set[str]:
        """Keep the indexes; the objects that a changed ServiceAccount concerns."""
        place = split_key(key)
        for account in (old, new):
            role = account.metadata.annotations.get(names.ANNOTATION_ROLE_ARN) if account else None
            if role:
                (self._pointing[role].add if account is new else self._pointing[role].discard)(place)
        namespace, name = place
        concerned = {k for k in self._by_account_name.get(name, ()) if self._reaches(k, namespace)}
        return concerned | self._claims.get(place, set())

    def namespace_changed(self, name: str, new: Namespace | None) -> set[str]:
        """Keep the facts; the objects that a namespace that came, went or changed concerns."""
        if new is None:
            self._namespace_facts.pop(name, None)
        else:
            self._namespace_facts[name] = NamespaceFact(new.metadata.labels, new.terminating)
        bound = {k for k, irsa in self.irsas.items() if any(b.namespace == name for b in irsa.status.service_accounts)}
        return bound | {key for key in self.irsas if self._reaches(key, name)}

    def role_changed(self, name: str) -> set[str]:
        """The objects that name that role."""
        return set(self._by_role.get(name.lower(), ()))

    def _reaches(self, key: str, namespace: str) -> bool:
        irsa = self.irsas.get(key)
        return irsa is not None and irsa.spec is not UNSET and may_concern(irsa.spec.service_account, namespace)

    def situation(self, irsa: IRSA, facts: ClusterFacts, keys: MarkKeys) -> Situation:
        """What the planner needs for one object."""
        namespaces = self._namespace_facts
        wanted = self._wanted(irsa, namespaces, facts)
        if not irsa.metadata.deleting:
            # What a dying object holds is given up when it is gone: then whoever else claims it is woken.
            self.claim(irsa.key, wanted)
        places = set(wanted) | {(b.namespace, b.name) for b in irsa.status.service_accounts}
        for role in _role_names(irsa):
            observed = self.roles.get(role)
            if observed is not None:
                places |= self._pointing.get(observed.arn, set())
        accounts = {
            place: observe(account)
            for place in places
            if (account := self.accounts.get(f"{place[0]}/{place[1]}")) is not None
        }
        return Situation(
            facts=facts,
            keys=keys,
            namespaces=namespaces,
            roles=self.roles.roles,
            service_accounts=accounts,
            holders=self._holders(irsa, wanted),
        )

    def _wanted(self, irsa: IRSA, namespaces: Mapping[str, NamespaceFact], facts: ClusterFacts) -> set[Key]:
        if irsa.spec is UNSET or irsa.metadata.deleting:
            return set()
        spec = irsa.spec.service_account
        reach = resolve(spec, namespaces, facts.operator_namespace)
        return {(namespace, name) for namespace in reach.living for name in spec.names}

    def _holders(self, irsa: IRSA, wanted: Iterable[Key]) -> dict[Key, str]:
        """Of the ServiceAccounts that others claim too, those that another one holds.

        Who is annotated holds it, then who is older, then who comes first by name.
        """
        holders: dict[Key, str] = {}
        places = (
            set(wanted) if not irsa.metadata.deleting else {(b.namespace, b.name) for b in irsa.status.service_accounts}
        )
        for place in places:
            rivals = [
                other
                for key in self._claims.get(place, ())
                if key != irsa.key and (other := self.irsas.get(key)) is not None and not other.metadata.deleting
            ]
            if rivals:
                candidates = rivals if irsa.metadata.deleting else [irsa, *rivals]
                holder = min(candidates, key=lambda candidate: self._rank(candidate, place))
                if holder.key != irsa.key:
                    holders[place] = holder.key
        return holders

    def _rank(self, irsa: IRSA, place: Key) -> tuple[bool, str, str]:
        account = self.accounts.get(f"{place[0]}/{place[1]}")
        role = account.metadata.annotations.get(names.ANNOTATION_ROLE_ARN) if account else None
        mine = {observed.arn for name in _role_names(irsa) if (observed := self.roles.get(name)) is not None}
        return (role not in mine, irsa.metadata.creation_timestamp, irsa.key)


def _account_names(irsa: IRSA) -> set[str]:
    names_ = {b.name for b in irsa.status.service_accounts}
    return names_ | set(irsa.spec.service_account.names) if irsa.spec is not UNSET else names_


def _role_names(irsa: IRSA) -> set[str]:
    names_ = {irsa.status.role.name, *(r.name for r in irsa.status.retired_roles)}
    if irsa.spec is not UNSET:
        names_.add(irsa.spec.iam_role.name)
    return {name.lower() for name in names_ if name}
