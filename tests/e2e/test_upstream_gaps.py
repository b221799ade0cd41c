"""What the Go program did wrong, done right.

GAPS says by which test each is shown; those that no other file of tests has are here.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from e2e_controllers import Controllers
from e2e_lab import Lab, spec, unique
from e2e_process import Controller
from named_tests import source
from test_refusals import POLICIES

GAPS = {
    "it took roles over that others had made": [
        "e2e/test_refusals.py::test_a_role_that_somebody_else_made_is_left_untouched_and_another_name_works",
        "e2e/test_refusals.py::test_a_role_that_somebody_else_made_survives_the_objects_deletion",
    ],
    "two objects, and two clusters, fought over a role for ever": [
        "e2e/test_conflicts.py::test_the_second_object_for_a_role_is_told_and_served_when_the_first_goes",
        "e2e/test_restored.py"
        "::test_a_rebuilt_cluster_knows_its_roles_by_the_key_that_it_brings_along_and_by_nothing_else",
    ],
    "it deleted ServiceAccounts that it had found": [
        "e2e/test_accounts_by_hand.py::test_a_found_one_keeps_everything_else_and_is_released_and_not_deleted",
        "e2e/test_accounts_by_hand.py::test_a_found_one_that_leaves_the_object_is_released",
        "e2e/test_accounts_by_hand.py::test_the_default_serviceaccount_is_bound_and_never_deleted",
    ],
    "a rename left the old role behind": [
        "e2e/test_role_fields.py::test_a_new_role_name_is_made_before_the_old_role_goes_and_bindings_move",
    ],
    "it reported a role as deleted that had further policies": [
        "e2e/test_going_away.py::test_policies_that_others_attached_go_with_the_role",
        "e2e/test_going_away.py::test_a_role_in_an_instance_profile_keeps_the_finalizer_until_it_is_freed",
    ],
    "it cleaned up what the spec said last, not what it had made": [
        "e2e/test_upstream_gaps.py::test_a_cleanup_takes_what_was_made_and_not_what_the_spec_says_last",
    ],
    "its trust asked for no audience": [
        "e2e/test_main_job.py::test_a_token_of_a_bound_serviceaccount_is_accepted_and_others_are_refused",
        "e2e/test_binding_fields.py::test_audiences_are_asked_for_and_go_back_to_the_providers",
    ],
    "about five namespaces filled a trust": [
        "e2e/test_upstream_gaps.py::test_a_role_is_trusted_to_many_namespaces_within_the_quota_that_all_accounts_have",
        "e2e/test_refusals.py::test_a_trust_that_is_too_long_leaves_the_previous_one_in_force",
    ],
    "a swap of policies failed at the quota": [
        "e2e/test_upstream_gaps.py::test_policies_are_swapped_on_a_role_that_is_full",
    ],
    "it knew one partition, and no paths": [
        "unit/plan/test_partitions.py::test_every_arn_is_of_the_accounts_partition",
        "unit/trust/test_document.py",
        "e2e/test_role_fields.py::test_path_is_set_when_the_role_is_made_and_is_in_its_arn",
    ],
    "it wrote to IAM at each look": [
        "e2e/test_main_job.py::test_a_new_role_costs_one_write_and_one_for_each_policy_and_then_nothing",
    ],
    "errors of STS, the setup, the issuer and of deletions never reached the status": [
        "e2e/test_credentials.py::test_wrong_keys_are_said_and_nothing_is_written_until_they_are_right",
        "e2e/test_setups.py::test_a_cluster_whose_issuer_aws_cannot_reach_needs_a_setup",
        "e2e/test_upstream_gaps.py::test_a_deletion_waits_for_aws_and_for_credentials_and_says_so",
    ],
    "a lost status lost what it had made": [
        "e2e/test_crashes.py::test_a_lost_status_is_built_again_from_the_marks",
    ],
    "no observedGeneration, events, metrics, ARN": [
        "e2e/test_main_job.py::test_the_sample_makes_role_trust_policy_and_serviceaccounts",
        "e2e/test_main_job.py::test_events_tell_of_it_on_the_irsa_and_on_each_serviceaccount",
        "e2e/test_process.py::test_health_and_metrics_answer",
    ],
    "it tried for ever what can't succeed": [
        "e2e/test_upstream_gaps.py::test_what_iam_refuses_for_good_is_not_tried_again_and_again",
    ],
    "objects didn't wait for the setup, setups fought, and nothing held one that was in use": [
        "e2e/test_setups.py::test_a_setup_whose_provider_is_missing_says_how_to_make_it",
        "e2e/test_setups.py::test_of_two_setups_the_first_counts_until_it_is_deleted",
        "e2e/test_setups.py::test_a_setup_that_is_deleted_waits_for_the_objects_that_rest_on_it",
    ],
    "the mode had no default and could be changed, names weren't checked": [
        "integration/api/test_irsasetup_rules.py",
        "integration/api/test_irsa_rules.py",
    ],
    "any namespace could annotate any ServiceAccount with any role": [
        "e2e/test_management.py::test_an_object_elsewhere_gets_what_its_administrators_rule_allows",
        "e2e/test_setups.py::test_a_setup_in_a_tenants_namespace_has_no_effect",
    ],
}


@pytest.mark.parametrize("place", sorted({place for places in GAPS.values() for place in places}))
def test_the_test_that_is_named_is_there(place: str) -> None:
    assert "assert" in source(place)


def test_a_cleanup_takes_what_was_made_and_not_what_the_spec_says_last(
    bare_lab: Lab, controllers: Controllers, restart: Callable[[], Controller]
) -> None:
    """The Go program deleted by the names and policies of the spec as it was at the deletion."""
    lab = bare_lab
    controllers.ensure_usual()
    role, one, two = unique("role"), lab.namespace(), lab.namespace()
    irsa = lab.irsa(spec(role, "web", one, iamPolicies=["AmazonS3ReadOnlyAccess"]))
    irsa.wait_ready()
    theirs = lab.make_account(two, "other", annotations={"note": "x"})
    controllers.stop_usual()
    irsa.patch({"serviceAccount": {"name": "other", "namespaces": [two]}, "iamPolicies": ["AmazonSQSFullAccess"]})
    irsa.delete()
    restart()
    irsa.wait_gone()
    assert lab.aws.role(role) is None
    assert lab.account(one, "web") is None
    assert lab.account(two, "other") == theirs


def test_a_role_is_trusted_to_many_namespaces_within_the_quota_that_all_accounts_have(lab: Lab) -> None:
    """The Go program wrote a statement for each namespace: 2,048 characters were full with five or six."""
    role, namespaces = unique("role"), [lab.namespace() for _ in range(24)]
    irsa = lab.irsa(spec(role, "web", *namespaces))
    status = irsa.wait_ready()
    assert status["serviceAccountCount"] == 24
    assert lab.aws.subjects(role) == {f"{namespace}/web" for namespace in namespaces}
    assert len(json.dumps(lab.aws.trust(role), separators=(",", ":"))) < 2048
    for namespace in (namespaces[0], namespaces[-1]):
        assert lab.aws.assume(status["role"]["arn"], lab.token(namespace, "web")) == ""


def test_policies_are_swapped_on_a_role_that_is_full(lab: Lab) -> None:
    """The Go program attached first, which IAM refuses at the quota of ten."""
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace, iamPolicies=POLICIES[:10]))
    irsa.wait_ready()
    for wanted in (POLICIES[1:11], ["ReadOnlyAccess", "SecurityAudit", *POLICIES[:8]]):
        irsa.patch({"iamPolicies": wanted})
        irsa.wait_ready()
        assert lab.aws.attached(role) == set(wanted)
    assert "QuotaExceeded" not in [reason for reason, _ in irsa.events()]


def test_what_iam_refuses_for_good_is_not_tried_again_and_again(lab: Lab) -> None:
    """The Go program tried everything again for ever, from milliseconds to a quarter of an hour apart."""
    role, namespace = unique("role"), lab.namespace()
    bad = {"Version": "2012-10-17", "Statement": [{"Effect": "Perhaps", "Action": "s3:GetObject", "Resource": "*"}]}
    lab.aws.reset_calls()
    irsa = lab.irsa(spec(role, "web", namespace, inlinePolicies={"bad": bad}, iamPolicies=["NoSuchPolicyAnywhere"]))
    irsa.wait_reason("PolicyNotFound", "False")
    lab.wait_sweeps(5)
    # Once as it is made, and once more for whatever is heard of meanwhile: that the finalizer, the role, the
    # ServiceAccount and the namespace are there.
    tried, again = lab.aws.writes(), lab.controller.unanswered(role)
    assert tried["PutRolePolicy"] <= 5 + again["PutRolePolicy"], tried
    assert tried["AttachRolePolicy"] <= 5 + again["AttachRolePolicy"], tried
    assert tried["CreateRole"] == 1


def test_a_deletion_waits_for_aws_and_for_credentials_and_says_so(
    bare_lab: Lab, controllers: Controllers, run_controller: Callable[..., Controller]
) -> None:
    """The Go program left what held a deletion up to its log."""
    lab = bare_lab
    controllers.ensure_usual()
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace, iamPolicies=["AmazonS3ReadOnlyAccess"]))
    irsa.wait_ready()
    lab.aws.faults(error=1.0)
    irsa.delete()
    irsa.wait_reason("AWSUnavailable", "False")
    controllers.stop_usual()
    lab.aws.faults()
    run_controller(environment={"AWS_SECRET_ACCESS_KEY": "wrong" * 8})
    irsa.wait_reason("CredentialsInvalid", "False")
    assert lab.aws.role(role) is not None
    controllers.ensure_usual()
    irsa.wait_gone()
    assert lab.aws.role(role) is None
    assert lab.account(namespace, "web") is None
