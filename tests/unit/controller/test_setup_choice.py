"""Which IRSASetup counts, and which issuers AWS could reach."""

from __future__ import annotations

import pytest
from msgspec import UNSET

from irsa_manager.api.irsasetup import IRSASetup, IRSASetupSpec, IRSASetupStatus
from irsa_manager.api.kube import Metadata
from irsa_manager.controller.setup import SetupResolver, host_of, hosts_trusted, reachable
from irsa_manager.plan.mark import MarkKeys, make
from irsa_manager.plan.observed import ObservedRole

OPERATOR = "irsa-manager-system"


def setup(namespace: str, name: str, created: str, host: str = "oidc.a/1") -> IRSASetup:
    spec = IRSASetupSpec(cleanup=False, mode="eks", iam_oidc_provider=host)
    return IRSASetup(Metadata(name=name, namespace=namespace, creation_timestamp=created), spec)


def chosen(setups, *, named="", trusted=None):
    resolver = SetupResolver(None, None, OPERATOR, named)  # type: ignore[arg-type]  # choosing calls nobody
    found, ignored = resolver.choose(setups, trusted or {})
    return found.key if found else None, ignored


def test_only_the_operators_namespace_counts():
    mine, tenants = setup(OPERATOR, "b", "2026-02-01"), setup("team-a", "a", "2026-01-01", "attacker.example/x")
    key, ignored = chosen([tenants, mine])
    assert key == f"{OPERATOR}/b"
    assert ignored == {"team-a/a": f"Only an IRSASetup in namespace {OPERATOR} counts"}
    assert chosen([tenants]) == (None, ignored)


def test_the_flag_names_another():
    mine, other = setup(OPERATOR, "b", "2026-02-01"), setup("infra", "a", "2026-01-01")
    key, ignored = chosen([mine, other], named="infra/a")
    assert key == "infra/a"
    assert list(ignored) == [f"{OPERATOR}/b"]


def test_of_two_the_one_that_living_trusts_name_counts_whatever_their_age():
    old, new = setup(OPERATOR, "old", "2026-01-01", "oidc.a/1"), setup(OPERATOR, "new", "2026-02-01", "oidc.a/2")
    assert chosen([new, old])[0] == f"{OPERATOR}/old"
    key, ignored = chosen([new, old], trusted={"oidc.a/2": 3})
    assert key == f"{OPERATOR}/new"
    assert ignored == {f"{OPERATOR}/old": f"IRSASetup {OPERATOR}/new is in use"}


@pytest.mark.parametrize(
    "text", ["oidc.a/1", "https://oidc.a/1", "https://oidc.a/1/", "arn:aws:iam::111122223333:oidc-provider/oidc.a/1"]
)
def test_an_issuer_is_the_same_however_it_is_written(text):
    assert host_of(IRSASetupSpec(cleanup=False, mode="eks", iam_oidc_provider=text)) == "oidc.a/1"


@pytest.mark.parametrize(
    ("issuer", "possible"),
    [
        ("https://oidc.eks.eu-west-1.amazonaws.com/id/X", True),
        ("https://oidc.example.com", True),
        ("https://kubernetes.default.svc.cluster.local", False),
        ("https://kubernetes.default.svc", False),
        ("https://10.0.0.1", False),
        ("https://127.0.0.1:6443", False),
        ("http://oidc.example.com", False),
        ("https://localhost", False),
        ("", False),
    ],
)
def test_an_issuer_that_aws_cannot_reach_is_none(issuer, possible):
    assert reachable(issuer) is possible


def role(name: str, *hosts: str, marked: int = 0) -> ObservedRole:
    """A role that trusts these hosts; the statement number `marked` bears this cluster's mark, -1: none does."""
    keys = MarkKeys(b"k" * 32)
    sids = {marked: make(keys, "111122223333", name, "team-a/x")}
    arns = [f"arn:aws:iam::111122223333:oidc-provider/{host}" for host in hosts]
    statements = [{"Sid": sids.get(i, f"x{i}"), "Principal": {"Federated": arn}} for i, arn in enumerate(arns)]
    return ObservedRole(name, "", "", trust={"Statement": [*statements, {"Principal": "*"}]})


def test_only_the_statement_that_bears_our_mark_tells_which_issuer_is_in_use():
    roles = [
        role("a", "oidc.a/1", "attacker.example/x"),
        role("b", "oidc.a/1"),
        role("foreign", "oidc.a/9", marked=-1),
        ObservedRole("c", "", "", trust=None),
    ]
    assert hosts_trusted(roles, MarkKeys(b"k" * 32), "111122223333") == {"oidc.a/1": 2}
    assert hosts_trusted(roles, MarkKeys(b"o" * 32), "111122223333") == {}


def test_most_roles_decide_and_a_setup_that_names_no_issuer_means_the_clusters_own():
    old, new = setup(OPERATOR, "old", "2026-01-01", ""), setup(OPERATOR, "new", "2026-02-01", "oidc.a/2")
    resolver = SetupResolver(None, None, OPERATOR, "")  # type: ignore[arg-type]  # choosing calls nobody
    found, _ = resolver.choose([new, old], {"oidc.own/1": 5, "oidc.a/2": 1}, "oidc.own/1")
    assert found is old
    found, _ = resolver.choose([new, old], {"oidc.own/1": 1, "oidc.a/2": 5}, "oidc.own/1")
    assert found is new


def test_a_setup_without_a_spec_names_no_issuer():
    bare = IRSASetup(Metadata(name="a", namespace=OPERATOR), UNSET)
    assert chosen([bare])[0] == f"{OPERATOR}/a"


def test_where_no_roles_are_known_the_setup_that_counted_before_counts():
    old, new = setup(OPERATOR, "old", "2026-01-01", "oidc.a/1"), setup(OPERATOR, "new", "2026-02-01", "oidc.a/2")
    new.status = IRSASetupStatus(issuer="https://oidc.a/2")
    assert chosen([old, new])[0] == f"{OPERATOR}/new"


def test_one_that_can_be_used_counts_before_one_that_cannot():
    spec = IRSASetupSpec(cleanup=False, mode="selfhosted")
    unusable = IRSASetup(Metadata(name="old", namespace=OPERATOR, creation_timestamp="2026-01-01"), spec)
    assert chosen([unusable, setup(OPERATOR, "new", "2026-02-01")])[0] == f"{OPERATOR}/new"
