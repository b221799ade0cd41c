"""Each action of the documented sets is taken away in turn: the object names it, all else is done, nobody storms.

One controller runs all the while; what it is told of its missing rights it finds out by itself. What it remembers for
ten minutes (iam:TagRole, sweeps) has controllers of its own, as an administrator would restart them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from e2e_attackers import Belongings
from e2e_grants import RICHER, ROW, Manager, StartAs, actions
from e2e_lab import Irsa, Lab, spec, unique
from test_giving_back import managing
from test_management import RELEASE
from test_permissions import FIELDS, LIST, READ, as_it_is, merged

from irsa_manager.api import names

ALL = (ROW, *RICHER)
S3, SQS = "AmazonS3ReadOnlyAccess", "AmazonSQSFullAccess"
ALREADY = merged([FIELDS[name][0] for name in ("tags", "boundary", "inline", "describe")])
Change = tuple[dict[str, Any], Callable[["Object"], bool]]


class Object:
    """An object that uses every field, or only those said, and its role."""

    def __init__(self, lab: Lab, fields: dict[str, Any] = ALREADY) -> None:
        self.lab = lab
        self.role = unique("role")
        self.first, self.second = lab.namespace(), lab.namespace()
        self.irsa: Irsa = lab.irsa(merged([spec(self.role, "web", self.first, iamPolicies=[S3]), fields]))

    def boundary(self) -> str:
        role = self.lab.aws.role(self.role) or {}
        return role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", "").rpartition("/")[2]  # type: ignore[no-any-return]

    def described(self) -> str:
        return (self.lab.aws.role(self.role) or {}).get("Description", "")  # type: ignore[no-any-return]


CHANGES: dict[str, Change] = {
    "iam:UpdateAssumeRolePolicy": (
        {"trust": {"audiences": ["sts.amazonaws.com", "other"]}},
        lambda o: '"other"' in str(o.lab.aws.trust(o.role)).replace("'", '"'),
    ),
    "iam:AttachRolePolicy": ({"iamPolicies": [S3, SQS]}, lambda o: o.lab.aws.attached(o.role) == {S3, SQS}),
    "iam:DetachRolePolicy": ({"iamPolicies": []}, lambda o: o.lab.aws.attached(o.role) == set()),
    "iam:PutRolePermissionsBoundary": (
        {"iamRole": {"permissionsBoundary": "AmazonSQSFullAccess"}},
        lambda o: o.boundary() == "AmazonSQSFullAccess",
    ),
    "iam:DeleteRolePermissionsBoundary": ({"iamRole": {"permissionsBoundary": None}}, lambda o: o.boundary() == ""),
    "iam:PutRolePolicy": ({"inlinePolicies": {"one": LIST}}, lambda o: o.lab.aws.inline(o.role)["one"] == LIST),
    "iam:DeleteRolePolicy": ({"inlinePolicies": {"two": None}}, lambda o: set(o.lab.aws.inline(o.role)) == {"one"}),
    "iam:UpdateRole": ({"iamRole": {"description": "third"}}, lambda o: o.described() == "third"),
    "iam:UntagRole": ({"iamRole": {"tags": {"tier": None}}}, lambda o: "tier" not in o.lab.aws.tags(o.role)),
}
"""What a change of the spec needs, the change, and whether the role shows it."""
UNSEEN = (
    "iam:GetRole",
    "iam:ListAttachedRolePolicies",
    "iam:ListRolePolicies",
    "iam:GetRolePolicy",
    "iam:ListInstanceProfilesForRole",
    "iam:ListRoles",
    "iam:GetOpenIDConnectProvider",
    "iam:GetAccountSummary",
)
"""Without one of these less is seen, and all is done."""
REMEMBERED = ("iam:TagRole", "iam:GetAccountAuthorizationDetails")
NEVER_DENIED = "sts:GetCallerIdentity"
ENDS = ("iam:CreateRole", "iam:DeleteRole")


@contextmanager
def missing(manager: Manager, *denied: str) -> Iterator[None]:
    """Within it the controller lacks these actions."""
    manager.without(*denied)
    yield
    manager.without()


def says_missing(irsa: Irsa, action: str) -> str:
    """Wait until the object says that this action is missing; its message."""

    def look() -> str:
        ready = irsa.condition("Ready")
        told = ready.get("reason") == "PermissionMissing" and f"{action} is not allowed for" in ready["message"]
        return ready["message"] if told else ""

    message: str = irsa.lab.eventually(look, f"IRSA {irsa.key} says that {action} is missing")
    assert irsa.condition("Ready")["status"] == "False"
    assert irsa.condition("Stalled").get("reason") == "PermissionMissing"
    return message


def test_every_documented_action_is_taken_away_below() -> None:
    assert set(actions(*ALL)) == {*CHANGES, *UNSEEN, *REMEMBERED, *ENDS, NEVER_DENIED}


def test_each_action_that_a_change_needs_is_named_and_the_rest_is_done(bare_lab: Lab, start_as: StartAs) -> None:
    lab, manager = bare_lab, Manager(bare_lab.aws, *ALL)
    controller = start_as(manager)
    one = Object(lab)
    one.irsa.wait_ready()
    for action, (change, there) in CHANGES.items():
        with missing(manager, action):
            # A second change that is allowed: which policies, or, where these are what is refused, a description.
            beside = {"iamRole": {"maxSessionDurationSeconds": 7200 + 60 * len(one.irsa.events())}}
            allowed = action != "iam:UpdateRole"
            one.irsa.patch(merged([change, beside]) if allowed else change)
            message = says_missing(one.irsa, action)
            assert manager.name in message
            assert one.role in message
            assert not there(one)
            if allowed and action not in {"iam:UpdateAssumeRolePolicy", "iam:PutRolePermissionsBoundary"}:
                role = lab.aws.role(one.role) or {}
                assert role["MaxSessionDuration"] == beside["iamRole"]["maxSessionDurationSeconds"], action
            lab.wait_bound(one.first, "web", one.role)
        one.irsa.touch()
        one.irsa.wait_ready()
        assert there(one), action
    assert controller.said("Traceback") == []


def test_without_the_right_to_create_or_delete_nothing_is_half_done(bare_lab: Lab, start_as: StartAs) -> None:
    lab, manager = bare_lab, Manager(bare_lab.aws, *ALL)
    start_as(manager)
    manager.without("iam:CreateRole")
    one = Object(lab)
    says_missing(one.irsa, "iam:CreateRole")
    assert lab.account(one.first, "web") is None
    manager.without("iam:DeleteRole")
    one.irsa.touch()
    arn = one.irsa.wait_ready()["role"]["arn"]
    token = lab.token(one.first, "web")
    assert lab.aws.assume(arn, token) == ""
    foreign = unique("foreign")
    lab.aws.foreign_role(foreign)
    left = lab.irsa(managing("Adopt", foreign, lab.namespace()))
    left.wait_ready()
    one.irsa.delete()
    says_missing(one.irsa, "iam:DeleteRole")
    # Disarmed: nobody gets in although the role is there still.
    assert "AccessDenied" in lab.aws.assume(arn, token)
    assert lab.aws.attached(one.role) == set()
    assert lab.account(one.first, "web") is None
    given = Object(lab)
    given.irsa.wait_ready()
    manager.without("iam:UpdateAssumeRolePolicy")
    one.irsa.touch()
    one.irsa.wait_gone()
    assert lab.aws.role(one.role) is None
    # The first step of an end is to let nobody in: without it nothing else is taken away.
    other = lab.irsa(spec(unique("role"), "web", one.second, iamPolicies=[S3]))
    other.wait_ready()
    role = other.status["role"]["name"]
    other.delete()
    says_missing(other, "iam:UpdateAssumeRolePolicy")
    assert lab.aws.attached(role) == {S3}
    assert lab.account(one.second, "web") is not None
    # Nobody has to grant anything, now or ever, for the object to go: it is given up, and leaves all as it is.
    before = Belongings(lab, [given.role, foreign], [f"{given.first}/web"])
    for irsa in (given.irsa, left):
        irsa.delete()
        says_missing(irsa, "iam:UpdateAssumeRolePolicy")
        lab.patch(irsa.path, RELEASE)
    given.irsa.wait_gone()
    # An adopted role would have to be given back; without cleanup nothing is.
    lab.wait_reconciles(left)
    says_missing(left, "iam:UpdateAssumeRolePolicy")
    left.patch({"cleanup": False})
    lab.patch(left.path, {"metadata": {"annotations": {names.ANNOTATION_RELEASE: None}}})
    left.wait_gone()
    before.untouched()
    manager.without()
    other.touch()
    other.wait_gone()
    assert lab.aws.role(role) is None


def test_without_a_right_to_look_less_is_seen_and_all_is_done(bare_lab: Lab, start_as: StartAs) -> None:
    lab, manager = bare_lab, Manager(bare_lab.aws, *ALL)
    setup = lab.setup({})
    controller = start_as(manager)
    foreign = unique("foreign")
    lab.aws.foreign_role(foreign)
    before = as_it_is(lab, foreign)
    for action in UNSEEN:
        with missing(manager, action):
            # Without iam:GetRole a role whose making nobody has answered is found by the next sweep.
            lab.aws.faults(**({"drop": 1.0, "operations": ["CreateRole"]} if action == "iam:GetRole" else {}))
            one = Object(lab)
            one.irsa.wait_ready()
            lab.aws.faults()
            one.irsa.patch({"iamPolicies": [SQS], "inlinePolicies": {"one": LIST}, "iamRole": {"description": "new"}})
            one.irsa.wait_ready()
            assert lab.aws.attached(one.role) == {SQS}, action
            assert lab.aws.inline(one.role) == {"one": LIST, "two": READ}, action
            assert one.described() == "new", action
            taken = lab.irsa(spec(foreign, "other", one.second, iamRole={"description": "mine now"}))
            taken.wait_reason("RoleExists", "False")
            taken.delete()
            taken.wait_gone()
            if action == "iam:GetOpenIDConnectProvider":
                lab.wait_condition(setup, "ProviderReady", "PermissionMissing")
            if action == "iam:ListRoles":
                told = "sweeps don't show descriptions"
                lab.eventually(lambda: controller.said(told), "the log says what isn't seen")  # noqa: B023
                lab.wait_sweeps()
                assert [line["missing"] for line in controller.said(told)] == [action]
            one.irsa.delete()
            one.irsa.wait_gone()
            assert lab.aws.role(one.role) is None, action
    assert as_it_is(lab, foreign) == before


def test_a_role_in_use_is_told_where_nobody_may_see_by_what(bare_lab: Lab, start_as: StartAs) -> None:
    lab, manager = bare_lab, Manager(bare_lab.aws, *ALL)
    start_as(manager)
    one, profile = Object(lab), unique("profile")
    one.irsa.wait_ready()
    lab.aws.iam.create_instance_profile(InstanceProfileName=profile)
    lab.aws.iam.add_role_to_instance_profile(InstanceProfileName=profile, RoleName=one.role)
    with missing(manager, "iam:ListInstanceProfilesForRole"):
        one.irsa.delete()
        one.irsa.wait_reason("RoleInUse", "False")
        assert "may not see" in one.irsa.condition("Ready")["message"]
    one.irsa.touch()
    lab.eventually(lambda: profile in one.irsa.condition("Ready")["message"], "it is named")
    lab.aws.iam.remove_role_from_instance_profile(InstanceProfileName=profile, RoleName=one.role)
    one.irsa.touch()
    one.irsa.wait_gone()


@pytest.mark.parametrize("action", REMEMBERED)
def test_what_is_remembered_for_ten_minutes_is_found_by_a_restart(
    bare_lab: Lab, start_as: StartAs, action: str
) -> None:
    lab, manager = bare_lab, Manager(bare_lab.aws, *ALL)
    controller = start_as(manager)
    one = Object(lab)
    one.irsa.wait_ready()
    manager.without(action)
    two = Object(lab)
    if action == "iam:TagRole":
        two.irsa.wait_reason("PermissionMissing", "False")
        assert action in two.irsa.condition("Ready")["message"]
        assert lab.aws.tags(two.role) == {}
        assert lab.aws.inline(two.role) == {"one": READ, "two": READ}
        two.irsa.patch({"iamRole": {"tags": None}})
    else:
        lab.eventually(lambda: controller.said("the account can't be read as a whole"), "it is said in the log")
    two.irsa.wait_ready()
    manager.without()
    two.irsa.patch(FIELDS["tags"][0])
    start_as(manager)
    two.irsa.wait_ready()
    tags = lab.aws.tags(two.role)
    assert tags["team"] == "a"
    lab.wait_sweeps(1)


def test_a_right_that_is_missing_is_no_reason_to_ask_without_end(bare_lab: Lab, start_as: StartAs) -> None:
    lab, manager = bare_lab, Manager(bare_lab.aws, *ALL)
    controller = start_as(manager)
    objects = {action: Object(lab) for action in (*CHANGES, "iam:DeleteRole")}
    for one in objects.values():
        one.irsa.wait_ready()
    with missing(manager, *CHANGES, *ENDS):
        fresh = Object(lab)
        for action, one in objects.items():
            if action == "iam:DeleteRole":
                one.irsa.delete()
            else:
                one.irsa.patch(CHANGES[action][0])
        says_missing(fresh.irsa, "iam:CreateRole")
        for action, one in objects.items():
            # A deletion begins with the trust.
            says_missing(one.irsa, "iam:UpdateAssumeRolePolicy" if action == "iam:DeleteRole" else action)
        everyone = [one.irsa for one in (*objects.values(), fresh)]
        deleted = objects["iam:DeleteRole"].irsa
        begun, before = lab.sweeps(), {irsa.key: len(controller.looks(irsa.key)) for irsa in everyone}
        lab.aws.reset_calls()
        lab.wait_sweeps(4)
        calls = lab.aws.calls()
        # A sweep may have begun that isn't ended, at either end; so it is with looks.
        swept = lab.sweeps() - begun + 1
        looks = {key: len(controller.looks(key)) - count + 1 for key, count in before.items()}
        beside = {"GetAccountAuthorizationDetails", "ListRoles", "GetOpenIDConnectProvider", "GetAccountSummary"}
        assert all(count <= swept for name, count in calls.items() if name in beside), calls
        # Each look tries its write once, and reads the role once.
        assert sum(lab.aws.writes().values()) <= sum(looks.values()), (calls, looks)
        rest = {name: count for name, count in calls.items() if name not in beside}
        assert sum(rest.values()) <= 2 * sum(looks.values()), (calls, looks)
        # The deletion is tried again, after waits that are drawn from a window that doubles up to five minutes: were
        # this a whole minute, more than twenty tries in it would be less likely than one in 10**15.
        assert looks.pop(deleted.key) <= 20
        # The others aren't, whatever each sweep shows: only the first one of which a new role's reads are believed.
        assert max(looks.values()) <= 3, looks
    for one in (*objects.values(), fresh):
        one.irsa.touch()
    objects.pop("iam:DeleteRole").irsa.wait_gone()
    for one in (*objects.values(), fresh):
        one.irsa.wait_ready()


def test_where_no_role_can_be_read_each_action_is_named_too_and_not_tried_without_end(
    bare_lab: Lab, start_as: StartAs
) -> None:
    lab, manager = bare_lab, Manager(bare_lab.aws, ROW)
    start_as(manager)
    one = Object(lab, {})
    one.irsa.wait_ready()
    # What it wrote itself it knows for a while, so it is started anew.
    controller = start_as(manager)
    lab.eventually(lambda: "iam:GetRole is missing" in one.irsa.condition("Ready")["message"], "it can't read the role")
    for action in (action for action in CHANGES if action in actions(ROW)):
        change, there = CHANGES[action]
        with missing(manager, action):
            one.irsa.patch(change)
            message = says_missing(one.irsa, action)
            assert manager.name in message
            assert one.role in message
            lab.aws.reset_calls()
            begun = len(controller.looks(one.irsa.key))
            lab.eventually(lambda: lab.aws.calls().get("GetRole", 0) >= 5, "the role was asked for again and again")
            # One may have begun before, and not have ended.
            looks = len(controller.looks(one.irsa.key)) - begun + 1
            assert sum(lab.aws.writes().values()) <= looks <= 3, (action, lab.aws.calls())
            assert not there(one)
            assert lab.account(one.first, "web") is not None
        one.irsa.touch()
        one.irsa.wait_ready()
        assert there(one), action
    assert controller.said("Traceback") == []


def test_without_any_right_to_look_nothing_is_written(bare_lab: Lab, start_as: StartAs) -> None:
    lab, manager = bare_lab, Manager(bare_lab.aws, ROW)
    manager.without("iam:ListAttachedRolePolicies")
    start_as(manager)
    lab.aws.reset_calls()
    irsa = lab.irsa(spec(unique("role"), "web", lab.namespace(), iamPolicies=[S3]))
    says_missing(irsa, "iam:ListAttachedRolePolicies")
    assert lab.aws.writes() == {}
    manager.without()
    irsa.touch()
    irsa.wait_ready()


def test_what_was_put_on_a_role_goes_with_it_where_it_can_not_be_listed(bare_lab: Lab, start_as: StartAs) -> None:
    lab, manager = bare_lab, Manager(bare_lab.aws, ROW, "read", "inline")
    manager.without("iam:ListAttachedRolePolicies", "iam:ListRolePolicies")
    start_as(manager)
    role = unique("role")
    irsa = lab.irsa(spec(role, "web", lab.namespace(), iamPolicies=[S3], inlinePolicies={"one": READ}))
    irsa.wait_ready()
    start_as(manager)
    irsa.wait_reason("PermissionMissing", "False")
    message = irsa.condition("Ready")["message"]
    assert "iam:ListAttachedRolePolicies" in message
    assert "iam:ListRolePolicies" in message
    irsa.delete()
    irsa.wait_gone()
    assert lab.aws.role(role) is None
