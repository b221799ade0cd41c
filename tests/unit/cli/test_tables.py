"""Tables that fit their terminal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from irsa_manager.cli.tables import NARROWEST, cut, fitted, in_columns, paragraph

cells = st.text(alphabet="abc-", max_size=60)


@given(st.lists(st.tuples(cells, cells, cells), max_size=4), st.integers(3 * NARROWEST + 4, 200))
def test_a_table_fits_and_loses_nothing_that_fits(rows: list[tuple[str, str, str]], width: int) -> None:
    rows = [("A", "B", "C"), *rows]
    found = in_columns(rows, width)
    assert all(len(line) <= width for line in found)
    assert len(found) == len(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if sum(widths) + 4 <= width:
        assert found == in_columns(rows)


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert in_columns([["A", "BB", "C"], ["aaa", "b", ""]]) == ["A    BB  C", "aaa  b"]


def test_a_cut_name_keeps_both_ends() -> None:
    assert cut("payment-service-of-team-a", 12) == "paymen…eam-a"
    assert cut("short", 12) == "short"


def test_a_paragraph_is_wrapped_between_words_and_left_alone_in_a_pipe() -> None:
    text = "irsa-manager-system/reports: " + "word " * 20
    assert paragraph(text, 0, "  ") == [f"  {text}"]
    lines = paragraph(text, 60, "  ")
    assert all(len(line) <= 60 for line in lines)
    assert lines[0].startswith("  irsa-manager-system/reports: word")
    assert lines[1].startswith("    word")


def test_lines_are_left_alone_where_they_fit() -> None:
    lines = ["  + role    r   not there yet", "  ! Code: " + "word " * 12 + "end"]
    assert fitted(lines, 0) == lines
    assert fitted(lines, 80) == lines
    first, *further = fitted(lines, 50)
    assert first == lines[0]
    assert [len(line) - len(line.lstrip()) for line in further] == [2, 4]


def test_cells_below_the_head_are_painted_after_they_were_padded() -> None:
    seen: list[tuple[str, str]] = []

    def paint(head: str, cell: str) -> str:
        seen.append((head, cell))
        return f"<{cell}>"

    assert in_columns([["READY", "X"], ["NO", "x"]], paint=paint) == ["READY  X", "<NO   >  <x>"]
    assert seen == [("READY", "NO   "), ("X", "x")]


def test_a_column_after_a_word_goes_on_below_itself() -> None:
    assert fitted(["  trusts  " + "a/web, " * 8], 40) == [
        "  trusts  a/web, a/web, a/web, a/web,",
        "          a/web, a/web, a/web, a/web,",
    ]
