"""mission.md's own sample: one object in, working credentials out."""

from __future__ import annotations

from e2e_lab import ROLE_ARN, Lab, spec, unique
from e2e_process import OPERATOR

from irsa_manager.api import names
from irsa_manager.controller.status import SETTLING
from irsa_manager.sandbox.running import RunningSandbox

SAMPLE = {
    "cleanup": True,
    "serviceAccount": {"name": "irsa1-sa", "namespaces": ["kube-system", "default"]},
    "iamRole": {"name": "irsa1-role"},
    "iamPolicies": ["AmazonS3FullAccess"],
}


def test_the_sample_makes_role_trust_policy_and_serviceaccounts(lab: Lab, sandbox: RunningSandbox) -> None:
    irsa = lab.irsa(SAMPLE, name="irsa-sample")
    status = irsa.wait_ready()
    arn = f"arn:aws:iam::{sandbox.account}:role/irsa1-role"

    role = lab.aws.role("irsa1-role")
    assert role is not None
    assert role["Arn"] == arn
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    host = sandbox.issuer.removeprefix("https://")
    mark = statement.pop("Sid")
    assert statement == {
        "Effect": "Allow",
        "Principal": {"Federated": sandbox.provider_arn},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": {
                f"{host}:aud": "sts.amazonaws.com",
                f"{host}:sub": [
                    "system:serviceaccount:default:irsa1-sa",
                    "system:serviceaccount:kube-system:irsa1-sa",
                ],
            }
        },
    }
    assert mark.isalnum() and mark.startswith("im1")
    assert lab.aws.attached("irsa1-role") == {"AmazonS3FullAccess"}
    tags = lab.aws.tags("irsa1-role")
    assert tags[names.TAG_MARK] == mark
    assert tags[names.TAG_OWNER] == f"{OPERATOR}/irsa-sample"
    assert set(tags) == {names.TAG_MARK, names.TAG_OWNER, names.TAG_CLUSTER}

    for namespace in ("default", "kube-system"):
        assert lab.annotations(namespace, "irsa1-sa") == {ROLE_ARN: arn}
        assert lab.labels(namespace, "irsa1-sa") == {names.LABEL_CREATED: "true"}

    assert status["role"]["arn"] == arn
    assert status["role"]["id"] == role["RoleId"]
    assert status["role"]["origin"] == "Created"
    assert status["serviceAccountCount"] == 2
    assert [(b["namespace"], b["name"], b["origin"]) for b in status["serviceAccounts"]] == [
        ("default", "irsa1-sa", "Created"),
        ("kube-system", "irsa1-sa", "Created"),
    ]
    assert {c["type"]: c["status"] for c in status["conditions"]} == {
        "Ready": "True",
        "RoleReady": "True",
        "ServiceAccountsReady": "True",
    }
    message = irsa.condition("Ready")["message"]
    assert f"Role irsa1-role ({sandbox.account}) trusts 2 ServiceAccounts; 1 policy attached." in message
    # An IRSASetup of the test before may only just be gone: the controller hears of that a moment later.
    lab.eventually(
        lambda: "discovery document" in irsa.condition("Ready")["message"], "the issuer of the discovery document"
    )


def test_events_tell_of_it_on_the_irsa_and_on_each_serviceaccount(lab: Lab) -> None:
    # A new namespace may be seen after the object, and then nothing is said of tokens: the role trusts nobody at first.
    role, namespace, account = unique("role"), "default", unique("sa")
    irsa = lab.irsa(spec(role, account, namespace, iamPolicies=["AmazonS3ReadOnlyAccess"]))
    irsa.wait_ready()
    assert SETTLING in irsa.condition("Ready")["message"]
    irsa.wait_event("RoleCreated", role)
    irsa.wait_event("PolicyAttached", "AmazonS3ReadOnlyAccess")
    said = irsa.wait_event("ServiceAccountCreated", f"{namespace}/{account}")
    assert "A Helm chart that brings it along can't be installed after that" in said
    assert "serviceAccount.managementPolicy: Annotate" in said
    found = lab.eventually(lambda: lab.events(namespace, "ServiceAccount", account), "the ServiceAccount has an event")
    assert [reason for reason, _ in found] == ["ServiceAccountCreated"]
    assert role in found[0][1]


def test_a_token_of_a_bound_serviceaccount_is_accepted_and_others_are_refused(lab: Lab) -> None:
    role, namespace, other = unique("role"), lab.namespace(), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace))
    arn = irsa.wait_ready()["role"]["arn"]
    lab.make_account(namespace, "stranger")
    lab.make_account(other, "web")
    assert lab.aws.assume(arn, lab.token(namespace, "web")) == ""
    assert lab.aws.assume(arn, lab.token(namespace, "stranger")).startswith("AccessDenied: Not authorized")
    assert lab.aws.assume(arn, lab.token(other, "web")).startswith("AccessDenied: Not authorized")
    wrong = lab.aws.assume(arn, lab.token(namespace, "web", "other.example"))
    assert wrong.startswith("InvalidIdentityToken: The web identity token provided could not be validated")


def test_a_new_role_costs_one_write_and_one_for_each_policy_and_then_nothing(lab: Lab) -> None:
    role = unique("role")
    lab.aws.reset_calls()
    policies = ["AmazonS3ReadOnlyAccess", "AmazonSQSFullAccess", "CloudWatchReadOnlyAccess"]
    lab.irsa(spec(role, unique("sa"), "default", iamPolicies=policies)).wait_ready()
    lab.assert_written({"CreateRole": 1, "AttachRolePolicy": 3}, role)
    lab.wait_sweeps(1)
    ended = lab.sweeps()
    lab.aws.reset_calls()
    lab.wait_sweeps(3)
    calls = lab.aws.calls()
    # One may have begun that isn't ended, at either end.
    swept = lab.sweeps() - ended + 1
    assert lab.aws.writes() == {}
    swept_by = {"GetAccountAuthorizationDetails", "GetOpenIDConnectProvider", "GetCallerIdentity"}
    # GetAccountSummary is asked for every ten minutes.
    if not lab.controller.unanswered(role):
        assert set(calls) <= {*swept_by, "GetAccountSummary"}
    assert calls["GetAccountAuthorizationDetails"] <= swept


def test_kubectl_prints_what_one_asks_for(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace))
    irsa.wait_ready()
    lab.eventually(lambda: irsa.status["serviceAccountCount"] == 1, "the ServiceAccount is bound")
    table = lab.api.get(irsa.path, headers={"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}).json()
    columns = [(column["name"].upper(), column["priority"]) for column in table["columnDefinitions"]]
    row = dict(zip([name for name, _ in columns], table["rows"][0]["cells"], strict=True))
    assert [name for name, priority in columns if priority == 0] == ["NAME", "READY", "ROLE", "AGE"]
    assert row | {"AGE": ""} == {
        "NAME": irsa.name,
        "READY": "True",
        "ROLE": role,
        "AGE": "",
        "REASON": "IRSAReady",
        "SERVICEACCOUNT": "web",
        "BOUND": 1,
    }


def test_deleting_it_leaves_nothing_in_aws_and_in_the_cluster(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(
        spec(
            role,
            "web",
            namespace,
            iamPolicies=["AmazonS3ReadOnlyAccess"],
            inlinePolicies={
                "own": {
                    "Version": "2012-10-17",
                    "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
                }
            },
        )
    )
    irsa.wait_ready()
    irsa.delete()
    irsa.wait_gone()
    assert lab.aws.role(role) is None
    assert lab.account(namespace, "web") is None


def test_without_cleanup_everything_stays_and_goes_on_working(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace, cleanup=False, iamPolicies=["AmazonS3ReadOnlyAccess"]))
    arn = irsa.wait_ready()["role"]["arn"]
    token = lab.token(namespace, "web")
    irsa.delete()
    irsa.wait_gone()
    assert lab.aws.attached(role) == {"AmazonS3ReadOnlyAccess"}
    assert lab.annotations(namespace, "web") == {ROLE_ARN: arn}
    assert lab.aws.assume(arn, token) == ""
