"""The planner's laws, over random objects, clusters and accounts."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from strategies import ACCOUNT, HOST, KEYS, OPERATOR, own_roles, situations

from irsa_manager.api import names
from irsa_manager.plan import actions as do
from irsa_manager.plan.effects import on_role, on_service_account
from irsa_manager.plan.facts import Situation
from irsa_manager.plan.mark import Whose
from irsa_manager.plan.observed import ObservedRole
from irsa_manager.plan.ownership import whose
from irsa_manager.plan.planner import decide
from irsa_manager.plan.removal import decide_deletion
from irsa_manager.trust.document import same, subjects


def apply(plan: do.Plan, situation: Situation) -> Situation:
    roles, accounts = dict(situation.roles), dict(situation.service_accounts)
    for action in plan.actions:
        if isinstance(action, do.AwsAction):
            key = action.role.lower()
            after = on_role(roles.get(key), action, arn=f"arn:aws:iam::{ACCOUNT}:role/{action.role}", role_id="AROANEW")
            roles.pop(key, None)
            if after is not None:
                roles[key] = after
        else:
            place = (action.namespace, action.name)
            changed = on_service_account(accounts.get(place), action)
            accounts.pop(place, None)
            if changed is not None:
                accounts[place] = changed
    return replace(situation, roles=roles, service_accounts=accounts)


@given(situations())
def test_plan_yields_what_was_desired_and_then_nothing_is_left_to_do(case):
    irsa, situation = case
    first = decide(irsa, situation)
    assert first.role_problem is None
    after = apply(first.plan, situation)
    irsa.status = replace(
        irsa.status,
        service_accounts=first.bound,
        role=replace(irsa.status.role, name=irsa.spec.iam_role.name, inline_policies=tuple(irsa.spec.inline_policies)),
    )
    again = decide(irsa, after)
    assert again.plan.empty, again.plan
    role = after.roles[irsa.spec.iam_role.name.lower()]
    assert first.desired is not None
    assert same(role.trust, first.desired.role.trust)
    assert set(first.desired.role.policies) <= set(role.attached or ())
    assert whose(role, irsa.key, ACCOUNT, KEYS) is Whose.MINE


@given(situations())
def test_every_action_says_why_and_survives_serialisation(case):
    irsa, situation = case
    for action in decide(irsa, situation).plan.actions:
        assert action.reason
        assert msgspec.json.decode(msgspec.json.encode(action), type=do.Action) == action


@given(situations())
def test_only_living_named_or_matched_namespaces_are_trusted(case):
    irsa, situation = case
    decision = decide(irsa, situation)
    assert decision.desired is not None
    own = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{HOST}"
    for provider, subject in subjects(decision.desired.role.trust):
        namespace = subject.split(":")[2]
        if provider != own or "*" in namespace or "?" in namespace:
            continue
        assert namespace in situation.namespaces
        assert not situation.namespaces[namespace].terminating
        if namespace.startswith("kube-") or namespace == OPERATOR:
            assert namespace in irsa.spec.service_account.namespaces


@given(situations())
def test_service_accounts_found_keep_everything_that_is_not_ours(case):
    irsa, situation = case
    after = apply(decide(irsa, situation).plan, situation)
    for place, before in situation.service_accounts.items():
        if before.made:
            continue
        now = after.service_accounts[place]
        assert now.labels == before.labels
        for key, value in before.annotations.items():
            if key not in names.BINDING_ANNOTATIONS:
                assert now.annotations[key] == value


@given(situations())
def test_deletion_leaves_nothing_of_ours_and_everything_of_others(case):
    irsa, situation = case
    foreign = ObservedRole(
        name="foreign", arn=f"arn:aws:iam::{ACCOUNT}:role/foreign", id="AROAF", attached=(), inline={}
    )
    situation = replace(situation, roles={**situation.roles, "foreign": foreign})
    decision = decide_deletion(irsa, situation)
    after = apply(decision.plan, situation)
    assert after.roles["foreign"] == foreign
    if not irsa.spec.cleanup:
        assert decision.plan.empty
        return
    assert irsa.spec.iam_role.name.lower() not in after.roles
    kinds = [type(a) for a in decision.plan.actions]
    if do.DeleteRole in kinds and do.UpdateTrust in kinds:
        assert kinds.index(do.UpdateTrust) == 0, "a role lets nobody in before anything else goes"


@given(situations(), st.data())
def test_a_role_that_is_not_ours_is_never_written(case, data):
    irsa, situation = case
    name = irsa.spec.iam_role.name
    owner = data.draw(st.sampled_from(["team-b/other", "team-a/other"]))
    foreign = data.draw(own_roles(name, owner))
    if data.draw(st.booleans()):
        foreign = replace(foreign, tags={"team": "z"}, trust={"Version": "2012-10-17", "Statement": []})
    # What an author can forge: a status that claims the role, with any record.
    status = replace(irsa.status, role=replace(irsa.status.role, name=name, id=foreign.id))
    irsa.status = replace(status, record=replace(status.record, mac=data.draw(st.text(max_size=30))))
    situation = replace(situation, roles={name.lower(): foreign})
    decision = decide(irsa, situation)
    assert decision.plan.empty
    assert decision.role_problem is not None
    assert decision.role_problem.code == ("Conflict" if names.TAG_MARK in (foreign.tags or {}) else "RoleExists")
    assert not [a for a in decide_deletion(irsa, situation).plan.actions if isinstance(a, do.AwsAction)]


@given(situations())
@settings(max_examples=50)
def test_a_rename_makes_the_new_role_before_the_old_one_goes(case):
    irsa, situation = case
    before = apply(decide(irsa, situation).plan, situation)
    old = irsa.spec.iam_role.name
    irsa.status = replace(irsa.status, role=replace(irsa.status.role, name=old))
    irsa.spec = replace(irsa.spec, iam_role=replace(irsa.spec.iam_role, name="renamed"))
    decision = decide(irsa, before)
    kinds = [(type(a).__name__, getattr(a, "role", "")) for a in decision.plan.actions]
    assert kinds.index(("CreateRole", "renamed")) < kinds.index(("DeleteRole", old))
    after = apply(decision.plan, before)
    assert old.lower() not in after.roles
    assert "renamed" in after.roles
