"""Which roles managementPolicy Adopt takes over, and that what an adopted one had is never overwritten."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from msgspec import UNSET
from msgspec.structs import replace
from strategies import ACCOUNT, FACTS, KEYS
from test_planner_cases import OWNER, irsa, own_role, situation

from irsa_manager.api import names
from irsa_manager.api.irsa import IRSA, Adoption, IRSAStatus, Record, RoleSpec, RoleStatus
from irsa_manager.api.irsasetup import Tenancy
from irsa_manager.controller.foretelling import foretold as begun
from irsa_manager.controller.status import judged
from irsa_manager.controller.telling import problem_told
from irsa_manager.plan import actions as do
from irsa_manager.plan import diff_adopted
from irsa_manager.plan.actions import AwsAction
from irsa_manager.plan.decision import Decision
from irsa_manager.plan.effects import on_role
from irsa_manager.plan.facts import Situation
from irsa_manager.plan.mark import MarkKeys, Whose, make, sign_record
from irsa_manager.plan.observed import ObservedRole
from irsa_manager.plan.ownership import owner_of, recorded, vouched, whose
from irsa_manager.plan.planner import decide
from irsa_manager.plan.removal import decide_deletion, decide_release
from irsa_manager.trust.document import sids

GONE = "team-b/gone"
NOW = "2026-11-24T00:00:00Z"
LOST = MarkKeys(b"l" * 32)
READ = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]}
WRITE = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}
HAD = Adoption(attached_policies=("arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess",))


def adopting(role: ObservedRole, status: IRSAStatus | None = None, **fields: Any) -> Decision:
    wanted = irsa(status=status, iam_role=RoleSpec(name="reports", management_policy="Adopt"))
    return decide(wanted, situation(role, **fields))


def marked(owner: str, keys: MarkKeys = KEYS, kind: Whose = Whose.MINE, *, told: str = "") -> ObservedRole:
    mark = make(keys, ACCOUNT, "reports", owner, kind)
    return own_role(tags={names.TAG_MARK: mark, names.TAG_OWNER: told or owner})


def adopted(keys: MarkKeys, had: Adoption = HAD, *inline: str) -> IRSAStatus:
    role = RoleStatus(name="reports", id="AROA1", account_id=ACCOUNT, origin="Adopted", inline_policies=inline)
    status = IRSAStatus(role=role, adoption=had)
    return replace(status, record=replace(status.record, mac=sign_record(keys, recorded(status, OWNER, ACCOUNT))))


def test_a_role_that_an_object_left_behind_may_be_adopted_by_another():
    decision = adopting(marked(GONE), objects={OWNER})
    assert decision.role_problem is None
    assert decision.adopting
    assert do.UpdateTrust in [type(a) for a in decision.plan.actions]


def test_a_role_whose_object_lives_is_not_adopted_though_a_tag_names_one_that_is_gone():
    living = make(KEYS, ACCOUNT, "reports", GONE)
    before = make(KEYS, ACCOUNT, "reports", "team-b/before")
    # Who may only tag roles could put the mark back that it had from an object that is gone.
    tags = {names.TAG_OWNER: "team-b/before", names.TAG_MARK: before}
    replayed = own_role(tags=tags, trust={"Version": "2012-10-17", "Statement": [{"Sid": living}]})
    for role in (marked(GONE), marked(GONE, told="team-b/never"), replayed):
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


def tenants(wanted: IRSA) -> IRSA:
    """The same in a tenant's namespace, its status signed for it."""
    wanted = replace(wanted, metadata=replace(wanted.metadata, namespace="team-b"))
    mac = sign_record(KEYS, recorded(wanted.status, wanted.key, ACCOUNT))
    return replace(wanted, status=replace(wanted.status, record=Record(mac=mac)))


def test_a_crash_in_the_midst_of_an_adoption_does_not_forget_what_the_role_had():
    role = RoleSpec(name="reports", management_policy="Adopt", permissions_boundary="customer/b", tags={"team": "new"})
    had = replace(HAD, permissions_boundary="arn:aws:iam::1:policy/old", tags={"team": "old"})
    wanted = tenants(irsa(status=adopted(KEYS, had), iam_role=role))
    ours = {"team": "new"}
    half_done = own_role(tags=ours, boundary=f"arn:aws:iam::{ACCOUNT}:policy/b", attached=HAD.attached_policies)
    facts = replace(FACTS, tenancy=Tenancy("Unrestricted"), cluster_uid="c")
    consented = {names.TAG_ADOPT_BY: "c/team-b/reports"}
    half_done = replace(half_done, tags={**ours, **consented})
    decision = decide(wanted, replace(situation(half_done), objects={OWNER}, facts=facts))
    assert decision.adopting
    assert decision.adoption is not None
    assert replace(decision.adoption, trust_policy={}, description="", max_session_duration_seconds=None) == replace(
        had, trust_policy={}, description="", max_session_duration_seconds=None
    )
    # What the role's owner has changed since isn't what was there before us any more.
    theirs = replace(half_done, tags={"team": "theirs", **consented}, boundary="", attached=())
    again = decide(wanted, replace(situation(theirs), objects={OWNER}, facts=facts)).adoption
    assert again is not None
    assert (again.tags, again.permissions_boundary, again.attached_policies) == ({"team": "theirs"}, "", ())


def test_what_a_tenant_adopted_is_his_only_as_long_as_the_trust_says_so():
    taken_back = own_role(tags={})
    for policy in ("Adopt", "Create", "Reference"):
        admins = irsa(status=adopted(KEYS), iam_role=RoleSpec(name="reports", management_policy=policy))
        assert owner_of(taken_back, admins, ACCOUNT, KEYS, FACTS.operator_namespace) is Whose.ADOPTED
        wanted = tenants(admins)
        assert owner_of(taken_back, wanted, ACCOUNT, KEYS, FACTS.operator_namespace) is Whose.UNMARKED
        assert decide_deletion(wanted, situation(taken_back)).plan.empty


def test_a_role_that_another_cluster_has_taken_over_is_left_to_it():
    made = IRSAStatus(role=RoleStatus(name="reports", id="AROA1", account_id=ACCOUNT, origin="Created"))
    theirs = marked("other/object", LOST)
    for over, found in (("", Whose.UNMARKED), (sids(theirs.trust)[0], Whose.MINE)):
        status = replace(made, record=Record(over=over))
        mac = sign_record(KEYS, recorded(status, OWNER, ACCOUNT))
        wanted = irsa(status=replace(status, record=replace(status.record, mac=mac)))
        assert owner_of(theirs, wanted, ACCOUNT, KEYS, "op") is found


def test_a_role_that_was_made_with_a_key_that_is_lost_is_not_adopted():
    made = IRSAStatus(role=RoleStatus(name="reports", id="AROA1", account_id=ACCOUNT, origin="Created"))
    made = replace(made, record=Record(mac=sign_record(LOST, recorded(made, OWNER, ACCOUNT))))
    decision = adopting(marked(OWNER, LOST), made, objects={OWNER})
    assert decision.plan.empty
    assert decision.role_problem is not None
    assert decision.role_problem.code == "OwnershipUnknown"


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
    actions = diff_adopted.give_back(now, before, RoleStatus(name="reports"), "the object is released")
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


def test_an_inline_policy_that_an_adopted_role_had_comes_back_when_the_spec_drops_it():
    had = Adoption(trust_policy={"Version": "2012-10-17", "Statement": []}, inline_policies={"Mine": READ})
    wanted = irsa(status=adopted(KEYS, had, "mine"), iam_role=RoleSpec(name="reports", management_policy="Adopt"))
    role = replace(marked(OWNER, kind=Whose.ADOPTED), inline={"mine": WRITE})
    decision = decide(wanted, situation(role))
    puts = [a for a in decision.plan.actions if isinstance(a, do.PutInlinePolicy | do.DeleteInlinePolicy)]
    assert [(type(a), a.name, getattr(a, "document", None)) for a in puts] == [(do.PutInlinePolicy, "Mine", READ)]
    assert "before the adoption" in puts[0].reason
    again = decide(wanted, situation(replace(role, inline={"mine": READ})))
    assert not [a for a in again.plan.actions if isinstance(a, do.PutInlinePolicy | do.DeleteInlinePolicy)]


def test_what_an_adoption_is_about_to_put_on_a_role_is_on_record_before_the_first_write():
    role = own_role(tags={}, inline={"theirs": READ})
    wanted = irsa(
        iam_role=RoleSpec(name="reports", management_policy="Adopt"), inline_policies={"ours": WRITE, "theirs": WRITE}
    )
    decision = decide(wanted, situation(role, objects={OWNER}))
    assert decision.adopting
    after = begun(wanted, decision, FACTS, KEYS)
    assert after.role.inline_policies == ("ours", "theirs")
    assert vouched(after, OWNER, ACCOUNT, KEYS)
    # Whatever of it was written before a crash goes, and what was there comes back.
    assert after.adoption is not UNSET
    crashed = replace(role, inline={"ours": WRITE, "theirs": WRITE})
    actions = diff_adopted.give_back(crashed, after.adoption, after.role, "the object is released")
    found = [a for a in actions if isinstance(a, do.PutInlinePolicy | do.DeleteInlinePolicy)]
    assert [(type(a), a.name) for a in found] == [(do.DeleteInlinePolicy, "ours"), (do.PutInlinePolicy, "theirs")]


def test_inline_policies_that_can_not_be_read_go_back_too():
    dark = ObservedRole(name="reports", arn=f"arn:aws:iam::{ACCOUNT}:role/reports", id="", attached=())
    had = Adoption(inline_policies={"Theirs": READ})
    actions = diff_adopted.give_back(dark, had, RoleStatus(name="reports", inline_policies=("ours", "theirs")), "why")
    found = [(type(a), a.name) for a in actions if isinstance(a, do.PutInlinePolicy | do.DeleteInlinePolicy)]
    assert found == [(do.DeleteInlinePolicy, "ours"), (do.PutInlinePolicy, "Theirs")]


BEFORE = ObservedRole(
    name="reports",
    arn=f"arn:aws:iam::{ACCOUNT}:role/reports",
    id="AROA1",
    trust={
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
        ],
    },
    attached=("arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess",),
    inline={"own": READ},
    boundary="",
    tags={"team": "old", "theirs": "x"},
    description="theirs",
    max_session_seconds=3600,
)
ALL_OF_IT = irsa(
    iam_role=RoleSpec(
        name="reports",
        management_policy="Adopt",
        tags={"team": "new", "cost": "1"},
        description="ours",
        max_session_duration_seconds=7200,
        permissions_boundary="customer/b",
    ),
    iam_policies=("AmazonS3ReadOnlyAccess",),
    inline_policies={"own": WRITE, "more": WRITE},
)


@pytest.mark.parametrize("done", range(len(decide(ALL_OF_IT, situation(BEFORE)).plan.actions) + 1))
@pytest.mark.parametrize("end", [decide_release, decide_deletion])
def test_an_adoption_cut_off_anywhere_is_undone_whole(done: int, end: Callable[[IRSA, Situation], Decision]) -> None:
    decision = decide(ALL_OF_IT, situation(BEFORE))
    ended = replace(ALL_OF_IT, status=begun(ALL_OF_IT, decision, FACTS, KEYS))
    role: ObservedRole | None = BEFORE
    for action in decision.plan.actions[:done]:
        role = on_role(role, action) if isinstance(action, AwsAction) else role
    assert role is not None
    for action in end(ended, situation(role)).plan.actions:
        role = on_role(role, action) if isinstance(action, AwsAction) else role
    assert role == BEFORE


def test_tags_come_back_as_they_were_whatever_the_case_in_which_the_spec_spells_their_keys():
    had = Adoption(trust_policy={"Version": "2012-10-17", "Statement": []}, tags={"team": "old", "Kept": "1"})
    role = RoleStatus(
        name="reports", id="AROA1", account_id=ACCOUNT, origin="Adopted", managed=("tags/Team", "tags/cost")
    )
    status = IRSAStatus(role=role, adoption=had)
    status = replace(status, record=replace(status.record, mac=sign_record(KEYS, recorded(status, OWNER, ACCOUNT))))
    bare = marked(OWNER, kind=Whose.ADOPTED)
    now = replace(bare, tags={**(bare.tags or {}), "Team": "new", "Kept": "1", "cost": "2"})

    def tags(role: ObservedRole, actions: Iterable[do.AwsAction | do.KubeAction]) -> dict[str, str]:
        after: ObservedRole | None = role
        for action in actions:
            after = on_role(after, action) if isinstance(action, do.AwsAction) else after
        assert after is not None
        found = {k.lower(): v for k, v in (after.tags or {}).items() if not k.startswith(names.OWN_PREFIX)}
        assert len(found) == len([k for k in after.tags or {} if not k.startswith(names.OWN_PREFIX)])
        return found

    back = diff_adopted.give_back(now, had, role, "the object is released")
    assert tags(now, back) == {"team": "old", "kept": "1"}
    # The same where only the spec's tags go and the role stays.
    wanted = irsa(status=status, iam_role=RoleSpec(name="reports", management_policy="Adopt"))
    assert tags(now, decide(wanted, situation(now)).plan.actions) == {"team": "old", "kept": "1"}
    # The spec's own spelling wins over the one that the role had.
    asking = irsa(status=status, iam_role=RoleSpec(name="reports", management_policy="Adopt", tags={"TEAM": "x"}))
    assert tags(now, decide(asking, situation(now)).plan.actions) == {"team": "x", "kept": "1"}
    unread = decide(asking, situation(replace(now, tags=None)), rewrite=True).plan.actions
    assert [sorted(a.tags) for a in unread if isinstance(a, do.TagRole)][1:] == [["TEAM"]]


def test_what_somebody_wrote_among_the_attached_policies_of_a_status_holds_no_role_back():
    forged = RoleStatus(name="reports", attached_policies=("garbage", HAD.attached_policies[0]))
    now = replace(marked(OWNER, kind=Whose.ADOPTED), attached=("arn:aws:iam::aws:policy/AdministratorAccess",))
    actions = diff_adopted.give_back(now, HAD, forged, "the object is released")
    assert [a.policy_arn for a in actions if isinstance(a, do.AttachPolicy)] == list(HAD.attached_policies)
    assert not [a for a in actions if isinstance(a, do.DetachPolicy)]


@pytest.mark.parametrize("end", [decide_release, decide_deletion])
def test_a_tenants_adopted_role_goes_back_whole_wherever_it_is_cut_off(end: Callable[[IRSA, Situation], Decision]):
    key, theirs = "team-a/reports", {"Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}}]}
    trust = {"Statement": [{"Sid": make(KEYS, ACCOUNT, "reports", key, Whose.ADOPTED), "Effect": "Allow"}]}
    seen = replace(
        own_role(trust=trust, tags={"team": "ours"}), attached=("arn:aws:iam::aws:policy/Ours",), boundary="b"
    )
    had = Adoption(trust_policy=theirs, attached_policies=("arn:aws:iam::aws:policy/Theirs",), tags={"team": "theirs"})
    role = RoleStatus(
        name="reports",
        arn=seen.arn,
        id=seen.id,
        account_id=ACCOUNT,
        origin="Adopted",
        attached_policies=seen.attached or (),
        managed=("tags/team", "permissionsBoundary"),
    )
    status = IRSAStatus(role=role, adoption=had)
    status = replace(status, record=Record(sign_record(KEYS, recorded(status, key, ACCOUNT))))
    wanted = irsa(iam_role=RoleSpec(name="reports", management_policy="Adopt"), status=status)
    tenants = replace(wanted, metadata=replace(wanted.metadata, namespace="team-a"))

    def done(before: ObservedRole, actions: Iterable[AwsAction]) -> ObservedRole:
        after: ObservedRole | None = before
        for action in actions:
            after = on_role(after, action)
        assert after is not None
        return after

    actions = [a for a in end(tenants, situation(seen)).plan.actions if isinstance(a, AwsAction)]
    back = done(seen, actions)
    assert (back.trust, back.attached, back.tags, back.boundary) == (theirs, had.attached_policies, had.tags, "")
    assert len(actions) > 4
    for at in range(1, len(actions)):
        cut = done(seen, actions[:at])
        assert "Allow" not in {statement["Effect"] for statement in (cut.trust or {})["Statement"]}
        rest = [a for a in end(tenants, situation(cut)).plan.actions if isinstance(a, AwsAction)]
        assert done(cut, rest) == back


@pytest.mark.parametrize("spec", [RoleSpec(name="other"), RoleSpec(name="reports", management_policy="Reference")])
def test_what_an_adopted_role_had_is_for_him_to_forget_who_sees_that_it_is_back(spec: RoleSpec):
    theirs = own_role(
        tags={}, trust={"Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}}]}
    )
    role = RoleStatus(name="reports", arn=theirs.arn, id=theirs.id, account_id=ACCOUNT, origin="Adopted")
    status = IRSAStatus(role=role, adoption=Adoption(trust_policy=theirs.trust or {}))
    status = replace(status, record=Record(sign_record(KEYS, recorded(status, OWNER, ACCOUNT))))
    decision = decide(irsa(iam_role=spec, status=status), situation(theirs))
    assert decision.giving_back
    assert decision.plan.empty
    # One that is adopted still is no such role.
    kept = RoleSpec(name="reports", management_policy="Adopt")
    assert not decide(irsa(iam_role=kept, status=status), situation(theirs)).giving_back
