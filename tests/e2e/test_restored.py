"""Objects that come back: from a backup, by GitOps, in a rebuilt cluster, with another key; and what stays behind.

A role is known by the mark on it, so a status that is old, or lost, takes nothing away.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from e2e_attackers import Belongings
from e2e_controllers import Controllers
from e2e_lab import IRSAS, MERGE, Irsa, Lab, spec, unique
from e2e_process import OPERATOR, Controller

from irsa_manager.api import names

POLICIES = ["AmazonS3ReadOnlyAccess"]


def cut_off(lab: Lab, irsa: Irsa) -> None:
    """Delete the object with its finalizer cut off by force, as somebody does whose deletion hangs."""
    irsa.delete()
    lab.patch(irsa.path, {"metadata": {"finalizers": None}})
    irsa.wait_gone()


def put_back(lab: Lab, irsa: Irsa, saved: dict[str, Any], *, status: bool) -> None:
    """Make the object again from what was saved, as a backup (with its status) or GitOps (without) does."""
    metadata = {"name": irsa.name, "namespace": irsa.namespace}
    if status:
        metadata["finalizers"] = saved["metadata"]["finalizers"]
    body = {"apiVersion": names.API_VERSION, "kind": "IRSA", "metadata": metadata, "spec": saved["spec"]}
    lab.create(IRSAS.format(irsa.namespace), body)
    if status:
        answer = lab.api.patch(f"{irsa.path}/status", json={"status": saved["status"]}, headers=MERGE)
        assert answer.status_code == 200, answer.text


def saved_object(irsa: Irsa) -> dict[str, Any]:
    found = irsa.get()
    assert found is not None
    return found


def secret(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/secrets/{names.MARK_SECRET}"


def test_an_object_made_again_by_gitops_takes_up_all_that_it_had(
    bare_lab: Lab, controllers: Controllers, restart: Callable[[], Controller]
) -> None:
    lab = bare_lab
    controllers.ensure_usual()
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace, iamPolicies=POLICIES))
    before = irsa.wait_ready()
    saved = saved_object(irsa)
    account = lab.account(namespace, "web")
    controllers.stop_usual()
    cut_off(lab, irsa)
    put_back(lab, irsa, saved, status=False)
    lab.aws.reset_calls()
    restart()
    after = irsa.wait_ready()
    assert after["role"] == before["role"]
    assert lab.aws.writes() == {}
    assert lab.account(namespace, "web") == account
    # kubectl replace with a manifest: the finalizer goes with everything else that isn't in it.
    version = saved_object(irsa)["metadata"]["resourceVersion"]
    body = {
        "apiVersion": names.API_VERSION,
        "kind": "IRSA",
        "metadata": {"name": irsa.name, "namespace": OPERATOR, "resourceVersion": version},
        "spec": {**saved["spec"], "iamPolicies": ["AmazonSQSFullAccess"]},
    }
    answer = lab.api.put(irsa.path, json=body)
    assert answer.status_code == 200, answer.text
    irsa.wait_ready()
    assert saved_object(irsa)["metadata"]["finalizers"] == [names.FINALIZER]
    assert lab.aws.attached(role) == {"AmazonSQSFullAccess"}
    assert lab.account(namespace, "web") == account
    irsa.delete()
    irsa.wait_gone()
    assert lab.aws.role(role) is None
    assert lab.account(namespace, "web") is None


def test_a_backup_of_an_earlier_generation_is_made_true_again_and_nothing_is_taken_or_lost(
    bare_lab: Lab, controllers: Controllers, restart: Callable[[], Controller]
) -> None:
    lab = bare_lab
    controllers.ensure_usual()
    one, two, keeper = unique("one"), unique("two"), unique("keeper")
    old, new = lab.namespace(), lab.namespace()
    renamed = lab.irsa(spec(one, "web", old, iamPolicies=POLICIES))
    grown = lab.irsa(spec(keeper, "api", old, iamPolicies=POLICIES, inlinePolicies={}))
    renamed.wait_ready()
    grown.wait_ready()
    backup = [(irsa, saved_object(irsa)) for irsa in (renamed, grown)]
    renamed.patch({"iamRole": {"name": two}, "serviceAccount": {"name": "web-2"}})
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    grown.patch({"serviceAccount": {"namespaces": [old, new]}, "inlinePolicies": {"later": document}})
    renamed.wait_ready()
    grown.wait_ready()
    lab.wait_bound(new, "api", keeper)
    controllers.stop_usual()
    for irsa, saved in backup:
        cut_off(lab, irsa)
        put_back(lab, irsa, saved, status=True)
    restart()
    # The status from the backup says Ready already.
    lab.eventually(lambda: lab.aws.role(one) is not None, "the role that is asked for again is there")
    lab.eventually(lambda: lab.aws.subjects(one) == {f"{old}/web"}, "its trust is complete")
    lab.wait_bound(old, "web", one)
    # The newer role is nobody's now: it is reported and left, with all that uses it.
    lab.eventually(lambda: lab.controller.coded("OrphanedRole", two), "it is told")
    assert lab.aws.subjects(two) == {f"{old}/web-2"}
    assert lab.annotations(old, "web-2")[names.ANNOTATION_ROLE_ARN].endswith(f"/{two}")
    lab.eventually(lambda: lab.aws.subjects(keeper) == {f"{old}/api"}, "what grew later is trusted no more")
    lab.eventually(lambda: lab.account(new, "api") is None, "what was made later and isn't asked for is released")
    # Whether the inline policy was ours only the lost status could say: it is kept and told.
    told = "it is told as foreign"
    lab.eventually(lambda: grown.status["role"].get("foreignInlinePolicies") == ["later"], told)
    for irsa in (renamed, grown):
        irsa.delete()
        irsa.wait_gone()
    assert lab.aws.role(one) is None
    assert lab.aws.role(keeper) is None
    assert lab.aws.role(two) is not None


def test_a_rebuilt_cluster_knows_its_roles_by_the_key_that_it_brings_along_and_by_nothing_else(
    bare_lab: Lab, controllers: Controllers, run_controller: Callable[..., Controller]
) -> None:
    lab, home, operator, stranger = (
        bare_lab,
        bare_lab.namespace(),
        bare_lab.namespace("op"),
        bare_lab.namespace("other"),
    )
    # Of one name, all three: it is for people, and proves nothing.
    setup = {"clusterName": "prod", "tenancy": {"default": "OwnNamespace"}}
    for namespace in (OPERATOR, operator, stranger):
        lab.setup(setup, namespace=namespace)
    controllers.ensure_usual()
    role, left = unique("role"), unique("left")
    irsa = lab.irsa(spec(role, "web", home, iamPolicies=POLICIES), namespace=home)
    doomed = lab.irsa(spec(left, "left", home, iamPolicies=POLICIES), namespace=home)
    before = irsa.wait_ready()
    doomed.wait_ready()
    lab.wait_bound(home, "left", left)
    tagged = lab.aws.tags(role)
    saved = saved_object(irsa)
    controllers.stop_usual()
    cut_off(lab, irsa)
    lab.delete_account(home, "web")
    belongings = Belongings(lab, [role, left], [f"{home}/left"])
    put_back(lab, irsa, saved, status=False)
    # Another cluster, or one that has lost its key: nothing says that the role is its own.
    lab.aws.reset_calls()
    other = run_controller({"--namespace": stranger})
    irsa.wait_reason("RoleExists", "False")
    assert "made it with another key" in irsa.condition("Ready")["message"]
    assert lab.account(home, "web") is None
    lab.wait_sweeps()
    assert set(lab.aws.writes()) <= {"CreateRole"}
    # Its own roles have the same tag; nobody's tag makes it look after a role, or miss that role's object.
    theirs = lab.irsa(spec(unique("theirs"), "theirs", home), namespace=home)
    theirs.wait_ready()
    assert lab.aws.tags(theirs.status["role"]["name"])[names.TAG_CLUSTER] == tagged[names.TAG_CLUSTER] == "prod"
    assert tagged[names.TAG_OWNER] == irsa.key
    assert not other.coded("OrphanedRole", role)
    theirs.delete()
    theirs.wait_gone()
    other.stop()
    # The same with the status of the backup: whether it was ours can't be told without the key.
    cut_off(lab, irsa)
    put_back(lab, irsa, saved, status=True)
    other = run_controller({"--namespace": stranger})
    irsa.wait_reason("OwnershipUnknown", "False")
    message = irsa.condition("Ready")["message"]
    assert "its mark was made with another key than Secret irsa-manager-mark has" in message
    assert message.endswith("or an administrator runs irsa-manager adopt --all-mine.")
    assert lab.account(home, "web") is None
    # One that is deleted meanwhile isn't held; what stays for want of the key is told.
    doomed.delete()
    doomed.wait_gone()
    told = doomed.wait_event("OwnershipUnknown", "The IRSA goes without it: delete the role if it was its own")
    assert f"Role {left} exists" in told
    belongings.untouched()
    other.stop()
    # The key, in whatever namespace the operator lives now.
    key = lab.get(secret(OPERATOR))
    assert key is not None
    metadata = {"name": names.MARK_SECRET, "namespace": operator}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": key["data"]}
    lab.create(f"/api/v1/namespaces/{operator}/secrets", body)
    lab.aws.reset_calls()
    run_controller({"--namespace": operator})
    after = irsa.wait_ready()
    assert after["role"] == before["role"]
    assert lab.aws.writes() == {}
    lab.wait_bound(home, "web", role)
    irsa.delete()
    irsa.wait_gone()
    assert lab.aws.role(role) is None


def test_an_old_key_is_still_accepted_and_roles_get_a_mark_of_the_new_one(
    bare_lab: Lab, run_controller: Callable[..., Controller]
) -> None:
    lab, operator = bare_lab, bare_lab.namespace("op")
    role, adopted, namespace = unique("role"), unique("adopted"), lab.namespace()
    had = lab.aws.foreign_role(adopted)
    controller = run_controller({"--namespace": operator})
    irsa = lab.irsa(spec(role, "web", namespace), namespace=operator)
    taken = lab.irsa(spec(adopted, "api", namespace, iamRole={"managementPolicy": "Adopt"}), namespace=operator)
    irsa.wait_ready()
    taken.wait_ready()
    marks = [lab.aws.tags(name)[names.TAG_MARK] for name in (role, adopted)]
    controller.stop()
    old = lab.get(secret(operator))
    assert old is not None
    fresh = base64.b64encode(b"n" * 32).decode()
    lab.patch(secret(operator), {"data": {"key": fresh, "old-2026": old["data"]["key"]}})
    controller = run_controller({"--namespace": operator})
    for name, mark in zip((role, adopted), marks, strict=True):
        lab.eventually(lambda name=name, mark=mark: lab.aws.tags(name)[names.TAG_MARK] != mark, "it is marked anew")  # type: ignore[misc]
    irsa.wait_ready()
    taken.wait_ready()
    lab.wait_sweeps()
    controller.stop()
    # The old key is of no more use now.
    lab.patch(secret(operator), {"data": {"old-2026": None}})
    run_controller({"--namespace": operator})
    irsa.delete()
    taken.delete()
    irsa.wait_gone()
    taken.wait_gone()
    assert lab.aws.role(role) is None
    found = lab.aws.role(adopted)
    assert found is not None
    assert found["AssumeRolePolicyDocument"] == had["AssumeRolePolicyDocument"]


def test_who_holds_a_role_goes_before_who_is_older_and_age_decides_between_others(
    bare_lab: Lab, controllers: Controllers, restart: Callable[[], Controller]
) -> None:
    lab = bare_lab
    controllers.ensure_usual()
    held, free = unique("held"), unique("free")
    one, two = lab.namespace(), lab.namespace()
    holder = lab.irsa(spec(held, "web", one), name=unique("z"))
    holder.wait_ready()
    waiting = lab.irsa(spec(held, "api", two), name=unique("a"))
    waiting.wait_reason("Conflict")
    saved = saved_object(holder)
    controllers.stop_usual()
    # The holder comes back from a restore, younger now than the other one.
    cut_off(lab, holder)
    put_back(lab, holder, saved, status=False)
    older = lab.irsa(spec(free, "old", one), name=unique("y"))
    made = lambda irsa: saved_object(irsa)["metadata"]["creationTimestamp"]  # noqa: E731
    lab.eventually(lambda: is_later(lab, one, made(older)), "a second has passed by the API server's clock")
    younger = lab.irsa(spec(free, "young", two), name=unique("b"))
    assert made(younger) > made(older)
    restart()
    holder.wait_ready()
    waiting.wait_reason("Conflict")
    assert lab.aws.subjects(held) == {f"{one}/web"}
    older.wait_ready()
    younger.wait_reason("Conflict")
    assert lab.aws.subjects(free) == {f"{one}/old"}
    # A holder whose role is deleted by hand gets it again, and not who waits for it.
    before = holder.status["role"]["id"]
    lab.aws.iam.delete_role(RoleName=held)
    lab.eventually(lambda: holder.status["role"]["id"] != before, "the holder's role is made again")
    holder.wait_ready()
    assert lab.aws.subjects(held) == {f"{one}/web"}
    assert waiting.condition("Ready")["reason"] == "Conflict"
    holder.delete()
    older.delete()
    waiting.wait_ready()
    younger.wait_ready()
    assert lab.aws.subjects(held) == {f"{two}/api"}
    assert lab.aws.subjects(free) == {f"{two}/young"}


def is_later(lab: Lab, namespace: str, time: str) -> bool:
    """Whether the API server's clock, which counts in seconds, has gone on since."""
    body = {"metadata": {"name": "clock"}}
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    answer = lab.api.post(path, params={"dryRun": "All"}, json=body)
    assert answer.status_code == 201, answer.text
    return str(json.loads(answer.text)["metadata"]["creationTimestamp"]) > time
