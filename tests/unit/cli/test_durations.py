"""Durations of flags."""

from __future__ import annotations

import pytest

from irsa_manager.api.errors import UsageError
from irsa_manager.cli.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60s", 60), ("1m30s", 90), ("500ms", 0.5), ("1.5h", 5400), ("0s", 0), ("1h1m1s1ms", 3661.001)],
)
def test_durations_are_seconds(text: str, seconds: float) -> None:
    assert parse_duration("--every", text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "60", "s", "-1s", "1 s", "1d", "1s!", "soon"])
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(UsageError, match="is no duration"):
        parse_duration("--every", text)


@pytest.mark.parametrize("text", ["0s", "0h0m", "999ms"])
def test_what_would_flood_is_too_short(text: str) -> None:
    with pytest.raises(UsageError, match=f"--every={text} is too short.*Write 1s or more") as caught:
        parse_duration("--every", text, at_least=1)
    assert caught.value.left == "Nothing was started."
    assert parse_duration("--every", "1s", at_least=1) == 1
