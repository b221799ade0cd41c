"""Tenants who are denied everything and make as much work as they can: others don't notice, and AWS isn't asked."""

from __future__ import annotations

from collections.abc import Callable

from e2e_attackers import owner_of
from e2e_lab import Lab, spec, unique
from e2e_process import OPERATOR, Controller

TOUCHES = 40


def test_denied_objects_that_ask_for_everything_hold_nobody_up(
    bare_lab: Lab, run_controller: Callable[..., Controller]
) -> None:
    lab = bare_lab
    home = lab.namespace("home")
    for _ in range(30):
        lab.namespace("n")
    controller = run_controller()
    lab.setup({})
    mallory = owner_of(lab, home)
    more = {"additionalNames": [f"n{number}" for number in range(10)]}
    evil = [mallory.irsa(spec(unique("evil"), "app", "*", serviceAccount=more), namespace=home) for _ in range(12)]
    victim = lab.irsa(spec(unique("victim"), "app", lab.namespace("v")))
    victim.wait_ready()
    for one in evil:
        lab.wait_condition(one.path, "Ready", "TenancyDenied")
    assert controller.probe("/healthz")[0] == 200


def test_who_is_denied_everything_causes_no_calls_of_aws(
    bare_lab: Lab, run_controller: Callable[..., Controller]
) -> None:
    lab = bare_lab
    run_controller({"--sweep-interval": "1h"})
    home = lab.namespace("home")
    lab.wait_condition(lab.setup({}), "Ready", "EksOIDCSetupReady")
    mallory = owner_of(lab, home)
    # Whatever the setup that counts has set going is over once an object is ready.
    lab.irsa(spec(unique("first"), "app", lab.namespace())).wait_ready()
    swept = lab.sweeps()
    lab.aws.reset_calls()
    path = mallory.setup({"iamOIDCProvider": "oidc.example.com/a"}, namespace=home)
    lab.wait_condition(path, "Ready", "Ignored")
    for number in range(TOUCHES):
        mallory.patch(path, {"spec": {"iamOIDCProvider": f"oidc.example.com/{number}"}})
    reference = {"managementPolicy": "Reference"}
    refers = [mallory.irsa(spec(unique("nosuch"), "app", home, iamRole=reference), namespace=home) for _ in range(4)]
    for number in range(TOUCHES):
        refers[number % len(refers)].touch()
    for one in refers:
        lab.wait_condition(one.path, "Ready", "TenancyDenied")
    # It has seen the last of the setup's changes too.
    generation = (lab.get(path) or {})["metadata"]["generation"]
    lab.eventually(
        lambda: (lab.get(path) or {}).get("status", {}).get("observedGeneration") == generation,
        "the tenant's setup is judged",
    )
    calls = lab.aws.calls()
    # A sweep looks at it, and one that has ended may not have yet.
    assert calls.get("GetOpenIDConnectProvider", 0) <= lab.sweeps() - swept + 1
    assert not calls.get("GetRole")


def test_changes_of_the_setup_that_counts_cause_few_looks_at_aws(
    bare_lab: Lab, run_controller: Callable[..., Controller]
) -> None:
    lab = bare_lab
    run_controller({"--sweep-interval": "1h"})
    path = lab.setup({})
    lab.wait_condition(path, "Ready", "EksOIDCSetupReady")
    lab.aws.reset_calls()
    for number in range(TOUCHES):
        lab.patch(path, {"spec": {"clusterName": f"c{number}"}})
    role = unique("role")
    generation = (lab.get(path) or {})["metadata"]["generation"]
    lab.eventually(
        lambda: (lab.get(path) or {}).get("status", {}).get("observedGeneration") == generation, "the setup is judged"
    )
    assert lab.aws.calls().get("GetOpenIDConnectProvider", 0) < TOUCHES / 2
    lab.irsa(spec(role, "app", lab.namespace()), namespace=OPERATOR).wait_ready()
    tag = "irsa-manager.kkb0318.github.io/cluster"
    lab.eventually(lambda: lab.aws.tags(role)[tag] == f"c{TOUCHES - 1}", "the last name counts")
