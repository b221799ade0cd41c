"""Which roles managementPolicy Adopt takes over, and that what an adopted one had is never overwritten."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET
from msgspec.structs import replace
from strategies import ACCOUNT, FACTS, KEYS
from test_planner_cases import OWNER, irsa, own_role, situation

from irsa_manager.api import names
from irsa_manager.api.irsa import Adoption, IRSAStatus, RoleSpec, RoleStatus
from irsa_manager.controller.status import judged
from irsa_manager.controller.telling import problem_told
from irsa_manager.plan import actions as do
from irsa_manager.plan import diff_role
from irsa_manager.plan.decision import Decision
from irsa_manager.plan.mark import MarkKeys, Whose, make, sign_record
from irsa_manager.plan.observed import ObservedRole
from irsa_manager.plan.ownership import recorded, whose
from irsa_manager.plan.planner import decide

GONE = "team-b/gone"
NOW = "2026-11-24T00:00:00Z"
LOST = MarkKeys(b"l" * 32)
HAD = Adoption(attached_policies=("arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess",))


def adopting(role: ObservedRole, status: IRSAStatus | None = None, **fields: Any) -> Decision:
    wanted = irsa(status=status, iam_role=RoleSpec(name="reports", management_policy="Adopt"))
    return decide(wanted, situation(role, **fields))


def marked(owner: str, keys: MarkKeys = KEYS, kind: Whose = Whose.MINE, *, told: str = "") -> ObservedRole:
    mark = make(keys, ACCOUNT, "reports", owner, kind)
    return own_role(tags={names.TAG_MARK: mark, names.TAG_OWNER: told or owner})


def adopted(keys: MarkKeys) -> IRSAStatus:
    status = IRSAStatus(role=RoleStatus(name="reports", id="AROA1", account_id=ACCOUNT, origin="Adopted"), adoption=HAD)
    return replace(status, record=replace(status.record, mac=sign_record(keys, recorded(status, OWNER, ACCOUNT))))


def test_a_role_that_an_object_left_behind_may_be_adopted_by_another():
    decision = adopting(marked(GONE), objects={OWNER})
    assert decision.role_problem is None
    assert decision.adopting
    assert do.UpdateTrust in [type(a) for a in decision.plan.actions]


def test_a_role_whose_object_lives_is_not_adopted_though_a_tag_names_one_that_is_gone():
    for role in (marked(GONE), marked(GONE, told="team-b/never")):
        decision = adopting(role, objects={OWNER, GONE})
        assert decision.plan.empty
        assert decision.role_problem is not None
        assert decision.role_problem.code == "Conflict"


def test_who_is_gone_is_not_guessed_where_the_objects_are_not_known():
    decision = adopting(marked(GONE), objects=None)
    assert decision.plan.empty


def test_what_an_adopted_role_had_is_not_overwritten_where_the_key_is_lost():
    for role in (marked(OWNER, LOST, Whose.ADOPTED), own_role(tags={})):
        decision = adopting(role, adopted(LOST), objects={OWNER})
        assert decision.plan.empty
        assert decision.role_problem is not None
        assert decision.role_problem.code == "OwnershipUnknown"
        assert "another key" in decision.role_problem.facts["cause"]


def test_a_crash_in_the_midst_of_an_adoption_does_not_forget_what_the_role_had():
    half_done = replace(marked(GONE), attached=())
    decision = adopting(half_done, adopted(KEYS), objects={OWNER})
    assert decision.adoption == HAD
    assert not decision.adopting


def test_a_refusal_takes_nothing_out_of_the_status_that_the_end_rests_on():
    status = replace(adopted(KEYS), kept_bindings=("team-a/app",), retired_roles=(RoleStatus(name="old", id="AROA0"),))
    status = replace(status, record=replace(status.record, mac=sign_record(KEYS, recorded(status, OWNER, ACCOUNT))))
    deep: Any = 1
    for _ in range(60):
        deep = {"a": deep}
    role = RoleSpec(name="reports", management_policy="Adopt")
    wanted = irsa(status=status, iam_role=role, inline_policies={"p": deep})
    observed = marked(OWNER, kind=Whose.ADOPTED)
    decision = decide(wanted, situation(observed))
    assert decision.role_problem is not None
    told = problem_told(decision.role_problem)
    after = judged(
        wanted,
        decision,
        observed,
        FACTS,
        KEYS,
        role_told=told,
        accounts_told=None,
        changed=False,
        whole=True,
        now=NOW,
    )
    assert after.conditions[0].reason == "MalformedDocument"
    assert replace(after, conditions=(), observed_generation=0, last_sync_time="", issuer="") == replace(
        status, conditions=(), service_account_count=after.service_account_count
    )


def test_a_role_taken_from_a_gone_object_gets_that_ones_marks_back():
    had = marked(GONE)
    before = Adoption(trust_policy=had.trust or {}, tags=had.tags or {})
    now = marked(OWNER, kind=Whose.ADOPTED)
    actions = diff_role.give_back(now, before, RoleStatus(name="reports"), "the object is released")
    assert [(type(a), a.tags) for a in actions if isinstance(a, do.TagRole)] == [(do.TagRole, had.tags)]


def test_an_adopted_role_is_never_called_made_though_what_it_had_is_lost():
    wanted = irsa(iam_role=RoleSpec(name="reports", management_policy="Adopt"))
    observed = marked(OWNER, kind=Whose.ADOPTED)
    decision = decide(wanted, situation(observed))
    after = judged(
        wanted, decision, observed, FACTS, KEYS, role_told=None, accounts_told=None, changed=True, whole=True, now=NOW
    )
    assert after.role.origin == "Adopted"
    assert after.adoption is UNSET
    # Nor where somebody then edits both marks away, and the record is all that is left.
    assert whose(own_role(tags={}), OWNER, ACCOUNT, KEYS, after) is Whose.ADOPTED
