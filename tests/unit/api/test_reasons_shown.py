"""Every reason of the catalogue is brought about by a test from a real cause: this says by which.

Real: by a real API server, the enforcing AWS of the sandbox or the operating system, not by calling the formatter.
"""

from __future__ import annotations

import pytest
from named_tests import source

from irsa_manager.api import reasons

SHOWN = {
    # The role
    "IRSAReady": "e2e/test_main_job.py::test_kubectl_prints_what_one_asks_for",
    "Progressing": "e2e/test_reasons.py::test_a_change_on_its_way_is_said_to_be_in_progress",
    "Suspended": "e2e/test_going_away.py::test_a_suspended_object_is_not_written_and_its_deletion_waits",
    "Released": "e2e/test_management.py::test_a_released_object_leaves_everything_and_takes_up_its_role_again",
    "RoleExists": "e2e/test_refusals.py::test_a_role_that_somebody_else_made_is_left_untouched_and_another_name_works",
    "Conflict": "e2e/test_conflicts.py::test_the_second_object_for_a_role_is_told_and_served_when_the_first_goes",
    "OwnershipUnknown": "e2e/test_restored.py"
    "::test_a_rebuilt_cluster_knows_its_roles_by_the_key_that_it_brings_along_and_by_nothing_else",
    "RoleNotFound": "e2e/test_management.py::test_a_referenced_role_that_is_not_there_is_told",
    "TrustRefuses": "e2e/test_management.py::test_a_referenced_role_is_never_written",
    "TenancyDenied": "e2e/test_management.py::test_an_object_elsewhere_gets_what_its_administrators_rule_allows",
    "PolicyNotFound": "e2e/test_refusals.py::test_a_policy_that_does_not_exist_is_named_and_the_others_are_in_place",
    "MalformedDocument": "e2e/test_refusals.py::test_an_inline_policy_that_iam_refuses_is_named_with_its_words",
    "QuotaExceeded": "e2e/test_refusals.py::test_more_policies_than_a_role_may_have_are_attached_as_far_as_they_fit",
    "TrustTooLarge": "e2e/test_refusals.py::test_a_trust_that_is_too_long_leaves_the_previous_one_in_force",
    "RoleInUse": "e2e/test_going_away.py::test_a_role_in_an_instance_profile_keeps_the_finalizer_until_it_is_freed",
    "IRSAFailedRoleUpdate": "e2e/test_reasons.py"
    "::test_a_path_that_a_role_does_not_have_is_told_since_iam_can_not_move_it",
    "IRSAFailedDeletingResources": "e2e/test_reasons.py"
    "::test_what_a_policy_of_the_cluster_refuses_is_told_with_its_words",
    # ServiceAccounts and the cluster's setup
    "NamespaceNotFound": "e2e/test_namespaces.py"
    "::test_a_namespace_that_is_missing_is_named_and_not_trusted_until_it_exists",
    "ServiceAccountMissing": "e2e/test_management.py::test_service_accounts_may_be_waited_for_or_left_to_their_owner",
    "IRSAFailedApplyingResources": "e2e/test_reasons.py"
    "::test_what_a_policy_of_the_cluster_refuses_is_told_with_its_words",
    "SetupMissing": "e2e/test_setups.py::test_a_cluster_whose_issuer_aws_cannot_reach_needs_a_setup",
    "SetupNotReady": "e2e/test_setups.py::test_a_setup_whose_provider_is_missing_says_how_to_make_it",
    "EksOIDCSetupReady": "e2e/test_setups.py::test_the_provider_is_named_by_host_url_or_arn",
    "EksOIDCNotReady": "e2e/test_reasons.py::test_a_provider_that_can_not_be_read_or_accepts_nobody_is_told",
    "ProviderNotFound": "e2e/test_setups.py::test_a_setup_whose_provider_is_missing_says_how_to_make_it",
    "AudienceMissing": "e2e/test_reasons.py::test_a_provider_that_can_not_be_read_or_accepts_nobody_is_told",
    "Ignored": "e2e/test_setups.py::test_a_setup_in_a_tenants_namespace_has_no_effect",
    "NotImplemented": "e2e/test_setups.py::test_mode_selfhosted_says_that_it_is_not_implemented",
    "DependentsExist": "e2e/test_setups.py::test_a_setup_that_is_deleted_waits_for_the_objects_that_rest_on_it",
    # Access
    "PermissionMissing": "e2e/test_credentials.py::test_a_missing_permission_is_named_and_what_is_allowed_is_done",
    "CredentialsInvalid": "e2e/test_credentials.py"
    "::test_wrong_keys_are_said_and_nothing_is_written_until_they_are_right",
    "Throttled": "e2e/test_faults.py::test_a_throttled_object_says_so_and_does_not_delay_another",
    "AWSUnavailable": "e2e/test_faults.py::test_an_outage_of_aws_leaves_what_is_there_and_is_over_by_itself",
    "KubernetesUnavailable": "unit/cli/test_cli_ends.py::test_an_api_server_that_is_not_there_is_named",
    "KubernetesRefused": "integration/controller/test_controller_namespace.py",
    # What was changed
    "RoleCreated": "e2e/test_main_job.py::test_events_tell_of_it_on_the_irsa_and_on_each_serviceaccount",
    "RoleUpdated": "e2e/test_reasons.py::test_each_change_of_an_object_has_its_event",
    "RoleDeleted": "e2e/test_role_fields.py::test_a_new_role_name_is_made_before_the_old_role_goes_and_bindings_move",
    "RoleReleased": "e2e/test_reasons.py::test_each_change_of_an_object_has_its_event",
    "RoleAdopted": "e2e/test_management.py::test_an_adopted_role_gets_back_what_it_had",
    "TrustUpdated": "e2e/test_reasons.py::test_each_change_of_an_object_has_its_event",
    "PolicyAttached": "e2e/test_reasons.py::test_each_change_of_an_object_has_its_event",
    "PolicyDetached": "e2e/test_reasons.py::test_each_change_of_an_object_has_its_event",
    "ServiceAccountCreated": "e2e/test_main_job.py::test_events_tell_of_it_on_the_irsa_and_on_each_serviceaccount",
    "ServiceAccountAnnotated": "e2e/test_accounts_by_hand.py"
    "::test_a_found_one_keeps_everything_else_and_is_released_and_not_deleted",
    "ServiceAccountReleased": "e2e/test_reasons.py::test_each_change_of_an_object_has_its_event",
    "DriftRepaired": "e2e/test_accounts_by_hand.py::test_an_edited_and_a_removed_annotation_are_put_back",
    "ServiceAccountInUse": "e2e/test_commands_manner.py::test_the_pods_of_a_service_account_are_named_before_it_goes",
    "OrphanedRole": "e2e/test_reasons.py::test_a_role_that_is_nobodys_is_an_event_of_the_setup_and_a_metric",
    # Commands
    "Usage": "unit/cli/test_cli_frame.py",
    "UnknownReason": "unit/cli/test_cli_frame.py",
    "TimedOut": "unit/cli/test_cli_ends.py::test_an_api_server_that_never_answers_is_given_up_in_time",
    "ConfirmationRequired": "e2e/test_commands.py::test_a_live_controller_is_waited_for",
    "SandboxNotRunning": "unit/cli/test_cli_ends.py::test_a_sandbox_that_does_not_run_is_said_with_what_starts_one",
    "SandboxRunning": "integration/sandbox/test_sandbox_commands.py::test_a_whole_life",
    "SandboxFailed": "integration/sandbox/test_sandbox_commands.py",
    "ControlPlaneMissing": "integration/sandbox/test_finder.py",
    "SandboxExtraMissing": "unit/cli/test_cli_ends.py::test_without_the_sandboxs_libraries_its_commands_say_so",
    "SystemRefused": "integration/sandbox/test_sandbox_commands.py",
    "Unexpected": "unit/cli/test_cli_ends.py::test_a_file_that_we_forgot_to_make_is_our_fault",
}


def test_every_reason_has_its_test_and_no_other() -> None:
    assert SHOWN.keys() == reasons.REASONS.keys()


@pytest.mark.parametrize("code", list(SHOWN))
def test_the_test_is_there_and_asks_for_the_reason(code: str) -> None:
    text = source(SHOWN[code])
    assert f'"{code}' in text or f"{code}:" in text, f"{SHOWN[code]} doesn't say {code}"
