"""The pages on permissions, the example policies and the calls that the program makes are of the same actions."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import botocore.session
import pytest

ROOT = Path(__file__).resolve().parents[3]
POLICIES = sorted((ROOT / "examples").glob("aws-policy-*.json"))
BOUNDED = ROOT / "examples" / "aws-policy-bounded.json"
OVERVIEW = (ROOT / "docs" / "permissions.md").read_text()
PAGE = (ROOT / "docs" / "permissions-aws.md").read_text()
SWITCHING = "sts:AssumeRole"
"""Of another account's or role's policy, so no example grants it."""


def granted(*files: Path) -> set[str]:
    """The actions that these policies allow."""
    statements = [s for file in files for s in json.loads(file.read_text())["Statement"] if s["Effect"] == "Allow"]
    found = [[s["Action"]] if isinstance(s["Action"], str) else s["Action"] for s in statements]
    return {action for actions in found for action in actions}


def called() -> set[str]:
    """The operations that irsa_manager/aws names in its code."""
    session = botocore.session.get_session()
    services = {name: set(session.get_service_model(name).operation_names) for name in ("iam", "sts")}
    found = set()
    for file in (ROOT / "irsa_manager" / "aws").glob("*.py"):
        for call in (node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)):
            words = {arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)}
            found |= {f"{name}:{word}" for name, known in services.items() for word in words & known}
    return found


def test_the_examples_grant_what_the_program_calls_and_nothing_else() -> None:
    assert granted(*(file for file in POLICIES if file != BOUNDED)) == called()


def test_the_page_explains_each_of_them_and_no_other() -> None:
    rows = re.findall(r"^\| (.*?) \| .* \| .* \|$", PAGE, re.MULTILINE)
    explained = {action for first in rows for action in re.findall(r"`((?:iam|sts):\w+)`", first)}
    assert explained == called() | {SWITCHING}


def test_the_bounded_policy_grants_nothing_that_the_page_does_not_explain() -> None:
    assert granted(BOUNDED) <= called()


@pytest.mark.parametrize("file", POLICIES, ids=lambda file: file.stem)
def test_every_example_is_on_the_overview(file: Path) -> None:
    assert f"`{file.name}`" in OVERVIEW
