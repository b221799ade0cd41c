"""What the program logs, as its readers get it: one JSON object a line, or text without colours in a file."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Mapping

import pytest

SCRIPT = """
import logging, structlog
from irsa_manager.cli.logs import configure_logs
configure_logs("info", "{form}")
structlog.get_logger("ours").info("made the role", role="r", code="IRSAReady")
logging.getLogger("aiobotocore.credentials").warning("Refreshing failed: %s", "no\\nsuch role")
logging.getLogger("aiobotocore.credentials").info("not worth a line")
def sign(key):
    raise ValueError("why")
try:
    sign("hus" + "h")
except ValueError:
    logging.getLogger("asyncio").exception("lost")
"""


def said(form: str, environ: Mapping[str, str] | None = None) -> str:
    """What the script says on a stderr that is a pipe."""
    argv = [sys.executable, "-c", SCRIPT.format(form=form)]
    env = {**os.environ, **(environ or {})}
    return subprocess.run(argv, stderr=subprocess.PIPE, env=env, text=True, check=True).stderr


def test_json_is_one_object_a_line_of_libraries_too() -> None:
    ours, theirs, lost = (json.loads(line) for line in said("json").splitlines())
    assert list(ours) == ["ts", "level", "msg", "code", "role"]
    assert (ours["level"], ours["msg"]) == ("info", "made the role")
    assert list(theirs) == ["ts", "level", "msg", "logger"]
    assert (theirs["level"], theirs["msg"]) == ("warning", "Refreshing failed: no\nsuch role")
    assert theirs["logger"] == "aiobotocore.credentials"
    assert lost["msg"] == "lost"
    assert "ValueError: why" in lost["exception"]


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_traceback_shows_no_values(form: str) -> None:
    text = said(form)
    assert "ValueError: why" in text
    assert "hush" not in text


def test_text_in_a_file_has_no_colours() -> None:
    text = said("text")
    assert "made the role" in text
    assert "Refreshing failed" in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("environ", "coloured"),
    [
        ({"TERM": "xterm", "NO_COLOR": ""}, True),  # https://no-color.org: an empty value counts as absent
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb", "NO_COLOR": ""}, False),
    ],
)
def test_text_on_a_terminal_has_colours_unless_they_are_unwanted(environ: dict[str, str], coloured: bool) -> None:
    ours, theirs = pty.openpty()
    argv = [sys.executable, "-c", SCRIPT.format(form="")]
    subprocess.run(argv, stderr=theirs, env={**os.environ, **environ}, check=True)
    os.close(theirs)
    text = os.read(ours, 100_000).decode()
    os.close(ours)
    assert "made the role" in text
    assert ("\x1b" in text) is coloured
