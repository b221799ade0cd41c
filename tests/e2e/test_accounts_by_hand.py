"""ServiceAccounts that somebody else makes, edits and deletes."""

from __future__ import annotations

import pytest
from e2e_lab import ROLE_ARN, Lab, spec, unique

from irsa_manager.api import names


def test_one_that_was_deleted_by_hand_comes_back(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace))
    irsa.wait_ready()
    before = lab.wait_bound(namespace, "web", role)
    lab.delete_account(namespace, "web")
    after = lab.wait_bound(namespace, "web", role)
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert after["metadata"]["labels"] == {names.LABEL_CREATED: "true"}
    irsa.wait_event("DriftRepaired", f"{namespace}/web")
    lab.eventually(
        lambda: "DriftRepaired" in [reason for reason, _ in lab.events(namespace, "ServiceAccount", "web")],
        "the ServiceAccount has the event too",
    )


def test_an_edited_and_a_removed_annotation_are_put_back(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    account = {
        "token": {"audience": "sts.amazonaws.com", "expirationSeconds": 3600},
        "stsRegionalEndpoints": True,
        "annotations": {"team": "a"},
        "labels": {"app": "web"},
    }
    irsa = lab.irsa(spec(role, "web", namespace, serviceAccount=account))
    arn = irsa.wait_ready()["role"]["arn"]
    expected = {
        ROLE_ARN: arn,
        names.ANNOTATION_AUDIENCE: "sts.amazonaws.com",
        names.ANNOTATION_TOKEN_EXPIRATION: "3600",
        names.ANNOTATION_STS_REGIONAL: "true",
        "team": "a",
    }
    labels = {names.LABEL_CREATED: "true", "app": "web"}
    lab.wait_annotations(namespace, "web", expected)
    lab.wait_labels(namespace, "web", labels)
    edited = {ROLE_ARN: "arn:aws:iam::000000000000:role/mine", names.ANNOTATION_AUDIENCE: "mine", "team": "b"}
    lab.patch_account(namespace, "web", annotations=edited, labels={"app": "mine"})
    lab.wait_annotations(namespace, "web", expected)
    lab.wait_labels(namespace, "web", labels)
    for key, value in edited.items():
        irsa.wait_event("DriftRepaired", f"{key} differed (was {value}, should be {expected[key]})")
    irsa.wait_event("DriftRepaired", "label app differed (was mine, should be web)")
    lab.patch_account(namespace, "web", annotations=dict.fromkeys(expected), labels={"app": None})
    lab.wait_annotations(namespace, "web", expected)
    lab.wait_labels(namespace, "web", labels)
    for key in expected:
        irsa.wait_event("DriftRepaired", f"{key} missing")
    irsa.wait_event("DriftRepaired", "label app missing")
    assert irsa.condition("Ready")["status"] == "True"


def test_a_found_one_keeps_everything_else_and_is_released_and_not_deleted(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    theirs = {"labels": {"app": "web"}, "annotations": {"note": "x"}}
    before = lab.make_account(namespace, "web", **theirs)
    irsa = lab.irsa(spec(role, "web", namespace, serviceAccount={"token": {"expirationSeconds": 3600}}))
    arn = irsa.wait_ready()["role"]["arn"]
    lab.wait_annotations(namespace, "web", {"note": "x", ROLE_ARN: arn, names.ANNOTATION_TOKEN_EXPIRATION: "3600"})
    found = lab.account(namespace, "web")
    assert found is not None
    assert found["metadata"]["uid"] == before["metadata"]["uid"]
    assert found["metadata"]["labels"] == {"app": "web"}
    irsa.wait_event("ServiceAccountAnnotated", f"{namespace}/web")
    lab.eventually(lambda: irsa.status["serviceAccounts"][0]["origin"] == "Found", "it is told that it was found")
    irsa.delete()
    irsa.wait_gone()
    after = lab.account(namespace, "web")
    assert after is not None
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["metadata"]["labels"] == {"app": "web"}
    assert after["metadata"]["annotations"] == {"note": "x"}


@pytest.mark.parametrize("cleanup", [True, False])
def test_a_found_one_that_leaves_the_object_is_released(lab: Lab, cleanup: bool) -> None:
    """Compatibility G10: cleanup is about the object's end. The Go program deleted also what it had found."""
    role, one, two = unique("role"), lab.namespace(), lab.namespace()
    lab.make_account(one, "web", annotations={"note": "x"})
    irsa = lab.irsa(spec(role, "web", one, two, cleanup=cleanup))
    arn = irsa.wait_ready()["role"]["arn"]
    found = lab.wait_bound(one, "web", role)
    token = lab.token(one, "web")
    assert lab.aws.assume(arn, token) == ""
    irsa.patch({"serviceAccount": {"namespaces": [two]}})
    irsa.wait_ready()
    lab.wait_annotations(one, "web", {"note": "x"})
    assert (lab.account(one, "web") or {})["metadata"]["uid"] == found["metadata"]["uid"]
    assert "AccessDenied" in lab.aws.assume(arn, token)
    irsa.wait_event("ServiceAccountReleased", "our annotations were taken off")
    assert lab.annotations(one, "web") == {"note": "x"}


def test_the_default_serviceaccount_is_bound_and_never_deleted(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    lab.eventually(lambda: lab.account(namespace, "default"), "Kubernetes has made the default ServiceAccount")
    before = lab.account(namespace, "default")
    irsa = lab.irsa(spec(role, "default", namespace))
    irsa.wait_ready()
    lab.wait_bound(namespace, "default", role)
    irsa.delete()
    irsa.wait_gone()
    after = lab.account(namespace, "default")
    assert before is not None
    assert after is not None
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert ROLE_ARN not in after["metadata"].get("annotations", {})


def test_one_that_somebody_pointed_elsewhere_before_a_deletion_stays(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace))
    irsa.wait_ready()
    irsa.patch({"suspend": True})
    irsa.wait_reason("Suspended")
    elsewhere = "arn:aws:iam::000000000000:role/elsewhere"
    lab.patch_account(namespace, "web", annotations={ROLE_ARN: elsewhere})
    irsa.patch({"suspend": False})
    irsa.wait_ready()
    lab.wait_bound(namespace, "web", role)
    irsa.patch({"suspend": True})
    irsa.wait_reason("Suspended")
    lab.patch_account(namespace, "web", annotations={ROLE_ARN: elsewhere})
    irsa.delete()
    irsa.patch({"suspend": False})
    irsa.wait_gone()
    assert lab.annotations(namespace, "web") == {ROLE_ARN: elsewhere}
    assert lab.aws.role(role) is None
