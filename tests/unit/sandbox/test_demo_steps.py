"""The demo's steps as data, and the comparison of what came with what was expected."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_manager.sandbox.demo.steps import STEPS, Answer, Delete, Expected, Requested, Result, unexpected

texts = st.text(max_size=40)


def result(answer: Answer, expected: Expected) -> Result:
    step = STEPS[0]
    return Result(type(step)(1, "REFUSE", "something", Delete(), expected), answer, 0.1)


@given(code=texts, text=texts)
def test_what_was_expected_is_as_expected(code: str, text: str) -> None:
    assert result(Answer(code, text), Expected(code, re.escape(text))).as_expected


@given(code=texts, other=texts, text=texts)
def test_another_code_is_unexpected_whatever_the_text(code: str, other: str, text: str) -> None:
    assert result(Answer(other, text), Expected(code, ".*")).as_expected == (code == other)


@given(text=texts, more=st.text(min_size=1, max_size=10))
def test_the_text_counts_as_a_whole(text: str, more: str) -> None:
    assert not result(Answer("C", text + more), Expected("C", re.escape(text))).as_expected
    assert not result(Answer("C", more + text), Expected("C", re.escape(text))).as_expected


@pytest.mark.parametrize("step", [s for s in STEPS if s.verb == "REFUSE"], ids=lambda s: s.what)
def test_a_step_that_is_let_in_against_expectation_is_unexpected(step) -> None:
    let_in = Result(step, Answer("", "credentials of arn:aws:sts::000000000000:assumed-role/irsa1-role/demo"), 0.1)
    other = Result(step, Answer("InternalFailure", "We encountered an internal error"), 0.1)
    assert unexpected([let_in, other]) == [let_in, other]


@pytest.mark.parametrize("step", [s for s in STEPS if s.verb != "REFUSE"], ids=lambda s: s.verb)
def test_a_step_that_is_refused_against_expectation_is_unexpected(step) -> None:
    refused = Result(step, Answer("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"), 0.1)
    assert unexpected([refused]) == [refused]


def test_what_is_left_behind_is_unexpected() -> None:
    delete = STEPS[-1]
    assert Result(delete, Answer("", "roles 0, ServiceAccounts 0, provider kept"), 0.1).as_expected
    for left in ("roles 1, ServiceAccounts 0, provider kept", "roles 0, ServiceAccounts 0, provider gone"):
        assert not Result(delete, Answer("", left), 0.1).as_expected


def test_the_steps_cover_what_the_demo_promises() -> None:
    assert [step.number for step in STEPS] == list(range(1, len(STEPS) + 1))
    assert [step.verb for step in STEPS] == ["apply", "ALLOW", *["REFUSE"] * 7, "delete"]
    assert all(len(step.what) <= 23 and len(step.short) <= 21 for step in STEPS)
    tokens = [step.act.token for step in STEPS if hasattr(step.act, "token")]
    asked = {(t.namespace, t.account) for t in tokens if isinstance(t, Requested)}
    assert asked == {("default", "irsa1-sa"), ("default", "other-sa"), ("team-b", "irsa1-sa")}
    assert {type(t).__name__ for t in tokens} == {"Requested", "Forged", "Foreign", "Expired"}
