"""The options that commands share: written once, and the same everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import typer
from typer.main import get_command

from irsa_manager.cli.adopt import adopt
from irsa_manager.cli.options import Manner, Where, spread
from irsa_manager.cli.plan import plan
from irsa_manager.cli.release import release
from irsa_manager.cli.status import status

EVERYWHERE = ("kubeconfig", "context", "profile", "region", "endpoint_url", "account")
MANNER = ("quiet", "verbose", "color", "timeout")


def options_of(command: Callable[..., int]) -> dict[str, Any]:
    application = typer.Typer(add_completion=False)
    application.command()(command)
    return {parameter.name or "": parameter for parameter in get_command(application).params}


@pytest.mark.parametrize("command", [plan, status, release, adopt])
def test_the_commands_have_the_same_options_with_the_same_meaning(command: Callable[..., int]) -> None:
    here, there = options_of(command), options_of(plan)
    for name in (*EVERYWHERE, *MANNER):
        assert here[name].opts == there[name].opts
        assert here[name].help == there[name].help
    assert here["quiet"].opts == ["--quiet", "-q"]
    assert here["verbose"].opts == ["--verbose", "-v"]
    assert here["timeout"].default == ("10m" if command is adopt else "60s")


def test_what_was_typed_arrives_and_what_was_not_is_the_default() -> None:
    given: list[Any] = []

    @spread
    def command(*, where: Where, manner: Manner = Manner(timeout="5m")) -> int:  # noqa: B008
        """What it does."""
        given.append((where, manner))
        return 3

    application = typer.Typer(add_completion=False)
    application.command()(command)
    assert get_command(application).help == "What it does."
    assert get_command(application).main(["--region", "r", "-q"], standalone_mode=False) == 3
    assert given == [(Where(region="r"), Manner(quiet=True, timeout="5m"))]
