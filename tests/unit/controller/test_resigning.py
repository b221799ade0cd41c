"""Which roles an administrator is shown to sign anew, and which never."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from irsa_manager.api import names
from irsa_manager.api.irsa import (
    IRSA,
    BoundServiceAccount,
    IRSASpec,
    IRSAStatus,
    Record,
    RoleSpec,
    RoleStatus,
    ServiceAccountSpec,
)
from irsa_manager.api.kube import Metadata
from irsa_manager.cli.adopt import lines
from irsa_manager.controller.resigning import candidates, signed_anew
from irsa_manager.controller.roles import RoleStore
from irsa_manager.controller.setup import Resolved
from irsa_manager.controller.survey import Survey
from irsa_manager.controller.view import ClusterView
from irsa_manager.plan import actions as do
from irsa_manager.plan.facts import ClusterFacts
from irsa_manager.plan.mark import MarkKeys, Whose, make
from irsa_manager.plan.observed import ObservedRole
from irsa_manager.plan.ownership import whose
from irsa_manager.plan.removal import decide_deletion

ACCOUNT, HOST, KEYS, LOST = "111122223333", "oidc.example.test/id/A", MarkKeys(b"k" * 32), MarkKeys(b"l" * 32)
FACTS = ClusterFacts(
    partition="aws", account=ACCOUNT, issuer=f"https://{HOST}", host=HOST, cluster="c", operator_namespace="op"
)


def role(*, sid: str = "", host: str = HOST, subject: str = "system:serviceaccount:a:web") -> ObservedRole:
    statement = {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{host}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringLike" if "*" in subject else "StringEquals": {f"{host}:sub": subject or []}},
    }
    trust = {"Version": "2012-10-17", "Statement": [statement]}
    return ObservedRole(name="r", arn=f"arn:aws:iam::{ACCOUNT}:role/r", id="AROAX", trust=trust)


def irsa(name: str, status: IRSAStatus, *, finalizer: bool = True) -> IRSA:
    spec = IRSASpec(
        cleanup=True,
        service_account=ServiceAccountSpec(name="web", namespaces=("a",)),
        iam_role=RoleSpec(name="r"),
    )
    finalizers = [names.FINALIZER] if finalizer else []
    return IRSA(metadata=Metadata(name=name, namespace="a", finalizers=finalizers), spec=spec, status=status)


def seen(observed: ObservedRole, *irsas: IRSA) -> Survey:
    view = ClusterView(RoleStore())
    view.irsas = {each.key: each for each in irsas}
    view.roles.swept({"r": observed}, 0.0, described=False)
    return Survey(view, Resolved(facts=FACTS), KEYS)


UPSTREAMS = IRSAStatus(service_accounts=(BoundServiceAccount("a", "web"),))
OURS = IRSAStatus(role=RoleStatus(name="r", id="AROAX", origin="Created"), record=Record("0" * 22))


@pytest.mark.parametrize(
    ("status", "observed"), [(UPSTREAMS, role()), (OURS, role(sid=make(LOST, ACCOUNT, "r", "a/i")))]
)
def test_what_was_signed_is_the_objects(status: IRSAStatus, observed: ObservedRole) -> None:
    (candidate,) = candidates(seen(observed, irsa("i", status)))
    assert whose(observed, "a/i", ACCOUNT, KEYS, status) is Whose.UNMARKED
    after = signed_anew(candidate, FACTS, KEYS)
    assert after.kept_bindings == ("a/web",)
    assert whose(observed, "a/i", ACCOUNT, KEYS, after) is Whose.MINE
    assert whose(observed, "a/other", ACCOUNT, KEYS, after) is Whose.UNMARKED
    assert candidates(seen(observed, irsa("i", after))) == []


@pytest.mark.parametrize(
    ("status", "observed", "finalizer"),
    [
        (UPSTREAMS, role(host="oidc.example.test/id/B"), True),
        (UPSTREAMS, role(), False),
        (UPSTREAMS, role(sid=make(LOST, ACCOUNT, "r", "a/i")), True),
        (UPSTREAMS, role(sid=make(KEYS, ACCOUNT, "r", "b/other")), True),
        (replace(UPSTREAMS, service_accounts=(BoundServiceAccount("a", "more"),)), role(), True),
        (IRSAStatus(), role(), True),
        (replace(OURS, role=replace(OURS.role, id="AROAY")), role(), True),
        (replace(OURS, role=replace(OURS.role, origin="Adopted")), role(), True),
        (OURS, role(sid=make(KEYS, ACCOUNT, "r", "b/other")), True),
        # Whoever may write a status can write the id of any role there.
        (OURS, role(), True),
    ],
)
def test_what_was_not_plainly_the_objects_is_not_listed(
    status: IRSAStatus, observed: ObservedRole, finalizer: bool
) -> None:
    assert candidates(seen(observed, irsa("i", status, finalizer=finalizer))) == []


@pytest.mark.parametrize("subject", ["system:serviceaccount:a:*", ""])
def test_a_role_that_trusts_no_name_is_listed_too_if_its_mark_is_of_another_key(subject: str) -> None:
    observed = role(sid=make(LOST, ACCOUNT, "r", "a/i"), subject=subject)
    (candidate,) = candidates(seen(observed, irsa("i", OURS)))
    assert candidate.trusted == ()
    assert f"  trusts  {'a/*' if subject else 'nobody of this cluster'}" in lines([candidate])


def test_an_administrator_reads_what_speaks_against_it() -> None:
    observed = role(sid=make(LOST, ACCOUNT, "r", "a/i"), subject="system:serviceaccount:victim:web")
    (candidate,) = candidates(seen(observed, irsa("i", OURS)))
    told = "\n".join(lines([candidate]))
    assert "! the IRSA asks for none of these ServiceAccounts" in told
    assert "! tenancy denies what the IRSA asks for" in told


def test_a_tenants_list_is_signed_only_as_far_as_the_role_trusts_what_is_on_it() -> None:
    listed = tuple(BoundServiceAccount(namespace, "web") for namespace in ("a", "victim"))
    asking = irsa("i", replace(OURS, service_accounts=listed))
    (candidate,) = candidates(seen(role(sid=make(LOST, ACCOUNT, "r", "a/i")), asking))
    assert signed_anew(candidate, FACTS, KEYS).service_accounts == listed[:1]


def test_a_role_that_two_would_have_is_told_of_both_and_signed_for_neither() -> None:
    found = candidates(seen(role(), irsa("one", UPSTREAMS), irsa("two", UPSTREAMS)))
    assert [(c.irsa.key, c.rival) for c in found] == [("a/one", "a/two"), ("a/two", "a/one")]
    assert sum("not signed" in line for line in lines(found)) == 2
    assert candidates(seen(role(), irsa("one", UPSTREAMS), irsa("two", UPSTREAMS)), "b") == []


def test_a_role_whose_lost_mark_says_adopted_is_signed_as_such_and_never_deleted() -> None:
    tagged = replace(role(), tags={names.TAG_MARK: make(KEYS, ACCOUNT, "r", "a/i", Whose.ADOPTED)})
    made = replace(role(), tags={names.TAG_MARK: make(KEYS, ACCOUNT, "r", "a/i")})
    for observed, whose_is, kinds in (
        (tagged, Whose.ADOPTED, [do.UpdateTrust]),
        (made, Whose.MINE, [do.UpdateTrust, do.DeleteRole]),
    ):
        asking = irsa("i", IRSAStatus())
        (candidate,) = candidates(seen(observed, asking))
        after = replace(asking, status=signed_anew(candidate, FACTS, KEYS))
        assert whose(observed, "a/i", ACCOUNT, KEYS, after.status) is whose_is
        plan = decide_deletion(after, seen(observed, after).situation(after)).plan
        assert [type(action) for action in plan.actions] == kinds
        # And that is what the administrator reads before.
        told = " ".join(lines([candidate]))
        assert ("deletes a role with its object" in told) == (do.DeleteRole in kinds)
        assert ("it is never deleted" in told) == (do.DeleteRole not in kinds)
    both = " ".join(
        lines([*candidates(seen(tagged, irsa("i", IRSAStatus()))), *candidates(seen(role(), irsa("j", UPSTREAMS)))])
    )
    assert "deletes a role with its object if cleanup is true, unless it is signed as adopted" in both
