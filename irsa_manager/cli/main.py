"""The frame of the command line: which commands there are, how one is found, and how each of them ends.

Exit status: 0 done, 2 changes pending or refused, 1 error (also of usage: Click's own 2 would read as "pending"),
130 interrupted. A command's module is imported when the command is called, so that help and completion stay quick.
"""

from __future__ import annotations

import difflib
import errno
import importlib
import importlib.util
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from irsa_manager import __version__
from irsa_manager.api.errors import IrsaError, SandboxError, UsageError
from irsa_manager.cli.output import print_error, takes_colours, wish_colours

PROGRAM: Final = "irsa-manager"
DEBUG: Final = "--debug"
INTERRUPTED: Final = 130
REFUSALS: Final = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM, errno.ENAMETOOLONG}
    | {errno.ENOTDIR, errno.ELOOP, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN}
)
"""What a disk, a right or a limit of the machine refuses (errno(3)); other errors of the system are our fault."""
SANDBOX_LIBRARIES: Final = ("cryptography", "hypercorn", "joserfc", "ministack")


@dataclass(frozen=True)
class Entry:
    """A command. target: module:attribute, a Typer application or a function with Typer's annotations."""

    name: str
    target: str
    summary: str
    sandbox: bool = False

    @property
    def module(self) -> str:
        """The module to import."""
        return self.target.partition(":")[0]

    def exists(self) -> bool:
        """Whether its module is part of this installation."""
        return importlib.util.find_spec(self.module) is not None


GROUPS: Final[tuple[tuple[str, tuple[Entry, ...]], ...]] = (
    (
        "try",
        (
            Entry(
                "demo",
                "irsa_manager.cli.demo:demo",
                "The whole chain on this machine: a cluster, an AWS, one IRSA, real tokens",
                sandbox=True,
            ),
            Entry(
                "sandbox",
                "irsa_manager.cli.sandbox:sandbox",
                "A local cluster and a local AWS: up, down, status, env, logs, build",
                sandbox=True,
            ),
        ),
    ),
    (
        "work",
        (
            Entry("plan", "irsa_manager.cli.plan:plan", "What the controller would do for these manifests, and why"),
            Entry("release", "irsa_manager.cli.release:release", "Give IRSAs up and leave everything as it is"),
            Entry("adopt", "irsa_manager.cli.adopt:adopt", "Sign roles anew that were this cluster's"),
        ),
    ),
    (
        "ask",
        (
            Entry("status", "irsa_manager.cli.status:status", "Which IRSAs are ready, and why the others aren't"),
            Entry("help", "irsa_manager.cli.explain_code:help_code", "What a reason (CODE) means, what to do"),
        ),
    ),
    (
        "install",
        (
            Entry("crds", "irsa_manager.cli.crds:crds", "Print or apply the CustomResourceDefinitions"),
            Entry("policies", "irsa_manager.cli.policies:policies", "Print the admission policies, for kubectl apply"),
            Entry("version", "irsa_manager.cli.main:version", "The version of this program"),
        ),
    ),
    ("run", (Entry("controller", "irsa_manager.cli.controller:controller", "The operator, as in the cluster"),)),
)


def run() -> None:
    """The program's entry point."""
    _open_closed_streams()
    status = main(sys.argv[1:])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is over: Python would only complain
    sys.exit(status)


def main(arguments: Sequence[str]) -> int:
    """Run one command line (without the program's name); returns the exit status."""
    wish_colours(wanted(arguments, "--color"))
    try:
        return dispatch([argument for argument in arguments if argument != DEBUG])
    except (Exception, KeyboardInterrupt, BaseExceptionGroup) as error:  # noqa: BLE001  (no traceback for users)
        return end(error, arguments)


def end(error: BaseException, arguments: Sequence[str]) -> int:
    """Tell on stderr what ended a command line; returns the exit status. Of a group, its first cause counts."""
    cause = first_cause(error)
    with suppress(OSError):  # there may be nobody to tell
        if DEBUG in arguments:
            traceback.print_exception(error)
        if isinstance(cause, KeyboardInterrupt):
            print("interrupted", file=sys.stderr)
        elif not isinstance(cause, BrokenPipeError):  # whoever read our output (head, say) has what he wanted
            print_error(_told(cause), as_json=wants_json(arguments))
    try:
        sys.stdout.flush()
    except OSError:
        # What stdout still holds would make Python complain once more as it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return INTERRUPTED if isinstance(cause, KeyboardInterrupt) else 1


def first_cause(error: BaseException) -> BaseException:
    """The first exception in a group of groups that is none; any other is its own."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def dispatch(arguments: Sequence[str]) -> int:
    """Find the command and run it. Raises what it raises, UsageError for a command that there isn't."""
    if not arguments or arguments[0] in {"-h", "--help"}:
        print(help_text(), end="")
        return 0
    name, rest = arguments[0], list(arguments[1:])
    if name == "--version":
        name = "version"
    entry = next((entry for _, entries in GROUPS for entry in entries if entry.name == name), None)
    if entry is None or not entry.exists():
        raise _no_such(name)
    if entry.sandbox and (missing := [name for name in SANDBOX_LIBRARIES if importlib.util.find_spec(name) is None]):
        raise SandboxError(
            "SandboxExtraMissing",
            f"The sandbox isn't installed: {', '.join(missing)} is missing.",
            hint="pip install 'irsa-manager[sandbox]'",
        )
    status = _call(entry, rest)
    sys.stdout.flush()  # a reader that has gone is noticed here and not at exit
    return status


def version() -> None:
    """Print the version."""
    print(f"{PROGRAM} {__version__}")


def help_text() -> str:
    """The list of commands, those that exist, by what one wants to do."""
    lines = [
        f"{PROGRAM} {__version__}: one custom resource in, working AWS credentials in the pod out.",
        "",
        f"Usage: {PROGRAM} COMMAND ...",
        "",
    ]
    for title, entries in GROUPS:
        lines += [
            f"  {title if position == 0 else '':8}  {entry.name:11} {entry.summary}"
            for position, entry in enumerate(entry for entry in entries if entry.exists())
        ]
    first = "demo" if any(entry.exists() for entry in GROUPS[0][1] if entry.name == "demo") else "sandbox up"
    lines += [
        "",
        f"{PROGRAM} COMMAND --help tells more; --debug anywhere adds tracebacks; -o json is for programs.",
        f"Start with: {PROGRAM} {first}",
    ]
    return "\n".join(lines) + "\n"


def _call(entry: Entry, arguments: list[str]) -> int:
    import typer
    from typer.main import get_command

    found: Any = getattr(importlib.import_module(entry.module), entry.target.partition(":")[2])
    if isinstance(found, typer.Typer):
        application = found
        application.rich_markup_mode = application.rich_markup_mode if takes_colours(sys.stdout) else None
        arguments = arguments or ["--help"]
    else:
        application = typer.Typer(add_completion=False, rich_markup_mode="rich" if takes_colours(sys.stdout) else None)
        application.command()(found)
    try:
        result = get_command(application).main(
            args=arguments, prog_name=f"{PROGRAM} {entry.name}", standalone_mode=False
        )
    except typer.Exit as stop:
        result = stop.exit_code
    except typer.Abort:
        raise KeyboardInterrupt from None
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else f"{PROGRAM} {entry.name}"
        said = error.format_message()
        raise UsageError("Usage", said, left="Nothing was tried.", hint=f"{command} --help") from error
    if result == INTERRUPTED:  # what Typer makes of Ctrl-C
        raise KeyboardInterrupt
    return result if isinstance(result, int) else 0


def _no_such(name: str) -> UsageError:
    known = [entry.name for _, entries in GROUPS for entry in entries if entry.exists()]
    close = difflib.get_close_matches(name, known, n=1)
    what = "option" if name.startswith("-") else "command"
    return UsageError(
        "Usage",
        f"There is no {what} {name}." + (f" Did you mean {close[0]}?" if close else ""),
        left="Nothing was tried.",
        hint=f"{PROGRAM} --help",
    )


def _told(error: BaseException) -> IrsaError:
    if isinstance(error, IrsaError):
        return error
    if isinstance(error, OSError) and error.errno in REFUSALS:
        where = f": {error.filename}" if error.filename else ""
        return IrsaError(
            "SystemRefused",
            f"{os.strerror(error.errno)}{where}.",
            hint="see to the disk, the file's rights or the limit (df, ls -ld, ulimit -a), then run it again",
        )
    return IrsaError(
        "Unexpected",
        f"irsa-manager failed: {type(error).__name__}: {error}",
        hint="run it again with --debug and report what it prints",
    )


def _open_closed_streams() -> None:
    """Put /dev/null where a standard stream is closed (>&-, some cron or systemd).

    Python has None there, and the next file to be opened would become our children's standard output.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.dup2(nowhere, number)
            os.set_inheritable(number, True)
            if nowhere != number:
                os.close(nowhere)
            setattr(sys, name, open(number, "w" if number else "r"))  # noqa: SIM115, PTH123  (open until the end)


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether -o json (or --output json) is said, in any of its spellings; asked before the command could parse it."""
    return wanted(arguments, "--output", "-o") == "json"


def wanted(arguments: Sequence[str], option: str, short: str = "") -> str:
    """What an option says in any of its spellings, "" where it isn't said: for what has to be known before parsing."""
    for position, argument in enumerate(arguments):
        if argument and argument in {option, short}:
            return next(iter(arguments[position + 1 : position + 2]), "")
        if argument.startswith(f"{option}="):
            return argument.removeprefix(f"{option}=")
        if short and argument.startswith(short):
            return argument.removeprefix(short).removeprefix("=")
    return ""
