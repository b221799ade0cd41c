"""Reasons whose causes no other test brings about: the cluster's own policies, another cluster's roles, typing errors.

tests/unit/api/test_reasons_shown.py says which test shows which reason.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from e2e_gate import Gate
from e2e_lab import Lab, spec, unique
from e2e_process import DEADLINE_SECONDS, OPERATOR, Controller

from irsa_manager.api import names
from irsa_manager.plan.mark import MarkKeys, make
from irsa_manager.trust.document import deny_all

POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
READ = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}


@pytest.fixture
def forbid(lab: Lab) -> Iterator[Callable[[str, str], Callable[[], None]]]:
    """forbid(operation, namespace): an admission policy of the cluster's own that refuses it; what ends it."""
    made: list[str] = []

    def refused(operation: str, namespace: str) -> bool:
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
        if operation == "DELETE":
            answer = lab.api.request("DELETE", f"{path}/default", json={"dryRun": ["All"]})
        else:
            answer = lab.api.post(path, params={"dryRun": "All"}, json={"metadata": {"name": "probe"}})
        return "are made by the platform" in answer.text

    def start(operation: str, namespace: str) -> Callable[[], None]:
        name = unique("no")
        rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": [operation], "resources": ["serviceaccounts"]}
        policy = {
            "metadata": {"name": name},
            "spec": {
                "failurePolicy": "Fail",
                "matchConstraints": {
                    "resourceRules": [rule],
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                },
                "validations": [{"expression": "false", "message": "ServiceAccounts are made by the platform team."}],
            },
        }
        binding = {"metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Deny"]}}
        lab.create(POLICIES, policy)
        lab.create(BINDINGS, binding)
        made.append(name)
        lab.eventually(lambda: refused(operation, namespace), "the cluster's policy is in force")

        def end() -> None:
            lab.delete(f"{BINDINGS}/{name}")
            lab.delete(f"{POLICIES}/{name}")
            lab.eventually(lambda: not refused(operation, namespace), "the cluster's policy isn't in force any more")

        return end

    yield start
    for name in made:
        lab.delete(f"{BINDINGS}/{name}")
        lab.delete(f"{POLICIES}/{name}")


def test_what_a_policy_of_the_cluster_refuses_is_told_with_its_words(
    lab: Lab, forbid: Callable[[str, str], Callable[[], None]]
) -> None:
    role, open_, closed = unique("role"), lab.namespace(), lab.namespace()
    lab.eventually(lambda: lab.account(open_, "default"), "Kubernetes has made the default ServiceAccount")
    allow = forbid("CREATE", closed)
    irsa = lab.irsa(spec(role, "web", open_, closed))
    irsa.wait_reason("IRSAFailedApplyingResources", "False")
    message = irsa.condition("ServiceAccountsReady")["message"]
    assert f"ServiceAccount {closed}/web couldn't be written: " in message
    assert "ServiceAccounts are made by the platform team." in message
    assert "Role and trust are in force, 1 other ServiceAccount bound." in message
    assert "Next try in 5 minutes, or when the object changes" in message
    assert irsa.condition("RoleReady")["status"] == "True"
    irsa.wait_event("IRSAFailedApplyingResources", f"{closed}/web")
    lab.wait_bound(open_, "web", role)
    allow()
    irsa.patch({"iamRole": {"tags": {"nudge": "1"}}})
    irsa.wait_ready()
    allow = forbid("DELETE", open_)
    irsa.patch({"serviceAccount": {"namespaces": [closed]}})
    irsa.wait_reason("IRSAFailedDeletingResources", "False")
    message = irsa.condition("ServiceAccountsReady")["message"]
    assert f"ServiceAccount {open_}/web couldn't be removed: " in message
    assert "It is out of the role's trust policy; everything else is as the object asks." in message
    assert lab.aws.subjects(role) == {f"{closed}/web"}
    irsa.delete()
    lab.eventually(
        lambda: "The finalizer stays" in irsa.condition("Ready")["message"], "what holds the deletion up is told"
    )
    message = irsa.condition("Ready")["message"]
    assert irsa.condition("Ready")["reason"] == "IRSAFailedDeletingResources"
    assert f"ServiceAccount {open_}/web couldn't be removed: " in message
    assert "ServiceAccounts are made by the platform team." in message
    assert "or set cleanup: false" in message
    irsa.wait_event("IRSAFailedDeletingResources", f"{open_}/web")
    assert lab.account(closed, "web") is None
    assert lab.account(open_, "web") is not None
    # Its tokens are good for nothing any more, though it is still there.
    assert lab.aws.role(role) is None or [s["Effect"] for s in lab.aws.trust(role)["Statement"]] == ["Deny"]
    allow()
    irsa.wait_gone()
    assert lab.account(open_, "web") is None
    assert lab.aws.role(role) is None


def test_a_role_of_another_cluster_is_left_and_its_mark_is_told(lab: Lab) -> None:
    role, namespace, name = unique("role"), lab.namespace(), unique("i")
    # To the letter what a cluster makes in which there is an IRSA of the same name.
    account = lab.aws.sandbox.account
    mark = make(MarkKeys(b"o" * 32), account, role, f"{OPERATOR}/{name}")
    trust = deny_all(mark, lab.aws.sandbox.provider_arn)
    tags = [{"Key": names.TAG_MARK, "Value": mark}, {"Key": names.TAG_OWNER, "Value": f"{OPERATOR}/{name}"}]
    lab.aws.iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust), Tags=tags)
    before = lab.aws.role(role)
    irsa = lab.irsa(spec(role, "web", namespace), name=name)
    irsa.wait_reason("RoleExists", "False")
    assert "irsa-manager made it with another key: of another cluster" in irsa.condition("Ready")["message"]
    irsa.delete()
    irsa.wait_gone()
    assert lab.aws.role(role) == before
    lab.aws.iam.delete_role(RoleName=role)


def test_a_change_on_its_way_is_said_to_be_in_progress(
    gate: Gate, bare_lab: Lab, run_controller: Callable[..., Controller]
) -> None:
    lab = bare_lab
    run_controller(environment=gate.environment())
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace))
    irsa.wait_ready()
    seen = gate.before("AttachRolePolicy", role, lambda: irsa.condition("Ready"))
    irsa.patch({"iamPolicies": ["AmazonS3ReadOnlyAccess"]})
    said = seen.result(DEADLINE_SECONDS)
    assert (said["status"], said["reason"], said["observedGeneration"]) == ("Unknown", "Progressing", 2)
    assert said["message"] == "Generation 2 is being applied."
    irsa.wait_ready()


def test_a_path_that_a_role_does_not_have_is_told_since_iam_can_not_move_it(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    lab.aws.foreign_role(role)
    irsa = lab.irsa(spec(role, "web", namespace, iamRole={"managementPolicy": "Adopt", "path": "/team/"}))
    irsa.wait_reason("IRSAFailedRoleUpdate", "False")
    message = irsa.condition("Ready")["message"]
    assert "its path is / and IAM can't move a role; for /team/ change the name too" in message
    lab.wait_bound(namespace, "web", role)
    irsa.wait_event("IRSAFailedRoleUpdate", role)
    irsa.delete()
    irsa.wait_gone()
    found = lab.aws.role(role)
    assert found is not None
    assert found["Path"] == "/"


def test_names_that_are_almost_right_are_suggested(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace, iamPolicies=["AmazonS3ReadonlyAcces"]))
    irsa.wait_reason("PolicyNotFound", "False")
    assert "Did you mean AmazonS3ReadOnlyAccess?" in irsa.condition("Ready")["message"]
    irsa.patch({"iamPolicies": ["AmazonEBSCSIDriverPolicy", "own-policy-of-mine"]})
    irsa.wait_reason("PolicyNotFound", "False")
    message = irsa.condition("Ready")["message"]
    assert "Policies AmazonEBSCSIDriverPolicy, own-policy-of-mine don't exist" in message
    assert "Did you mean AmazonEBSCSIDriverPolicy: service-role/AmazonEBSCSIDriverPolicy?" in message
    assert "a policy of your own account is written customer/[PATH/]NAME" in message


def test_each_change_of_an_object_has_its_event(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace, iamPolicies=["AmazonS3ReadOnlyAccess"]))
    irsa.wait_ready()
    irsa.patch({"iamPolicies": ["AmazonSQSFullAccess"], "inlinePolicies": {"read": READ}})
    irsa.wait_ready()
    irsa.wait_event("PolicyAttached", f"Policy AmazonSQSFullAccess was attached to role {role}")
    irsa.wait_event("PolicyAttached", f"Policy read (inline) was attached to role {role}")
    irsa.wait_event("PolicyDetached", f"Policy AmazonS3ReadOnlyAccess was detached from role {role}")
    irsa.patch({"iamRole": {"tags": {"team": "a"}}, "inlinePolicies": None, "serviceAccount": {"name": "api"}})
    irsa.wait_ready()
    irsa.wait_event("RoleUpdated", f"Role {role}: tag team set")
    irsa.wait_event("PolicyDetached", f"Policy read (inline) was detached from role {role}")
    irsa.wait_event("TrustUpdated", f"subject {namespace}/api missing, subject {namespace}/web too many")
    irsa.wait_event("ServiceAccountReleased", f"{namespace}/web was released from role {role}: deleted")
    irsa.patch({"cleanup": False})
    irsa.delete()
    irsa.wait_gone()
    irsa.wait_event("RoleReleased", f"Role {role} stays in {lab.aws.sandbox.account} and isn't managed any more")
    assert "DriftRepaired" not in [reason for reason, _ in irsa.events()]


def test_a_provider_that_can_not_be_read_or_accepts_nobody_is_told(
    bare_lab: Lab, run_controller: Callable[..., Controller]
) -> None:
    lab = bare_lab
    host = f"oidc.eks.eu-west-1.amazonaws.com/id/{unique('X').upper()}"
    provider = lab.aws.iam.create_open_id_connect_provider(Url=f"https://{host}", ClientIDList=["other"])
    arn = provider["OpenIDConnectProviderArn"]
    lab.aws.iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="other")
    lab.aws.faults(error=1.0, operations=["GetOpenIDConnectProvider"])
    setup = lab.setup({"iamOIDCProvider": host})
    run_controller()
    message = lab.wait_condition(setup, "Ready", "EksOIDCNotReady")["message"]
    assert "The cluster's issuer isn't usable: " in message
    lab.aws.faults()
    condition = lab.wait_condition(setup, "Ready", "AudienceMissing")
    assert f"OIDC provider {arn} doesn't list the audience sts.amazonaws.com (it has none)" in condition["message"]
    lab.aws.iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)


def test_a_role_that_is_nobodys_is_an_event_of_the_setup_and_a_metric(lab: Lab) -> None:
    setup: Any = lab.setup({})
    lab.wait_condition(setup, "Ready", "EksOIDCSetupReady")
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace, cleanup=False))
    irsa.wait_ready()
    # To name it doesn't make it one's own.
    lab.irsa(spec(role, "other", namespace)).wait_reason("Conflict", "False")
    irsa.delete()
    irsa.wait_gone()
    found = lambda: [  # noqa: E731
        message
        for reason, message in lab.events(OPERATOR, "IRSASetup", setup.rpartition("/")[2])
        if reason == "OrphanedRole" and role in message
    ]
    (message,) = lab.eventually(found, "the setup has the event")
    assert message.endswith(f"It was left as it is. Create IRSA {OPERATOR}/{irsa.name} again, or delete the role.")
    assert lab.controller.metric("irsa_manager_orphaned_roles")[""] >= 1
    assert lab.aws.subjects(role) == {f"{namespace}/web"}
