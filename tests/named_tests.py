"""Tests named by what they show, for registries that say which test shows what."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

TESTS = Path(__file__).parent


@functools.cache
def source(place: str) -> str:
    """The text of the test FILE::NAME below tests/, or of all of FILE. OSError, KeyError: it isn't there."""
    file, _, name = place.partition("::")
    text = (TESTS / file).read_text()
    if not name:
        return text
    found = {node.name: node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)}
    return ast.get_source_segment(text, found[name]) or ""
