"""The codes that the program uses are those of the catalogue, and messages get the values that they need.

Read from the source, since errors are raised in places that no test reaches.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from irsa_manager.api import errors, reasons

PACKAGE = Path(reasons.__file__).parents[1]
ERRORS = {name for name, value in vars(errors).items() if isinstance(value, type)}
KUBE_ERRORS = {"KubeNotFound", "KubeConflict", "KubeAlreadyExists", "KubeExpired", "KubeInvalid", "KubeForbidden"}


class Use(NamedTuple):
    """A call with a literal code. values: the keywords it passes, None where some come from a mapping."""

    where: str
    callee: str
    code: str
    values: frozenset[str] | None


def uses() -> Iterator[Use]:
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
                continue
            callee = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            owner = getattr(getattr(node.func, "value", None), "id", "")
            if callee in ERRORS | KUBE_ERRORS or (owner == "reasons" and callee in {"message", "parts", "get"}):
                names = [keyword.arg for keyword in node.keywords]
                given = None if None in names else frozenset(name for name in names if name)
                where = f"{path.relative_to(PACKAGE.parent)}:{node.lineno}"
                yield Use(where, callee, str(node.args[0].value), given)


USES = list(uses())


def test_uses_are_found() -> None:
    assert len(USES) > 20
    assert {"message", "UsageError"} <= {use.callee for use in USES}


@pytest.mark.parametrize("use", USES, ids=[f"{use.where} {use.code}" for use in USES])
def test_use(use: Use) -> None:
    assert use.code in reasons.REASONS, f"{use.where}: no such reason; nearest: {reasons.nearest(use.code)}"
    if use.callee in {"message", "parts"} and use.values is not None:
        assert set(reasons.get(use.code).fields) <= use.values, use.where
