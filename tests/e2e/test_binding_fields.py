"""Every field of ServiceAccounts and trust: set, changed, and taken out again."""

from __future__ import annotations

from typing import Any

from e2e_lab import ROLE_ARN, Lab, spec, unique

from irsa_manager.api import names
from irsa_manager.sandbox.running import RunningSandbox


def conditions(lab: Lab, role: str, index: int = 0) -> dict[str, Any]:
    return lab.aws.trust(role)["Statement"][index]["Condition"]  # type: ignore[no-any-return]


def test_additional_names_are_bound_and_released(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace, serviceAccount={"additionalNames": ["worker"]}))
    status = irsa.wait_ready()
    assert status["serviceAccountCount"] == 2
    assert lab.aws.subjects(role) == {f"{namespace}/web", f"{namespace}/worker"}
    assert lab.aws.assume(status["role"]["arn"], lab.token(namespace, "worker")) == ""
    irsa.patch({"serviceAccount": {"additionalNames": ["cron"]}})
    irsa.wait_ready()
    assert lab.aws.subjects(role) == {f"{namespace}/web", f"{namespace}/cron"}
    lab.wait_no_account(namespace, "worker")
    irsa.patch({"serviceAccount": {"additionalNames": None}})
    irsa.wait_ready()
    assert lab.aws.subjects(role) == {f"{namespace}/web"}
    lab.wait_no_account(namespace, "cron")


def test_a_new_name_is_bound_and_the_old_serviceaccount_goes(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "old", namespace))
    arn = irsa.wait_ready()["role"]["arn"]
    token = lab.token(namespace, "old")
    irsa.patch({"serviceAccount": {"name": "new"}})
    irsa.wait_ready()
    lab.wait_no_account(namespace, "old")
    lab.wait_annotations(namespace, "new", {ROLE_ARN: arn})
    assert lab.aws.subjects(role) == {f"{namespace}/new"}
    assert lab.aws.assume(arn, token).startswith("AccessDenied")


def test_token_settings_are_written_changed_and_taken_off(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    extra = {"token": {"audience": "sts.amazonaws.com", "expirationSeconds": 3600}, "stsRegionalEndpoints": True}
    irsa = lab.irsa(spec(role, "web", namespace, serviceAccount=extra))
    arn = irsa.wait_ready()["role"]["arn"]
    given = {
        names.ANNOTATION_AUDIENCE: "sts.amazonaws.com",
        names.ANNOTATION_TOKEN_EXPIRATION: "3600",
        names.ANNOTATION_STS_REGIONAL: "true",
    }
    lab.wait_annotations(namespace, "web", {ROLE_ARN: arn, **given})
    irsa.patch(
        {"serviceAccount": {"token": {"audience": None, "expirationSeconds": 7200}, "stsRegionalEndpoints": False}}
    )
    irsa.wait_ready()
    changed = {names.ANNOTATION_TOKEN_EXPIRATION: "7200", names.ANNOTATION_STS_REGIONAL: "false"}
    lab.wait_annotations(namespace, "web", {ROLE_ARN: arn, **changed})
    irsa.patch({"serviceAccount": {"token": None, "stsRegionalEndpoints": None}})
    irsa.wait_ready()
    lab.wait_annotations(namespace, "web", {ROLE_ARN: arn})


def test_settings_of_a_found_serviceaccount_are_taken_off_but_its_own_stay(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    lab.make_account(namespace, "web", annotations={names.ANNOTATION_STS_REGIONAL: "true", "theirs": "x"})
    irsa = lab.irsa(spec(role, "web", namespace, serviceAccount={"token": {"expirationSeconds": 3600}}))
    arn = irsa.wait_ready()["role"]["arn"]
    mine = {ROLE_ARN: arn, names.ANNOTATION_TOKEN_EXPIRATION: "3600"}
    own = {names.ANNOTATION_STS_REGIONAL: "true", "theirs": "x"}
    lab.wait_annotations(namespace, "web", {**own, **mine})
    irsa.patch({"serviceAccount": {"token": None}})
    irsa.wait_ready()
    lab.wait_annotations(namespace, "web", {**own, ROLE_ARN: arn})


def test_labels_and_annotations_go_on_made_serviceaccounts_and_only_on_those(lab: Lab) -> None:
    role, one, two = unique("role"), lab.namespace(), lab.namespace()
    lab.make_account(two, "web")
    extra = {"labels": {"team": "a"}, "annotations": {"note": "hello"}}
    irsa = lab.irsa(spec(role, "web", one, two, serviceAccount=extra))
    arn = irsa.wait_ready()["role"]["arn"]
    lab.wait_labels(one, "web", {names.LABEL_CREATED: "true", "team": "a"})
    lab.wait_annotations(one, "web", {ROLE_ARN: arn, "note": "hello"})
    lab.wait_annotations(two, "web", {ROLE_ARN: arn})
    assert lab.labels(two, "web") == {}
    irsa.patch({"serviceAccount": {"labels": {"team": "b"}, "annotations": {"note": "bye"}}})
    irsa.wait_ready()
    lab.wait_labels(one, "web", {names.LABEL_CREATED: "true", "team": "b"})
    lab.wait_annotations(one, "web", {ROLE_ARN: arn, "note": "bye"})


def test_labels_and_annotations_taken_out_of_the_spec_are_taken_off(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    extra = {"labels": {"team": "a"}, "annotations": {"note": "hello"}}
    irsa = lab.irsa(spec(role, "web", namespace, serviceAccount=extra))
    arn = irsa.wait_ready()["role"]["arn"]
    lab.wait_bound(namespace, "web", role)
    lab.patch_account(namespace, "web", labels={"theirs": "y"}, annotations={"theirs": "x"})
    irsa.patch({"serviceAccount": {"labels": None, "annotations": None}})
    irsa.wait_ready()
    lab.wait_labels(namespace, "web", {names.LABEL_CREATED: "true", "theirs": "y"})
    lab.wait_annotations(namespace, "web", {ROLE_ARN: arn, "theirs": "x"})


def test_what_a_user_adds_to_a_made_serviceaccount_stays(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    irsa = lab.irsa(spec(role, "web", namespace))
    arn = irsa.wait_ready()["role"]["arn"]
    lab.wait_bound(namespace, "web", role)
    lab.patch_account(namespace, "web", labels={"theirs": "y"}, annotations={"theirs": "x"})
    irsa.patch({"serviceAccount": {"token": {"expirationSeconds": 3600}}})
    irsa.wait_ready()
    lab.wait_annotations(namespace, "web", {ROLE_ARN: arn, names.ANNOTATION_TOKEN_EXPIRATION: "3600", "theirs": "x"})
    assert lab.labels(namespace, "web") == {names.LABEL_CREATED: "true", "theirs": "y"}


def test_audiences_are_asked_for_and_go_back_to_the_providers(lab: Lab, sandbox: RunningSandbox) -> None:
    role, namespace = unique("role"), lab.namespace()
    host = sandbox.issuer.removeprefix("https://")
    irsa = lab.irsa(spec(role, "web", namespace, trust={"audiences": ["vault.example", "sts.amazonaws.com"]}))
    irsa.wait_ready()
    assert sorted(conditions(lab, role)["StringEquals"][f"{host}:aud"]) == ["sts.amazonaws.com", "vault.example"]
    irsa.patch({"trust": {"audiences": ["vault.example"]}})
    arn = irsa.wait_reason("AudienceMissing", "False")["role"]["arn"]
    assert conditions(lab, role)["StringEquals"][f"{host}:aud"] == "vault.example"
    assert lab.aws.assume(arn, lab.token(namespace, "web")).startswith("AccessDenied")
    irsa.patch({"trust": None})
    irsa.wait_ready()
    assert conditions(lab, role)["StringEquals"][f"{host}:aud"] == "sts.amazonaws.com"
    assert lab.aws.assume(arn, lab.token(namespace, "web")) == ""


def test_patterns_let_in_namespaces_by_glob_but_never_the_systems(lab: Lab, sandbox: RunningSandbox) -> None:
    role, prefix = unique("role"), unique("team")
    namespace = lab.namespace(name=f"{prefix}-a")
    irsa = lab.irsa(spec(role, "web", f"{prefix}-*", "kube-public", trust={"subjectMatch": "Pattern"}))
    arn = irsa.wait_ready()["role"]["arn"]
    assert lab.aws.subjects(role) == {f"{prefix}-*/web", "kube-public/web"}
    for place in (namespace, "kube-public"):
        lab.wait_bound(place, "web", role)
        assert lab.aws.assume(arn, lab.token(place, "web")) == ""
    irsa.patch({"trust": {"subjectMatch": "Exact"}})
    irsa.wait_ready()
    lab.wait_subjects(role, f"{namespace}/web", "kube-public/web")
    host = sandbox.issuer.removeprefix("https://")
    statements = lab.aws.trust(role)["Statement"]
    assert [set(s["Condition"]) for s in statements] == [{"StringEquals"}]
    assert f"{host}:sub" in statements[0]["Condition"]["StringEquals"]


def test_additional_providers_are_trusted_and_taken_out(lab: Lab, sandbox: RunningSandbox) -> None:
    role, namespace = unique("role"), lab.namespace()
    other = "oidc.eks.eu-west-1.amazonaws.com/id/OTHER"
    lab.aws.iam.create_open_id_connect_provider(Url=f"https://{other}", ClientIDList=["sts.amazonaws.com"])
    provider = {"issuer": f"https://{other}", "serviceAccountNames": ["remote"], "namespaces": ["far"]}
    irsa = lab.irsa(spec(role, "web", namespace, trust={"additionalProviders": [provider]}))
    irsa.wait_ready()
    first, second = lab.aws.trust(role)["Statement"]
    assert first["Principal"]["Federated"] == sandbox.provider_arn
    assert second["Principal"]["Federated"] == f"arn:aws:iam::{sandbox.account}:oidc-provider/{other}"
    assert second["Condition"]["StringEquals"] == {
        f"{other}:aud": "sts.amazonaws.com",
        f"{other}:sub": "system:serviceaccount:far:remote",
    }
    irsa.patch({"trust": {"additionalProviders": [{"issuer": other}]}})
    irsa.wait_ready()
    assert lab.aws.subjects(role) == {f"{namespace}/web"}
    assert len(lab.aws.trust(role)["Statement"]) == 2
    irsa.patch({"trust": None})
    irsa.wait_ready()
    assert len(lab.aws.trust(role)["Statement"]) == 1


def test_conditions_are_added_to_every_statement_and_taken_out(lab: Lab) -> None:
    role, namespace = unique("role"), lab.namespace()
    other = "oidc.eks.eu-west-1.amazonaws.com/id/MORE"
    lab.aws.iam.create_open_id_connect_provider(Url=f"https://{other}", ClientIDList=["sts.amazonaws.com"])
    condition = {"operator": "IpAddress", "key": "aws:SourceIp", "values": ["10.0.0.0/8"]}
    irsa = lab.irsa(
        spec(role, "web", namespace, trust={"conditions": [condition], "additionalProviders": [{"issuer": other}]})
    )
    arn = irsa.wait_ready()["role"]["arn"]
    for index in (0, 1):
        assert conditions(lab, role, index)["IpAddress"] == {"aws:SourceIp": "10.0.0.0/8"}
    assert lab.aws.assume(arn, lab.token(namespace, "web")).startswith("AccessDenied")
    irsa.patch({"trust": {"conditions": [{**condition, "values": ["10.0.0.0/8", "127.0.0.0/8"]}]}})
    irsa.wait_ready()
    assert lab.aws.assume(arn, lab.token(namespace, "web")) == ""
    irsa.patch({"trust": {"conditions": None}})
    irsa.wait_ready()
    assert "IpAddress" not in conditions(lab, role)
