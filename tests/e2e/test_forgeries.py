"""Who may write a status, or tags: what was signed once proves nothing for another object, and keeps nothing alive."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from e2e_attackers import Belongings, owner_of, tagger
from e2e_grants import ROW, Manager, StartAs
from e2e_lab import MERGE, Irsa, Lab, spec, unique
from e2e_process import Controller
from test_attacks import ANYTHING, S3
from test_giving_back import managing, portrait, somebodys

from irsa_manager.api import names
from irsa_manager.api.status_fields import MAX_RETIRED
from irsa_manager.plan.tenancy import consent


def opened(lab: Lab, **more: Any) -> tuple[str, Lab]:
    """A namespace that a rule opens, and the lab as its owner has it."""
    home = lab.namespace("home")
    rule = {
        "name": "home",
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": home}},
        "policies": [S3],
        "managementPolicies": ["Create", "Adopt"],
    }
    lab.setup({"tenancy": {"rules": [{**rule, **more}]}})
    return home, owner_of(lab, home)


def consented(lab: Lab, role: str, home: str, name: str) -> dict[str, str]:
    """The tag that lets that object adopt the role."""
    system = lab.get("/api/v1/namespaces/kube-system")
    assert system is not None
    return {names.TAG_ADOPT_BY: consent(system["metadata"]["uid"], home, name)}


def tag(client: Any, role: str, tags: dict[str, str]) -> None:
    client.tag_role(RoleName=role, Tags=[{"Key": key, "Value": value} for key, value in tags.items()])


def without_conditions(status: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in status.items() if key != "conditions"}


def replayed(mallory: Lab, irsa: Irsa, status: dict[str, Any]) -> None:
    """Her object gets that status, and is looked at."""
    mallory.patch(f"{irsa.path}/status", {"status": without_conditions(status)})
    mallory.wait_reconciles(irsa)


def test_what_an_object_of_the_same_name_once_adopted_needs_consent_anew(lab: Lab) -> None:
    role, name = unique("role"), unique("i")
    home, mallory = opened(lab)
    before = somebodys(lab, role)
    tags = consented(lab, role, home, name)
    tag(lab.aws.iam, role, tags)
    irsa = mallory.irsa(managing("Adopt", role, home), namespace=home, name=name)
    saved = irsa.wait_ready()
    assert lab.aws.assume(saved["role"]["arn"], lab.token(home, "web")) == ""
    irsa.delete()
    irsa.wait_gone()
    # The consent is withdrawn: that is seen, however short ago the role was written.
    lab.aws.iam.untag_role(RoleName=role, TagKeys=list(tags))
    again = mallory.irsa(managing("Adopt", role, home), namespace=home, name=name)
    again.wait_reason("TenancyDenied", "False")
    assert names.TAG_ADOPT_BY in again.condition("Ready")["message"]
    replayed(mallory, again, saved)
    again.wait_reason("TenancyDenied", "False")
    assert portrait(lab, role) == before
    mallory.make_account(home, "web")
    assert "AccessDenied" in lab.aws.assume(saved["role"]["arn"], lab.token(home, "web"))
    again.delete()
    again.wait_gone()
    assert portrait(lab, role) == before


@pytest.mark.parametrize("looked_at", [False, True])
def test_who_takes_the_adoption_out_of_a_status_keeps_no_access(lab: Lab, looked_at: bool) -> None:
    role, name = unique("role"), unique("i")
    home, mallory = opened(lab)
    before = somebodys(lab, role)
    tag(lab.aws.iam, role, consented(lab, role, home, name))
    irsa = mallory.irsa(managing("Adopt", role, home), namespace=home, name=name)
    arn = irsa.wait_ready()["role"]["arn"]
    token = lab.token(home, "web")
    assert lab.aws.assume(arn, token) == ""
    mallory.patch(f"{irsa.path}/status", {"status": {"adoption": None}})
    if looked_at:
        lab.wait_reconciles(irsa)
    irsa.delete()
    irsa.wait_gone()
    assert "AccessDenied" in lab.aws.assume(arn, token)
    assert not lab.aws.subjects(role)
    # What it had is lost with the status; the role isn't.
    assert portrait(lab, role)["RoleId"] == before["RoleId"]


def test_no_status_keeps_an_object_from_being_changed_or_its_role_from_going(lab: Lab) -> None:
    role = unique("role")
    home, mallory = opened(lab)
    irsa = mallory.irsa(spec(role, "web", home), namespace=home)
    arn = irsa.wait_ready()["role"]["arn"]
    token = lab.token(home, "web")
    assert lab.aws.assume(arn, token) == ""
    # Times that the schema takes and Python doesn't, or the other way round.
    answers = []
    for number, time in enumerate(["10:00:00+99:99", "10:00:60Z", "24:00:00Z", "10:00:00z"]):
        intent = {"roleName": role, "time": f"2026-11-24T{time}", "mac": "x"}
        answer = mallory.api.patch(f"{irsa.path}/status", json={"status": {"intent": intent}}, headers=MERGE)
        answers.append(answer.status_code)
        irsa.patch({"iamPolicies": [S3] if number % 2 == 0 else []})
        irsa.wait_ready()
        assert lab.aws.attached(role) == ({S3} if number % 2 == 0 else set())
    assert 200 in answers
    # A list of old roles is short, and only names in it that the record vouches for are looked at.
    many = [{"name": unique("old")} for _ in range(MAX_RETIRED + 1)]
    answer = mallory.api.patch(f"{irsa.path}/status", json={"status": {"retiredRoles": many}}, headers=MERGE)
    assert answer.status_code == 422
    lab.aws.reset_calls()
    mallory.patch(f"{irsa.path}/status", {"status": {"retiredRoles": many[:MAX_RETIRED]}})
    lab.wait_reconciles(irsa, count=3)
    assert lab.aws.calls().get("GetRole", 0) <= MAX_RETIRED
    assert lab.aws.role(role)
    # Its account is another one, it says; and there was never a time like this.
    forged = {
        "retiredRoles": None,
        "role": {"accountID": "999999999999"},
        "intent": {**intent, "time": "2026-11-24t10:00:00z"},
    }
    mallory.patch(f"{irsa.path}/status", {"status": forged})
    irsa.delete()
    irsa.wait_gone()
    assert "AccessDenied" in lab.aws.assume(arn, token)
    assert lab.aws.role(role) is None


def test_the_mark_of_an_object_that_is_gone_is_believed_in_the_trust_only(
    lab: Lab, restart: Callable[[], Controller]
) -> None:
    role, theirs, name = unique("role"), lab.namespace("theirs"), unique("i")
    home, mallory = opened(lab)
    gone = mallory.irsa(spec(role, "old", home, cleanup=False), namespace=home)
    gone.wait_ready()
    old = {key: value for key, value in lab.aws.tags(role).items() if key in {names.TAG_MARK, names.TAG_OWNER}}
    assert len(old) == 2
    gone.delete()
    gone.wait_gone()
    holder = lab.irsa(managing("Adopt", role, theirs))
    holder.wait_ready()
    holder.patch({"suspend": True})
    holder.wait_reason("Suspended", "Unknown")
    # Suspended, so that nobody puts the tags back; and seen, as nothing was written since the start.
    tag(tagger(lab), role, {**old, **consented(lab, role, home, name)})
    restart()
    before = Belongings(lab, [role], [f"{theirs}/web"])
    evil = mallory.irsa(managing("Adopt", role, home), namespace=home, name=name)
    evil.wait_reason("Conflict", "False")
    assert holder.name not in evil.condition("Ready")["message"]
    before.untouched()
    evil.delete()
    evil.wait_gone()
    before.untouched()


def test_where_no_role_can_be_read_an_earlier_objects_record_is_no_evidence(bare_lab: Lab, start_as: StartAs) -> None:
    lab, role, name = bare_lab, unique("role"), unique("i")
    manager = Manager(lab.aws, ROW)
    start_as(manager)
    home, mallory = opened(lab)
    irsa = mallory.irsa(spec(role, "web", home), namespace=home, name=name)
    saved = irsa.wait_ready()
    assert saved["record"]["mac"]
    # Without it the trust would have to be written anew, which shows what the record is worth.
    saved["role"].pop("trustPolicySHA256", None)
    irsa.delete()
    irsa.wait_gone()
    assert lab.aws.role(role) is None
    lab.aws.foreign_role(role)
    lab.aws.iam.put_role_policy(RoleName=role, PolicyName="secret", PolicyDocument=json.dumps(ANYTHING))
    before = Belongings(lab, [role], [])
    # Another one, which doesn't know that it has deleted the role.
    start_as(manager)
    again = mallory.irsa(spec(role, "web", home), namespace=home, name=name)
    again.wait_reason("OwnershipUnknown", "False")
    replayed(mallory, again, saved)
    again.wait_reason("OwnershipUnknown", "False")
    before.untouched()
    assert "AccessDenied" in lab.aws.assume(saved["role"]["arn"], lab.token(home, "owner"))
    again.delete()
    again.wait_gone()
    before.untouched()


def test_who_may_do_everything_in_his_namespace_may_label_it_but_for_its_name(lab: Lab) -> None:
    home, label = lab.namespace("home"), "kubernetes.io/metadata.name"
    mallory = owner_of(lab, home)
    chosen = {"team": "a", label: "somebody-elses"}
    labelled = mallory.patch(f"/api/v1/namespaces/{home}", {"metadata": {"labels": chosen}})["metadata"]["labels"]
    assert (labelled["team"], labelled[label]) == ("a", home)
    # What docs/tenancy.md tells administrators to ask with kubectl auth can-i.
    where = {"namespace": home, "verb": "patch", "resource": "namespaces", "name": home}
    for user, allowed in (("owner", True), ("default", False)):
        body = {"spec": {"user": f"system:serviceaccount:{home}:{user}", "resourceAttributes": where}}
        answer = lab.create("/apis/authorization.k8s.io/v1/subjectaccessreviews", body)
        assert answer["status"]["allowed"] is allowed


def test_an_attached_policy_in_a_status_that_is_no_arn_keeps_no_role_from_going_back(lab: Lab) -> None:
    role = unique("role")
    before = somebodys(lab, role)
    irsa = lab.irsa(managing("Adopt", role, lab.namespace()))
    irsa.wait_ready()
    lab.patch(f"{irsa.path}/status", {"status": {"role": {"attachedPolicies": ["garbage"], "arn": "garbage"}}})
    irsa.delete()
    irsa.wait_gone()
    assert portrait(lab, role) == before
