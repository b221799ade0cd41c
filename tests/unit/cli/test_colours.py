"""Colours: where a terminal takes them, or as --color says; help and errors heed it too."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Mapping, Sequence

import pytest

ESCAPE = "\x1b["


def said(arguments: Sequence[str], environ: Mapping[str, str], *, terminal: bool) -> str:
    """What the program says on its standard streams, which are a terminal or a pipe."""
    argv = [sys.executable, "-m", "irsa_manager", *arguments]
    env = {**{k: v for k, v in os.environ.items() if k != "NO_COLOR"}, **environ}
    if not terminal:
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env, check=False)
        return done.stdout
    ours, theirs = pty.openpty()
    subprocess.run(argv, stdout=theirs, stderr=theirs, env=env, check=False)
    os.close(theirs)
    text = os.read(ours, 100_000).decode()
    os.close(ours)
    return text


@pytest.mark.parametrize(
    ("wish", "environ", "terminal", "coloured"),
    [
        ([], {"TERM": "xterm"}, True, True),
        ([], {"TERM": "xterm", "NO_COLOR": "1"}, True, False),
        ([], {"TERM": "dumb"}, True, False),
        ([], {"TERM": "xterm"}, False, False),
        (["--color", "auto"], {"TERM": "xterm"}, True, True),
        (["--color", "never"], {"TERM": "xterm"}, True, False),
        (["--color=always"], {"TERM": "dumb", "NO_COLOR": "1"}, False, True),
    ],
)
def test_colours_are_there_where_they_are_wanted(
    wish: list[str], environ: dict[str, str], terminal: bool, coloured: bool
) -> None:
    text = said(["release", *wish], environ, terminal=terminal)
    assert "Usage: Name one IRSA, or --all." in text
    assert (ESCAPE in text) is coloured


def test_help_has_no_colours_where_none_are_wished_for() -> None:
    assert ESCAPE in said(["plan", "--help"], {"TERM": "xterm"}, terminal=True)
    plain = said(["plan", "--color", "never", "--help"], {"TERM": "xterm"}, terminal=True)
    assert "Usage: irsa-manager plan" in plain
    assert ESCAPE not in plain


def test_json_has_no_colours_whatever_is_wished_for() -> None:
    assert ESCAPE not in said(["status", "a/b/c", "-o", "json", "--color", "always"], {}, terminal=False)
