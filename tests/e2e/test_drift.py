"""What somebody changes in AWS is put back by the next sweep, but for what incident response does.

The manager distrusts reads of a role for half a minute after it wrote it, since IAM shows writes late. The roles here
are made first and the controller is started anew, so that it has written none of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from botocore.exceptions import ClientError
from e2e_aws import Account
from e2e_controllers import Controllers, clear
from e2e_lab import Irsa, Lab, spec, unique

from irsa_manager.api import names
from irsa_manager.plan.mark import MarkKeys, make
from irsa_manager.trust.document import deny_all

pytestmark = pytest.mark.xdist_group("drift")

READ = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
FOREIGN = {
    "Version": "2012-10-17",
    "Statement": [
        {"Sid": "Mine", "Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
CASES = 13


@dataclass
class Case:
    """One object, settled."""

    lab: Lab
    irsa: Irsa
    role: str
    namespace: str

    @property
    def iam(self) -> Any:
        return self.lab.aws.iam

    @property
    def account(self) -> str:
        """namespace/name of its ServiceAccount."""
        (bound,) = self.irsa.status["serviceAccounts"]
        return f"{bound['namespace']}/{bound['name']}"

    def repaired(self, part: str) -> None:
        """Wait for the event, and see that the object is Ready all the while."""
        self.irsa.wait_event("DriftRepaired", part)
        assert self.irsa.condition("Ready")["status"] == "True"


@pytest.fixture(scope="module")
def settled(controllers: Controllers, e2e_api: httpx2.Client, account: Account) -> Iterator[list[Case]]:
    """Objects whose roles the running controller didn't write itself."""
    lab = Lab(e2e_api, account, lambda: controllers.current)
    controllers.ensure_usual()
    namespace = lab.namespace()
    boundary = unique("boundary")
    account.policy(boundary)
    cases = []
    for number in range(CASES):
        role = unique("drift")
        body = spec(
            role,
            f"web-{number}",
            namespace,
            iamPolicies=["AmazonS3ReadOnlyAccess"],
            inlinePolicies={"own": READ},
            iamRole={
                "tags": {"team": "a"},
                "permissionsBoundary": f"customer/{boundary}",
                "description": "as it should be",
                "maxSessionDurationSeconds": 7200,
            },
        )
        cases.append(Case(lab, lab.irsa(body), role, namespace))
    for case in cases:
        case.irsa.wait_ready()
    controllers.stop_usual()
    controllers.ensure_usual()
    yield cases
    account.faults()
    controllers.ensure_usual()
    clear(lab)


@pytest.fixture
def case(settled: list[Case]) -> Case:
    """One that no other test has touched."""
    return settled.pop()


@pytest.fixture(autouse=True)
def usual(controllers: Controllers) -> None:
    controllers.ensure_usual()
    assert not controllers.others


@pytest.fixture(scope="module", autouse=True)
def keep(settled: list[Case]) -> None:
    """Made before the first test."""


def test_a_trust_changed_by_hand_with_its_mark_is_put_back(case: Case) -> None:
    before = case.lab.aws.trust(case.role)
    case.iam.update_assume_role_policy(RoleName=case.role, PolicyDocument=json.dumps(FOREIGN))
    case.lab.eventually(lambda: case.lab.aws.trust(case.role) == before, "the trust is put back")
    case.repaired(f"The trust policy of role {case.role} was put back: subject {case.account} missing")
    case.repaired("principal ec2.amazonaws.com too many")


def test_a_role_stripped_of_both_marks_is_known_by_its_signed_id(case: Case) -> None:
    before = case.lab.aws.trust(case.role)
    own = [names.TAG_MARK, names.TAG_OWNER, names.TAG_CLUSTER]
    case.iam.untag_role(RoleName=case.role, TagKeys=own)
    case.iam.update_assume_role_policy(RoleName=case.role, PolicyDocument=json.dumps(FOREIGN))
    case.lab.eventually(lambda: case.lab.aws.trust(case.role) == before, "the trust is put back")
    case.lab.eventually(lambda: set(own) <= set(case.lab.aws.tags(case.role)), "the tags are put back")


def test_a_role_that_another_cluster_takes_over_is_left_to_it_and_taken_up_again_when_it_is_given_back(
    case: Case,
) -> None:
    lab = case.lab
    before, tags = lab.aws.trust(case.role), lab.aws.tags(case.role)
    # As it looks where an IRSA of another cluster adopts it: a mark of that one's key, on the trust first.
    mark = make(MarkKeys(b"o" * 32), lab.aws.sandbox.account, case.role, "elsewhere/theirs")
    theirs = deny_all(mark, lab.aws.sandbox.provider_arn)
    lab.aws.write_trust(case.role, theirs)
    case.irsa.wait_reason("OwnershipUnknown", "False")
    message = case.irsa.condition("Ready")["message"]
    assert case.role in message
    assert "bears a mark of another key now: another cluster has taken it over" in message
    assert "Release or delete the IRSA there" in message
    marked = {names.TAG_MARK: mark, names.TAG_OWNER: "elsewhere/theirs"}
    case.iam.tag_role(RoleName=case.role, Tags=[{"Key": k, "Value": v} for k, v in marked.items()])
    case.iam.attach_role_policy(RoleName=case.role, PolicyArn="arn:aws:iam::aws:policy/AmazonSQSFullAccess")
    lab.wait_sweeps()
    lab.wait_reconciles(case.irsa)
    # Both would write in turns without end if this one took it for drift.
    assert lab.aws.trust(case.role) == theirs
    assert marked.items() <= lab.aws.tags(case.role).items()
    assert lab.aws.attached(case.role) == {"AmazonS3ReadOnlyAccess", "AmazonSQSFullAccess"}
    assert case.irsa.condition("Ready")["reason"] == "OwnershipUnknown"
    assert lab.account(*case.account.split("/")) is not None
    assert "DriftRepaired" not in [reason for reason, _ in case.irsa.events()]
    # The other one lets go of it: it puts back the trust that it found.
    lab.aws.write_trust(case.role, before)
    case.irsa.wait_ready()
    lab.eventually(lambda: lab.aws.tags(case.role) == tags, "the tags are this object's again")
    lab.eventually(lambda: lab.aws.attached(case.role) == {"AmazonS3ReadOnlyAccess"}, "the policies are as it asks")


def test_a_detached_policy_is_attached_again(case: Case) -> None:
    arn = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
    case.iam.detach_role_policy(RoleName=case.role, PolicyArn=arn)
    case.repaired(f"Policy AmazonS3ReadOnlyAccess of role {case.role} was put back: it wasn't attached")
    assert case.lab.aws.attached(case.role) == {"AmazonS3ReadOnlyAccess"}


def test_a_foreign_policy_is_detached_but_not_what_incident_response_attaches(case: Case) -> None:
    responses = {"AWSDenyAll", "AWSCompromisedKeyQuarantineV3"}
    for name in ("AdministratorAccess", *responses):
        case.iam.attach_role_policy(RoleName=case.role, PolicyArn=f"arn:aws:iam::aws:policy/{name}")
    case.repaired("put back: AdministratorAccess isn't in the spec and was detached")
    case.lab.wait_sweeps()
    assert case.lab.aws.attached(case.role) == {"AmazonS3ReadOnlyAccess", *responses}


def test_a_changed_inline_policy_is_put_back(case: Case) -> None:
    changed = {**READ, "Statement": [{**READ["Statement"][0], "Action": "s3:*"}]}  # type: ignore[dict-item]
    case.iam.put_role_policy(RoleName=case.role, PolicyName="own", PolicyDocument=json.dumps(changed))
    case.repaired(f"Inline policy own of role {case.role} was put back: document differed: it was")
    case.repaired('"Action":"s3:*"')
    assert case.lab.aws.inline(case.role) == {"own": READ}


def test_a_deleted_inline_policy_is_put_back(case: Case) -> None:
    case.iam.delete_role_policy(RoleName=case.role, PolicyName="own")
    case.repaired(f"Inline policy own of role {case.role} was put back: it wasn't there")
    assert case.lab.aws.inline(case.role) == {"own": READ}


def test_a_foreign_inline_policy_is_kept_and_reported(case: Case) -> None:
    revoke = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
    case.iam.put_role_policy(RoleName=case.role, PolicyName="AWSRevokeOlderSessions", PolicyDocument=json.dumps(revoke))
    case.lab.eventually(
        lambda: case.irsa.status["role"].get("foreignInlinePolicies") == ["AWSRevokeOlderSessions"], "it is reported"
    )
    case.lab.wait_sweeps()
    assert set(case.lab.aws.inline(case.role)) == {"own", "AWSRevokeOlderSessions"}
    case.iam.delete_role_policy(RoleName=case.role, PolicyName="AWSRevokeOlderSessions")
    case.lab.eventually(lambda: not case.irsa.status["role"].get("foreignInlinePolicies"), "it isn't reported any more")


def test_changed_tags_are_put_back_and_other_peoples_stay(case: Case) -> None:
    case.iam.tag_role(RoleName=case.role, Tags=[{"Key": "team", "Value": "b"}, {"Key": "theirs", "Value": "x"}])
    case.iam.untag_role(RoleName=case.role, TagKeys=[names.TAG_OWNER])
    case.repaired("tags differed: team was b, should be a")
    case.repaired(f"{names.TAG_OWNER} was missing, should be {case.irsa.key}")
    tags = case.lab.aws.tags(case.role)
    assert (tags["team"], tags["theirs"], tags[names.TAG_OWNER]) == ("a", "x", case.irsa.key)


def test_a_removed_boundary_is_put_back(case: Case) -> None:
    before = case.lab.aws.role(case.role)
    case.iam.delete_role_permissions_boundary(RoleName=case.role)
    case.repaired(f"Role {case.role} was put back: permissions boundary was none, should be customer/boundary-")
    after = case.lab.aws.role(case.role)
    assert before is not None
    assert after is not None
    assert after["PermissionsBoundary"] == before["PermissionsBoundary"]


def test_description_and_session_duration_are_put_back(case: Case) -> None:
    case.iam.update_role(RoleName=case.role, Description="mine", MaxSessionDuration=3600)
    case.repaired(
        "description was 'mine', should be 'as it should be'; maxSessionDurationSeconds was 3600, should be 7200"
    )
    after = case.lab.aws.role(case.role)
    assert after is not None
    assert (after["Description"], after["MaxSessionDuration"]) == ("as it should be", 7200)


def test_a_role_deleted_by_hand_is_made_again_and_the_event_tells_old_and_new_id(case: Case) -> None:
    old = case.irsa.status["role"]["id"]

    def wiped() -> bool:
        try:
            case.lab.aws.wipe(case.role)
        except ClientError as error:
            # A sweep came between and has put back what was taken off already.
            assert error.response["Error"]["Code"] != "DeleteConflict", error
            raise
        return True

    case.lab.eventually(wiped, "the role is deleted")
    message = case.irsa.wait_event("DriftRepaired", old)
    made = case.lab.eventually(lambda: case.lab.aws.role(case.role), "the role is there again")
    assert made["RoleId"] != old
    assert made["RoleId"] in message
    case.lab.eventually(lambda: case.irsa.status["role"]["id"] == made["RoleId"], "the status names the new one")
    case.irsa.wait_ready()
    assert case.lab.aws.attached(case.role) == {"AmazonS3ReadOnlyAccess"}
    assert case.lab.aws.inline(case.role) == {"own": READ}
    arn = case.irsa.status["role"]["arn"]
    account = case.irsa.status["serviceAccounts"][0]["name"]
    assert case.lab.aws.assume(arn, case.lab.token(case.namespace, account)) == ""


def test_drift_that_is_repaired_is_counted(case: Case) -> None:
    before = sum(case.lab.controller.metric("irsa_manager_drift_repaired_total").values())
    case.iam.detach_role_policy(RoleName=case.role, PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
    case.repaired("AmazonS3ReadOnlyAccess")
    case.lab.eventually(
        lambda: sum(case.lab.controller.metric("irsa_manager_drift_repaired_total").values()) > before, "it is counted"
    )
