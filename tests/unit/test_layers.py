"""Imports point downwards only, and only one layer talks to each outside world."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import irsa_manager

ROOT = Path(irsa_manager.__file__).parent
RANKS = {
    "api": 0,
    "trust": 1,
    "plan": 2,
    "issuer": 2,
    "inject": 2,
    "audit": 2,
    "aws": 3,
    "kube": 3,
    "controller": 4,
    "webhook": 4,
    "sandbox": 5,  # its demo runs the operator
    "cli": 6,
}
PURE = {"api", "trust", "plan", "issuer", "inject", "audit"}
OUTSIDE = {
    "lightkube": {"kube"},
    "httpx2": {"kube"},
    "aiobotocore": {"aws", "sandbox"},
    "botocore": {"aws", "sandbox"},
    "ministack": {"sandbox"},
    "typer": {"cli"},
}
IO = {"asyncio", "socket", "subprocess", "aiohttp", "os", "time", "random", "datetime"}


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def layer(path: Path) -> str:
    parts = path.relative_to(ROOT).parts
    return parts[0] if len(parts) > 1 else ""


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_downwards(path: Path):
    here = layer(path)
    if not here:
        return
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "irsa_manager" and len(parts) > 1 and parts[1] in RANKS:
            there = parts[1]
            assert there == here or RANKS[there] < RANKS[here], f"{here} imports {name}"
        allowed = OUTSIDE.get(parts[0])
        assert allowed is None or here in allowed, f"{here} imports {name}"
        if here in PURE:
            assert parts[0] not in IO, f"{here} is pure and imports {name}"


def test_every_package_has_its_rank():
    assert {layer(p) for p in modules()} - {""} <= RANKS.keys()


def test_no_file_is_named_for_nothing():
    names = {p.stem for p in modules()} | {p.parent.name for p in modules()}
    assert not names & {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"}
