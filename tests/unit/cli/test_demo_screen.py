"""What the demo looks like: on a screen of any usual size, in a pipe, and where something goes otherwise."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from irsa_manager.cli import demo_text
from irsa_manager.cli.demo_screen import Lines, Screen, screen_for
from irsa_manager.plan.facts import ClusterFacts, NamespaceFact, Situation
from irsa_manager.plan.mark import MarkKeys
from irsa_manager.plan.planner import decide
from irsa_manager.sandbox.demo.cluster import as_irsa, sample
from irsa_manager.sandbox.demo.play import Played
from irsa_manager.sandbox.demo.steps import STEPS, Answer, Result
from irsa_manager.sandbox.running import Sandbox, Step

ISSUER = "https://oidc.irsa-manager.test/id/00112233445566778899AABBCCDDEEFF"
FACTS = ClusterFacts(
    partition="aws",
    account="000000000000",
    issuer=ISSUER,
    host=ISSUER.removeprefix("https://"),
    cluster="c",
    operator_namespace="irsa-manager-system",
)
TEXTS = {
    3: "User: arn:aws:sts::000000000000:assumed-role/irsa1-role/demo is not authorized to perform: sqs:SendMessage "
    "on resource: arn:aws:sqs:us-east-1:000000000000:demo because no identity-based policy allows the "
    "sqs:SendMessage action",
    4: "Not authorized to perform sts:AssumeRoleWithWebIdentity",
    5: "Not authorized to perform sts:AssumeRoleWithWebIdentity",
    6: "The web identity token provided could not be validated. See the AssumeRoleWithWebIdentity documentation for "
    "requirements.",
    7: "The web identity token provided could not be validated. See the AssumeRoleWithWebIdentity documentation for "
    "requirements.",
    8: "No OpenIDConnect provider found in your account for https://s3-us-east-1.amazonaws.com/demo-issuer",
    9: "Token expired: current date/time 1795545191 must be before the expiration date/time 1795545131",
    1: "role irsa1-role, 1 policy, 2 ServiceAccounts; planned anew: nothing to do",
    2: "assumed-role/irsa1-role/demo: put and got s3://demo/hello.txt",
    10: "roles 0, ServiceAccounts 0, provider kept",
}
RESULTS = tuple(
    Result(step, Answer(step.expected.code, TEXTS[step.number], "STS" if step.expected.code else ""), 1.234)
    for step in STEPS
)


def sandbox() -> Sandbox:
    here = Path("/nowhere")
    return Sandbox(
        dir=here,
        kubeconfig=here,
        api_server="https://127.0.0.1:1",
        ca_file=here,
        issuer=ISSUER,
        signing_key_file=here,
        aws_url="http://127.0.0.1:2",
        access_key_id="A",
        secret_access_key="S",
        region="us-east-1",
        account="000000000000",
        provider_arn="arn",
        kubernetes_version="1.37.2",
        started_at=0.0,
        processes={},
    )


def shown_on(screen: Lines | Screen, results: tuple[Result, ...] = RESULTS, logs: Path | None = None) -> None:
    irsa = as_irsa(sample())
    namespaces = {name: NamespaceFact() for name in ("default", "kube-system")}
    situation = Situation(facts=FACTS, keys=MarkKeys(b"k" * 32), namespaces=namespaces, roles={}, service_accounts={})
    with screen:
        screen.part(Step("AWS (enforcing)", "http://127.0.0.1:2", "account 000000000000", 0.5))
        screen.staged(sandbox(), 4.2)
        screen.planned(FACTS, irsa.key, decide(irsa, situation))
        for result in results:
            screen.began(result.step)
            screen.ended(result)
        screen.finish(Played(results, ("a line of the log",) if logs else (), logs))


def drawn(width: int, height: int, results: tuple[Result, ...] = RESULTS) -> list[str]:
    """The last frame."""
    console = Console(file=io.StringIO(), width=width, height=height, highlight=False, markup=False, no_color=True)
    screen = Screen(console, STEPS)
    shown_on(screen, results)
    frame = Console(file=io.StringIO(), width=width, height=height, no_color=True, highlight=False, markup=False)
    with frame.capture() as captured:
        # The screen asks its own console for the size; both have the same.
        frame.print(screen)
    return [line.rstrip() for line in captured.get().splitlines()]


@pytest.mark.parametrize("width", [80, 100, 120, 200])
@pytest.mark.parametrize("height", [24, 30, 43, 44, 60])
def test_it_fits_the_screen_with_room_for_the_prompt(width: int, height: int) -> None:
    lines = drawn(width, height)
    assert len(lines) < height
    assert max(map(len, lines)) <= width
    for result in RESULTS:
        assert any(line.startswith(demo_text.step_line(result)) for line in lines)
    assert lines[-3].startswith("10 of 10 as expected in ")
    assert lines[-2:] == list(demo_text.NEXT)


@pytest.mark.parametrize(("width", "height"), [(80, 30), (120, 30), (120, 50)])
def test_answers_are_whole_where_there_is_room(width: int, height: int) -> None:
    words = " ".join(" ".join(drawn(width, height)).split())
    for result in RESULTS:
        if result.answer.code:
            assert f"STS: {result.answer.text}" in words


def test_on_a_small_screen_each_answer_has_its_line() -> None:
    lines = drawn(80, 24)
    for number in (3, 5, 7, 8, 9):
        assert any(line.strip().startswith(f"STS: {TEXTS[number][:40]}") for line in lines)


def test_a_pipe_gets_everything_line_by_line() -> None:
    stream = io.StringIO()
    screen = screen_for(stream, STEPS, {"TERM": "xterm-256color"})
    assert isinstance(screen, Lines)
    shown_on(screen)
    printed = stream.getvalue()
    assert "\x1b" not in printed and "\r" not in printed
    lines = printed.splitlines()
    assert all(len(line) <= 80 for line in lines if not line.startswith(" " * demo_text.INDENT))
    for result in RESULTS:
        at = lines.index(demo_text.step_line(result))
        assert lines[at + 1].strip() == demo_text.said(result.answer)
    assert "Plan: 4 to add, 0 to change, 0 to remove; 2 AWS calls" in lines


def test_what_went_otherwise_is_said_with_both_sides(tmp_path: Path) -> None:
    wrong = Answer("", "credentials of arn:aws:sts::000000000000:assumed-role/irsa1-role/demo")
    results = (*RESULTS[:3], Result(STEPS[3], wrong, 0.1), *RESULTS[4:])
    stream = io.StringIO()
    shown_on(Lines(stream), results, logs=tmp_path)
    lines = stream.getvalue().splitlines()
    assert any(line.startswith("9 of 10 as expected") for line in lines)
    assert f"  expected  {STEPS[3].expected}" in lines
    assert f"      came  {wrong}" in lines
    assert "  a line of the log" in lines
    assert f"All logs: {tmp_path}" in lines
    assert demo_text.NEXT[0] not in lines
    assert any(demo_text.UNEXPECTED in line for line in drawn(80, 24, results))


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("term", "kind"), [("dumb", Lines), ("", Lines), ("xterm", Screen), ("screen-256color", Screen)]
)
def test_a_dumb_terminal_gets_lines(term: str, kind: type) -> None:
    assert isinstance(screen_for(Terminal(), STEPS, {"TERM": term}), kind)


def test_no_color_keeps_the_screen_and_drops_the_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    printed = {}
    for name, value in (("plain", "1"), ("coloured", "")):
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.setenv("NO_COLOR", value) if value else monkeypatch.delenv("NO_COLOR", raising=False)
        stream = Terminal()
        shown_on(screen_for(stream, STEPS))
        printed[name] = stream.getvalue()
    assert "\x1b[32m" in printed["coloured"] or "\x1b[1;32m" in printed["coloured"]
    assert "\x1b[32m" not in printed["plain"] and "\x1b[1;32m" not in printed["plain"]
    assert "as it should be" in printed["plain"]
