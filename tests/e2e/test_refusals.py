"""What can't be done is named with its reason, what can is done, and mending the cause is enough."""

from __future__ import annotations

from e2e_lab import ROLE_ARN, Lab, spec, unique
from e2e_process import OPERATOR

from irsa_manager.api import names

READ = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
POLICIES = [
    "AmazonS3ReadOnlyAccess",
    "AmazonS3FullAccess",
    "AmazonSQSFullAccess",
    "AmazonSQSReadOnlyAccess",
    "AmazonDynamoDBReadOnlyAccess",
    "AmazonDynamoDBFullAccess",
    "AmazonEC2ReadOnlyAccess",
    "AmazonSNSFullAccess",
    "AmazonSNSReadOnlyAccess",
    "CloudWatchReadOnlyAccess",
    "CloudWatchFullAccess",
]


def test_a_role_that_somebody_else_made_is_left_untouched_and_another_name_works(lab: Lab) -> None:
    role, namespace, name = unique("theirs"), lab.namespace(), unique("i")
    made = lab.aws.foreign_role(role)["CreateDate"]
    # Ours as another cluster of that name sets them, or whoever may tag roles: they prove nothing, and aren't told.
    cluster = (lab.get("/api/v1/namespaces/kube-system") or {})["metadata"]["uid"]
    ours = {names.TAG_OWNER: f"{OPERATOR}/{name}", names.TAG_CLUSTER: cluster, names.TAG_MARK: "im1x"}
    tags = {"team": "payments", **ours}
    lab.aws.iam.tag_role(RoleName=role, Tags=[{"Key": key, "Value": value} for key, value in tags.items()])
    before = lab.aws.role(role)
    lab.make_account(namespace, "found")
    lab.aws.reset_calls()
    irsa = lab.irsa(spec(role, "web", namespace, serviceAccount={"additionalNames": ["found"]}), name=name)
    status = irsa.wait_reason("RoleExists", "False")
    message = irsa.condition("Ready")["message"]
    assert f"Role {role} exists in 000000000000 and wasn't made by this object" in message
    assert f"created {made:%Y-%m-%dT%H:%M}" in message
    assert ", tags team=payments)" in message
    assert "no ServiceAccount annotated" in message
    assert irsa.condition("RoleReady")["reason"] == "RoleExists"
    assert irsa.condition("Stalled")["status"] == "True"
    assert status["serviceAccountCount"] == 0
    irsa.wait_event("RoleExists", role)
    lab.wait_sweeps()
    assert lab.aws.role(role) == before
    assert set(lab.aws.writes()) <= {"CreateRole"}
    assert lab.account(namespace, "web") is None
    assert ROLE_ARN not in lab.annotations(namespace, "found")
    irsa.patch({"iamRole": {"name": f"{role}-2"}})
    irsa.wait_ready()
    assert irsa.condition("Stalled") == {}
    lab.wait_bound(namespace, "found", f"{role}-2")
    made_tags = lab.aws.tags(f"{role}-2")
    assert {key: made_tags[key] for key in (names.TAG_OWNER, names.TAG_CLUSTER)} == {
        key: ours[key] for key in (names.TAG_OWNER, names.TAG_CLUSTER)
    }
    assert lab.aws.role(role) == before


def test_a_role_that_somebody_else_made_survives_the_objects_deletion(lab: Lab) -> None:
    role, namespace = unique("theirs"), lab.namespace()
    before = lab.aws.foreign_role(role)
    irsa = lab.irsa(spec(role, "web", namespace))
    irsa.wait_reason("RoleExists")
    irsa.delete()
    irsa.wait_gone()
    assert lab.aws.role(role) == before


def test_the_object_goes_on_when_the_foreign_role_is_gone(lab: Lab) -> None:
    role, namespace = unique("theirs"), lab.namespace()
    lab.aws.foreign_role(role)
    irsa = lab.irsa(spec(role, "web", namespace))
    irsa.wait_reason("RoleExists")
    lab.aws.iam.delete_role(RoleName=role)
    irsa.wait_ready()
    assert lab.aws.subjects(role) == {f"{namespace}/web"}


def test_role_names_are_one_name_in_any_case(lab: Lab) -> None:
    role, namespace = unique("theirs"), lab.namespace()
    lab.aws.foreign_role(role.upper())
    irsa = lab.irsa(spec(role, "web", namespace))
    irsa.wait_reason("RoleExists")
    assert lab.account(namespace, "web") is None


def test_a_policy_that_does_not_exist_is_named_and_the_others_are_in_place(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(
        spec(role, "web", namespace, iamPolicies=["AmazonS3ReadOnlyAccess", "AmazonS3ReadOnly", "AmazonSQSFullAccess"])
    )
    irsa.wait_reason("PolicyNotFound", "False")
    assert "Policy AmazonS3ReadOnly doesn't exist" in irsa.condition("Ready")["message"]
    assert irsa.condition("Stalled")["reason"] == "PolicyNotFound"
    assert lab.aws.attached(role) == {"AmazonS3ReadOnlyAccess", "AmazonSQSFullAccess"}
    lab.wait_bound(namespace, "web", role)
    irsa.wait_event("PolicyNotFound", "AmazonS3ReadOnly")
    irsa.patch({"iamPolicies": ["AmazonS3ReadOnlyAccess", "AmazonSQSFullAccess"]})
    irsa.wait_ready()


def test_a_policy_that_is_made_later_is_attached_by_itself(lab: Lab) -> None:
    role, namespace, name = unique("role"), lab.namespace(), unique("own")
    irsa = lab.irsa(spec(role, "web", namespace, iamPolicies=[f"customer/{name}"]))
    irsa.wait_reason("PolicyNotFound")
    lab.aws.policy(name)
    irsa.patch({"iamRole": {"tags": {"nudge": "1"}}})
    irsa.wait_ready()
    assert lab.aws.attached(role) == {name}


def test_a_boundary_that_does_not_exist_makes_no_role(lab: Lab) -> None:
    role, namespace, name = unique("role"), lab.namespace(), unique("own")
    irsa = lab.irsa(spec(role, "web", namespace, iamRole={"permissionsBoundary": f"customer/{name}"}))
    irsa.wait_reason("PolicyNotFound", "False")
    assert name in irsa.condition("Ready")["message"]
    assert lab.aws.role(role) is None
    assert lab.account(namespace, "web") is None
    lab.aws.policy(name)
    irsa.patch({"iamRole": {"tags": {"nudge": "1"}}})
    irsa.wait_ready()


def test_an_inline_policy_that_iam_refuses_is_named_with_its_words(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    bad = {"Version": "2012-10-17", "Statement": [{"Effect": "Perhaps", "Action": "s3:GetObject", "Resource": "*"}]}
    irsa = lab.irsa(spec(role, "web", namespace, inlinePolicies={"bad": bad, "good": READ}))
    irsa.wait_reason("MalformedDocument", "False")
    message = irsa.condition("Ready")["message"]
    assert f"IAM refuses inline policy bad of role {role}: " in message
    assert "Syntax errors in policy" in message
    assert lab.aws.inline(role) == {"good": READ}
    lab.wait_bound(namespace, "web", role)
    irsa.patch({"inlinePolicies": {"bad": READ}})
    status = irsa.wait_ready()
    assert status["role"]["inlinePolicies"] == ["bad", "good"]


def test_more_policies_than_a_role_may_have_are_attached_as_far_as_they_fit(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace, iamPolicies=POLICIES))
    irsa.wait_reason("QuotaExceeded", "False")
    assert f"Role {role}: it has its 10 managed policies already." in irsa.condition("Ready")["message"]
    assert len(lab.aws.attached(role)) == 10
    lab.wait_bound(namespace, "web", role)
    irsa.patch({"iamPolicies": POLICIES[1:]})
    irsa.wait_ready()
    assert lab.aws.attached(role) == set(POLICIES[1:])


def test_an_account_that_has_its_roles_already_is_told_and_what_is_there_goes_on(lab: Lab) -> None:
    first, second, namespace = unique("role"), unique("role"), lab.namespace()
    there = lab.irsa(spec(first, "web", namespace))
    there.wait_ready()
    present = lab.aws.iam.get_account_summary()["SummaryMap"]["Roles"]
    lab.aws.quotas(RolesPerAccount=present)
    irsa = lab.irsa(spec(second, "api", namespace))
    irsa.wait_reason("QuotaExceeded", "False")
    message = irsa.condition("Ready")["message"]
    assert f"Role {second}: the account has its {present} roles already." in message
    assert irsa.condition("Stalled")["reason"] == "QuotaExceeded"
    irsa.wait_event("QuotaExceeded", second)
    assert lab.aws.role(second) is None
    assert lab.account(namespace, "api") is None
    there.patch({"iamPolicies": ["AmazonS3ReadOnlyAccess"]})
    there.wait_ready()
    assert lab.aws.attached(first) == {"AmazonS3ReadOnlyAccess"}
    lab.aws.quotas()
    irsa.touch()
    irsa.wait_ready()
    lab.wait_bound(namespace, "api", second)


def test_a_trust_that_is_too_long_leaves_the_previous_one_in_force(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace))
    arn = irsa.wait_ready()["role"]["arn"]
    before = lab.aws.trust(role)
    many = [f"{letter}{'-long' * 45}" for letter in "abcdefghij"]
    irsa.patch({"serviceAccount": {"additionalNames": many}})
    irsa.wait_reason("TrustTooLarge", "False")
    message = irsa.condition("Ready")["message"]
    assert "11 subjects" in message
    assert "the limit is 2,048 (" in message
    assert " over). The previous trust policy is in force." in message
    assert irsa.condition("Stalled")["reason"] == "TrustTooLarge"
    assert lab.aws.trust(role) == before
    assert lab.account(namespace, many[0]) is None
    assert lab.aws.assume(arn, lab.token(namespace, "web")) == ""
    irsa.patch({"serviceAccount": {"additionalNames": many[:2]}})
    irsa.wait_ready()
    assert len(lab.aws.subjects(role)) == 3
