"""Tables and paragraphs for people: cut and wrapped to their terminal, and left as they are in a pipe."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Callable, Sequence
from typing import Final, TextIO

NARROWEST: Final = 10
"""Characters that a cut cell keeps at least."""

GAP: Final = "  "

_COLUMN: Final = re.compile(r" *\S+ {2,}")


def width_of(stream: TextIO) -> int:
    """Columns of the terminal that the stream is; 0, which is without limit, for everything else."""
    return shutil.get_terminal_size((80, 24)).columns if stream.isatty() else 0


Paint = Callable[[str, str], str]
"""The padded text of a cell, in the colour that it is to have; first the head of its column."""


def in_columns(rows: Sequence[Sequence[str]], width: int = 0, paint: Paint = lambda _, cell: cell) -> list[str]:
    """Rows as lines, each column as wide as its widest cell. The first row is the head.

    width: what the lines have to fit in, 0 for no limit; the widest columns are cut then, in the middle of their cells,
    since names differ at their ends; never the head's cells, and the last column, which says why, only if nothing else
    helps. A table that can't fit is left too wide. paint: colours the cells below the head.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    least = [max(NARROWEST, len(cell)) for cell in rows[0]]
    for columns in (range(len(widths) - 1), range(len(widths))):
        while width and sum(widths) + len(GAP) * (len(widths) - 1) > width:
            spare = [column for column in columns if widths[column] > least[column]]
            if not spare:
                break
            widths[max(spare, key=widths.__getitem__)] -= 1
    lines: list[str] = []
    for row in rows:
        cells = [f"{cut(cell, room):{room}}" for cell, room in zip(row, widths, strict=True)]
        cells[-1] = cells[-1].rstrip()
        shown = [paint(head, cell) for head, cell in zip(rows[0], cells, strict=True)] if lines else cells
        lines.append(GAP.join(shown).rstrip())
    return lines


def cut(text: str, room: int) -> str:
    """The text in so many characters, its middle left out where it is longer. room: at least 2."""
    if len(text) <= room:
        return text
    tail = (room - 1) // 2
    return f"{text[: room - 1 - tail]}…{text[len(text) - tail :]}"


def paragraph(text: str, width: int, indent: str = "", further: str = "") -> list[str]:
    """A text in lines of so many columns; 0: one line. further: the indent of all but the first, else two more."""
    if not width:
        return [f"{indent}{text}"]
    return textwrap.wrap(
        text,
        max(width, 40),
        initial_indent=indent,
        subsequent_indent=further or f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def fitted(lines: Sequence[str], width: int) -> list[str]:
    """Lines as they are, those that are too long as paragraphs that begin where they began.

    What follows a word and two or more spaces is a column: it goes on below itself.
    """
    fit: list[str] = []
    for line in lines:
        text = line.lstrip()
        column = _COLUMN.match(line)
        below = " " * len(column[0]) if column else ""
        fit += paragraph(text, width, line[: len(line) - len(text)], below) if 0 < width < len(line) else [line]
    return fit


def shown(lines: Sequence[str], stream: TextIO) -> None:
    """Print lines at once, fitted to the stream where it is a terminal."""
    print("\n".join(fitted(lines, width_of(stream))), file=stream, flush=True)
