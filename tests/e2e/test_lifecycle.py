"""Turns in an object's life that concern what isn't all ours: adopted roles that are renamed, namespaces that hang."""

from __future__ import annotations

from e2e_lab import ROLE_ARN, Lab, spec, unique

from irsa_manager.api import names

READ = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}


def test_an_adopted_role_that_is_no_longer_wanted_gets_back_what_it_had_and_the_next_is_made(lab: Lab) -> None:
    role, later, namespace = unique("theirs"), unique("ours"), lab.namespace()
    before = lab.aws.foreign_role(role)
    lab.aws.iam.attach_role_policy(RoleName=role, PolicyArn="arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess")
    wanted = spec(role, "web", namespace, iamPolicies=["AmazonS3ReadOnlyAccess"], inlinePolicies={"read": READ})
    wanted["iamRole"] |= {"managementPolicy": "Adopt", "tags": {"team": "a"}}
    irsa = lab.irsa(wanted)
    irsa.wait_ready()
    assert lab.aws.inline(role) == {"read": READ}
    irsa.patch({"iamRole": {"name": later}})
    irsa.wait_ready()
    lab.wait_bound(namespace, "web", later)
    after = lab.aws.role(role)
    assert after is not None
    assert after["RoleId"] == before["RoleId"]
    assert after["AssumeRolePolicyDocument"] == before["AssumeRolePolicyDocument"]
    assert lab.aws.attached(role) == {"AmazonSQSReadOnlyAccess"}
    assert lab.aws.inline(role) == {}
    assert lab.aws.tags(role) == {}
    status = irsa.status
    assert (status["role"]["origin"], "adoption" in status, status.get("retiredRoles")) == ("Created", False, None)
    # The new one is ours, though the policy says Adopt: it was made.
    irsa.delete()
    irsa.wait_gone()
    assert lab.aws.role(later) is None
    assert lab.aws.role(role) == after


def test_an_adopted_role_stays_as_it_is_without_cleanup(lab: Lab) -> None:
    role, namespace = unique("theirs"), lab.namespace()
    before = lab.aws.foreign_role(role)
    wanted = spec(role, "web", namespace, cleanup=False, iamPolicies=["AmazonS3ReadOnlyAccess"])
    wanted["iamRole"]["managementPolicy"] = "Adopt"
    irsa = lab.irsa(wanted)
    arn = irsa.wait_ready()["role"]["arn"]
    irsa.delete()
    irsa.wait_gone()
    found = lab.aws.role(role)
    assert found is not None
    assert found["RoleId"] == before["RoleId"]
    assert lab.aws.attached(role) == {"AmazonS3ReadOnlyAccess"}
    assert lab.annotations(namespace, "web") == {ROLE_ARN: arn}
    assert lab.aws.assume(arn, lab.token(namespace, "web")) == ""
    # Made again, the object takes it up as what it is: adopted, never to be deleted.
    again = lab.irsa({**wanted, "cleanup": True}, name=irsa.name)
    again.wait_ready()
    again.delete()
    again.wait_gone()
    assert (lab.aws.role(role) or {}).get("RoleId") == before["RoleId"]


def test_a_namespace_that_hangs_in_its_deletion_is_out_of_the_trust_and_not_written_to(lab: Lab) -> None:
    role, stays, hangs = unique("role"), lab.namespace(), lab.namespace()
    irsa = lab.irsa(spec(role, "web", stays, hangs))
    arn = irsa.wait_ready()["role"]["arn"]
    token = lab.token(hangs, "web")
    # An object whose finalizer nobody serves keeps the namespace Terminating.
    metadata = {"name": "held", "finalizers": ["example.com/hold"]}
    lab.create(f"/api/v1/namespaces/{hangs}/configmaps", {"metadata": metadata})
    lab.delete(f"/api/v1/namespaces/{hangs}")
    lab.eventually(lambda: lab.aws.subjects(role) == {f"{stays}/web"}, "its subject is out of the trust")
    assert lab.aws.assume(arn, token).startswith("AccessDenied")
    lab.eventually(lambda: lab.account(hangs, "web") is None, "Kubernetes has deleted what is in it")
    lab.wait_sweeps()
    irsa.wait_ready()
    assert irsa.status["serviceAccountCount"] == 1
    assert {reason for reason, _ in irsa.events()} & {"IRSAFailedApplyingResources", "PermissionMissing"} == set()
    lab.patch(f"/api/v1/namespaces/{hangs}/configmaps/held", {"metadata": {"finalizers": None}})
    lab.eventually(lambda: lab.get(f"/api/v1/namespaces/{hangs}") is None, "the namespace is gone")
    irsa.wait_reason("NamespaceNotFound", "False")
    # Whoever makes the namespace again gets a ServiceAccount of his own time.
    lab.namespace(name=hangs)
    irsa.wait_ready()
    assert lab.labels(hangs, "web") == {names.LABEL_CREATED: "true"}
    assert lab.aws.subjects(role) == {f"{stays}/web", f"{hangs}/web"}


def test_an_object_goes_with_its_own_namespace_and_leaves_nothing(lab: Lab) -> None:
    lab.setup({"tenancy": {"default": "OwnNamespace"}})
    role, home = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", home, iamPolicies=["AmazonS3ReadOnlyAccess"]), namespace=home)
    irsa.wait_ready()
    lab.delete(f"/api/v1/namespaces/{home}")
    irsa.wait_gone()
    lab.eventually(lambda: lab.get(f"/api/v1/namespaces/{home}") is None, "nothing holds the namespace")
    assert lab.aws.role(role) is None
