"""A plan as people read it."""

from __future__ import annotations

from msgspec import UNSET
from msgspec.structs import replace

from irsa_manager.api.irsa import IRSA, BoundServiceAccount, IRSASpec, IRSAStatus, RoleSpec, ServiceAccountSpec
from irsa_manager.api.kube import Metadata
from irsa_manager.cli.plan_lines import PlanLine, account_line, compact, plan_lines, shortened, summary
from irsa_manager.cli.pod_counts import PodCounts, touched
from irsa_manager.plan.effects import on_role
from irsa_manager.plan.facts import ClusterFacts, NamespaceFact, Situation
from irsa_manager.plan.mark import MarkKeys
from irsa_manager.plan.observed import ObservedRole, ObservedServiceAccount
from irsa_manager.plan.planner import decide
from irsa_manager.plan.removal import decide_deletion

ACCOUNT, HOST = "111122223333", "oidc.example.test/id/A"
FACTS = ClusterFacts(
    partition="aws", account=ACCOUNT, issuer=f"https://{HOST}", host=HOST, cluster="c", operator_namespace="op"
)
SPEC = IRSASpec(
    cleanup=True,
    service_account=ServiceAccountSpec(name="irsa1-sa", namespaces=("kube-system", "default")),
    iam_role=RoleSpec(name="irsa1-role"),
    iam_policies=("AmazonS3FullAccess",),
    inline_policies={"more": {"Version": "2012-10-17", "Statement": []}},
)
OBJECT = IRSA(metadata=Metadata(name="irsa-sample", namespace="op"), spec=SPEC)


def situation(accounts: tuple[ObservedServiceAccount, ...] = (), roles: tuple[ObservedRole, ...] = ()) -> Situation:
    return Situation(
        facts=FACTS,
        keys=MarkKeys(b"k" * 32),
        namespaces={name: NamespaceFact() for name in ("default", "kube-system", "op")},
        roles={role.name.lower(): role for role in roles},
        service_accounts={(a.namespace, a.name): a for a in accounts},
    )


def made_role() -> ObservedRole:
    role: ObservedRole | None = None
    for action in decide(OBJECT, situation()).plan.actions:
        if hasattr(action, "role"):
            role = on_role(role, action, arn=f"arn:aws:iam::{ACCOUNT}:role/irsa1-role", role_id="AROAX", created="now")
    assert role is not None
    return role


def lines(decision) -> list[str]:
    return [str(line) for line in plan_lines(decision)]


def test_everything_new() -> None:
    decision = decide(OBJECT, situation())
    assert lines(decision) == [
        "  + role    irsa1-role                              not there yet",
        "    trust   + default/irsa1-sa, kube-system/irsa1-sa  aud sts.amazonaws.com",
        "  + attach  AmazonS3FullAccess                      not attached",
        "  + inline  more                                    not there yet",
        "  + sa      default/irsa1-sa                        not there yet",
        "  + sa      kube-system/irsa1-sa                    not there yet",
    ]
    assert summary(decision) == "5 to add, 0 to change, 0 to remove; 3 AWS calls"
    assert [str(line) for line in compact(plan_lines(decision))] == [
        "  + role    irsa1-role  trusts default/irsa1-sa, kube-system/irsa1-sa",
        "  + attach  AmazonS3FullAccess",
        "  + inline  more",
        "  + sa      default/irsa1-sa, kube-system/irsa1-sa",
    ]


def test_an_account_that_is_there_is_changed() -> None:
    there = ObservedServiceAccount("default", "irsa1-sa", uid="u", resource_version="1")
    decision = decide(OBJECT, situation((there,)))
    assert "  ~ sa      default/irsa1-sa                        + role-arn" in lines(decision)
    assert summary(decision) == "4 to add, 1 to change, 0 to remove; 3 AWS calls"


def test_changes_of_a_role_that_is_there() -> None:
    other = replace(made_role(), attached=("arn:aws:iam::aws:policy/PowerUserAccess",))
    fewer = replace(SPEC, service_account=ServiceAccountSpec(name="irsa1-sa", namespaces=("default",)))
    decision = decide(replace(OBJECT, spec=fewer), situation((), (other,)))
    assert lines(decision) == [
        "  ~ trust   irsa1-role                              trust differed: subject kube-system/irsa1-sa too many",
        "  + attach  AmazonS3FullAccess                      not attached",
        "  - attach  PowerUserAccess                         not in the spec",
        "  + sa      default/irsa1-sa                        not there yet",
    ]
    assert summary(decision) == "2 to add, 1 to change, 1 to remove; 3 AWS calls"


def test_a_deletion_takes_away() -> None:
    role = made_role()
    bound = tuple(BoundServiceAccount(ns, "irsa1-sa", "Created") for ns in ("default", "kube-system"))
    accounts = tuple(
        ObservedServiceAccount(
            ns,
            "irsa1-sa",
            uid="u",
            resource_version="1",
            annotations={"eks.amazonaws.com/role-arn": role.arn},
            made=True,
        )
        for ns in ("default", "kube-system")
    )
    gone = replace(OBJECT, status=IRSAStatus(service_accounts=bound))
    decision = decide_deletion(gone, situation(accounts, (role,)))
    signs = [(line.sign, line.kind) for line in plan_lines(decision)]
    assert ("-", "role") in signs
    assert signs.count(("-", "sa")) == 2
    assert not [sign for sign, _ in signs if sign == "+"]


def test_nothing_to_do_has_no_lines() -> None:
    empty = decide_deletion(IRSA(metadata=Metadata(name="x", namespace="op"), spec=UNSET), situation())
    assert lines(empty) == compact([]) == []
    assert summary(empty) == "0 to add, 0 to change, 0 to remove; 0 AWS calls"


def test_one_call_is_one_call() -> None:
    role = replace(made_role(), attached=())
    accounts = tuple(
        ObservedServiceAccount(ns, "irsa1-sa", annotations={"eks.amazonaws.com/role-arn": role.arn}, made=True)
        for ns in ("default", "kube-system")
    )
    assert summary(decide(OBJECT, situation(accounts, (role,)))) == "1 to add, 0 to change, 0 to remove; 1 AWS call"


def test_a_sandbox_is_called_one() -> None:
    assert account_line(FACTS, "eu-west-1", sandbox=True) == "On account 111122223333 (aws, eu-west-1), SANDBOX"
    assert account_line(FACTS, "eu-west-1", sandbox=False) == "On account 111122223333 (aws, eu-west-1)"


def test_a_trust_of_many_names_a_few_and_counts_the_rest() -> None:
    many = PlanLine(" ", "trust", "+ " + ", ".join(f"a/s{n}" for n in range(9)), "aud x")
    assert shortened(many).name == "+ a/s0, a/s1, a/s2, a/s3 and 5 more"
    few = PlanLine(" ", "trust", "+ " + ", ".join(f"a/s{n}" for n in range(5)))
    assert shortened(few) == few


def test_a_line_says_how_many_pods_it_touches() -> None:
    there = ObservedServiceAccount("default", "irsa1-sa", uid="u", resource_version="1")
    decision = decide(OBJECT, situation((there,)))
    assert touched([decision]) == {("default", "irsa1-sa")}
    for number, told in ((3, "3 pods"), (1, "1 pod"), (0, "no pods")):
        found = [str(line) for line in plan_lines(decision, {("default", "irsa1-sa"): number})]
        assert f"  ~ sa      default/irsa1-sa                        + role-arn (used by {told})" in found
        assert "  + sa      kube-system/irsa1-sa                    not there yet" in found
    unknown = [str(line) for line in plan_lines(decision, {})]
    assert "  ~ sa      default/irsa1-sa                        + role-arn" in unknown


def test_pods_that_may_not_be_listed_are_said_once() -> None:
    assert PodCounts().note == ""
    assert PodCounts(unseen=("a", "b")).note.endswith("you may not list pods in a, b")
    assert PodCounts(unseen=tuple("abcde")).note.endswith("you may not list pods in a, b, c and 2 more")


def test_a_line_that_is_too_long_goes_on_below_its_name() -> None:
    line = PlanLine("-", "sa", "team-a/web", "no longer among the object's ServiceAccounts", pods=0)
    assert line.fitted(0) == line.fitted(200) == [str(line)]
    assert line.fitted(80) == [
        "  - sa      team-a/web",
        "              no longer among the object's ServiceAccounts (used by no pods)",
    ]
    many = PlanLine(" ", "trust", "+ " + ", ".join(f"namespace-{n}/web" for n in range(5)), "aud x")
    assert many.fitted(60) == [
        "    trust   + namespace-0/web, namespace-1/web,",
        "              namespace-2/web, namespace-3/web,",
        "              namespace-4/web",
        "              aud x",
    ]
