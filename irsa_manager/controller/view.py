"""The cluster as the controller's caches have it, indexed by what a reconcile asks for.

Nothing here walks all objects for one event: names that are written out are looked up, and only objects with globs or
selectors are asked one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable
from typing import Generic, TypeVar

from msgspec import UNSET
from msgspec.structs import replace

from irsa_manager.api import names
from irsa_manager.api.irsa import IRSA
from irsa_manager.controller.newest import Newest
from irsa_manager.controller.roles import RoleStore
from irsa_manager.controller.verdicts import Verdicts
from irsa_manager.kube.resources import Namespace, ServiceAccount, split_key
from irsa_manager.plan.facts import ClusterFacts, NamespaceFact, Situation
from irsa_manager.plan.mark import MarkKeys, looks_like_one
from irsa_manager.plan.namespaces import Namespaces, is_glob, may_concern, resolve
from irsa_manager.plan.observed import ObservedRole, ObservedServiceAccount
from irsa_manager.plan.planner import incomplete
from irsa_manager.plan.rivals import goes_before
from irsa_manager.trust.document import sids

Key = tuple[str, str]
K = TypeVar("K", bound=Hashable)
V = TypeVar("V", bound=Hashable)

LONGEST_ARN = 2048
"""Characters (IAM API, arnType). A longer annotation names no role, and isn't worth keeping."""


UPSTREAM = (names.FIELD_MANAGER, "Apply")
"""How the Go program before us wrote. Its ServiceAccounts are those that nobody but it and we have written."""


class Index(Generic[K, V]):
    """Sets by key; a key whose set is empty takes no memory."""

    def __init__(self) -> None:
        self._sets: dict[K, set[V]] = {}

    def add(self, key: K, value: V) -> None:
        """Put it in."""
        self._sets.setdefault(key, set()).add(value)

    def discard(self, key: K, value: V) -> None:
        """Take it out, if it is there."""
        found = self._sets.get(key)
        if found is not None:
            found.discard(value)
            if not found:
                del self._sets[key]

    def get(self, key: K) -> Collection[V]:
        """What is there under the key."""
        return self._sets.get(key, ())

    def __len__(self) -> int:
        return len(self._sets)


def observe(account: ServiceAccount) -> ObservedServiceAccount:
    """The ServiceAccount as the planner sees it."""
    metadata = account.metadata
    writers = {(entry.manager, entry.operation) for entry in metadata.managed_fields}
    return ObservedServiceAccount(
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        resource_version=metadata.resource_version,
        labels=metadata.labels,
        annotations=metadata.annotations,
        made=metadata.labels.get(names.LABEL_CREATED) == "true"
        or (UPSTREAM in writers and {manager for manager, _ in writers} == {names.FIELD_MANAGER}),
        deleting=metadata.deleting,
    )


class ClusterView(Newest):
    """Stores of the reflectors, and indexes over them that are kept as they change.

    wake: told which other objects must look again, since this one gave up a ServiceAccount that they claim.
    """

    def __init__(self, roles: RoleStore, wake: Callable[[set[str]], None] = lambda _keys: None) -> None:
        super().__init__()
        self.roles = roles
        self.unreadable_irsas: Collection[str] = ()
        """Keys of those that don't fit their type: they are there, whether `irsas` has a version of them or not."""
        self._wake = wake
        self.namespaces = Namespaces()
        self.verdicts = Verdicts(roles, self.namespaces)
        self._naming: Index[Key, str] = Index()
        self._in_namespace: Index[str, str] = Index()
        self._at_home: Index[str, str] = Index()
        self._reaching: set[str] = set()
        self._by_role: Index[str, str] = Index()
        self._pointing: Index[str, Key] = Index()
        self._claims: Index[Key, str] = Index()
        self._claimed: dict[str, set[Key]] = {}

    # What changed, and whom that concerns

    def irsa_changed(self, key: str, old: IRSA | None, new: IRSA | None) -> set[str]:
        """Keep the indexes; which other objects must look again because this one gave something up."""
        for irsa, change in ((old, "discard"), (new, "add")):
            if irsa is None:
                continue
            for place in _named_places(irsa):
                getattr(self._naming, change)(place, key)
                getattr(self._in_namespace, change)(place[0], key)
            getattr(self._at_home, change)(irsa.metadata.namespace, key)
            for role in _role_names(irsa):
                getattr(self._by_role, change)(role, key)
        (self._reaching.add if new is not None and _reaches_further(new) else self._reaching.discard)(key)
        others: set[str] = set()
        if new is None:
            others |= self.claim(key, ())
            self.went(key, old.metadata.uid if old is not None else "")
            self.verdicts.forget(key)
        kept = _role_names(new) if new is not None else set()
        for role in (_role_names(old) if old is not None else set()) - kept:
            others |= set(self._by_role.get(role))
        if old is not None and new is not None and _wants_otherwise(old, new):
            # Who waits for a role that this one was to make first may have it now.
            for role in kept:
                others |= set(self._by_role.get(role))
        return others - {key}

    def account_changed(self, key: str, old: ServiceAccount | None, new: ServiceAccount | None) -> set[str]:
        """Keep the indexes; the objects that a changed ServiceAccount concerns."""
        place = split_key(key)
        if new is not None:
            self.account_came(key, new)
        for account, change in ((old, self._pointing.discard), (new, self._pointing.add)):
            role = _points_to(account)
            if role:
                change(role, place)
        namespace, name = place
        further = {k for k in self._reaching if self._means(k, namespace, name)}
        return further | set(self._naming.get(place)) | set(self._claims.get(place))

    def namespace_changed(self, name: str, new: Namespace | None) -> set[str]:
        """Keep the facts; the objects that a namespace that came, went or changed concerns."""
        self.namespaces.see(name, NamespaceFact(new.metadata.labels, new.terminating) if new is not None else None)
        further = {key for key in self._reaching if self._means(key, name)}
        # Its labels choose the tenancy rule for the objects that live in it, and with that who else may have a role.
        at_home = set(self._at_home.get(name))
        for key in tuple(at_home):
            for role in _role_names(self.irsas[key]) if key in self.irsas else ():
                at_home |= set(self._by_role.get(role))
        return further | set(self._in_namespace.get(name)) | at_home

    def role_changed(self, name: str) -> set[str]:
        """The objects that name that role."""
        return set(self._by_role.get(name.lower()))

    def _means(self, key: str, namespace: str, name: str = "") -> bool:
        irsa = self.irsas.get(key)
        if irsa is None or irsa.spec is UNSET or (name and name not in irsa.spec.service_account.names):
            return False
        return may_concern(irsa.spec.service_account, namespace)

    def points(self, place: Key) -> bool:
        """Whether the ServiceAccount is there and annotated with a role."""
        return bool(_points_to(self.account(f"{place[0]}/{place[1]}")))

    # What the planner needs

    def claim(self, key: str, wanted: Iterable[Key]) -> set[str]:
        """The object claims exactly these ServiceAccounts now. Who else claims what it gave up, or left it to it."""
        now, before = set(wanted), self._claimed.get(key, set())
        others: set[str] = set()
        for gone in before - now:
            self._claims.discard(gone, key)
            others |= set(self._claims.get(gone))
            # One that was left to this object, and that it never bound, is still whose role it names.
            role = _points_to(self.account(f"{gone[0]}/{gone[1]}"))
            others |= self.role_changed(role.rpartition("/")[2]) if role else set()
        for new in now - before:
            self._claims.add(new, key)
        if now:
            self._claimed[key] = now
        else:
            self._claimed.pop(key, None)
        return others - {key}

    def claims(self, irsa: IRSA, facts: ClusterFacts, keys: MarkKeys) -> set[Key]:
        """The ServiceAccounts that the object asks for; from now on it claims them, whether it is worked on or not.

        Suspended and released ones claim theirs too: nobody may take from them what they hold. One that tenancy denies
        claims only what it holds: the rest is nobody's business, however much of it there is.
        """
        wanted = self._wanted(irsa, self.verdicts.situation(facts, keys))
        if not irsa.metadata.deleting:
            self._wake(self.claim(irsa.key, wanted))
        return wanted

    def situation(self, irsa: IRSA, facts: ClusterFacts, keys: MarkKeys) -> Situation:
        """What the planner needs for one object."""
        wanted = self.claims(irsa, facts, keys)
        places = set(wanted) | {(b.namespace, b.name) for b in irsa.status.service_accounts}
        for role in _role_names(irsa):
            observed = self.roles.get(role)
            if observed is not None:
                places |= set(self._pointing.get(observed.arn))
                places |= {split_key(k) for k, a in self.accounts_written.items() if _points_to(a) == observed.arn}
        accounts = {
            place: observe(account)
            for place in places
            if (account := self.account(f"{place[0]}/{place[1]}")) is not None
        }
        situation = Situation(
            facts=facts,
            keys=keys,
            namespaces=self.namespaces,
            roles=self.roles.roles,
            service_accounts=accounts,
            holders=self._holders(irsa, places, wanted, facts, keys),
            objects={*self.irsas, *self.unreadable_irsas} if self.unreadable_irsas else self.irsas,
        )
        return replace(situation, rival=goes_before(irsa, self._rivals(irsa), situation, self.verdicts.permitted))

    def owned(self, role: ObservedRole, facts: ClusterFacts, keys: MarkKeys) -> bool:
        """Whether the role is the own one of an object that names it.

        Where its trust has lost the mark, nobody but who names it can say whose it was.
        """
        situation = self.verdicts.situation(facts, keys)
        named = [irsa for key in self.role_changed(role.name) if (irsa := self.newest(key)) is not None]
        if not any(looks_like_one(text) for text in sids(role.trust)):
            return bool(named)
        return any(self.verdicts.mine(irsa, role, situation) for irsa in named)

    def _rivals(self, irsa: IRSA) -> list[IRSA]:
        """The other objects that have or had a role of the name that this one wants."""
        if irsa.spec is UNSET or irsa.metadata.deleting:
            return []
        keys = self.role_changed(irsa.spec.iam_role.name) - {irsa.key}
        return [other for key in keys if (other := self.newest(key)) is not None]

    def denied_anyhow(self, irsa: IRSA, facts: ClusterFacts, keys: MarkKeys) -> bool:
        """Whether tenancy denies what the object asks for whatever its role is like."""
        return self.verdicts.denied_anyhow(irsa, self.verdicts.situation(facts, keys))

    def _wanted(self, irsa: IRSA, situation: Situation) -> set[Key]:
        if irsa.metadata.deleting or irsa.spec is UNSET or incomplete(irsa.spec):
            return set()
        spec = irsa.spec.service_account
        if not self.verdicts.permitted(irsa, situation):
            held = self._annotated(irsa, situation)
            if not held:
                return set()
            living = set(resolve(spec, self.namespaces, situation.facts.operator_namespace).living)
            return {place for place in held if place[0] in living and place[1] in spec.names}
        reach = resolve(spec, self.namespaces, situation.facts.operator_namespace)
        return {(namespace, name) for namespace in reach.living for name in spec.names}

    def _holders(
        self, irsa: IRSA, places: Iterable[Key], wanted: set[Key], facts: ClusterFacts, keys: MarkKeys
    ) -> dict[Key, str]:
        """Of these ServiceAccounts those that another living object claims and holds.

        Whose own role it is annotated with holds it, then who refers to that role, then who is older, then who comes
        first by name. An object that could bind nobody, since its role isn't its own or tenancy denies it, holds only
        what it has bound to a role of its own.
        """
        bare = self.verdicts.situation(facts, keys)
        holders: dict[Key, str] = {}
        for place in places:
            rivals = [
                other
                for key in self._claims.get(place)
                if key != irsa.key
                and (other := self.newest(key)) is not None
                and not other.metadata.deleting
                and (self._holds(other, place, bare) or self.verdicts.may_bind(other, bare))
            ]
            if not rivals:
                continue
            candidates = [irsa, *rivals] if place in wanted else rivals
            holder = min(candidates, key=lambda candidate: self._rank(candidate, place, bare))
            if holder.key != irsa.key:
                holders[place] = holder.key
        return holders

    def _annotated(self, irsa: IRSA, situation: Situation) -> set[Key]:
        """The ServiceAccounts that are annotated with a role of the object's own."""
        found: set[Key] = set()
        for name in _role_names(irsa):
            role = self.roles.get(name)
            if role is not None and self.verdicts.mine(irsa, role, situation):
                found |= set(self._pointing.get(role.arn))
                found |= {split_key(k) for k, a in self.accounts_written.items() if _points_to(a) == role.arn}
        return found

    def _holds(self, irsa: IRSA, place: Key, situation: Situation) -> bool:
        """Whether the ServiceAccount is annotated with a role of the object's own."""
        role = _points_to(self.account(f"{place[0]}/{place[1]}"))
        known = [self.roles.get(name) for name in _role_names(irsa)] if role else []
        return any(o is not None and o.arn == role and self.verdicts.mine(irsa, o, situation) for o in known)

    def _refers(self, irsa: IRSA, place: Key) -> bool:
        """Whether the ServiceAccount is annotated with the role that the object only refers to."""
        if irsa.spec is UNSET or irsa.spec.iam_role.management_policy != "Reference":
            return False
        observed = self.roles.get(irsa.spec.iam_role.name)
        return observed is not None and observed.arn == _points_to(self.account(f"{place[0]}/{place[1]}"))

    def _rank(self, irsa: IRSA, place: Key, situation: Situation) -> tuple[bool, bool, str, str]:
        held = self._holds(irsa, place, situation)
        return (not held, not self._refers(irsa, place), irsa.metadata.creation_timestamp, irsa.key)


def _wants_otherwise(old: IRSA, new: IRSA) -> bool:
    """Whether an object that changed may want its role no more, or only now."""
    before, after = old.metadata, new.metadata
    return (before.generation, before.deleting, before.annotations) != (
        after.generation,
        after.deleting,
        after.annotations,
    )


def _points_to(account: ServiceAccount | None) -> str:
    role = account.metadata.annotations.get(names.ANNOTATION_ROLE_ARN, "") if account is not None else ""
    return role if len(role) <= LONGEST_ARN else ""


def _named_places(irsa: IRSA) -> set[Key]:
    """The ServiceAccounts that an object writes out, and those that its status lists."""
    places = {(b.namespace, b.name) for b in irsa.status.service_accounts}
    if irsa.spec is not UNSET:
        spec = irsa.spec.service_account
        places |= {(namespace, name) for namespace in spec.namespaces if not is_glob(namespace) for name in spec.names}
    return places


def _reaches_further(irsa: IRSA) -> bool:
    """Whether an object means namespaces that it doesn't write out."""
    if irsa.spec is UNSET:
        return False
    spec = irsa.spec.service_account
    return spec.namespace_selector is not UNSET or any(is_glob(namespace) for namespace in spec.namespaces)


def _role_names(irsa: IRSA) -> set[str]:
    names_ = {irsa.status.role.name, *(r.name for r in irsa.status.retired_roles)}
    if irsa.spec is not UNSET:
        names_.add(irsa.spec.iam_role.name)
    return {name.lower() for name in names_ if name}
