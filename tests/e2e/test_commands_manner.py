"""-q, -v, -o and --timeout of the commands, and the pods that a plan counts, as people run them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from e2e_lab import Lab, spec, unique
from e2e_process import OPERATOR, Controller
from test_commands import environment_of, is_held, manifest, run, take_up_again

from irsa_manager.api import names

LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{OPERATOR}/leases"


def pod(lab: Lab, namespace: str, account: str, phase: str = "") -> str:
    name = unique("p")
    body: dict[str, Any] = {"containers": [{"name": "c", "image": "none"}], "serviceAccountName": account}
    lab.create(f"/api/v1/namespaces/{namespace}/pods", {"metadata": {"name": name}, "spec": body})
    if phase:
        lab.patch(f"/api/v1/namespaces/{namespace}/pods/{name}/status", {"status": {"phase": phase}})
    return name


def lines(text: str) -> list[str]:
    """The lines with their columns as words."""
    return [" ".join(line.split()) for line in text.splitlines()]


def test_a_plan_counts_the_living_pods_of_what_it_changes_or_deletes(lab: Lab) -> None:
    role, used, idle, name = unique("role"), lab.namespace(), lab.namespace(), unique("i")
    for namespace in (used, idle):
        lab.make_account(namespace, "web")
    lab.make_account(used, "other")
    for account, phase in (("web", ""), ("web", "Running"), ("web", "Succeeded"), ("web", "Failed"), ("other", "")):
        pod(lab, used, account, phase)
    new = lab.namespace()
    body = manifest(name, spec(role, "web", used, idle, new))
    planned = run(lab, "plan", "-f", "-", stdin=body)
    assert planned.returncode == 2, planned.stderr
    assert f"~ sa {used}/web + role-arn (used by 2 pods)" in lines(planned.stdout)
    assert f"~ sa {idle}/web + role-arn (used by no pods)" in lines(planned.stdout)
    assert f"+ sa {new}/web not there yet" in lines(planned.stdout)
    assert "note:" not in planned.stderr
    told = json.loads(run(lab, "plan", "-f", "-", "-o", "json", stdin=body).stdout)
    pods = {line["name"]: line["pods"] for line in told["objects"][0]["lines"] if line["kind"] == "sa"}
    assert pods == {f"{used}/web": 2, f"{idle}/web": 0, f"{new}/web": None}
    irsa = lab.irsa(spec(role, "web", used, idle, new), name=name)
    irsa.wait_ready()
    pod(lab, new, "web")
    fewer = run(lab, "plan", "-f", "-", stdin=manifest(name, spec(role, "web", used, idle)))
    assert f"- sa {new}/web no longer among the object's ServiceAccounts (used by 1 pod)" in lines(fewer.stdout)


def test_the_pods_of_a_service_account_are_named_before_it_goes(lab: Lab) -> None:
    role, kept, left, idle = unique("role"), lab.namespace(), lab.namespace(), lab.namespace()
    irsa = lab.irsa(spec(role, "web", kept, left, idle))
    irsa.wait_ready()
    pod(lab, left, "web", "Succeeded")
    named = pod(lab, left, "web")
    irsa.patch({"serviceAccount": {"namespaces": [kept]}})
    irsa.wait_event("ServiceAccountReleased", f"{left}/web")
    rest = (
        "They aren't touched, but their tokens end, also those for the Kubernetes API. Restart them with another "
        "ServiceAccount, or ask for this one again and restart them."
    )
    using = f"ServiceAccount {left}/web is about to be deleted, and 1 pod would go on using it"

    def told(namespace: str, kind: str, name: str) -> list[str]:
        return [message for reason, message in lab.events(namespace, kind, name) if reason == "ServiceAccountInUse"]

    # Who reads the IRSA's events learns no names of pods of another namespace.
    assert told(OPERATOR, "IRSA", irsa.name) == [f"{using}. {rest}"]
    assert told(left, "ServiceAccount", "web") == [f"{using} ({named}). {rest}"]
    assert told(idle, "ServiceAccount", "web") == []
    lines_ = [
        line for line in lab.controller.lines() if line.get("code") == "ServiceAccountInUse" and left in str(line)
    ]
    assert [line["level"] for line in lines_] == ["warning"]


def test_quiet_leaves_the_result_and_verbose_shows_the_calls(lab: Lab) -> None:
    role, namespace, name = unique("role"), lab.namespace(), unique("i")
    body = manifest(name, spec(role, "web", namespace)) + "---\nkind: ConfigMap\nmetadata: {name: c}\n"
    usual = run(lab, "plan", "-f", "-", stdin=body)
    assert "passed over" in usual.stderr
    quiet = run(lab, "plan", "-f", "-", "-q", stdin=body)
    assert (quiet.returncode, quiet.stderr) == (2, "")
    assert quiet.stdout.splitlines() == [
        line.removesuffix(" Next: kubectl apply") for line in usual.stdout.splitlines() if not line.startswith("On ")
    ]
    loud = run(lab, "plan", "-f", "-", "-v", stdin=body)
    assert loud.stdout == usual.stdout
    assert "Kubernetes call GET /api/v1/serviceaccounts?limit=500 200" in loud.stderr
    assert "awsOperation=GetAccountAuthorizationDetails" in loud.stderr
    told = run(lab, "status", "-n", OPERATOR, "-v", "-o", "json")
    assert json.loads(told.stdout)["kind"] == "Status"
    assert all(json.loads(line)["level"] in {"debug", "info"} for line in told.stderr.splitlines())
    irsa = lab.irsa(spec(role, "web", namespace), name=name)
    irsa.wait_ready()
    seen = run(lab, "release", irsa.key, "-q")
    assert f"release IRSA {irsa.key}: role {role}" in seen.stderr  # nobody is to say yes to what he hasn't seen
    done = run(lab, "release", irsa.key, "-q", "--yes")
    assert (done.returncode, done.stderr, done.stdout) == (0, "", f"ok  IRSA {irsa.key} let go\n")
    take_up_again(lab, irsa)
    irsa.wait_ready()
    nothing = run(lab, "adopt", "--all-mine", "-q", "--yes", "-n", OPERATOR)
    assert (nothing.returncode, nothing.stderr) == (0, "")


@pytest.fixture
def someone_leads(bare_lab: Lab) -> Iterator[Callable[[], None]]:
    """A Lease that nobody's clock ends: whoever asks finds a live controller."""
    path = f"{LEASES}/{names.LEASE_NAME}"

    def lead() -> None:
        bare_lab.delete(path)
        until = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        held = {"holderIdentity": "somebody", "leaseDurationSeconds": 15, "renewTime": until}
        bare_lab.create(LEASES, {"metadata": {"name": names.LEASE_NAME}, "spec": held})

    yield lead
    bare_lab.delete(path)


def test_a_release_that_is_cut_short_says_what_stays(
    bare_lab: Lab, run_controller: Callable[..., Controller], someone_leads: Callable[[], None]
) -> None:
    lab = bare_lab
    controller = run_controller({})
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace))
    irsa.wait_ready()
    controller.stop()
    someone_leads()
    releasing = subprocess.Popen(
        [sys.executable, "-m", "irsa_manager", "release", irsa.key, "--yes", "-v"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment_of(lab),
    )
    assert releasing.stderr
    waiting = f"now waiting for the controller to let IRSA {irsa.key} go"
    assert any(waiting in line for line in releasing.stderr)
    # At the end of --timeout it says the same, in the lines of an error.
    releasing.send_signal(signal.SIGINT)
    out, err = releasing.communicate()
    assert releasing.returncode == 130
    assert out == f"NOT IRSA {irsa.key} let go: not yet. irsa-manager status may say more.\n"
    assert err.splitlines()[-2:] == [
        f"left   The annotation stays on {irsa.key}. The controller lets go as soon as it can.",
        "interrupted",
    ]
    assert is_held(irsa)
    take_up_again(lab, irsa)
