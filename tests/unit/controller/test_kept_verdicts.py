"""What objects that are denied everything cost others: judgements and walks through all namespaces, counted."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from irsa_manager.api import names
from irsa_manager.api.irsa import IRSA, IRSASpec, IRSAStatus, RoleSpec, ServiceAccountSpec
from irsa_manager.api.irsasetup import Tenancy, TenancyRule
from irsa_manager.api.kube import LabelSelector, Metadata
from irsa_manager.controller.roles import RoleStore
from irsa_manager.controller.view import ClusterView
from irsa_manager.kube.resources import Namespace, ServiceAccount
from irsa_manager.plan.facts import ClusterFacts
from irsa_manager.plan.mark import MarkKeys, make
from irsa_manager.plan.observed import ObservedRole

ACCOUNT = "111122223333"
OPERATOR = "irsa-manager-system"
KEYS = MarkKeys(b"k" * 32)
DENY = ClusterFacts("aws", ACCOUNT, "https://oidc.a/1", "oidc.a/1", "prod", OPERATOR)
OPEN = replace(DENY, tenancy=Tenancy("Unrestricted"))
GLOBS = (*(f"{'x*' * (i % 20)}{i}*" for i in range(299)), "t*")
NAMES = tuple(f"n{number}" for number in range(10))


def irsa(key: str, role: str, *namespaces: str, more: tuple[str, ...] = (), status: IRSAStatus | None = None) -> IRSA:
    home, name = key.split("/")
    accounts = ServiceAccountSpec(name="app", additional_names=more, namespaces=namespaces)
    spec = IRSASpec(cleanup=True, iam_role=RoleSpec(name=role), service_account=accounts)
    metadata = Metadata(name=name, namespace=home, uid=key, creation_timestamp="1", resource_version="1")
    return IRSA(metadata, spec, status or IRSAStatus())


class World:
    """A view of a cluster with a victim, a tenant's namespace and so many others."""

    def __init__(self, spaces: int, evil: list[IRSA]) -> None:
        self.view = ClusterView(RoleStore())
        self.view.roles.complete = True
        self.irsas: dict[str, IRSA] = {}
        self.accounts: dict[str, ServiceAccount] = {}
        self.view.irsas, self.view.accounts = self.irsas, self.accounts
        for name in [*(f"team-{number}" for number in range(spaces)), "mallory", OPERATOR]:
            self.namespace(name)
        for one in [irsa(f"{OPERATOR}/victim", "victim-role", "team-1"), *evil]:
            self.put(one)

    def namespace(self, name: str, **more: Any) -> None:
        self.view.namespace_changed(name, Namespace(Metadata(name=name, **more)))

    def put(self, one: IRSA) -> None:
        old, self.irsas[one.key] = self.irsas.get(one.key), one
        self.view.irsa_changed(one.key, old, one)

    def account(self, key: str, role: str) -> None:
        namespace, name = key.split("/")
        annotations = {names.ANNOTATION_ROLE_ARN: role}
        account = ServiceAccount(Metadata(name=name, namespace=namespace, annotations=annotations))
        old, self.accounts[key] = self.accounts.get(key), account
        self.view.account_changed(key, old, account)

    def role(self, name: str, owner: str) -> str:
        arn = f"arn:aws:iam::{ACCOUNT}:role/{name}"
        trust = {"Statement": [{"Sid": make(KEYS, ACCOUNT, name, owner)}]}
        self.view.roles.wrote(name, ObservedRole(name, arn, f"AROA{name}", trust=trust, tags={}))
        return arn

    def everybody(self, facts: ClusterFacts = DENY) -> None:
        for one in list(self.irsas.values()):
            self.view.situation(one, facts, KEYS)

    def allowed(self, key: str, facts: ClusterFacts = DENY) -> bool:
        return self.view.verdicts.permitted(self.irsas[key], self.view.verdicts.situation(facts, KEYS))

    def cost(self) -> tuple[int, int]:
        return self.view.verdicts.judged, self.view.namespaces.walks


CROWDS = [
    pytest.param(10, 100, ("*",), NAMES, "evil-{}", id="everything"),
    pytest.param(50, 100, ("*",), NAMES, "evil-{}", id="everything, more of them"),
    pytest.param(3, 30, GLOBS, NAMES, "evil-{}", id="300 globs"),
    pytest.param(10, 300, GLOBS, (), "victim-role", id="300 globs and the victim's role name"),
]


@pytest.mark.parametrize(("objects", "spaces", "namespaces", "more", "role"), CROWDS)
def test_denied_objects_are_judged_once_each_and_reach_nothing(
    objects: int, spaces: int, namespaces: tuple[str, ...], more: tuple[str, ...], role: str
):
    evil = [irsa(f"mallory/e{n}", role.format(n), *namespaces, more=more) for n in range(objects)]
    world = World(spaces, evil)
    for _ in range(3):
        world.everybody()
    judged, walks = world.cost()
    assert judged <= objects + 1
    assert walks == 0
    assert len(world.view._claims) == 1


def test_objects_that_may_have_everything_are_judged_and_resolved_once_each():
    objects = 20
    world = World(50, [irsa(f"mallory/e{n}", f"role-{n}", *GLOBS, f"own-{n}", more=NAMES) for n in range(objects)])
    for _ in range(3):
        world.everybody(OPEN)
    judged, walks = world.cost()
    assert judged <= objects + 1
    assert walks <= objects


def test_a_status_that_changes_costs_one_judgement_and_no_walk():
    world = World(50, [irsa(f"mallory/e{n}", "victim-role", "*", more=NAMES) for n in range(10)])
    world.everybody(OPEN)
    judged, walks = world.cost()
    world.put(irsa("mallory/e3", "victim-role", "*", more=NAMES, status=IRSAStatus(observed_generation=7)))
    world.everybody(OPEN)
    assert world.cost() == (judged + 1, walks)


def test_facts_that_are_found_anew_and_are_the_same_cost_nothing():
    world = World(5, [irsa("mallory/e", "r", "*")])
    world.everybody()
    before = world.cost()
    world.everybody(replace(DENY, cluster="prod"))
    assert world.cost() == before


def test_every_input_of_a_verdict_makes_it_new():
    key = "mallory/e"
    rule = TenancyRule(name="m", namespace_selector=LabelSelector({"may": "yes"}))
    ruled = replace(DENY, tenancy=Tenancy(rules=(rule,)))
    world = World(2, [irsa(key, "r", "mallory")])
    assert not world.allowed(key, ruled)
    # The facts.
    assert world.allowed(key, OPEN)
    assert not world.allowed(key, ruled)
    # The labels of its namespace.
    world.namespace("mallory", labels={"may": "yes"})
    assert world.allowed(key, ruled)
    # The spec.
    world.put(irsa(key, "r", "mallory", "team-0"))
    assert not world.allowed(key, ruled)
    # The object of that name is another one.
    del world.irsas[key]
    world.view.irsa_changed(key, irsa(key, "r", "mallory"), None)
    world.put(irsa(key, "r", "mallory"))
    assert world.allowed(key, ruled)
    # The role, whose owner hasn't consented to its adoption.
    adopting = irsa(key, "r", "mallory")
    adopting.spec = replace(adopting.spec, iam_role=RoleSpec(name="r", management_policy="Adopt"))
    world.put(adopting)
    adopt = replace(ruled, tenancy=Tenancy(rules=(replace(rule, management_policies=("Adopt",)),)))
    assert world.allowed(key, adopt)
    world.view.roles.wrote("r", ObservedRole("r", "arn:x", "AROAF", tags={}))
    assert not world.allowed(key, adopt)
    # That can't be told without the role: somebody has to look at it. A default of Deny can.
    assert not world.view.denied_anyhow(adopting, adopt, KEYS)
    assert world.view.denied_anyhow(adopting, DENY, KEYS)


def test_what_an_object_reaches_follows_the_namespaces():
    rule = TenancyRule(
        name="m", namespace_selector=LabelSelector({"m": "y"}), target_namespaces=("a-*",), allow=("NamespaceGlobs",)
    )
    ruled = replace(DENY, tenancy=Tenancy(rules=(rule,)))
    one = irsa("mallory/e", "r", "a-*")
    world = World(2, [one])
    world.namespace("mallory", labels={"m": "y"})
    assert world.view.claims(one, ruled, KEYS) == set()
    world.namespace("a-1")
    assert world.view.claims(one, ruled, KEYS) == {("a-1", "app")}
    world.namespace("a-1", deletion_timestamp="2026-01-01T00:00:00Z")
    assert world.view.claims(one, ruled, KEYS) == set()
    world.view.namespace_changed("a-1", None)
    world.namespace("a-2")
    assert world.view.claims(one, ruled, KEYS) == {("a-2", "app")}


def test_a_denied_object_claims_what_it_holds_and_nobody_takes_that_from_it():
    one = irsa("mallory/e", "own", "*", more=NAMES)
    world = World(3, [one])
    world.account("team-1/app", world.role("own", "mallory/e"))
    assert world.view.claims(one, DENY, KEYS) == {("team-1", "app")}
    victim = world.irsas[f"{OPERATOR}/victim"]
    assert world.view.situation(victim, DENY, KEYS).holders == {("team-1", "app"): "mallory/e"}
    # One of another name is not what it asks for, whatever it is annotated with.
    world.account("team-1/other", "arn:aws:iam::111122223333:role/own")
    assert world.view.claims(one, DENY, KEYS) == {("team-1", "app")}
