"""Names that come again or that several want: who holds something keeps it, and nobody inherits it by its name."""

from __future__ import annotations

from e2e_attackers import owner_of
from e2e_lab import ROLE_ARN, Lab, spec, unique
from test_management import RELEASE

from irsa_manager.api import names


def test_a_namespace_that_is_made_again_by_another_gets_nothing_back(lab: Lab) -> None:
    """B10, B11: no uid is in a token's subject, and a token outlives its ServiceAccount."""
    home, target, role = lab.namespace("home"), lab.namespace("target"), unique("role")
    selector = {"matchLabels": {"kubernetes.io/metadata.name": home}}
    rule = {"name": "home", "namespaceSelector": selector, "targetNamespaces": [home, target]}
    setup = lab.setup({"tenancy": {"rules": [rule]}})
    mallory = owner_of(lab, home)
    irsa = mallory.irsa(spec(role, "app", home, target), namespace=home)
    arn = irsa.wait_ready()["role"]["arn"]
    old = lab.token(target, "app")
    assert lab.aws.assume(arn, old) == ""
    # Shrunk: the subject leaves the trust before the ServiceAccount goes.
    lab.aws.faults(latency=1.0, operations=["UpdateAssumeRolePolicy"])
    irsa.patch({"serviceAccount": {"namespaces": [home]}})
    seen: list[bool] = []

    def gone() -> bool:
        absent = lab.account(target, "app") is None
        seen.append(not absent or f"{target}/app" not in lab.aws.subjects(role))
        return absent

    lab.eventually(gone, "the ServiceAccount is gone")
    lab.aws.faults()
    assert all(seen)
    assert "AccessDenied" in lab.aws.assume(arn, old)
    irsa.patch({"serviceAccount": {"namespaces": [home, target]}})
    irsa.wait_ready()
    assert lab.aws.assume(arn, old) == ""
    # Closed meanwhile: what is bound stays, but not for who makes the namespace anew.
    lab.patch(setup, {"spec": {"tenancy": {"rules": []}}})
    lab.eventually(lambda: irsa.condition("Ready")["reason"] == "TenancyDenied", "it is denied")
    assert lab.aws.assume(arn, old) == ""
    lab.delete(f"/api/v1/namespaces/{target}")
    lab.eventually(lambda: lab.get(f"/api/v1/namespaces/{target}") is None, "the namespace is gone")
    lab.eventually(lambda: lab.aws.subjects(role) == {f"{home}/app"}, "its subject is withdrawn")
    assert "AccessDenied" in lab.aws.assume(arn, old)
    lab.namespace(name=target)
    lab.make_account(target, "app", annotations={ROLE_ARN: arn})
    lab.wait_sweeps()
    assert lab.aws.subjects(role) == {f"{home}/app"}
    assert "AccessDenied" in lab.aws.assume(arn, lab.token(target, "app"))


def test_the_longest_owners_are_told_apart_and_who_holds_keeps_whatever_its_age(lab: Lab) -> None:
    """B14, B16: 317 characters in a tag of 256; a restore that makes the holder the younger one."""
    home, role = lab.namespace(name=unique("n" * 54)), unique("role")
    lab.setup({"tenancy": {"default": "OwnNamespace"}})
    names_ = ["i" * 252 + end for end in "ab"]
    holder = lab.irsa(spec(role, "app", home), namespace=home, name=names_[0])
    arn = holder.wait_ready()["role"]["arn"]
    tag = lab.aws.tags(role)[names.TAG_OWNER]
    assert len(holder.key) == 317
    assert holder.key.startswith(tag)
    assert len(tag) == 256
    twin = lab.irsa(spec(role, "other", home), namespace=home, name=names_[1])
    twin.wait_reason("Conflict", "False")
    assert lab.aws.subjects(role) == {f"{home}/app"}
    # Gone and made again, as by a restore: younger than its rival, without status, with another uid.
    lab.patch(holder.path, RELEASE)
    lab.eventually(lambda: not (holder.get() or {})["metadata"].get("finalizers"), "it is let go")
    holder.delete()
    holder.wait_gone()
    lab.wait_sweeps()
    assert lab.aws.subjects(role) == {f"{home}/app"}
    again = lab.irsa(spec(role, "app", home), namespace=home, name=names_[0])
    again.wait_ready()
    twin.patch({"iamRole": {"description": "again"}})
    twin.wait_reason("Conflict", "False")
    assert lab.aws.assume(arn, lab.token(home, "app")) == ""
    assert lab.account(home, "other") is None


def test_objects_that_reference_one_role_leave_each_others_serviceaccounts(lab: Lab) -> None:
    role, one, two = unique("role"), lab.namespace("one"), lab.namespace("two")
    lab.aws.foreign_role(role)
    irsas = []
    for namespace in (one, two):
        wanted = spec(role, "app", namespace, iamRole={"managementPolicy": "Reference"})
        wanted.pop("iamPolicies")
        irsas.append(lab.irsa(wanted))
        lab.wait_bound(namespace, "app", role)
    uids = [(lab.account(n, "app") or {})["metadata"]["uid"] for n in (one, two)]
    for irsa in irsas:
        irsa.patch({"suspend": False, "cleanup": True, "serviceAccount": {"additionalNames": ["more"]}})
        lab.wait_bound(one if irsa is irsas[0] else two, "more", role)
    assert [(lab.account(n, "app") or {})["metadata"]["uid"] for n in (one, two)] == uids
    irsas[0].delete()
    irsas[0].wait_gone()
    assert lab.account(one, "app") is None
    assert (lab.account(two, "app") or {})["metadata"]["uid"] == uids[1]
