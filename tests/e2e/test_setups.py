"""IRSASetup: which one counts, which issuer it names, and what an IRSA says where it isn't in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest
from e2e_controllers import Controllers
from e2e_lab import ROLE_ARN, SETUPS, Lab, spec, unique
from e2e_process import OPERATOR, Controller

from irsa_manager.sandbox.running import RunningSandbox

ELSEWHERE = "oidc.eks.eu-west-1.amazonaws.com/id/ELSEWHERE"


def status(lab: Lab, path: str) -> dict[str, object]:
    return (lab.get(path) or {}).get("status", {})  # type: ignore[no-any-return]


@pytest.mark.parametrize("form", ["host", "URL", "ARN"])
def test_the_provider_is_named_by_host_url_or_arn(lab: Lab, sandbox: RunningSandbox, form: str) -> None:
    host = sandbox.issuer.removeprefix("https://")
    written = {"host": host, "URL": f"https://{host}", "ARN": sandbox.provider_arn}[form]
    setup = lab.setup({"iamOIDCProvider": written, "clusterName": "prod"})
    lab.wait_condition(setup, "Ready", "EksOIDCSetupReady")
    found = status(lab, setup)
    assert (found["issuer"], found["providerARN"], found["accountID"], found["partition"]) == (
        sandbox.issuer,
        sandbox.provider_arn,
        sandbox.account,
        "aws",
    )
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace))
    arn = irsa.wait_ready()["role"]["arn"]
    assert f"Issuer from IRSASetup {OPERATOR}/" in irsa.condition("Ready")["message"]
    assert lab.aws.tags(role)["irsa-manager.kkb0318.github.io/cluster"] == "prod"
    assert lab.aws.assume(arn, lab.token(namespace, "web")) == ""


def test_a_setup_without_a_provider_takes_the_clusters_own_issuer(lab: Lab, sandbox: RunningSandbox) -> None:
    setup = lab.setup({})
    lab.wait_condition(setup, "Ready", "EksOIDCSetupReady")
    assert status(lab, setup)["issuer"] == sandbox.issuer
    table = lab.api.get(setup, headers={"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}).json()
    names = [c["name"].upper() for c in table["columnDefinitions"]]
    row = dict(zip(names, table["rows"][0]["cells"], strict=True))
    assert (row["READY"], row["MODE"], row["ISSUER"], row["REASON"]) == (
        "True",
        "eks",
        sandbox.issuer,
        "EksOIDCSetupReady",
    )


def test_a_setup_in_a_tenants_namespace_has_no_effect(lab: Lab, sandbox: RunningSandbox) -> None:
    tenant = lab.namespace()
    setup = lab.setup({"iamOIDCProvider": ELSEWHERE}, namespace=tenant)
    condition = lab.wait_condition(setup, "Ready", "Ignored")
    assert condition["status"] == "False"
    assert OPERATOR in condition["message"]
    role, namespace = unique("role"), lab.namespace()
    lab.irsa(spec(role, "web", namespace)).wait_ready()
    (statement,) = lab.aws.trust(role)["Statement"]
    assert statement["Principal"]["Federated"] == sandbox.provider_arn


def test_of_two_setups_the_first_counts_until_it_is_deleted(lab: Lab, sandbox: RunningSandbox) -> None:
    first = lab.setup({"iamOIDCProvider": sandbox.issuer}, name="a-setup")
    lab.wait_condition(first, "Ready", "EksOIDCSetupReady")
    second = lab.setup({"clusterName": "second"}, name="b-setup")
    condition = lab.wait_condition(second, "Ready", "Ignored")
    assert first.rpartition("/")[2] in condition["message"]
    lab.delete(first)
    lab.wait_condition(second, "Ready", "EksOIDCSetupReady")


def test_a_restore_that_makes_the_other_setup_the_older_rewrites_no_trust(lab: Lab, controllers: Controllers) -> None:
    first = lab.setup({"iamOIDCProvider": lab.aws.sandbox.issuer}, name="z-setup")
    lab.wait_condition(first, "Ready", "EksOIDCSetupReady")
    role, namespace = unique("role"), lab.namespace()
    lab.irsa(spec(role, "web", namespace)).wait_ready()
    trust = lab.aws.trust(role)
    controllers.stop_usual()
    lab.patch(first, {"metadata": {"finalizers": None}})
    lab.delete(first)
    other = lab.setup({"iamOIDCProvider": ELSEWHERE}, name="a-setup")
    lab.setup({"iamOIDCProvider": lab.aws.sandbox.issuer}, name="z-setup")
    lab.aws.reset_calls()
    controllers.ensure_usual()
    lab.wait_condition(first, "Ready", "EksOIDCSetupReady")
    lab.wait_condition(other, "Ready", "Ignored")
    lab.wait_sweeps(2)
    assert lab.aws.trust(role) == trust
    assert lab.aws.writes() == {}


def test_a_setup_whose_provider_is_missing_says_how_to_make_it(lab: Lab, sandbox: RunningSandbox) -> None:
    host = f"oidc.eks.eu-west-1.amazonaws.com/id/{unique('X').upper()}"
    setup = lab.setup({"iamOIDCProvider": host})
    condition = lab.wait_condition(setup, "Ready", "ProviderNotFound")
    assert f"oidc-provider/{host}" in condition["message"]
    assert f"aws iam create-open-id-connect-provider --url https://{host}" in condition["message"]
    lab.wait_condition(setup, "ProviderReady", "ProviderNotFound")
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace))
    irsa.wait_reason("SetupNotReady", "False")
    assert "ProviderNotFound" in irsa.condition("Ready")["message"]
    assert irsa.condition("RoleReady")["status"] == "True"
    lab.wait_bound(namespace, "web", role)
    lab.aws.iam.create_open_id_connect_provider(Url=f"https://{host}", ClientIDList=["sts.amazonaws.com"])
    lab.wait_condition(setup, "Ready", "EksOIDCSetupReady")
    irsa.wait_ready()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("throttle", "AWS asks for fewer calls (GetOpenIDConnectProvider: "),
        ("error", "AWS did not do GetOpenIDConnectProvider: "),
    ],
)
def test_a_setup_whose_provider_aws_does_not_tell_of_says_so_while_objects_go_on(
    lab: Lab, fault: str, said: str
) -> None:
    lab.aws.faults(**{fault: 1.0, "operations": ["GetOpenIDConnectProvider"]})
    setup = lab.setup({})
    condition = lab.wait_condition(setup, "Ready", "EksOIDCNotReady")
    assert condition["message"].startswith(f"The cluster's issuer isn't usable: {said}"), condition
    assert "Next try soon" in condition["message"]
    assert "Stalled" not in [c["type"] for c in status(lab, setup)["conditions"]]  # type: ignore[attr-defined]
    # What was known before is still good to work by.
    lab.irsa(spec(unique("role"), "web", lab.namespace())).wait_ready()
    lab.aws.faults()
    lab.wait_condition(setup, "Ready", "EksOIDCSetupReady")
    found = status(lab, setup)["conditions"]
    lab.aws.reset_calls()
    lab.aws.faults(**{fault: 1.0, "operations": ["GetOpenIDConnectProvider"]})
    lab.eventually(lambda: lab.aws.calls().get("GetOpenIDConnectProvider", 0) >= 3, "it was looked for again and again")
    assert status(lab, setup)["conditions"] == found


def test_mode_selfhosted_says_that_it_is_not_implemented(lab: Lab) -> None:
    setup = lab.setup(
        {"mode": "selfhosted", "discovery": {"s3": {"region": "eu-west-1", "bucketName": "irsa-manager-bucket"}}}
    )
    condition = lab.wait_condition(setup, "Ready", "NotImplemented")
    assert "mode: eks" in condition["message"]
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace))
    irsa.wait_reason("SetupNotReady", "False")
    assert "NotImplemented" in irsa.condition("Ready")["message"]
    assert lab.aws.role(role) is None
    assert lab.account(namespace, "web") is None
    lab.delete(setup)
    irsa.wait_ready()


def test_a_setup_that_is_deleted_waits_for_the_objects_that_rest_on_it(lab: Lab, sandbox: RunningSandbox) -> None:
    setup = lab.setup({"iamOIDCProvider": sandbox.issuer})
    lab.wait_condition(setup, "Ready", "EksOIDCSetupReady")
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace))
    irsa.wait_ready()
    lab.eventually(lambda: status(lab, setup).get("dependents") == 1, "the setup counts its dependents")
    lab.delete(setup)
    condition = lab.wait_condition(setup, "Ready", "DependentsExist")
    # What rests on it is looked after as long as it stays.
    lab.patch_account(namespace, "web", annotations={ROLE_ARN: None})
    lab.wait_bound(namespace, "web", role)
    assert irsa.name in condition["message"]
    assert lab.get(setup) is not None
    irsa.delete()
    irsa.wait_gone()
    lab.eventually(lambda: lab.get(setup) is None, "the setup goes with its last dependent")


def test_the_flag_names_the_setup_that_counts(
    bare_lab: Lab, run_controller: Callable[..., Controller], sandbox: RunningSandbox
) -> None:
    lab = bare_lab
    namespace = lab.namespace()
    named = lab.setup({"iamOIDCProvider": sandbox.issuer, "clusterName": "named"}, name="main", namespace=namespace)
    other = lab.setup({"iamOIDCProvider": ELSEWHERE})
    run_controller({"--setup": f"{namespace}/main"})
    lab.wait_condition(named, "Ready", "EksOIDCSetupReady")
    condition = lab.wait_condition(other, "Ready", "Ignored")
    assert f"--setup names {namespace}/main" in condition["message"]
    role = unique("role")
    lab.irsa(spec(role, "web", namespace)).wait_ready()
    assert lab.aws.tags(role)["irsa-manager.kkb0318.github.io/cluster"] == "named"
    assert lab.get(f"{SETUPS.format(OPERATOR)}/{other.rpartition('/')[2]}") is not None


@pytest.fixture
def private_issuer(sandbox: RunningSandbox, controllers: Controllers) -> Iterator[str]:
    """The cluster's API server with the issuer of a cluster that nobody prepared for AWS."""
    plane = sandbox.control_plane

    def serve(issuer: str) -> None:
        asyncio.run(plane.kill("kube-apiserver"))
        plane.issuer = issuer
        plane.launch("kube-apiserver")
        asyncio.run(plane.wait_ready())

    serve("https://kubernetes.default.svc")
    yield plane.issuer
    controllers.stop_usual()
    serve(sandbox.issuer)


def test_a_cluster_whose_issuer_aws_cannot_reach_needs_a_setup(
    private_issuer: str, bare_lab: Lab, run_controller: Callable[..., Controller], sandbox: RunningSandbox
) -> None:
    lab = bare_lab
    run_controller()
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace))
    irsa.wait_reason("SetupMissing", "False")
    message = irsa.condition("Ready")["message"]
    assert private_issuer in message
    assert f"Create an IRSASetup with mode: eks and iamOIDCProvider in namespace {OPERATOR}" in message
    assert lab.aws.role(role) is None
    assert lab.account(namespace, "web") is None
    lab.setup({"iamOIDCProvider": sandbox.issuer})
    irsa.wait_ready()
    (statement,) = lab.aws.trust(role)["Statement"]
    assert statement["Principal"]["Federated"] == sandbox.provider_arn
