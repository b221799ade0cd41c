"""docs/tenancy.md and its example say what the program does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from tenancy_cases import OPERATOR, ask, irsa, message, spec

from irsa_manager.api.irsasetup import Tenancy, TenancyRule
from irsa_manager.api.tenancy_fields import ALLOWANCES
from irsa_manager.plan.tenancy import Denied, Permit

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/tenancy.md").read_text()
EXAMPLE = msgspec.convert(
    yaml.safe_load((ROOT / "examples/irsasetup-tenancy.yaml").read_text())["spec"]["tenancy"], Tenancy
)
ROWS = {cells[0]: cells[1:] for cells in re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \| (.*?) \| (.*?) \|$", PAGE, re.M)}


def asked(**parts: Any) -> Any:
    return spec(iamRole={"name": "team-a-web"} | parts.pop("role", {}), **parts)


def test_the_refusal_that_is_shown_is_the_programs() -> None:
    verdict = ask(asked(iamPolicies=["AmazonS3FullAccess"]), Tenancy(), setup=f"{OPERATOR}/irsa-init")
    assert isinstance(verdict, Denied)
    assert message(verdict) in " ".join(PAGE.split())


def test_every_limit_and_every_word_has_its_row() -> None:
    fields = {field.encode_name for field in msgspec.structs.fields(TenancyRule)} - {"name", "namespaceSelector"}
    assert fields == ROWS.keys()
    for word in ALLOWANCES:
        assert re.search(rf"^\| `{word}` \|", PAGE, re.MULTILINE), word


def test_defaults_are_as_the_page_says() -> None:
    bare = TenancyRule(name="x")
    told = {field: cells[0].strip("`") for field, cells in ROWS.items()}
    assert told["inlinePolicies"] == bare.inline_policies
    assert told["managementPolicies"] == f"[{', '.join(bare.management_policies)}]"
    assert (told["roleNames"], told["rolePaths"], told["policies"]) == ("any", "any", "none")
    assert isinstance(ask(asked(role={"name": "any", "path": "/any/"}), bare), Permit)
    assert isinstance(ask(asked(iamPolicies=["A"]), bare), Denied)


MEANT: dict[str, Any] = {
    "targetNamespaces": lambda text: {"serviceAccount": {"namespaces": [text]}},
    "roleNames": lambda text: {"role": {"name": text}},
    "rolePaths": lambda text: {"role": {"path": text}},
    "policies": lambda text: {"iamPolicies": [text]},
}


@pytest.mark.parametrize("field", MEANT)
def test_examples_of_the_limits_are_judged_as_the_page_says(field: str) -> None:
    _, example, allows, refuses = ROWS[field]
    limits = msgspec.convert({"name": "x", field: yaml.safe_load(example.strip("`"))}, TenancyRule)
    good, bad = re.findall(r"`([^`]+)`", allows), re.findall(r"`([^`]+)`", refuses)
    assert good
    assert bad
    assert all(isinstance(ask(asked(**MEANT[field](text)), limits), Permit) for text in good)
    assert all(isinstance(ask(asked(**MEANT[field](text)), limits), Denied) for text in bad)


def test_the_example_opens_what_it_seems_to_and_nothing_else() -> None:
    team_a = {"kubernetes.io/metadata.name": "team-a"}
    right = asked(iamPolicies=["customer/team-a-x", "AmazonS3ReadOnlyAccess"])
    assert ask(right, EXAMPLE, labels=team_a) == Permit(boundary="arn:aws:iam::111122223333:policy/team-a-boundary")
    for wrong in (
        asked(iamPolicies=["AmazonS3FullAccess"]),
        asked(role={"name": "data-x"}),
        asked(role={"tags": {"a": "b"}}),
        asked(inlinePolicies={"x": {}}),
    ):
        assert isinstance(ask(wrong, EXAMPLE, labels=team_a), Denied)
    data = irsa(asked(role={"name": "data-x", "path": "/data/", "tags": {"a": "b"}}), "team-a")
    assert ask(data, EXAMPLE, labels={"kubernetes.io/metadata.name": "reports"}) == Permit()
    assert isinstance(ask(data, EXAMPLE, labels={"kubernetes.io/metadata.name": "c"}), Denied)
