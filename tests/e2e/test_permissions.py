"""A life of an object with each set of rights that docs/permissions.md names, from the least to all.

The controller has the rights of examples/rbac.yaml in the cluster and those of examples/aws-policy-*.json in AWS.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from e2e_controllers import Controllers
from e2e_grants import RICHER, ROW, Manager, StartAs
from e2e_lab import Irsa, Lab, spec, unique

from irsa_manager.api import names

READ = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
LIST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}]}
FIELDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "tags": ({"iamRole": {"tags": {"team": "a", "tier": "1"}}}, {"iamRole": {"tags": {"team": "b", "tier": None}}}),
    "boundary": (
        {"iamRole": {"permissionsBoundary": "AmazonS3FullAccess"}},
        {"iamRole": {"permissionsBoundary": "AmazonSQSFullAccess"}},
    ),
    "inline": ({"inlinePolicies": {"one": READ, "two": READ}}, {"inlinePolicies": {"one": LIST, "two": None}}),
    "describe": (
        {"iamRole": {"description": "first", "maxSessionDurationSeconds": 7200}},
        {"iamRole": {"description": "second", "maxSessionDurationSeconds": 10800}},
    ),
}
"""What an object sets with that policy: at first, and then."""
OUT = {
    "tags": {"iamRole": {"tags": None}},
    "boundary": {"iamRole": {"permissionsBoundary": None}},
    "inline": {"inlinePolicies": None},
    "describe": {"iamRole": {"description": None, "maxSessionDurationSeconds": None}},
}


def merged(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Parts of a spec as one."""
    found: dict[str, Any] = {}
    for part in parts:
        for key, value in part.items():
            found[key] = {**found.get(key, {}), **value} if isinstance(value, dict) else value
    return found


def as_it_is(lab: Lab, role: str) -> str:
    """All of a role but when it was last used, to be compared."""
    found = {k: v for k, v in (lab.aws.role(role) or {}).items() if k != "RoleLastUsed"}
    return json.dumps([found, sorted(lab.aws.attached(role)), lab.aws.inline(role)], default=str, sort_keys=True)


class Life:
    """One object from its making to its end. fields: the policies whose fields it sets."""

    def __init__(self, lab: Lab, fields: list[str]) -> None:
        self.lab = lab
        self.fields = fields
        self.role = unique("role")
        self.first, self.second = lab.namespace(), lab.namespace()
        wanted = spec(self.role, "web", self.first, iamPolicies=["AmazonS3ReadOnlyAccess"])
        given = merged([wanted, *(FIELDS[name][0] for name in fields)])
        self.irsa: Irsa = lab.irsa(given)

    def made(self) -> None:
        status = self.irsa.wait_ready()
        self.arn = status["role"]["arn"]
        self.old_token = ""
        self.lab.wait_bound(self.first, "web", self.role)
        assert self.lab.aws.attached(self.role) == {"AmazonS3ReadOnlyAccess"}
        assert self.lab.aws.assume(self.arn, self.lab.token(self.first, "web")) == ""
        self.has(0)

    def grown(self) -> None:
        change = merged(
            [
                {"serviceAccount": {"namespaces": [self.first, self.second]}, "iamPolicies": ["AmazonSQSFullAccess"]},
                *(FIELDS[name][1] for name in self.fields),
            ]
        )
        self.irsa.patch(change)
        self.irsa.wait_ready()
        self.lab.wait_bound(self.second, "web", self.role)
        self.old_token = self.lab.token(self.second, "web")
        assert self.lab.aws.attached(self.role) == {"AmazonSQSFullAccess"}
        assert self.lab.aws.assume(self.arn, self.old_token) == ""
        self.has(1)

    def shrunk(self) -> None:
        change = merged(
            [
                {"serviceAccount": {"namespaces": [self.first]}, "iamPolicies": []},
                *(OUT[name] for name in self.fields),
            ]
        )
        self.irsa.patch(change)
        self.irsa.wait_ready()
        self.lab.wait_no_account(self.second, "web")
        assert self.lab.aws.attached(self.role) == set()
        assert "AccessDenied" in self.lab.aws.assume(self.arn, self.old_token)
        self.has(2)

    def renamed(self) -> None:
        old, self.role = self.role, unique("role")
        again = merged([{"iamRole": {"name": self.role}}, *(FIELDS[name][0] for name in self.fields)])
        self.irsa.patch(again)
        self.arn = self.irsa.wait_ready()["role"]["arn"]
        assert self.lab.aws.role(old) is None
        self.lab.wait_bound(self.first, "web", self.role)
        assert self.lab.aws.assume(self.arn, self.lab.token(self.first, "web")) == ""
        self.has(0)

    def ended(self) -> None:
        self.irsa.delete()
        self.irsa.wait_gone()
        assert self.lab.aws.role(self.role) is None
        assert self.lab.account(self.first, "web") is None

    def has(self, step: int) -> None:
        """The role has what its fields say: 0 at first, 1 then, 2 when they were taken out."""
        role = self.lab.aws.role(self.role)
        assert role is not None
        if "tags" in self.fields:
            tags = {k: v for k, v in self.lab.aws.tags(self.role).items() if not k.startswith(names.OWN_PREFIX)}
            assert tags == [{"team": "a", "tier": "1"}, {"team": "b"}, {}][step]
        if "boundary" in self.fields:
            bound = role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", "").rpartition("/")[2]
            assert bound == ["AmazonS3FullAccess", "AmazonSQSFullAccess", ""][step]
        if "inline" in self.fields:
            assert self.lab.aws.inline(self.role) == [{"one": READ, "two": READ}, {"one": LIST}, {}][step]
        if "describe" in self.fields:
            assert role["MaxSessionDuration"] == [7200, 10800, 3600][step]
            assert role.get("Description", "").startswith(["first", "second", "irsa-manager"][step])


def foreign(lab: Lab) -> tuple[str, str, Irsa]:
    """A role of somebody else's, as it is, and an object that wants it."""
    taken = unique("taken")
    lab.aws.foreign_role(taken)
    lab.aws.iam.attach_role_policy(RoleName=taken, PolicyArn="arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess")
    wanting = lab.irsa(spec(taken, "other", lab.namespace(), iamPolicies=["AmazonS3ReadOnlyAccess"]))
    return taken, as_it_is(lab, taken), wanting


@pytest.mark.parametrize("fields", [[], ["tags", "boundary", "inline", "describe"]], ids=["row", "row and writes"])
def test_where_no_role_can_be_read_an_object_lives_all_the_same(
    bare_lab: Lab, start_as: StartAs, fields: list[str]
) -> None:
    lab, manager = bare_lab, Manager(bare_lab.aws, ROW, *fields)
    start_as(manager)
    taken, before, wanting = foreign(lab)
    life = Life(lab, fields)
    life.made()
    wanting.wait_reason("OwnershipUnknown", "False")
    # What it wrote itself it still knows; after a restart it is blind.
    controller = start_as(manager)
    lab.eventually(lambda: "iam:GetRole is missing" in life.irsa.condition("Ready")["message"], "it says so")
    life.grown()
    lab.aws.reset_calls()
    lab.eventually(lambda: lab.aws.calls().get("GetRole", 0) >= 6, "both roles were looked at three times")
    assert lab.aws.writes() == {}
    life.shrunk()
    life.renamed()
    # What somebody writes meanwhile isn't seen, and is put right at the next start.
    trusted = lab.aws.subjects(life.role)
    lab.aws.iam.update_assume_role_policy(RoleName=life.role, PolicyDocument=json.dumps(lab.aws.trust(taken)))
    start_as(manager)
    lab.eventually(lambda: lab.aws.subjects(life.role) == trusted, "the trust policy is written anew")
    lab.eventually(lambda: "iam:GetRole is missing" in life.irsa.condition("Ready")["message"], "it says so")
    life.ended()
    wanting.wait_reason("OwnershipUnknown", "False")
    wanting.delete()
    wanting.wait_gone()
    assert as_it_is(lab, taken) == before
    assert controller.said("Traceback") == []


def test_what_can_not_be_read_is_written_anew_every_few_minutes(bare_lab: Lab, controllers: Controllers) -> None:
    lab, home = bare_lab, bare_lab.namespace()
    periods = {"irsa_manager.controller.concluding.REWRITE_SECONDS": 4.0}
    controllers.start({}, Manager(lab.aws, ROW).environment, periods).wait_ready()
    role = unique("role")
    lab.irsa(spec(role, "web", home)).wait_ready()
    trusted, somebodys = lab.aws.trust(role), lab.aws.trust(foreign(lab)[0])
    for _ in range(2):
        lab.aws.write_trust(role, somebodys)
        lab.eventually(lambda: lab.aws.trust(role) == trusted, "the trust policy is written anew")


@pytest.mark.parametrize("count", range(1, len(RICHER) + 1), ids=RICHER)
def test_with_each_richer_set_an_object_lives(bare_lab: Lab, start_as: StartAs, count: int) -> None:
    lab, given = bare_lab, RICHER[:count]
    controller = start_as(Manager(lab.aws, ROW, *given))
    taken, before, wanting = foreign(lab)
    life = Life(lab, [name for name in given if name in FIELDS])
    life.made()
    wanting.wait_reason("RoleExists", "False")
    message = life.irsa.condition("Ready")["message"]
    lacking = {"sweep": "iam:GetAccountAuthorizationDetails", "tags": "iam:TagRole"}
    told = {what for what, action in lacking.items() if f"({action} is missing)" in message}
    assert told == lacking.keys() - set(given), message
    assert message.count("is missing") == len(told)
    life.grown()
    life.shrunk()
    life.renamed()
    life.ended()
    wanting.delete()
    wanting.wait_gone()
    assert as_it_is(lab, taken) == before
    assert "forbidden" not in controller.log.read_text().lower()
