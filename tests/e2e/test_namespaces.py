"""Which namespaces an object reaches, as they come, change and go."""

from __future__ import annotations

from e2e_lab import Lab, spec, unique
from e2e_process import OPERATOR


def test_a_namespace_that_is_missing_is_named_and_not_trusted_until_it_exists(lab: Lab) -> None:
    role, there, later = unique("role"), lab.namespace(), unique("later")
    irsa = lab.irsa(spec(role, "web", there, later))
    irsa.wait_reason("NamespaceNotFound", "False")
    # The namespace that is there may have been made too short a time ago for the controller to know it.
    lab.wait_bound(there, "web", role)
    told = f"Namespace {later} doesn't exist"
    lab.eventually(lambda: told in irsa.condition("Ready")["message"], "the one that is missing is named")
    assert irsa.condition("RoleReady")["status"] == "True"
    assert irsa.condition("ServiceAccountsReady")["reason"] == "NamespaceNotFound"
    assert irsa.condition("Stalled") == {}
    lab.eventually(lambda: irsa.status["serviceAccountCount"] == 1, "the one that is there is bound")
    lab.wait_subjects(role, f"{there}/web")
    irsa.wait_event("NamespaceNotFound", later)
    lab.namespace(name=later)
    assert irsa.wait_ready()["serviceAccountCount"] == 2
    lab.wait_subjects(role, f"{there}/web", f"{later}/web")
    lab.wait_bound(later, "web", role)
    irsa.wait_event("TrustUpdated", f"subject {later}/web missing")


def test_a_glob_reaches_the_namespaces_that_match_also_later_ones(lab: Lab) -> None:
    role, prefix = unique("role"), unique("glob")
    one = lab.namespace(name=f"{prefix}-one")
    lab.namespace(name=f"not-{prefix}-one")
    irsa = lab.irsa(spec(role, "web", f"{prefix}-???", f"{prefix}-lo*er"))
    irsa.wait_ready()
    lab.wait_subjects(role, f"{one}/web")
    two = lab.namespace(name=f"{prefix}-longer")
    lab.wait_bound(two, "web", role)
    lab.wait_subjects(role, f"{one}/web", f"{two}/web")


def test_a_selector_follows_the_labels_of_namespaces(lab: Lab) -> None:
    role, label = unique("role"), unique("team")
    one = lab.namespace(labels={"team": label})
    two = lab.namespace(labels={"team": "other"})
    body = spec(role, "web", serviceAccount={"namespaces": [], "namespaceSelector": {"matchLabels": {"team": label}}})
    irsa = lab.irsa(body)
    irsa.wait_ready()
    lab.wait_subjects(role, f"{one}/web")
    lab.wait_bound(one, "web", role)
    lab.patch(f"/api/v1/namespaces/{two}", {"metadata": {"labels": {"team": label}}})
    lab.wait_bound(two, "web", role)
    lab.patch(f"/api/v1/namespaces/{one}", {"metadata": {"labels": {"team": "other"}}})
    lab.wait_no_account(one, "web")
    assert lab.aws.subjects(role) == {f"{two}/web"}


def test_a_selector_by_expressions_and_names_together_are_a_union(lab: Lab) -> None:
    role, label = unique("role"), unique("team")
    named, selected = lab.namespace(), lab.namespace(labels={"team": label})
    selector = {"matchExpressions": [{"key": "team", "operator": "In", "values": [label, "x"]}]}
    lab.irsa(spec(role, "web", named, serviceAccount={"namespaceSelector": selector})).wait_ready()
    lab.wait_subjects(role, f"{named}/web", f"{selected}/web")


def test_globs_and_selectors_never_reach_the_systems_and_the_operators_namespaces(lab: Lab) -> None:
    role, name = unique("role"), unique("sa")
    selector = {"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "Exists"}]}
    irsa = lab.irsa(spec(role, name, "kube-*", "irsa-*", "defaul?", serviceAccount={"namespaceSelector": selector}))
    lab.wait_bound("default", name, role)
    irsa.wait_ready()

    def bound() -> set[str]:
        found = {b["namespace"] for b in irsa.status["serviceAccounts"]}
        return found if "default" in found else set()

    reached = lab.eventually(bound, "the default namespace is reached")
    assert not {n for n in reached if n.startswith("kube-")} | (reached & {OPERATOR})
    assert not {s for s in lab.aws.subjects(role) if s.startswith(("kube-", f"{OPERATOR}/"))}


def test_the_systems_and_the_operators_namespaces_can_be_named(lab: Lab) -> None:
    role, name = unique("role"), unique("sa")
    lab.irsa(spec(role, name, "kube-system", OPERATOR)).wait_ready()
    assert lab.aws.subjects(role) == {f"kube-system/{name}", f"{OPERATOR}/{name}"}


def test_a_namespace_that_is_deleted_leaves_the_trust(lab: Lab) -> None:
    role, stays, goes = unique("role"), lab.namespace(), lab.namespace()
    irsa = lab.irsa(spec(role, "web", stays, goes))
    irsa.wait_ready()
    lab.delete(f"/api/v1/namespaces/{goes}")
    lab.eventually(lambda: lab.aws.subjects(role) == {f"{stays}/web"}, "the subject is out of the trust")
    lab.eventually(lambda: lab.get(f"/api/v1/namespaces/{goes}") is None, "the namespace is gone, nothing holds it")
    irsa.wait_reason("NamespaceNotFound", "False")
    lab.eventually(lambda: irsa.status["serviceAccountCount"] == 1, "one is bound")


def test_a_namespace_added_to_the_object_is_bound_and_one_taken_out_released(lab: Lab) -> None:
    role, one, two = unique("role"), lab.namespace(), lab.namespace()
    irsa = lab.irsa(spec(role, "web", one))
    arn = irsa.wait_ready()["role"]["arn"]
    lab.wait_bound(one, "web", role)
    token = lab.token(one, "web")
    irsa.patch({"serviceAccount": {"namespaces": [one, two]}})
    irsa.wait_ready()
    lab.wait_subjects(role, f"{one}/web", f"{two}/web")
    lab.wait_bound(two, "web", role)
    irsa.patch({"serviceAccount": {"namespaces": [two]}})
    irsa.wait_ready()
    lab.wait_no_account(one, "web")
    assert lab.aws.assume(arn, token).startswith("AccessDenied")
    assert lab.aws.assume(arn, lab.token(two, "web")) == ""
    irsa.wait_event("ServiceAccountReleased", f"{one}/web")


def test_an_object_that_reaches_nobody_lets_nobody_in(lab: Lab) -> None:
    role, missing = unique("role"), unique("nowhere")
    irsa = lab.irsa(spec(role, "web", missing))
    irsa.wait_reason("NamespaceNotFound", "False")
    statements = lab.aws.trust(role)["Statement"]
    assert [s["Effect"] for s in statements] == ["Deny"]
