"""Rows as aligned lines: with colours on a terminal, plain in a log."""

from __future__ import annotations

import textwrap
import unicodedata
from itertools import accumulate
from typing import TYPE_CHECKING

from headgate.report.terminal import WIDTH, safe

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from headgate.report.terminal import Terminal

Cell = tuple[str, str]
"""A text and its style."""


def write_table(terminal: Terminal, titles: Sequence[str], rows: Sequence[Sequence[Cell]], *, indent: str = "") -> None:
    """Write rows below titles, each column as wide as its widest text. Empty columns are left out.

    The columns that go beyond `WIDTH` are written below their row, with their titles.
    """
    if not rows:
        return
    columns = [column for column in range(len(titles)) if any(row[column][0] for row in rows)]
    table = [[(titles[column], "dim") for column in columns]]
    table += [[(safe(row[column][0]), row[column][1]) for column in columns] for row in rows]
    widths = [max(_width(row[index][0]) for row in table) for index in range(len(columns))]
    ends = list(accumulate(widths, lambda end, width: end + 2 + width, initial=len(indent) - 2))[1:]
    count = max(1, sum(end <= WIDTH for end in ends))
    for number, row in enumerate(table):
        shown = row[:count]
        last = max((index for index, cell in enumerate(shown) if cell[0]), default=0)
        pieces = [
            (text if index == last else text + " " * (widths[index] - _width(text) + 2), style)
            for index, (text, style) in enumerate(shown[: last + 1])
        ]
        terminal.pieces((indent, ""), *pieces)
        for index in range(count, len(row)) if number else ():
            _write_below(terminal, titles[columns[index]].lower(), row[index], f"{indent}    ")


def _write_below(terminal: Terminal, title: str, cell: Cell, indent: str) -> None:
    text, style = cell
    named = f"{title}: {text}" if title and text else text
    for line in textwrap.wrap(named, WIDTH - len(indent), subsequent_indent="  ", break_on_hyphens=False):
        terminal.pieces((indent, ""), (line, style))


def _width(text: str) -> int:
    """Return the width of a text in a terminal."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def moment(time: datetime) -> str:
    """Format a UTC time to the minute."""
    return f"{time:%Y-%m-%d %H:%M}"


_UNITS = ((7 * 86400, "w"), (86400, "d"), (3600, "h"), (60, "m"))


def age(time: datetime, now: datetime) -> str:
    """Format an age in its largest whole unit, weeks only from two on."""
    seconds = max(0, int((now - time).total_seconds()))
    for size, unit in _UNITS:
        if seconds >= (2 * size if unit == "w" else size):
            return f"{seconds // size}{unit}"
    return "now"
