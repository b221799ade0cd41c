"""The program itself: flags, health, metrics, leadership, its end."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from e2e_lab import Lab, spec, unique
from e2e_process import OPERATOR, Controller, fetch
from e2e_rbac import EXAMPLES, apply, granted

from irsa_manager.api import names
from irsa_manager.sandbox.running import RunningSandbox

LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{OPERATOR}/leases/{names.LEASE_NAME}"


def pair(lab: Lab, run_controller: Callable[..., Controller]) -> tuple[Controller, Controller]:
    """Two controllers; the first leads.

    Where the machine stands still for too long to renew the lease the first one ends, as it must: then there are two
    others.
    """
    while True:
        first = run_controller({"--leader-elect": ""})
        lab.eventually(lambda first=first: first.metric("irsa_manager_leader") == {"": 1.0}, "the first one leads")  # type: ignore[misc]
        second = run_controller({"--leader-elect": ""})
        if first.returncode is None:
            return first, second
        second.kill()


def test_health_and_metrics_answer(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace, iamPolicies=["AmazonS3ReadOnlyAccess"]))
    irsa.wait_ready()
    assert lab.controller.probe("/healthz") == (200, "ok\n")
    assert lab.controller.probe("/readyz") == (200, "ok\n")
    assert lab.controller.probe("/other")[0] == 404
    calls = lab.controller.metric("irsa_manager_aws_calls_total")
    assert sum(n for labels, n in calls.items() if 'operation="CreateRole"' in labels) >= 1
    assert lab.controller.metric("irsa_manager_leader") == {"": 1.0}
    assert lab.controller.metric("irsa_manager_sweep_last_success_timestamp_seconds")[""] > time.time() - 3600

    # What the watch has brought back of the controller's own writes.
    def counted() -> bool:
        objects = lab.controller.metric("irsa_manager_objects")
        assert any('reason="IRSAReady"' in labels and n >= 1 for labels, n in objects.items()), objects
        ready = lab.controller.metric("irsa_manager_object_ready")
        assert any(f'name="{irsa.name}"' in labels and n == 1 for labels, n in ready.items()), ready
        return True

    lab.eventually(counted, "the object is counted as ready")
    assert lab.controller.metric("controller_runtime_reconcile_total")
    assert lab.controller.metric("irsa_manager_build_info")


def test_who_may_not_make_the_marks_key_ends_with_the_command_for_it_and_works_once_it_is_made(
    bare_lab: Lab, run_controller: Callable[..., Controller], sandbox: RunningSandbox, tmp_path: Path
) -> None:
    lab, operator = bare_lab, bare_lab.namespace("op")
    # What the example grants, in a namespace that has no empty Secret; leases aren't asked for here.
    example = list(yaml.safe_load_all((EXAMPLES / "rbac.yaml").read_text()))
    for document in example:
        if document["kind"] in {"Role", "RoleBinding"}:
            apply(lab.api, {**document, "metadata": {**document["metadata"], "namespace": operator}})
    kubeconfig = granted(tmp_path / "kubeconfig", lab.api, sandbox, operator)
    flags, environment = {"--namespace": operator}, {"KUBECONFIG": str(kubeconfig)}
    role = unique("role")
    irsa = lab.irsa(spec(role, "web", lab.namespace()), namespace=operator)
    lab.aws.reset_calls()
    ended = run_controller(flags, environment, wait=False)
    assert ended.wait_ended() == 1
    text = ended.log.read_text()
    assert "PermissionMissing" in text
    assert f"Secret {operator}/{names.MARK_SECRET}" in text
    command = (
        f"kubectl create secret generic {names.MARK_SECRET} -n {operator} "
        '--from-literal=key="$(openssl rand -base64 32)"'
    )
    assert command in text.replace('\\"', '"')
    assert "Traceback" not in text
    assert lab.aws.writes() == {}
    # What this command makes: the literal as it stands, which Kubernetes encodes once more.
    literal = base64.b64encode(secrets.token_bytes(32)).decode()
    body = {"metadata": {"name": names.MARK_SECRET}, "stringData": {"key": literal}}
    lab.create(f"/api/v1/namespaces/{operator}/secrets", body)
    run_controller(flags, environment)
    irsa.wait_ready()
    # The usual one, which clears up, doesn't know that key.
    irsa.delete()
    irsa.wait_gone()
    assert lab.aws.role(role) is None


def test_a_failing_object_is_counted_by_its_reason(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    lab.aws.foreign_role(role)
    lab.irsa(spec(role, "web", namespace)).wait_reason("RoleExists")
    lab.eventually(
        lambda: any(
            'reason="RoleExists"' in labels and n == 1
            for labels, n in lab.controller.metric("irsa_manager_objects").items()
        ),
        "it is counted",
    )


@pytest.mark.parametrize("flag", ["--metrics-bind-address", "--health-probe-bind-address"])
def test_0_turns_a_server_off(bare_lab: Lab, run_controller: Callable[..., Controller], flag: str) -> None:
    lab = bare_lab
    controller = run_controller({flag: "0"}, wait=False)
    lab.irsa(spec(unique("role"), "web", lab.namespace())).wait_ready()
    metrics, health = fetch(f"{controller.metrics_url}/metrics")[0], controller.probe("/healthz")[0]
    assert (metrics, health) == ((0, 200) if flag == "--metrics-bind-address" else (200, 0))


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"--sweep-interval": "soon"}, "--sweep-interval=soon"),
        ({"--sweep-interval": "0s"}, "--sweep-interval=0s is too short"),
        ({"--sweep-interval": "999ms"}, "--sweep-interval=999ms is too short"),
        ({"--setup": "main"}, "--setup=main names no IRSASetup"),
        ({"--metrics-bind-address": "everywhere"}, "--metrics-bind-address=everywhere is no address"),
        ({"--log-level": "loud"}, "--log-level=loud is unknown"),
        ({"--kubeconfig": "/nowhere/kubeconfig"}, "/nowhere/kubeconfig"),
    ],
)
def test_a_wrong_flag_ends_it_with_a_word_and_no_traceback(
    bare_lab: Lab, run_controller: Callable[..., Controller], flags: dict[str, str], said: str
) -> None:
    assert bare_lab.irsas == []
    controller = run_controller(flags, wait=False)
    assert controller.wait_ended() == 1
    text = controller.log.read_text()
    assert said in text
    assert "hint" in text
    assert "Traceback" not in text


def test_a_port_in_use_ends_it_with_a_word(
    bare_lab: Lab, run_controller: Callable[..., Controller], sandbox: RunningSandbox
) -> None:
    assert bare_lab.irsas == []
    taken = sandbox.aws_url.removeprefix("http://")
    controller = run_controller({"--metrics-bind-address": taken}, wait=False)
    assert controller.wait_ended() == 1
    text = controller.log.read_text()
    assert f"--metrics-bind-address={taken}" in text
    assert "Traceback" not in text


def test_it_ends_politely_and_says_nothing_secret(
    bare_lab: Lab, run_controller: Callable[..., Controller], sandbox: RunningSandbox
) -> None:
    lab = bare_lab
    controller = run_controller()
    lab.irsa(spec(unique("role"), "web", lab.namespace())).wait_ready()
    assert controller.stop() == 0
    text = controller.log.read_text()
    assert sandbox.secret_access_key not in text
    assert "Bearer" not in text
    assert "Traceback" not in text


def test_of_two_controllers_one_works_and_the_other_takes_over_when_it_is_killed(
    bare_lab: Lab, run_controller: Callable[..., Controller]
) -> None:
    lab, namespace = bare_lab, bare_lab.namespace()

    def at_work() -> tuple[Controller, Controller, str] | None:
        """Two of which the first has worked; None where it couldn't renew its lease in time, and so had to end."""
        first, second = pair(lab, run_controller)
        holder = (lab.get(LEASE) or {})["spec"]["holderIdentity"]
        lab.irsa(spec(unique("role"), unique("one"), namespace)).wait_ready()
        leads, calls = second.metric("irsa_manager_leader"), second.metric("irsa_manager_aws_calls_total")
        if first.returncode is not None:
            second.kill()
            return None
        assert leads == {"": 0.0}
        assert sum(calls.values()) == 0
        return first, second, holder

    while (found := at_work()) is None:
        pass
    first, second, holder = found
    first.kill()
    lab.eventually(lambda: second.metric("irsa_manager_leader") == {"": 1.0}, "the second one leads")
    assert (lab.get(LEASE) or {})["spec"]["holderIdentity"] != holder
    lab.irsa(spec(unique("role"), "two", namespace)).wait_ready()


def test_a_leader_that_ends_politely_is_replaced_at_once(
    bare_lab: Lab, run_controller: Callable[..., Controller]
) -> None:
    lab, namespace = bare_lab, bare_lab.namespace()
    first, second = pair(lab, run_controller)
    assert first.stop() == 0
    lab.eventually(lambda: second.metric("irsa_manager_leader") == {"": 1.0}, "the second one leads")
    lab.irsa(spec(unique("role"), "web", namespace)).wait_ready()
