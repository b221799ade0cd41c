"""The reference of the command line, in Markdown, from the commands themselves."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import typer
from typer.main import get_command

from irsa_manager.cli.main import GROUPS, PROGRAM, Entry

_TITLES = {
    "try": "To try things out",
    "work": "To work with objects",
    "ask": "To ask",
    "install": "To install",
    "run": "To run",
}


def page(notice: str) -> str:
    """The page. notice: who made it, put into a comment at its top."""
    parts = [
        f"<!-- {notice} -->",
        "# Command line",
        "Results go to standard output; progress, warnings and errors to standard error. Exit status: 0 done, 1 an "
        "error (also of usage), 2 not as expected, 130 interrupted. `--debug` anywhere adds tracebacks; `NO_COLOR` and "
        "`TERM=dumb` are honoured.",
    ]
    for title, entries in GROUPS:
        existing = [entry for entry in entries if entry.exists()]
        if existing:
            parts.append(f"## {_TITLES[title]}")
        for entry in existing:
            parts += _entry(entry)
    return "\n\n".join(parts) + "\n"


def _entry(entry: Entry) -> Iterator[str]:
    found: Any = getattr(importlib.import_module(entry.module), entry.target.partition(":")[2])
    name = f"{PROGRAM} {entry.name}"
    if not isinstance(found, typer.Typer):
        application = typer.Typer(add_completion=False)
        application.command()(found)
        yield from _command(name, get_command(application), entry.summary)
        return
    group: Any = get_command(found)
    yield f"### {name}"
    yield f"{entry.summary}."
    for sub, command in group.commands.items():
        if not command.hidden:
            yield from _command(f"{name} {sub}", command, "", "####")


def _command(name: str, command: Any, summary: str, level: str = "###") -> Iterator[str]:
    parameters = [p for p in command.params if not p.hidden and p.name != "help"]
    arguments = [p for p in parameters if p.param_type_name == "argument"]
    options = [p for p in parameters if p.param_type_name == "option"]
    usage = [name, *(["[OPTIONS]"] if options else [])]
    usage += [str(a.name).upper() if a.required else f"[{str(a.name).upper()}]" for a in arguments]
    yield f"{level} {name}"
    yield _prose(command.help or f"{summary}.")
    yield f"```\n{' '.join(usage)}\n```"
    rows = [f"| `{str(a.name).upper()}` | {_cell(a.help or '')} | |" for a in arguments]
    rows += [f"| {_names(o)} | {_cell(o.help or '')} | {_default(o)} |" for o in options]
    if rows:
        yield "\n".join(["| | | default |", "|---|---|---|", *rows])


def _names(option: Any) -> str:
    return ", ".join(f"`{name}`" for name in sorted(option.opts, key=len, reverse=True))


def _default(option: Any) -> str:
    if option.default in {None, "", False} or callable(option.default):
        return ""
    return f"`{option.default:g}`" if isinstance(option.default, float) else f"`{option.default}`"


def _prose(text: str) -> str:
    return " ".join(text.split())


def _cell(text: str) -> str:
    return _prose(text).replace("|", "\\|")
