"""`irsa-manager policies`: what it prints is what the tests apply."""

from __future__ import annotations

import json

import pytest
import yaml

from irsa_manager.api import names, tenancy_policy
from irsa_manager.cli.main import main


def test_prints_the_policies(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policies"]) == 0
    printed = list(yaml.safe_load_all(capsys.readouterr().out))
    assert printed == tenancy_policy.documents(names.DEFAULT_NAMESPACE)
    assert [document["kind"] for document in printed] == [
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    ]


def test_for_another_namespace(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policies", "--namespace", "platform", "-o", "json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["items"] == tenancy_policy.documents("platform")
    text = json.dumps(printed)
    assert names.DEFAULT_NAMESPACE not in text
    assert printed["items"][1]["spec"]["paramRef"]["namespace"] == "platform"


@pytest.mark.parametrize("namespace", ["", "a'b", "Team", "a" * 64])
def test_what_is_no_namespace_is_refused(namespace: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It ends up in expressions, where a quote would end a text."""
    assert main(["policies", "-n", namespace]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "can't be a namespace" in shown.err
