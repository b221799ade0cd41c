"""Names of objects on the command line, tables, and the question before something is written."""

from __future__ import annotations

import pytest

from irsa_manager.api.errors import UsageError
from irsa_manager.cli.place import confirm, in_columns, one_key


@pytest.mark.parametrize(
    ("target", "namespace", "found"),
    [("a/b", "", ("a", "b")), ("b", "a", ("a", "b")), ("a/b", "a", ("a", "b"))],
)
def test_an_object_is_named_in_two_ways(target: str, namespace: str, found: tuple[str, str]) -> None:
    assert one_key(target, namespace) == found


@pytest.mark.parametrize(
    ("target", "namespace", "why"),
    [
        ("b", "", "names no object"),
        ("/b", "", "names no object"),
        ("a/", "", "names no object"),
        ("a/b/c", "", "names no object"),
        ("a/b", "c", "another namespace than -n"),
    ],
)
def test_what_names_no_object_is_refused(target: str, namespace: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        one_key(target, namespace)


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert in_columns([["A", "BB", "C"], ["aaa", "b", ""]]) == ["A    BB  C", "aaa  b"]


def test_without_a_terminal_nothing_is_asked_and_nothing_done() -> None:
    # pytest's standard input is no terminal.
    confirm("The release", "Release 1?", yes=True)
    with pytest.raises(UsageError) as refused:
        confirm("The release", "Release 1?", yes=False)
    assert refused.value.code == "ConfirmationRequired"
    assert refused.value.message.startswith("The release isn't done")
    assert "--yes" in refused.value.hint
