"""What an object had before goes, or goes back, when the spec turns to another role or gives its role up."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import yaml
from e2e_controllers import Controllers
from e2e_lab import ROLE_ARN, Irsa, Lab, Object, spec, unique
from e2e_process import Controller
from test_commands import manifest, run
from test_credentials import READS as ROLE_READS
from test_credentials import SWEEPS, TABLE, WRITES, allow
from test_plan_agrees import OPERATIONS

from irsa_manager.api import names
from irsa_manager.trust.document import sids

S3 = "AmazonS3ReadOnlyAccess"
READ = "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess"


def managing(policy: str, role: str, *namespaces: str) -> dict[str, Any]:
    wanted = spec(role, "web", *namespaces)
    wanted["iamRole"]["managementPolicy"] = policy
    if policy == "Reference":
        del wanted["iamPolicies"]
    return wanted


def somebodys(lab: Lab, role: str) -> dict[str, Any]:
    lab.aws.foreign_role(role)
    lab.aws.iam.attach_role_policy(RoleName=role, PolicyArn=READ)
    return portrait(lab, role)


def portrait(lab: Lab, role: str) -> dict[str, Any]:
    found = lab.aws.role(role)
    assert found is not None
    kept = {key: found[key] for key in ("RoleName", "RoleId", "AssumeRolePolicyDocument")}
    return {**kept, "attached": lab.aws.attached(role), "tags": lab.aws.tags(role)}


def grow_old(lab: Lab) -> None:
    """Have a role let go, which soon after a start waits until IAM shows all: then the controller isn't young, and has
    seen the roles that are there.
    """
    irsa = lab.irsa(managing("Adopt", somebodys(lab, unique("old"))["RoleName"], lab.namespace()))
    irsa.wait_ready()
    irsa.delete()
    irsa.wait_gone()
    lab.wait_sweeps()


def assert_planned(lab: Lab, irsa: Irsa, environment: dict[str, str], part: str, *options: str) -> None:
    """The plan of a released object says what the controller says, and that nothing is to be written."""
    found = irsa.get()
    assert found is not None
    drafted: Object = yaml.safe_load(manifest(irsa.name, found["spec"]))
    drafted["metadata"]["annotations"] = {names.ANNOTATION_RELEASE: "true"}
    planned = run(lab, "plan", "-f", "-", "-o", "json", *options, stdin=json.dumps(drafted), environment=environment)
    (verdict,) = json.loads(planned.stdout)["objects"]
    assert part in json.dumps(verdict), verdict
    assert not verdict["lines"], verdict


def test_an_adopted_role_goes_back_after_a_rename_whose_first_try_failed(lab: Lab) -> None:
    one, two, namespace = unique("one"), unique("two"), lab.namespace()
    before = somebodys(lab, one)
    irsa = lab.irsa(managing("Adopt", one, namespace))
    irsa.wait_ready()
    lab.aws.faults(error=1.0, operations=["UpdateAssumeRolePolicy"])
    irsa.patch({"iamRole": {"name": two}})
    irsa.wait_reason("AWSUnavailable", "False")
    lab.aws.faults()
    irsa.wait_ready()
    assert portrait(lab, one) == before
    assert lab.aws.subjects(two) == {f"{namespace}/web"}
    irsa.delete()
    irsa.wait_gone()
    assert portrait(lab, one) == before
    assert lab.aws.role(two) is None


def test_one_adopted_role_after_another_gets_its_own_back(lab: Lab) -> None:
    one, two, left, kept = unique("one"), unique("two"), lab.namespace(), lab.namespace()
    before = somebodys(lab, one)
    lab.aws.foreign_role(two)
    then = portrait(lab, two)
    irsa = lab.irsa(managing("Adopt", one, left, kept))
    irsa.wait_ready()
    wanted = managing("Adopt", two, kept)
    planned = run(lab, "plan", "-f", "-", "-o", "json", stdin=manifest(irsa.name, wanted))
    (verdict,) = json.loads(planned.stdout)["objects"]
    lab.aws.reset_calls()
    lab.replace_spec(irsa.path, wanted)
    assert irsa.wait_ready()["role"]["origin"] == "Adopted"
    # The plan shows both: what is given back first, and what is decided afterwards.
    lines = Counter(OPERATIONS[line["action"]] for line in verdict["lines"] if line["action"] in OPERATIONS)
    lab.assert_written(lines, one, two)
    assert {line["role"] for line in verdict["lines"] if line["role"]} == {one, two}
    changed = [(line["action"], line["name"]) for line in verdict["lines"] if line["kind"] == "sa"]
    assert changed == [("DeleteServiceAccount", f"{left}/web"), ("PatchServiceAccount", f"{kept}/web")]
    lab.wait_bound(kept, "web", two)
    assert lab.account(left, "web") is None
    assert portrait(lab, one) == before
    irsa.delete()
    irsa.wait_gone()
    assert portrait(lab, two) == then


def test_a_role_that_is_only_referenced_from_now_on_goes_back(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    before = somebodys(lab, role)
    irsa = lab.irsa(managing("Adopt", role, namespace))
    irsa.wait_ready()
    irsa.patch({"iamRole": {"managementPolicy": "Reference"}, "iamPolicies": None})
    irsa.wait_reason("TrustRefuses", "False")
    assert portrait(lab, role) == before
    irsa.wait_event("RoleReleased", role)
    assert ROLE_ARN in lab.annotations(namespace, "web")


def test_the_role_that_was_made_goes_when_another_one_is_referenced(lab: Lab) -> None:
    one, two, namespace = unique("one"), unique("two"), lab.namespace()
    irsa = lab.irsa(spec(one, "web", namespace))
    irsa.wait_ready()
    before = somebodys(lab, two)
    irsa.patch({"iamRole": {"name": two, "managementPolicy": "Reference"}, "iamPolicies": None})
    irsa.wait_reason("TrustRefuses", "False")
    assert lab.aws.role(one) is None
    lab.wait_bound(namespace, "web", two)
    assert portrait(lab, two) == before


def test_an_adopted_role_is_never_deleted_though_status_and_marks_are_lost_one_after_the_other(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    before = somebodys(lab, role)
    irsa = lab.irsa(managing("Adopt", role, namespace))
    irsa.wait_ready()
    lab.patch(f"{irsa.path}/status", {"status": None})
    assert irsa.wait_ready()["role"]["origin"] == "Adopted"
    lab.patch(irsa.path, {"spec": {"suspend": True}})
    irsa.wait_reason("Suspended")
    trust = json.dumps(before["AssumeRolePolicyDocument"])
    lab.aws.iam.update_assume_role_policy(RoleName=role, PolicyDocument=trust)
    lab.aws.iam.untag_role(RoleName=role, TagKeys=[names.TAG_MARK])
    irsa.delete()
    irsa.patch({"suspend": False})
    irsa.wait_gone()
    assert portrait(lab, role)["RoleId"] == before["RoleId"]


def test_after_a_crash_a_role_that_was_given_back_is_left_alone_until_that_can_be_seen(
    lab: Lab, controllers: Controllers
) -> None:
    """IAM shows the new process what the old one had written: nothing of that is what the role had."""
    then = {"another": "gone", "again": "gone", "referred": "Reference", "leaving": "Reference"}
    grow_old(lab)
    before = {how: somebodys(lab, unique(how)) for how in then}
    role = {how: had["RoleName"] for how, had in before.items()}
    irsas = {how: lab.irsa(managing("Adopt", role[how], lab.namespace())) for how in then}
    for irsa in irsas.values():
        irsa.wait_ready()
    lab.aws.faults(consistency=18.0)
    for how, irsa in irsas.items():
        if then[how] == "gone":
            irsa.delete()
        else:
            irsa.patch({"iamRole": {"managementPolicy": "Reference"}, "iamPolicies": None})
    for how, irsa in irsas.items():
        if then[how] == "gone":
            irsa.wait_gone()
        else:
            irsa.wait_event("RoleReleased", role[how])
    controllers.stop_usual()
    second = {
        "another": lab.irsa(managing("Adopt", role["another"], lab.namespace())),
        "again": lab.irsa(managing("Adopt", role["again"], lab.namespace()), name=irsas["again"].name),
    }
    irsas["leaving"].delete()
    controllers.ensure_usual()
    assert all(sids(lab.aws.trust(role[how])) for how in then), "by now they are seen as they were given back"
    for irsa in second.values():
        irsa.wait_ready()
        irsa.delete()
    for irsa in (*second.values(), irsas["leaving"]):
        irsa.wait_gone()
    irsas["referred"].wait_reason("TrustRefuses", "False")
    lab.aws.faults()
    assert {how: portrait(lab, role[how]) for how in then} == before


def test_where_roles_are_read_one_by_one_no_policy_of_ours_is_taken_for_what_the_role_had(
    lab: Lab, controllers: Controllers
) -> None:
    """After a crash the trust may be shown as it was given back, and the policies as we had set them."""
    grow_old(lab)
    before = somebodys(lab, unique("role"))
    role = before["RoleName"]
    first = lab.irsa(managing("Adopt", role, lab.namespace()) | {"iamPolicies": [S3]})
    first.wait_ready()
    lab.aws.faults(consistency=18.0, operations=["ListAttachedRolePolicies"])
    first.delete()
    first.wait_gone()
    controllers.stop_usual()
    second = lab.irsa(managing("Adopt", role, lab.namespace()))
    assert lab.aws.attached(role) == {S3}, "as it was before it was given back"
    controllers.start({}, lab.aws.user(unique("user"), allow(*TABLE, *ROLE_READS))).wait_ready()
    second.wait_ready()
    second.delete()
    second.wait_gone()
    lab.aws.faults()
    assert portrait(lab, role) == before


def test_where_no_role_can_be_read_alone_nobody_waits_for_the_next_of_rare_sweeps(
    bare_lab: Lab, controllers: Controllers
) -> None:
    lab, reads = bare_lab, [action for action in ROLE_READS if action != "iam:GetRole"]
    before = somebodys(lab, unique("role"))
    irsa = lab.irsa(managing("Adopt", before["RoleName"], lab.namespace()))
    environment = lab.aws.user(unique("user"), allow(*TABLE, *reads, *SWEEPS, *WRITES))
    controllers.start({"--sweep-interval": "10m"}, environment).wait_ready()
    irsa.wait_ready()
    irsa.delete()
    irsa.wait_gone()
    assert portrait(lab, before["RoleName"]) == before


def test_a_release_waits_for_the_key_that_vouches_for_what_an_adopted_role_had(
    lab: Lab, run_controller: Callable[..., Controller], restart: Callable[[], Controller]
) -> None:
    role, namespace, stranger = unique("role"), lab.namespace(), lab.namespace("stranger")
    before = somebodys(lab, role)
    irsa = lab.irsa(managing("Adopt", role, namespace))
    adoption = irsa.wait_ready()["adoption"]
    held = portrait(lab, role)
    assert held != before
    # Another namespace's Secret: another key.
    run_controller({"--namespace": stranger})
    lab.patch(irsa.path, {"metadata": {"annotations": {names.ANNOTATION_RELEASE: "true"}}})
    irsa.wait_reason("OwnershipUnknown", "False")
    message = irsa.condition("Ready")["message"]
    assert "signed with another key than Secret irsa-manager-mark has" in message
    assert "Restore that Secret from your backup" in message
    assert irsa.status["adoption"] == adoption
    assert portrait(lab, role) == held
    assert "RoleReleased" not in [reason for reason, _ in irsa.events()]
    assert_planned(
        lab, irsa, {}, "signed with another key than Secret irsa-manager-mark has", "--operator-namespace", stranger
    )
    restart()
    irsa.wait_event("RoleReleased", role)
    lab.eventually(lambda: "finalizers" not in (irsa.get() or {})["metadata"], "the object is let go")
    assert portrait(lab, role) == before
    assert ROLE_ARN in lab.annotations(namespace, "web")


def test_a_release_waits_for_credentials_of_the_account_that_the_adopted_role_is_in(
    lab: Lab, run_controller: Callable[..., Controller], restart: Callable[[], Controller]
) -> None:
    role, namespace, elsewhere = unique("role"), lab.namespace(), lab.aws.elsewhere("999988887777")
    before = somebodys(lab, role)
    irsa = lab.irsa(managing("Adopt", role, namespace))
    adoption = irsa.wait_ready()["adoption"]
    run_controller({}, elsewhere)
    lab.patch(irsa.path, {"metadata": {"annotations": {names.ANNOTATION_RELEASE: "true"}}})
    said = "the manager's credentials are of 999988887777"
    lab.wait_reconciles(irsa)
    assert said in irsa.condition("Ready")["message"]
    assert irsa.status["adoption"] == adoption
    assert names.FINALIZER in (irsa.get() or {})["metadata"]["finalizers"]
    assert_planned(lab, irsa, elsewhere, said)
    restart()
    irsa.wait_event("RoleReleased", role)
    lab.eventually(lambda: "finalizers" not in (irsa.get() or {})["metadata"], "the object is let go")
    assert portrait(lab, role) == before


def test_without_a_setup_too_a_deletion_waits_for_credentials_of_the_roles_account(
    lab: Lab, run_controller: Callable[..., Controller], restart: Callable[[], Controller]
) -> None:
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace))
    irsa.wait_ready()
    discovery = {"s3": {"region": "eu-west-1", "bucketName": "irsa-manager-bucket"}}
    setup = lab.setup({"mode": "selfhosted", "discovery": discovery})
    lab.wait_condition(setup, "Ready", "NotImplemented")
    run_controller({}, lab.aws.elsewhere("999988887777"))
    irsa.delete()
    said = "the manager's credentials are of 999988887777"
    lab.eventually(lambda: said in irsa.condition("Ready").get("message", ""), "it says whose credentials these are")
    assert lab.aws.subjects(role) == {f"{namespace}/web"}
    restart()
    irsa.wait_gone()
    assert lab.aws.role(role) is None


def test_what_was_released_and_taken_up_again_still_gets_back_what_it_had(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    before = somebodys(lab, role)
    irsa = lab.irsa(managing("Adopt", role, namespace))
    irsa.wait_ready()
    lab.patch(irsa.path, {"metadata": {"annotations": {names.ANNOTATION_RELEASE: "true"}}})
    lab.eventually(lambda: not (irsa.get() or {})["metadata"].get("finalizers"), "it is let go")
    assert portrait(lab, role) == before
    lab.patch(irsa.path, {"metadata": {"annotations": {names.ANNOTATION_RELEASE: None}}})
    irsa.wait_ready()
    assert irsa.status["adoption"]["attachedPolicies"] == [READ]
    # And once more, without a release.
    irsa.patch({"iamRole": {"managementPolicy": "Reference"}, "iamPolicies": None})
    lab.eventually(lambda: "adoption" not in irsa.status and portrait(lab, role) == before, "it is given back")
    irsa.patch({"iamRole": {"managementPolicy": "Adopt"}})
    lab.wait_bound(namespace, "web", role)
    irsa.wait_ready()
    assert lab.controller.said("a status from before was put back") == []
    irsa.delete()
    irsa.wait_gone()
    assert portrait(lab, role) == before
