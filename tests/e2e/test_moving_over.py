"""Objects, roles and ServiceAccounts as the Go program leaves them, and then this controller starts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import e2e_upstream as upstream
import pytest
from e2e_controllers import Controllers
from e2e_lab import ROLE_ARN, Irsa, Lab, spec, unique
from e2e_process import OPERATOR, Controller
from test_commands import run
from test_credentials import READS, SWEEPS, TABLE, WRITES, allow

from irsa_manager.api import names
from irsa_manager.sandbox.running import RunningSandbox
from irsa_manager.trust.document import sids

S3 = "AmazonS3ReadOnlyAccess"


@pytest.fixture
def before(bare_lab: Lab, controllers: Controllers) -> Lab:
    """The lab while no controller runs."""
    controllers.stop_usual()
    return bare_lab


def says(irsa: Irsa, reason: str, part: str) -> None:
    """Wait until Ready says that reason, and that part in its message."""

    def look() -> bool:
        ready = irsa.condition("Ready")
        return ready.get("reason") == reason and part in ready["message"]

    irsa.lab.eventually(look, f"IRSA {irsa.key} says {reason}: {part}")


def audiences(lab: Lab, role: str) -> set[str]:
    """What the trust's only statement asks of a token's audience."""
    (statement,) = lab.aws.trust(role)["Statement"]
    (found,) = [v for k, v in statement["Condition"]["StringEquals"].items() if k.endswith(":aud")]
    return {found} if isinstance(found, str) else set(found)


def metadata(lab: Lab, namespace: str, name: str) -> dict[str, Any]:
    found = lab.account(namespace, name)
    assert found is not None, f"there is no {namespace}/{name}"
    return found["metadata"]  # type: ignore[no-any-return]


def test_in_the_operators_namespace_all_is_taken_over_in_place(
    before: Lab, run_controller: Callable[..., Controller], sandbox: RunningSandbox
) -> None:
    lab, role = before, unique("role")
    made, found, vault = lab.namespace("made"), lab.namespace("found"), lab.namespace("vault")
    lab.make_account(found, "web", annotations={"mine": "1"}, labels={"app": "web"})
    lab.make_account(vault, "web", annotations={names.ANNOTATION_AUDIENCE: "vault"})
    lab.aws.iam.add_client_id_to_open_id_connect_provider(
        OpenIDConnectProviderArn=sandbox.provider_arn, ClientID="vault"
    )
    setup = upstream.setup(lab)
    irsa = upstream.irsa(lab, spec(role, "web", made, found, vault, iamPolicies=[S3]), namespace=OPERATOR)
    failed = upstream.irsa(lab, spec(unique("role"), "api", made), namespace=OPERATOR, ready=False)
    versions = {n: metadata(lab, n, "web")["resourceVersion"] for n in (made, found, vault)}
    old = lab.aws.role(role)
    assert old is not None
    tokens = [lab.token(made, "web"), lab.token(found, "web"), lab.token(vault, "web", "vault")]
    lab.aws.reset_calls()
    refused: list[str] = []

    def while_accepted() -> bool:
        refused.extend(filter(None, (lab.aws.assume(old["Arn"], token) for token in tokens)))
        return bool(irsa.status.get("observedGeneration")) and irsa.condition("Ready")["reason"] == "IRSAReady"

    # As who can't ask which audiences the provider takes: what the ServiceAccounts ask for is all there is to know.
    may = [a for a in [*TABLE, *READS, *SWEEPS, *WRITES] if a != "iam:GetOpenIDConnectProvider"]
    run_controller(environment=lab.aws.user(unique("user"), allow(*may)))
    lab.eventually(while_accepted, "it is taken over")
    lab.wait_condition(setup, "Ready", "EksOIDCSetupReady")
    # Nothing but the trust and the marks has changed, and it stays so.
    lab.wait_sweeps()
    while_accepted()
    assert refused == []
    lab.assert_written({"UpdateAssumeRolePolicy": 1, "TagRole": 1}, role)
    (mark,) = sids(lab.aws.trust(role))
    assert mark == lab.aws.tags(role)[names.TAG_MARK]
    assert audiences(lab, role) == {names.DEFAULT_AUDIENCE, "vault"}
    assert lab.aws.subjects(role) == {f"{n}/web" for n in (made, found, vault)}
    assert "InvalidIdentityToken" in lab.aws.assume(
        old["Arn"], lab.token(made, "web", "https://kubernetes.default.svc")
    )
    assert lab.aws.attached(role) == {S3}
    assert {n: metadata(lab, n, "web")["resourceVersion"] for n in versions} == versions
    assert irsa.status["role"]["id"] == old["RoleId"]
    assert {b["namespace"]: b["origin"] for b in irsa.status["serviceAccounts"]} == {
        made: "Created",
        found: "Found",
        vault: "Found",
    }
    # What the Go program hadn't made ready isn't evidence, not even here.
    says(failed, "RoleExists", "irsa-manager adopt --all-mine")
    # Ours to write from now on, and what the Go program made is still told from what it found.
    irsa.patch({"serviceAccount": {"token": {"expirationSeconds": 3600}}})
    lab.eventually(lambda: names.ANNOTATION_TOKEN_EXPIRATION in lab.annotations(made, "web"), "it is annotated anew")
    irsa.wait_ready()
    irsa.delete()
    irsa.wait_gone()
    assert lab.aws.role(role) is None
    assert lab.account(made, "web") is None
    assert metadata(lab, found, "web")["annotations"] == {"mine": "1"}
    assert metadata(lab, vault, "web")["annotations"] == {names.ANNOTATION_AUDIENCE: "vault"}
    lab.aws.iam.remove_client_id_from_open_id_connect_provider(
        OpenIDConnectProviderArn=sandbox.provider_arn, ClientID="vault"
    )


def test_a_takeover_survives_a_bad_start(before: Lab, run_controller: Callable[..., Controller]) -> None:
    lab, role, namespace = before, unique("role"), before.namespace()
    irsa = upstream.irsa(lab, spec(role, "web", namespace, iamPolicies=[S3]), namespace=OPERATOR)
    document = lab.aws.trust(role)
    wrong = run_controller(environment={"AWS_SECRET_ACCESS_KEY": "wrong"})
    irsa.wait_reason("CredentialsInvalid")
    wrong.kill()
    may = [a for a in [*TABLE, *READS, *SWEEPS, *WRITES] if a != "iam:UpdateAssumeRolePolicy"]
    poor = run_controller(environment=lab.aws.user(unique("user"), allow(*may)))
    irsa.wait_reason("PermissionMissing")
    assert lab.aws.trust(role) == document
    poor.kill()
    lab.aws.faults(throttle=1.0, operations=["UpdateAssumeRolePolicy"])
    throttled = run_controller()
    irsa.wait_reason("Throttled")
    throttled.kill()
    lab.aws.faults()
    run_controller()
    irsa.wait_ready()
    assert len(sids(lab.aws.trust(role))) == 1
    assert lab.aws.attached(role) == {S3}


def test_with_the_go_programs_own_rights_all_is_taken_over_and_stays(
    before: Lab, run_controller: Callable[..., Controller]
) -> None:
    lab, role, namespace = before, unique("role"), before.namespace()
    lab.make_account(namespace, "web", annotations={names.ANNOTATION_AUDIENCE: "vault"})
    irsa = upstream.irsa(lab, spec(role, "web", namespace, iamPolicies=[S3]), namespace=OPERATOR)
    # Elsewhere it takes an administrator, and what he has signed is known though no role can be read.
    lab.patch(upstream.setup(lab), {"spec": {"tenancy": {"default": "OwnNamespace"}}})
    tenants, home = unique("role"), lab.namespace("home")
    waits = upstream.irsa(lab, spec(tenants, "api", home, iamPolicies=[S3]), namespace=home)
    document = lab.aws.trust(tenants)
    rights = lab.aws.user(unique("user"), allow(*TABLE))
    for signed in (False, True):
        # What can't be read is written anew by each controller that starts.
        lab.aws.reset_calls()
        controller = run_controller(environment=rights)
        lab.eventually(lambda: "UpdateAssumeRolePolicy" in lab.aws.writes(), "the trust is written")
        irsa.wait_ready()
        if signed:
            waits.wait_ready()
        else:
            says(waits, "OwnershipUnknown", "irsa-manager adopt --all-mine")
            assert lab.aws.trust(tenants) == document
        assert set(lab.aws.writes()) <= {"UpdateAssumeRolePolicy", "TagRole", "AttachRolePolicy"}
        assert audiences(lab, role) == {names.DEFAULT_AUDIENCE, "vault"}
        assert lab.aws.subjects(role) == {f"{namespace}/web"}
        assert lab.aws.attached(role) == {S3}
        controller.stop()
        if not signed:
            done = run(lab, "adopt", "--all-mine", "-n", home, "--yes")
            assert done.returncode == 0, done.stdout + done.stderr
            assert f"ok  IRSA {waits.key} owns role {tenants}" in done.stdout
    assert len(sids(lab.aws.trust(tenants))) == 1
    assert lab.aws.subjects(tenants) == {f"{home}/api"}
    assert lab.aws.attached(tenants) == {S3}
    lab.wait_bound(home, "api", tenants)


def test_elsewhere_nothing_is_touched_until_an_administrator_has_signed(before: Lab, controllers: Controllers) -> None:
    lab, role, small = before, unique("role"), unique("role")
    home, other, third = lab.namespace("home"), lab.namespace("other"), lab.namespace("third")
    setup = upstream.setup(lab)
    irsa = upstream.irsa(lab, spec(role, "web", home, other, iamPolicies=[S3]), namespace=home)
    alone = upstream.irsa(lab, spec(small, "api", home), namespace=home)
    trusts = {name: lab.aws.trust(name) for name in (role, small)}
    accounts = [(home, "web"), (other, "web"), (home, "api")]
    versions = [metadata(lab, *account)["resourceVersion"] for account in accounts]
    tokens = {account: lab.token(*account) for account in accounts}
    lab.aws.reset_calls()
    controllers.ensure_usual()
    for each in (irsa, alone):
        says(each, "TenancyDenied", "irsa-manager adopt --all-mine")
    lab.patch(setup, {"spec": {"tenancy": {"default": "OwnNamespace"}}})
    says(alone, "RoleExists", "irsa-manager adopt --all-mine")
    says(irsa, "TenancyDenied", "tenancy.default OwnNamespace")
    lab.wait_sweeps()
    assert lab.aws.writes() == {}
    assert {name: lab.aws.trust(name) for name in trusts} == trusts
    assert [metadata(lab, *account)["resourceVersion"] for account in accounts] == versions
    done = run(lab, "adopt", "--all-mine", "-n", home, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    for each in (irsa, alone):
        each.wait_ready()
        assert len(sids(lab.aws.trust(each.status["role"]["name"]))) == 1
    arn = irsa.status["role"]["arn"]
    assert audiences(lab, role) == {names.DEFAULT_AUDIENCE}
    assert lab.aws.assume(arn, tokens[other, "web"]) == ""
    # What was bound stays bound; what is new is judged.
    irsa.patch({"serviceAccount": {"namespaces": [home, other, third]}})
    says(irsa, "TenancyDenied", f"ServiceAccounts in namespace {third}")
    lab.patch(setup, {"spec": {"tenancy": {"default": "Deny"}}})
    says(irsa, "TenancyDenied", "tenancy.default Deny")
    lab.wait_sweeps()
    assert lab.account(third, "web") is None
    for namespace in (home, other):
        assert lab.aws.assume(arn, tokens[namespace, "web"]) == ""
        assert lab.annotations(namespace, "web") == {ROLE_ARN: arn}
    for each in (irsa, alone):
        each.delete()
        each.wait_gone()
    assert [lab.aws.role(name) for name in (role, small)] == [None, None]
    assert [lab.account(*account) for account in accounts] == [None, None, None]


def test_signed_while_all_is_denied_what_runs_goes_on(before: Lab, controllers: Controllers) -> None:
    lab, role, home, other = before, unique("role"), before.namespace("home"), before.namespace("other")
    irsa = upstream.irsa(lab, spec(role, "web", home, other, iamPolicies=[S3]), namespace=home)
    tokens = [lab.token(home, "web"), lab.token(other, "web")]
    controllers.ensure_usual()
    says(irsa, "TenancyDenied", "irsa-manager adopt --all-mine")
    done = run(lab, "adopt", "--all-mine", "-n", home, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    lab.wait_sweeps()
    assert irsa.condition("Ready")["reason"] == "TenancyDenied"
    assert "adopt" not in irsa.condition("Ready")["message"]
    arn = irsa.status["role"]["arn"]
    assert [lab.aws.assume(arn, token) for token in tokens] == ["", ""]
    assert lab.aws.attached(role) == {S3}
    irsa.delete()
    irsa.wait_gone()
    assert lab.aws.role(role) is None
    assert lab.account(other, "web") is None


def test_a_forged_object_of_the_go_program_gets_no_role(lab: Lab) -> None:
    role, home = unique("role"), lab.namespace("home")
    lab.aws.iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(upstream.trust(lab, "default/web")))
    lab.setup({"tenancy": {"default": "Unrestricted"}})
    before = lab.aws.trust(role)
    forged = lab.irsa(spec(role, "web", "default", home), namespace=home)
    condition = {
        "type": "Ready",
        "status": "True",
        "reason": "IRSAReady",
        "message": "",
        "lastTransitionTime": "2024-09-20T10:00:00Z",
    }
    status = {"conditions": [condition], "serviceAccounts": [{"namespace": "default", "name": "web"}]}
    lab.patch(f"{forged.path}/status", {"status": status})
    # It may have been judged already: nobody looks again because of a status.
    forged.touch()
    forged.wait_reason("RoleExists", "False")
    lab.wait_sweeps()
    assert lab.aws.trust(role) == before
    assert lab.account(home, "web") is None
