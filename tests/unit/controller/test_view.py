"""Who concerns whom, who holds what, and what is known newest."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from irsa_manager.api import names
from irsa_manager.api.irsa import IRSA, IRSASpec, IRSAStatus, RoleSpec, RoleStatus, ServiceAccountSpec
from irsa_manager.api.irsasetup import Tenancy
from irsa_manager.api.kube import LabelSelector, Metadata, OwnedFields
from irsa_manager.controller.roles import RoleStore
from irsa_manager.controller.view import LONGEST_ARN, ClusterView, observe
from irsa_manager.kube.resources import Namespace, ServiceAccount
from irsa_manager.plan.facts import ClusterFacts
from irsa_manager.plan.mark import MarkKeys, make
from irsa_manager.plan.observed import ObservedRole

ACCOUNT = "111122223333"
KEYS = MarkKeys(b"k" * 32)
FACTS = ClusterFacts(
    "aws", ACCOUNT, "https://oidc.a/1", "oidc.a/1", "prod", "irsa-manager-system", tenancy=Tenancy("Unrestricted")
)
CLOSED = replace(FACTS, tenancy=Tenancy("OwnNamespace"))


def service_account(key: str, role: str = "", version: str = "") -> ServiceAccount:
    namespace, name = key.split("/")
    annotations = {names.ANNOTATION_ROLE_ARN: role} if role else {}
    return ServiceAccount(Metadata(name=name, namespace=namespace, annotations=annotations, resource_version=version))


class Cluster:
    """A view that is fed as the reflectors feed it."""

    def __init__(self) -> None:
        self.woken: set[str] = set()
        self.view = ClusterView(RoleStore(), self.woken.update)
        self.irsas: dict[str, IRSA] = {}
        self.accounts: dict[str, ServiceAccount] = {}
        self.view.irsas, self.view.accounts = self.irsas, self.accounts

    def namespace(self, name: str, **labels: str) -> set[str]:
        return self.view.namespace_changed(name, Namespace(Metadata(name=name, labels=labels)))

    def irsa(self, key: str, role: str, account: str, *namespaces: str, created: str = "1", **more: Any) -> IRSA:
        namespace, name = key.split("/")
        spec = ServiceAccountSpec(name=account, namespaces=namespaces, **more.pop("spec", {}))
        irsa = IRSA(
            Metadata(name=name, namespace=namespace, creation_timestamp=created, uid=key, resource_version="1"),
            IRSASpec(cleanup=True, iam_role=RoleSpec(name=role), service_account=spec),
            more.pop("status", IRSAStatus()),
        )
        old, self.irsas[key] = self.irsas.get(key), irsa
        self.view.irsa_changed(key, old, irsa)
        self.view.situation(irsa, FACTS, KEYS)
        return irsa

    def gone(self, key: str) -> set[str]:
        return self.view.irsa_changed(key, self.irsas.pop(key), None)

    def account(self, key: str, role: str = "", version: str = "") -> set[str]:
        account = service_account(key, role, version)
        old, self.accounts[key] = self.accounts.get(key), account
        return self.view.account_changed(key, old, account)

    def role(self, name: str, owner: str) -> str:
        arn = f"arn:aws:iam::{ACCOUNT}:role/{name}"
        trust = {"Statement": [{"Sid": make(KEYS, ACCOUNT, name, owner)}]}
        self.view.roles.wrote(name, ObservedRole(name, arn, f"AROA{name}", trust=trust, tags={}))
        return arn

    def holder(self, key: str, namespace: str, account: str) -> str:
        return self.view.situation(self.irsas[key], FACTS, KEYS).holders.get((namespace, account), key)


def test_a_change_concerns_those_who_mean_it_and_nobody_else():
    cluster = Cluster()
    for name in ("a", "b", "team-x"):
        cluster.namespace(name)
    cluster.irsa("n/named", "r1", "app", "a")
    cluster.irsa("n/glob", "r2", "app", "team-*")
    cluster.irsa("n/selected", "r3", "app", spec={"namespace_selector": LabelSelector({"team": "x"})})
    assert cluster.account("a/app") == {"n/named", "n/selected"}
    assert cluster.account("b/app") == {"n/selected"}
    assert cluster.account("team-x/app") == {"n/glob", "n/selected"}
    assert cluster.account("a/other") == set()
    assert cluster.namespace("team-y") == {"n/glob", "n/selected"}
    assert cluster.view.role_changed("R1") == {"n/named"}


def test_who_is_older_holds_what_nobody_has_yet():
    cluster = Cluster()
    cluster.namespace("a")
    cluster.irsa("n/young", "r1", "app", "a", created="2")
    cluster.irsa("n/old", "r2", "app", "a", created="1")
    assert cluster.holder("n/young", "a", "app") == "n/old"
    assert cluster.holder("n/old", "a", "app") == "n/old"


def test_who_has_annotated_it_with_a_role_of_its_own_holds_it():
    cluster = Cluster()
    cluster.namespace("a")
    cluster.account("a/app", cluster.role("r1", "n/young"))
    cluster.irsa("n/young", "r1", "app", "a", created="2")
    cluster.irsa("n/old", "r2", "app", "a", created="1")
    assert cluster.holder("n/old", "a", "app") == "n/young"


def test_naming_somebody_elses_role_gains_nothing():
    cluster = Cluster()
    cluster.namespace("victim")
    cluster.account("victim/app", cluster.role("vrole", "v/victim"))
    cluster.irsa("v/victim", "vrole", "app", "victim", created="2")
    forged = IRSAStatus(role=RoleStatus(name="vrole", id="AROAvrole"))
    cluster.irsa("x/attacker", "arole", "app", "victim", created="1", status=forged)
    assert cluster.holder("v/victim", "victim", "app") == "v/victim"
    assert cluster.holder("x/attacker", "victim", "app") == "v/victim"
    cluster.irsa("x/attacker", "vrole", "app", "victim", created="1")
    assert cluster.holder("v/victim", "victim", "app") == "v/victim"


def test_an_object_whose_role_is_not_its_own_holds_nothing():
    cluster = Cluster()
    cluster.namespace("a")
    cluster.view.roles.wrote("foreign", ObservedRole("foreign", "arn:x", "AROAF", tags={}))
    cluster.irsa("n/squatter", "foreign", "app", "a", created="1")
    cluster.irsa("n/honest", "mine", "app", "a", created="2")
    assert cluster.holder("n/honest", "a", "app") == "n/honest"


def test_an_object_that_tenancy_denies_holds_only_what_it_has_bound():
    cluster = Cluster()
    cluster.namespace("a")
    cluster.irsa("x/squatter", "r1", "app", "a", created="1")
    tenant = cluster.irsa("a/tenant", "r2", "app", "a", created="2")
    assert cluster.view.situation(tenant, FACTS, KEYS).holders == {("a", "app"): "x/squatter"}
    assert cluster.view.situation(tenant, CLOSED, KEYS).holders == {}
    cluster.account("a/app", cluster.role("r1", "x/squatter"))
    assert cluster.view.situation(tenant, CLOSED, KEYS).holders == {("a", "app"): "x/squatter"}


def test_a_referenced_role_is_enough_to_hold():
    cluster = Cluster()
    cluster.namespace("a")
    cluster.view.roles.wrote("shared", ObservedRole("shared", "arn:x", "AROAF", tags={}))
    for name, created in (("first", "1"), ("second", "2")):
        irsa = cluster.irsa(f"a/{name}", "shared", "app", "a", created=created)
        assert irsa.spec is not UNSET
        irsa.spec = replace(irsa.spec, iam_role=RoleSpec(name="shared", management_policy="Reference"))
    assert cluster.holder("a/second", "a", "app") == "a/first"
    assert cluster.holder("a/first", "a", "app") == "a/first"


def test_who_refers_to_the_role_that_it_is_annotated_with_goes_before_who_is_older_but_not_before_the_roles_owner():
    cluster = Cluster()
    cluster.namespace("a")
    cluster.account("a/app", cluster.role("r1", "n/owner"))
    irsa = cluster.irsa("a/refers", "r1", "app", "a", created="2")
    assert irsa.spec is not UNSET
    irsa.spec = replace(irsa.spec, iam_role=RoleSpec(name="r1", management_policy="Reference"))
    cluster.irsa("n/older", "r2", "app", "a", created="1")
    assert cluster.holder("n/older", "a", "app") == "a/refers"
    assert cluster.holder("a/refers", "a", "app") == "a/refers"
    cluster.irsa("n/owner", "r1", "app", "a", created="3")
    assert cluster.holder("a/refers", "a", "app") == "n/owner"
    assert cluster.holder("n/owner", "a", "app") == "n/owner"
    # A word in a spec that tenancy denies holds nothing.
    tenant = cluster.irsa("a/tenant", "r3", "app", "a", created="4")
    cluster.gone("n/owner")
    cluster.gone("n/older")
    assert cluster.view.situation(tenant, FACTS, KEYS).holders == {("a", "app"): "a/refers"}
    assert cluster.view.situation(tenant, CLOSED, KEYS).holders == {}


def test_what_only_the_go_program_and_we_have_written_counts_as_made():
    def made(*writers: tuple[str, str]) -> bool:
        fields = [OwnedFields(manager, operation) for manager, operation in writers]
        return observe(ServiceAccount(Metadata(name="app", namespace="a", managed_fields=fields))).made

    applied, written = (names.FIELD_MANAGER, "Apply"), (names.FIELD_MANAGER, "Update")
    assert made(applied)
    assert made(applied, written)
    assert not made()
    assert not made(written)
    assert not made(applied, ("kubectl-create", "Update"))
    assert not made(("helm", "Apply"))


def test_a_suspended_object_keeps_what_it_holds_and_an_incomplete_one_holds_nothing():
    cluster = Cluster()
    cluster.namespace("a")
    cluster.account("a/app", cluster.role("r1", "n/holder"))
    holder = cluster.irsa("n/holder", "r1", "app", "a", created="2")
    cluster.irsas["n/holder"] = replace(holder, spec=replace(holder.spec, suspend=True))
    cluster.view.claims(cluster.irsas["n/holder"], FACTS, KEYS)
    cluster.irsa("n/waits", "r2", "app", "a", created="1")
    assert cluster.holder("n/waits", "a", "app") == "n/holder"
    assert cluster.view.claims(cluster.irsa("n/half", "", "app", "a", created="0"), FACTS, KEYS) == set()


def test_who_waits_is_woken_when_a_claim_is_given_up():
    cluster = Cluster()
    cluster.namespace("a")
    cluster.irsa("n/first", "r1", "app", "a", created="1")
    cluster.irsa("n/second", "r2", "app", "a", created="2")
    cluster.woken.clear()
    cluster.irsa("n/first", "r1", "app", "elsewhere", created="1")
    assert cluster.woken == {"n/second"}
    assert cluster.holder("n/second", "a", "app") == "n/second"


def test_who_waits_for_a_role_is_woken_when_its_holder_goes():
    cluster = Cluster()
    cluster.irsa("n/first", "shared", "app", "a")
    cluster.irsa("n/second", "shared", "app2", "b")
    assert cluster.gone("n/first") == {"n/second"}


def test_what_is_left_behind_is_held_by_any_other_who_claims_it():
    cluster = Cluster()
    cluster.namespace("a")
    cluster.namespace("b")
    arn = cluster.role("r1", "n/first")
    cluster.account("b/app", arn)
    cluster.irsa("n/first", "r1", "app", "a", created="1")
    cluster.irsa("n/second", "r2", "app", "b", created="2")
    assert cluster.view.situation(cluster.irsas["n/first"], FACTS, KEYS).holders == {("b", "app"): "n/second"}


def test_who_left_one_to_another_is_woken_when_that_one_goes_without_having_bound_it():
    cluster = Cluster()
    cluster.namespace("a")
    cluster.namespace("b")
    arn = cluster.role("r1", "n/first")
    cluster.account("b/app", arn)
    cluster.irsa("n/first", "r1", "app", "a", created="1")
    cluster.irsa("n/second", "r2", "app", "b", created="2")
    assert cluster.gone("n/second") == {"n/first"}


def test_annotations_that_come_and_go_take_no_memory():
    cluster = Cluster()
    for number in range(300):
        cluster.account("a/app", f"arn:{number}")
        cluster.account("a/big", "x" * (LONGEST_ARN + 1))
    cluster.account("a/app")
    assert len(cluster.view._pointing) == 0


def test_our_own_write_is_newer_than_the_cache_until_the_watch_brings_it():
    cluster = Cluster()
    cached = cluster.irsa("n/x", "r", "app", "a")
    written = IRSA(Metadata(name="x", namespace="n", uid="n/x", resource_version="5"), cached.spec)
    cluster.view.wrote(written)
    assert cluster.view.newest("n/x") is written
    later = IRSA(Metadata(name="x", namespace="n", uid="n/x", resource_version="12"), cached.spec)
    cluster.irsas["n/x"] = later
    assert cluster.view.newest("n/x") is later
    again = IRSA(Metadata(name="x", namespace="n", uid="another", resource_version="2"), cached.spec)
    cluster.view.wrote(written)
    cluster.irsas["n/x"] = again
    assert cluster.view.newest("n/x") is again
    cluster.gone("n/x")
    assert cluster.view.newest("n/x") is None


def test_an_object_that_was_let_go_is_gone_whatever_the_cache_still_shows():
    cluster = Cluster()
    cached = cluster.irsa("n/x", "r", "app", "a")
    # The API server answers with the version from before the finalizer went.
    cluster.view.wrote(cached)
    cluster.view.let_go(cached)
    assert cluster.view.newest("n/x") is None
    again = IRSA(Metadata(name="x", namespace="n", uid="another", resource_version="9"), cached.spec)
    cluster.irsas["n/x"] = again
    assert cluster.view.newest("n/x") is again
    cluster.gone("n/x")
    cluster.irsas["n/x"] = cached
    assert cluster.view.newest("n/x") is cached, "nothing is remembered of what is gone"


def test_a_service_account_that_the_watch_has_not_brought_yet_is_seen():
    cluster = Cluster()
    cluster.namespace("a")
    role = cluster.role("r1", "n/one")
    irsa = cluster.irsa("n/one", "r1", "app", "a")
    version = "4"
    cluster.view.accounts_version = lambda: version
    cluster.view.wrote_account(service_account("a/app", role, "5"))
    # Neither its spec nor its status names it any more.
    gone = replace(irsa, metadata=replace(irsa.metadata, deletion_timestamp="2026-01-01T00:00:00Z"))
    seen = cluster.view.situation(gone, FACTS, KEYS).service_accounts
    assert seen["a", "app"].annotations == {names.ANNOTATION_ROLE_ARN: role}
    # The cache has come past it without it: somebody has deleted it.
    version = "6"
    assert cluster.view.account("a/app") is None
    version = "4"
    assert cluster.view.account("a/app") is None


def test_an_older_version_from_the_watch_does_not_hide_what_we_wrote():
    cluster = Cluster()
    cluster.view.accounts_version = lambda: "4"
    cluster.view.wrote_account(service_account("a/app", "ours", "5"))
    cluster.account("a/app", "theirs", "3")
    assert cluster.view.account("a/app") == service_account("a/app", "ours", "5")
    cluster.account("a/app", "later", "7")
    assert cluster.view.account("a/app") == service_account("a/app", "later", "7")


def test_while_the_cache_is_listed_anew_what_we_wrote_is_not_forgotten():
    cluster = Cluster()
    version = ""
    cluster.view.accounts_version = lambda: version
    cluster.account("a/app", "before", "3")
    for key in ("a/app", "a/new"):
        cluster.view.wrote_account(service_account(key, "ours", "5"))
        assert cluster.view.account(key) == service_account(key, "ours", "5")
    # What the list has brought so far is right if it is later.
    cluster.accounts["a/app"] = service_account("a/app", "theirs", "6")
    assert cluster.view.account("a/app") == service_account("a/app", "theirs", "6")
    version = "7"
    assert cluster.view.account("a/new") is None


def test_who_holds_is_judged_by_what_we_wrote_of_him_last():
    cluster = Cluster()
    cluster.namespace("a")
    cluster.account("a/app", cluster.role("old", "n/first"))
    first = cluster.irsa("n/first", "new", "app", "a", created="2")
    cluster.irsa("n/second", "r2", "app", "a", created="1")
    # Its status still says nothing in the cache, which would make it the younger one that only wants.
    status = IRSAStatus(role=RoleStatus(name="old"))
    cluster.view.wrote(replace(first, metadata=replace(first.metadata, resource_version="2"), status=status))
    assert cluster.holder("n/second", "a", "app") == "n/first"


def test_an_object_that_does_not_fit_its_type_is_none_that_is_gone():
    cluster = Cluster()
    irsa = cluster.irsa("n/x", "r", "app", "a")
    unreadable = {"n/odd": "spec: not an object"}
    cluster.view.unreadable_irsas = unreadable
    objects = cluster.view.situation(irsa, FACTS, KEYS).objects
    assert objects is not None
    assert "n/odd" in objects
    assert "n/x" in objects
    assert "n/gone" not in objects
    unreadable.clear()
    objects = cluster.view.situation(irsa, FACTS, KEYS).objects
    assert objects is not None
    assert "n/odd" not in objects
