"""What plan, status, release and adopt say where something is missing: rights, credentials, cluster, account, file."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import yaml
from e2e_lab import Lab, Object, spec, unique
from e2e_process import OPERATOR
from e2e_rbac import client, wait_granted
from test_commands import manifest, run
from test_credentials import TABLE, WRITES, allow

from irsa_manager.api import names
from irsa_manager.sandbox.ports import free_ports

RBAC = "/apis/rbac.authorization.k8s.io/v1"
NOBODY = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "true"}
WRITER = [
    {"apiGroups": [names.GROUP], "resources": ["irsas", "irsasetups"], "verbs": ["get", "list", "create", "patch"]},
    {"apiGroups": [""], "resources": ["namespaces", "serviceaccounts"], "verbs": ["get", "list"]},
]
Identity = Callable[[list[Object]], dict[str, str]]


@pytest.fixture
def identity(lab: Lab, tmp_path: Path) -> Iterator[Identity]:
    """Somebody with these rights in the cluster: the environment in which a command runs as him."""
    roles: list[str] = []

    def somebody(rules: list[Object]) -> dict[str, str]:
        name, namespace = unique("somebody"), lab.namespace()
        lab.make_account(namespace, name)
        subjects = [{"kind": "ServiceAccount", "name": name, "namespace": namespace}]
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
        lab.create(f"{RBAC}/clusterroles", {"metadata": {"name": name}, "rules": rules})
        lab.create(f"{RBAC}/clusterrolebindings", {"metadata": {"name": name}, "roleRef": role, "subjects": subjects})
        roles.append(name)
        config = yaml.safe_load(lab.aws.sandbox.kubeconfig.read_text())
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        token = lab.create(path, body)["status"]["token"]
        if rules:
            with client(lab.aws.sandbox.api_server, lab.aws.sandbox.ca_file, token) as own:
                wait_granted(own, rules, namespace)
        config["users"][0]["user"] = {"token": token}
        cluster = config["clusters"][0]["cluster"]
        if "certificate-authority" in cluster:
            cluster["certificate-authority"] = str(lab.aws.sandbox.ca_file)
        file = tmp_path / f"{name}.kubeconfig"
        file.write_text(yaml.safe_dump(config))
        return {"KUBECONFIG": str(file)}

    yield somebody
    for name in roles:
        lab.delete(f"{RBAC}/clusterrolebindings/{name}")
        lab.delete(f"{RBAC}/clusterroles/{name}")


def fails(lab: Lab, *arguments: str, stdin: str = "", environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The lines of the error with which the command ends, by what they are about."""
    done = run(lab, *arguments, stdin=stdin, environment=environment)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if not line.startswith((" ", "On "))]
    found = {line[:7].strip(): line[7:] for line in lines}
    assert list(found) == [part for part in ("error", "object", "left", "hint", "more") if part in found], done.stderr
    assert {"error", "hint", "more"} <= set(found), done.stderr
    return found


def test_who_may_not_read_the_key_is_told_the_controllers_verdict_or_brings_the_key_along(
    lab: Lab, identity: Identity, tmp_path: Path
) -> None:
    role, namespace, name = unique("role"), lab.namespace(), unique("i")
    wanted = spec(role, "web", namespace)
    irsa = lab.irsa(wanted, name=name)
    irsa.wait_ready()
    who = identity(WRITER)
    same = run(lab, "plan", "-f", "-", stdin=manifest(name, wanted), environment={**who, **NOBODY})
    assert same.returncode == 0, same.stdout + same.stderr
    assert "this is no plan" in same.stdout
    assert f"the controller says IRSAReady: Role {role} " in same.stdout
    other = manifest(name, {**wanted, "iamPolicies": ["AmazonS3ReadOnlyAccess"]})
    changed = run(lab, "plan", "-f", "-", "-o", "json", stdin=other, environment=who)
    assert changed.returncode == 1, changed.stderr
    told = json.loads(changed.stdout)
    assert told["judgedBy"] == "controller"
    assert told["objects"][0]["note"] == "the controller hasn't judged this spec"
    # With the key in a file it is a plan, and to the letter that of who may read the Secret.
    files = [tmp_path / name for name in ("right", "wrong", "short", "none")]
    key = (lab.get(f"/api/v1/namespaces/{OPERATOR}/secrets/{names.MARK_SECRET}") or {})["data"]["key"]
    for file, content in zip(files, (base64.b64decode(key), b"w" * 32, b"short"), strict=False):
        file.write_bytes(content)
    right, wrong, short, none = map(str, files)
    planned = run(lab, "plan", "-f", "-", "--mark-key", right, stdin=other, environment=who)
    administrators = run(lab, "plan", "-f", "-", stdin=other)
    assert "+ attach AmazonS3ReadOnlyAccess" in " ".join(planned.stdout.split()), planned.stdout + planned.stderr
    assert (planned.returncode, planned.stdout) == (administrators.returncode, administrators.stdout)
    stranger = run(lab, "plan", "-f", "-", "--mark-key", wrong, stdin=other, environment=who)
    assert stranger.returncode == 2, stranger.stderr
    assert "! OwnershipUnknown: " in stranger.stdout
    assert "AmazonS3ReadOnlyAccess" not in stranger.stdout
    for file, said in ((short, "is no key: it has under 16 bytes"), (none, "can't be read: No such file")):
        found = fails(lab, "plan", "-f", "-", "--mark-key", file, stdin=other, environment=who)
        assert found["error"].startswith(f"Usage: {file} {said}")
        assert "base64-decoded" in found["hint"]
    lab.aws.foreign_role(f"{role}-2")
    refused = lab.irsa(spec(f"{role}-2", "api", namespace))
    refused.wait_reason("RoleExists")
    taken = manifest(refused.name, spec(f"{role}-2", "api", namespace))
    bad = run(lab, "plan", "-f", "-", stdin=taken, environment=who)
    assert bad.returncode == 2, bad.stderr
    assert "! RoleExists: " in bad.stdout
    refused.delete()
    refused.wait_gone()
    lab.aws.wipe(f"{role}-2")


def test_a_right_that_is_missing_in_the_cluster_is_named(lab: Lab, identity: Identity) -> None:
    body = manifest(unique("i"), spec(unique("role"), "web", "default"))
    nobody = identity([])
    for arguments in (["plan", "-f", "-"], ["status"], ["release", "--all", "--yes"], ["adopt", "--all-mine", "--yes"]):
        found = fails(lab, *arguments, stdin=body, environment=nobody)
        assert found["error"].startswith("PermissionMissing: Not allowed to "), arguments
        assert found["left"], arguments


def test_who_may_not_list_pods_has_a_plan_all_the_same_and_is_told_once(lab: Lab, identity: Identity) -> None:
    role, one, two = unique("role"), lab.namespace(), lab.namespace()
    for namespace in (one, two):
        lab.make_account(namespace, "web")
    who = identity([*WRITER, {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}])
    body = manifest(unique("i"), spec(role, "web", one, two))
    planned = run(lab, "plan", "-f", "-", stdin=body, environment=who)
    assert planned.returncode == 2, planned.stderr
    hidden = ", ".join(sorted([one, two]))
    note = f"note: which pods use the ServiceAccounts isn't known: you may not list pods in {hidden}\n"
    assert planned.stderr == note
    assert "+ role-arn\n" in planned.stdout
    told = run(lab, "plan", "-f", "-", "-o", "json", "-q", stdin=body, environment=who)
    assert (told.returncode, told.stderr) == (2, "")
    pods = [line["pods"] for line in json.loads(told.stdout)["objects"][0]["lines"] if line["kind"] == "sa"]
    assert pods == [None, None]


def test_what_is_missing_in_aws_is_named(lab: Lab) -> None:
    body = manifest(unique("i"), spec(unique("role"), "web", "default"))
    assert fails(lab, "plan", "-f", "-", stdin=body, environment=NOBODY)["error"].startswith("CredentialsInvalid: ")
    found = fails(lab, "plan", "-f", "-", "--account", "111122223333", stdin=body)
    assert f"of account {lab.aws.sandbox.account}, not of 111122223333" in found["error"]
    irsa = lab.irsa(spec(unique("role"), "web", lab.namespace()))
    irsa.wait_ready()
    found = fails(lab, "status", irsa.key, "--account", "111122223333")
    assert f"of account {lab.aws.sandbox.account}, not of 111122223333" in found["error"]
    assert "nosuch" in fails(lab, "plan", "-f", "-", "--profile", "nosuch", stdin=body)["error"]
    blind = lab.aws.user(unique("user"), allow("sts:GetCallerIdentity"))
    found = fails(lab, "plan", "-f", "-", stdin=body, environment=blind)
    assert found["error"].startswith("PermissionMissing: ")
    assert "iam:ListAttachedRolePolicies" in found["error"]
    row = lab.aws.user(unique("user"), allow(*TABLE, *WRITES))
    enough = run(lab, "plan", "-f", "-", "--account", lab.aws.sandbox.account, stdin=body, environment=row)
    assert enough.returncode == 2, enough.stderr
    assert "+ role " in enough.stdout


def test_a_cluster_that_is_not_there_is_named(lab: Lab, tmp_path: Path) -> None:
    config = yaml.safe_load(lab.aws.sandbox.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{free_ports(1)[0]}"
    nowhere = tmp_path / "nowhere"
    nowhere.write_text(yaml.safe_dump(config))
    body = manifest(unique("i"), spec(unique("role"), "web", "default"))
    for arguments in (["plan", "-f", "-"], ["status"]):
        found = fails(lab, *arguments, "--kubeconfig", str(nowhere), stdin=body)
        assert found["error"].startswith("KubernetesUnavailable: "), arguments
    found = fails(lab, "status", "--context", "nosuch")
    assert found["error"].startswith("Usage: ")


def test_files_that_can_not_be_meant_are_named(lab: Lab, tmp_path: Path) -> None:
    assert "can't be read" in fails(lab, "plan", "-f", str(tmp_path / "none.yaml"))["error"]
    assert "is no YAML: line 3: expected" in fails(lab, "plan", "-f", "-", stdin="kind: IRSA\na: [\n")["error"]
    twice = manifest("a", spec("r", "web", "x"))
    assert "there twice" in fails(lab, "plan", "-f", "-", stdin=f"{twice}---\n{twice}")["error"]
    other = run(lab, "plan", "-f", "-", stdin="apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n")
    assert other.returncode == 1
    assert "no IRSA" in other.stderr
    assert f"{OPERATOR}/x" in fails(lab, "status", f"{OPERATOR}/x")["error"]
    assert "another namespace than -n" in fails(lab, "release", f"{OPERATOR}/x", "-n", "y")["error"]
