"""China, GovCloud and the others: no ARN is of another partition than the account."""

from __future__ import annotations

import json

import pytest
from msgspec import to_builtins
from msgspec.structs import replace
from strategies import FACTS
from test_planner_cases import irsa, situation

from irsa_manager.api import names
from irsa_manager.api.irsa import RoleSpec
from irsa_manager.plan import actions as do
from irsa_manager.plan.planner import decide
from irsa_manager.trust import arn


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov", "aws-iso-b"])
def test_every_arn_is_of_the_accounts_partition(partition: str) -> None:
    here = replace(situation(), facts=replace(FACTS, partition=partition))
    role = RoleSpec(name="reports", path="/team/", permissions_boundary="customer/base")
    decision = decide(irsa(iam_role=role, iam_policies=("AmazonS3FullAccess", "customer/mine")), here)
    made = next(action for action in decision.plan.actions if isinstance(action, do.CreateRole))
    account = next(action for action in decision.plan.actions if isinstance(action, do.CreateServiceAccount))
    assert made.boundary == f"arn:{partition}:iam::{FACTS.account}:policy/base"
    assert account.annotations[names.ANNOTATION_ROLE_ARN] == f"arn:{partition}:iam::{FACTS.account}:role/team/reports"
    assert arn.provider_arn(partition, FACTS.account, FACTS.host) in json.dumps(made.trust)
    attached = [action.policy_arn for action in decision.plan.actions if isinstance(action, do.AttachPolicy)]
    assert attached == [
        f"arn:{partition}:iam::aws:policy/AmazonS3FullAccess",
        f"arn:{partition}:iam::{FACTS.account}:policy/mine",
    ]
    text = json.dumps([to_builtins(action) for action in decision.plan.actions])
    assert text.count("arn:") == text.count(f"arn:{partition}:") >= 4
