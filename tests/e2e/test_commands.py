"""plan, status, release and adopt as people run them, against a real cluster and the enforcing AWS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from e2e_lab import Irsa, Lab, spec, unique
from e2e_process import INHERITED, OPERATOR, Controller

from irsa_manager.api import names
from irsa_manager.plan.mark import MarkKeys, make
from irsa_manager.trust.document import sids as sids_of
from irsa_manager.trust.document import subject

RELEASED = {"metadata": {"annotations": {names.ANNOTATION_RELEASE: None}}}


def environment_of(lab: Lab) -> dict[str, str]:
    """The sandbox's, and what every program needs."""
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return {**inherited, **lab.aws.sandbox.environment()}


def run(
    lab: Lab, *arguments: str, stdin: str = "", environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """The program with the sandbox's environment, and with what is said otherwise; its input is no terminal."""
    return subprocess.run(
        [sys.executable, "-m", "irsa_manager", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        env={**environment_of(lab), **(environment or {})},
    )


def manifest(name: str, wanted: dict[str, Any], namespace: str = OPERATOR) -> str:
    body = {
        "apiVersion": names.API_VERSION,
        "kind": "IRSA",
        "metadata": {"name": name, "namespace": namespace},
        "spec": wanted,
    }
    return yaml.safe_dump(body)


def upstreams_trust(lab: Lab, *accounts: tuple[str, str], sid: str = "") -> dict[str, Any]:
    """A trust as the Go program makes one: it names these ServiceAccounts of this cluster, and bears no mark."""
    provider = lab.aws.sandbox.provider_arn
    host = provider.partition(":oidc-provider/")[2]
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{host}:sub": [subject(*account) for account in accounts]}},
        **({"Sid": sid} if sid else {}),
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def test_a_plan_is_what_the_controller_does_then(lab: Lab, tmp_path: Path) -> None:
    role, namespace, name = unique("role"), lab.namespace(), unique("i")
    wanted = spec(role, "web", namespace, iamPolicies=["AmazonS3ReadOnlyAccess"])
    file = tmp_path / "irsa.yaml"
    file.write_text(manifest(name, wanted) + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n")
    planned = run(lab, "plan", "-f", str(file))
    assert planned.returncode == 2, planned.stderr
    assert f"passed over: ConfigMap other ({file})" in planned.stderr
    first, second, *rest = planned.stdout.splitlines()
    assert first.startswith(f"On account {lab.aws.sandbox.account} (aws, ")
    assert first.endswith(", SANDBOX")
    assert second == f"IRSA {OPERATOR}/{name}"
    assert [" ".join(line.split()[:3]) for line in rest[:4]] == [
        f"+ role {role}",
        f"trust + {namespace}/web",
        "+ attach AmazonS3ReadOnlyAccess",
        f"+ sa {namespace}/web",
    ]
    assert rest[-1] == "Plan: 3 to add, 0 to change, 0 to remove; 2 AWS calls. Next: kubectl apply"
    assert lab.aws.role(role) is None
    irsa = lab.irsa(wanted, name=name)
    irsa.wait_ready()
    again = run(lab, "plan", "-f", str(file))
    assert (again.returncode, "nothing to do" in again.stdout) == (0, True), again.stdout + again.stderr
    less = manifest(name, {**wanted, "iamPolicies": []})
    told = run(lab, "plan", "-f", "-", "-o", "json", stdin=less)
    assert told.returncode == 2, told.stderr
    found = json.loads(told.stdout)
    assert list(found)[:2] == ["kind", "version"]
    assert found["counts"] == {"add": 0, "change": 0, "remove": 1, "awsCalls": 1}
    assert found["objects"][0]["lines"][0]["name"] == "AmazonS3ReadOnlyAccess"
    assert lab.aws.attached(role) == {"AmazonS3ReadOnlyAccess"}


def test_a_plan_says_what_is_in_the_way(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    lab.aws.foreign_role(role)
    planned = run(lab, "plan", "-f", "-", stdin=manifest(unique("i"), spec(role, "web", namespace)))
    assert planned.returncode == 2, planned.stderr
    assert "! RoleExists: " in planned.stdout
    denied = run(lab, "plan", "-f", "-", stdin=manifest(unique("i"), spec(unique("r"), "web", namespace), namespace))
    assert denied.returncode == 2, denied.stderr
    assert "! TenancyDenied: " in denied.stdout
    wrong = run(lab, "plan", "-f", "-", stdin=manifest(unique("i"), spec("not a name", "web", namespace)))
    assert wrong.returncode == 1
    assert "standard input" in wrong.stderr
    assert "spec.iamRole.name" in wrong.stderr
    lab.aws.iam.delete_role(RoleName=role)


def test_the_status_says_what_is_not_ready(lab: Lab) -> None:
    good, bad, namespace = unique("good"), unique("bad"), lab.namespace()
    lab.aws.foreign_role(bad)
    fine = lab.irsa(spec(good, "web", namespace))
    fine.wait_ready()
    one = run(lab, "status", fine.key)
    assert one.returncode == 0, one.stdout
    head, row = one.stdout.splitlines()
    assert head.split() == ["NAMESPACE", "SERVICEACCOUNT", "ROLE", "READY", "PODS", "LAST", "USED", "REASON"]
    assert row.split() == [namespace, "web", good, "yes", "0", "-", "IRSAReady"]
    pod = {"containers": [{"name": "c", "image": "none"}], "serviceAccountName": "web"}
    lab.create(f"/api/v1/namespaces/{namespace}/pods", {"metadata": {"name": "p"}, "spec": pod})
    keys = lab.aws.client("sts").assume_role_with_web_identity(
        RoleArn=fine.status["role"]["arn"], RoleSessionName="test", WebIdentityToken=lab.token(namespace, "web")
    )["Credentials"]
    lab.aws.client("sts", keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"]).get_caller_identity()

    def used() -> bool:
        # What AWS doesn't answer in time isn't shown.
        row = run(lab, "status", fine.key).stdout.splitlines()[1].split()
        assert row[:5] == [namespace, "web", good, "yes", "1"], row
        assert row[5].endswith("s"), row
        return True

    lab.eventually(used, "the use of the role is shown")
    refused = lab.irsa(spec(bad, "other", namespace))
    refused.wait_reason("RoleExists")
    everything = run(lab, "status", "-A")
    assert everything.returncode == 2, everything.stderr
    assert f"  {refused.key}: Role {bad} exists in " in everything.stdout
    told = run(lab, "status", "-n", OPERATOR, "-o", "yaml")
    found = {each["object"]: each for each in yaml.safe_load(told.stdout)["irsas"]}
    assert found[fine.key]["serviceAccounts"] == [f"{namespace}/web"]
    assert found[refused.key]["reason"] == "RoleExists"
    assert run(lab, "status", f"{OPERATOR}/none").returncode == 1
    refused.delete()
    refused.wait_gone()
    lab.aws.iam.delete_role(RoleName=bad)


def is_held(irsa: Irsa) -> bool:
    return names.FINALIZER in (irsa.get() or {})["metadata"].get("finalizers", [])


def take_up_again(lab: Lab, irsa: Irsa) -> None:
    lab.patch(irsa.path, RELEASED)


def test_a_live_controller_is_waited_for(
    bare_lab: Lab, run_controller: Callable[..., Controller], restart: Callable[[], Controller]
) -> None:
    lab = bare_lab
    run_controller({"--leader-elect": ""})
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace))
    irsa.wait_ready()
    unconfirmed = run(lab, "release", irsa.key)
    assert unconfirmed.returncode == 1
    assert f"release IRSA {irsa.key}: role {role}" in unconfirmed.stderr
    assert "ConfirmationRequired" in unconfirmed.stderr
    assert is_held(irsa)
    done = run(lab, "release", irsa.key, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the controller lets them go" in done.stderr
    assert not is_held(irsa)
    assert lab.aws.subjects(role) == {f"{namespace}/web"}
    restart()
    take_up_again(lab, irsa)
    irsa.wait_ready()
    lab.eventually(lambda: is_held(irsa), "the object is taken up again")


def test_without_a_controller_an_adopted_role_is_given_back_all_the_same(
    bare_lab: Lab, run_controller: Callable[..., Controller]
) -> None:
    lab = bare_lab
    controller = run_controller({})
    plain, adopted, namespace = unique("plain"), unique("adopted"), lab.namespace()
    before = lab.aws.foreign_role(adopted)["AssumeRolePolicyDocument"]
    one = lab.irsa(spec(plain, "web", namespace))
    two = lab.irsa(spec(adopted, "other", namespace, iamRole={"managementPolicy": "Adopt"}))
    one.wait_ready()
    two.wait_ready()
    assert lab.aws.trust(adopted) != before
    controller.stop()
    done = run(lab, "release", "--all", "--yes", "-n", OPERATOR)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no controller is live" in done.stderr
    assert not is_held(one)
    assert not is_held(two)
    assert "adoption" not in two.status
    assert lab.aws.trust(adopted) == before
    assert lab.aws.subjects(plain) == {f"{namespace}/web"}
    two.delete()
    two.wait_gone()
    lab.aws.iam.delete_role(RoleName=adopted)
    take_up_again(lab, one)


def test_roles_of_the_go_program_are_listed_signed_and_taken_over(lab: Lab) -> None:
    role, home, further, name = unique("role"), lab.namespace(), lab.namespace(), unique("i")
    lab.setup({"tenancy": {"default": "OwnNamespace"}})
    document = json.dumps(upstreams_trust(lab, (home, "web"), (further, "web")))
    lab.aws.iam.create_role(RoleName=role, AssumeRolePolicyDocument=document)
    irsa = lab.irsa(spec(role, "web", home, further), namespace=home, name=name)
    lab.patch(f"{irsa.path}/status", {"status": {"serviceAccounts": [{"namespace": further, "name": "web"}]}})
    # A tenant's, and beyond his namespace: nobody but an administrator can say that it was so.
    irsa.wait_reason("TenancyDenied")
    listed = run(lab, "adopt", "--all-mine", "-n", home)
    assert listed.returncode == 1
    assert f"IRSA {irsa.key}" in listed.stdout
    assert f"trusts  {', '.join(sorted([f'{home}/web', f'{further}/web']))}" in listed.stdout
    assert "ConfirmationRequired" in listed.stderr
    assert not irsa.status["record"]
    done = run(lab, "adopt", "--all-mine", "-n", home, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    irsa.wait_ready()
    assert irsa.status["keptBindings"] == sorted([f"{home}/web", f"{further}/web"])
    assert len(sids_of(lab.aws.trust(role))) == 1
    assert lab.aws.subjects(role) == {f"{home}/web", f"{further}/web"}
    assert "nothing to sign" in run(lab, "adopt", "--all-mine", "-n", home, "--yes").stdout


def test_roles_of_a_lost_key_are_signed_anew(bare_lab: Lab, run_controller: Callable[..., Controller]) -> None:
    lab = bare_lab
    controller = run_controller({})
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace))
    irsa.wait_ready()
    controller.stop()
    lost = MarkKeys(b"l" * 32)
    mark = make(lost, lab.aws.sandbox.account, role, irsa.key)
    trust = json.dumps(upstreams_trust(lab, (namespace, "web"), sid=mark))
    lab.aws.iam.update_assume_role_policy(RoleName=role, PolicyDocument=trust)
    lab.aws.iam.tag_role(RoleName=role, Tags=[{"Key": names.TAG_MARK, "Value": mark}])
    lab.patch(f"{irsa.path}/status", {"status": {"record": {"mac": "0" * 22}}})
    run_controller({})
    irsa.wait_reason("OwnershipUnknown")
    done = run(lab, "adopt", "--all-mine", "-n", OPERATOR, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"ok  IRSA {irsa.key} owns role {role}" in done.stdout
    irsa.wait_ready()
    lab.eventually(lambda: sids_of(lab.aws.trust(role)) != [mark], "the role bears a mark of the key there is")
