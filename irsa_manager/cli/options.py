"""The options that several commands have, written once: the same flag means the same everywhere.

A command takes them as a parameter that is a dataclass of this module; `spread` shows Typer, which reads signatures,
the options themselves.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_type_hints

import typer

WHERE = "Which cluster and account"
HOW = "How it speaks, and how long it may take"

Kubeconfig = Annotated[
    str, typer.Option(help="Default: $KUBECONFIG, ~/.kube/config, or the pod's own.", rich_help_panel=WHERE)
]
Context = Annotated[str, typer.Option(help="The kubeconfig's context to use.", rich_help_panel=WHERE)]
Profile = Annotated[
    str,
    typer.Option(help="The AWS profile to use, in place of the environment's credentials.", rich_help_panel=WHERE),
]
Region = Annotated[
    str, typer.Option(help="The AWS region. Default: $AWS_REGION, else the profile's.", rich_help_panel=WHERE)
]
Endpoint = Annotated[
    str,
    typer.Option("--endpoint-url", help="In place of AWS's own. Default: $AWS_ENDPOINT_URL.", rich_help_panel=WHERE),
]
Account = Annotated[
    str,
    typer.Option(help="The account that it must be; with other credentials nothing is done.", rich_help_panel=WHERE),
]
Operator = Annotated[str, typer.Option("--operator-namespace", help="The operator's namespace.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]
Output = Annotated[
    Literal["table", "wide", "json", "yaml"],
    typer.Option("--output", "-o", help="table, wide, or json and yaml for programs."),
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", help="Only the result and errors: not where, notes or what is next.", rich_help_panel=HOW
    ),
]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        help="Also each step and each call to the API server and to AWS, on standard error.",
        rich_help_panel=HOW,
    ),
]
Color = Annotated[
    Literal["auto", "always", "never"],
    typer.Option(help="auto: on a terminal, unless NO_COLOR is set or TERM is dumb.", rich_help_panel=HOW),
]
Timeout = Annotated[
    str,
    typer.Option(
        help="The longest that all of it may take, as 60s or 5m; your answers aren't counted.",
        rich_help_panel=HOW,
        metavar="DURATION",
    ),
]


@dataclass(frozen=True)
class Where:
    """What the options say of cluster and account; "" where they don't."""

    kubeconfig: Kubeconfig = ""
    context: Context = ""
    profile: Profile = ""
    region: Region = ""
    endpoint_url: Endpoint = ""
    account: Account = ""


@dataclass(frozen=True)
class Manner:
    """How a command speaks, and how long it may take. color is heeded before a command is called (main.py)."""

    quiet: Quiet = False
    verbose: Verbose = False
    color: Color = "auto"
    timeout: Timeout = "60s"


def spread(command: Callable[..., int]) -> Callable[..., int]:
    """The command as Typer is to see it: in place of a parameter that is a dataclass, the options that it is made of.

    Such a parameter's own default, if it has one, says the options' defaults.
    """
    given = inspect.signature(command, eval_str=True).parameters.values()
    groups: dict[str, Any] = {each.name: each.annotation for each in given if dataclasses.is_dataclass(each.annotation)}

    def called(**options: Any) -> int:
        for name, group in groups.items():
            parts = [part.name for part in dataclasses.fields(group)]
            options[name] = group(**{part: options.pop(part) for part in parts})
        return command(**options)

    shown = [option for each in given for option in (_options(each) if each.name in groups else [each])]
    called.__name__, called.__module__, called.__doc__ = command.__name__, command.__module__, command.__doc__
    called.__annotations__ = {option.name: option.annotation for option in shown}
    called.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
    return called


def _options(parameter: inspect.Parameter) -> Iterator[inspect.Parameter]:
    group, default = parameter.annotation, parameter.default
    hints = get_type_hints(group, include_extras=True)
    for part in dataclasses.fields(group):
        yield inspect.Parameter(
            part.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=part.default if default is parameter.empty else getattr(default, part.name),
            annotation=hints[part.name],
        )
