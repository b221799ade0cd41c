"""What only points to a role of ours, or became ours by an adoption, isn't ours to take or to lose."""

from __future__ import annotations

import json
from collections.abc import Callable

import e2e_upstream
from e2e_attackers import Belongings
from e2e_controllers import Controllers
from e2e_lab import Irsa, Lab, Object, spec, unique
from e2e_process import OPERATOR, Controller
from test_attacks import ADMIN, ANYTHING, S3
from test_giving_back import READ, managing, portrait, somebodys
from test_management import RELEASE

DENY = "arn:aws:iam::aws:policy/AWSDenyAll"


def referring(lab: Lab, role: str, account: str, home: str) -> Irsa:
    """An object of `home` that only refers to the role and leaves all as it is at its end; bound."""
    wanted = spec(role, account, home, cleanup=False, iamRole={"managementPolicy": "Reference"})
    del wanted["iamPolicies"]
    irsa = lab.irsa(wanted, namespace=home)
    lab.wait_bound(home, account, role)
    return irsa


def test_a_serviceaccount_that_only_points_to_the_role_outlives_the_roles_owner(lab: Lab) -> None:
    home, copies = lab.namespace("home"), lab.namespace("copies")
    selector = {"matchLabels": {"kubernetes.io/metadata.name": home}}
    rule = {"name": "home", "namespaceSelector": selector, "managementPolicies": ["Reference"]}
    setup = lab.setup({"tenancy": {"rules": [rule]}})
    owners, kept = [], []
    for policy in ("Create", "None"):
        role, mine, prefix = unique("role"), lab.namespace("mine"), policy.lower()
        owner = lab.irsa(spec(role, "web", mine, serviceAccount={"managementPolicy": policy}))
        owner.wait_ready()
        kept_, deleted, released = (referring(lab, role, f"{prefix}-{n}", home) for n in ("kept", "ended", "released"))
        # A copy of a ServiceAccount, labels and all, as backups and templates make them.
        model = lab.account(home, f"{prefix}-kept") or {}
        metadata = {key: model["metadata"][key] for key in ("labels", "annotations")}
        lab.make_account(copies, prefix, **metadata)
        owners.append(owner)
        kept += [f"{home}/{prefix}-{n}" for n in ("kept", "ended", "released")] + [f"{copies}/{prefix}"]
        deleted.delete()
        lab.patch(released.path, RELEASE)
        lab.eventually(lambda r=released: not (r.get() or {})["metadata"].get("finalizers"), "it is let go")  # type: ignore[misc]
        released.delete()
        for irsa in (deleted, released):
            irsa.wait_gone()
        if policy == "None":
            lab.patch(setup, {"spec": {"tenancy": {"rules": []}}})
            kept_.touch()
            kept_.wait_reason("TenancyDenied", "False")
            assert "Existing bindings were kept" in kept_.condition("Ready")["message"]
    before = Belongings(lab, [], kept)
    for owner in owners:
        lab.wait_reconciles(owner)
        before.untouched()
        owner.delete()
        owner.wait_gone()
        assert not [m for r, m in owner.events() if r.startswith("ServiceAccount") and (home in m or copies in m)]
    before.untouched()


def test_what_an_object_that_refers_to_a_role_has_bound_is_not_for_an_older_one_that_asks_later(lab: Lab) -> None:
    # Its name comes last, so that the other one goes before it also where both are of the same second.
    shared, role, elsewhere, home = unique("shared"), unique("role"), lab.namespace(), lab.namespace("z-last")
    lab.aws.foreign_role(shared)
    older = lab.irsa(spec(role, "app", elsewhere))
    older.wait_ready()
    selector = {"matchLabels": {"kubernetes.io/metadata.name": home}}
    rule = {"name": "home", "namespaceSelector": selector, "managementPolicies": ["Reference"]}
    lab.setup({"tenancy": {"rules": [rule]}})
    younger = referring(lab, shared, "app", home)
    before = Belongings(lab, [], [f"{home}/app"])
    older.patch({"serviceAccount": {"namespaces": [elsewhere, home]}})
    older.wait_reason("Conflict", "False")
    assert f"ServiceAccount {home}/app is held by IRSA {younger.key}" in older.condition("Ready")["message"]
    before.untouched()
    older.delete()
    older.wait_gone()
    before.untouched()


def test_an_adoption_keeps_what_the_role_has_now_and_not_at_the_last_sweep(
    bare_lab: Lab, run_controller: Callable[..., Controller]
) -> None:
    lab, role = bare_lab, unique("role")
    lab.aws.foreign_role(role)
    run_controller({"--sweep-interval": "60s"})
    lab.eventually(lambda: lab.sweeps() >= 1, "it has swept")
    lab.aws.iam.attach_role_policy(RoleName=role, PolicyArn=READ)
    trust = lab.aws.trust(role)
    trust["Statement"][0]["Principal"]["Service"] = "lambda.amazonaws.com"
    lab.aws.write_trust(role, trust)
    before = portrait(lab, role)
    irsa = lab.irsa(managing("Adopt", role, lab.namespace()))
    adoption = irsa.wait_ready()["adoption"]
    assert (adoption["trustPolicy"], adoption["attachedPolicies"]) == (trust, [READ])
    irsa.delete()
    irsa.wait_gone()
    assert portrait(lab, role) == before


def test_what_incident_response_puts_on_an_adopted_role_stays_when_it_goes_back(
    lab: Lab, restart: Callable[[], Controller]
) -> None:
    role = unique("role")
    before = somebodys(lab, role)
    irsa = lab.irsa(managing("Adopt", role, lab.namespace()))
    irsa.wait_ready()
    lab.aws.iam.attach_role_policy(RoleName=role, PolicyArn=DENY)
    # One that starts now sees it, as it wrote nothing before.
    restart()
    listed = lambda: DENY in irsa.status["role"].get("attachedPolicies", [])  # noqa: E731
    irsa.touch()
    lab.eventually(listed, "the status tells it")
    assert DENY.rpartition("/")[2] in lab.aws.attached(role)
    irsa.delete()
    irsa.wait_gone()
    assert portrait(lab, role) == {**before, "attached": {*before["attached"], "AWSDenyAll"}}


def test_a_role_that_the_go_programs_object_was_renamed_to_is_not_its_own(
    bare_lab: Lab, run_controller: Callable[..., Controller], controllers: Controllers
) -> None:
    lab = bare_lab
    controllers.stop_usual()
    controllers.stop_others()
    namespace, old, foreign = lab.namespace(), unique("old"), unique("foreign")
    e2e_upstream.setup(lab)
    wanted: Object = spec(old, "web", namespace, iamPolicies=[S3])
    irsa = e2e_upstream.irsa(lab, wanted, namespace=OPERATOR)
    lab.aws.foreign_role(foreign)
    lab.aws.iam.put_role_policy(RoleName=foreign, PolicyName="secret", PolicyDocument=json.dumps(ANYTHING))
    lab.aws.iam.attach_role_policy(RoleName=foreign, PolicyArn=f"arn:aws:iam::aws:policy/{ADMIN}")
    before = Belongings(lab, [foreign, old], [f"{namespace}/web"])
    untouched = portrait(lab, foreign)
    irsa.patch({"iamRole": {"name": foreign}})
    run_controller()
    irsa.wait_reason("RoleExists", "False")
    before.untouched()
    irsa.touch()
    irsa.wait_reason("RoleExists", "False")
    # Its own one is there as ever; it is had again as the message says.
    irsa.patch({"iamRole": {"name": old, "managementPolicy": "Adopt"}})
    irsa.wait_ready()
    assert lab.aws.subjects(old) == {f"{namespace}/web"}
    irsa.delete()
    irsa.wait_gone()
    assert portrait(lab, foreign) == untouched


def test_a_role_that_somebody_made_in_the_place_of_ours_since_the_last_sweep_is_not_deleted(
    bare_lab: Lab, run_controller: Callable[..., Controller]
) -> None:
    lab, role, namespace = bare_lab, unique("role"), bare_lab.namespace()
    run_controller({"--sweep-interval": "60s"})
    irsa = lab.irsa(spec(role, "web", namespace))
    irsa.wait_ready()
    lab.aws.wipe(role)
    theirs = lab.aws.foreign_role(role)
    irsa.delete()
    irsa.wait_gone()
    assert lab.aws.role(role) == theirs
