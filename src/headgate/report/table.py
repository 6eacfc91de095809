"""Rows as aligned lines: with colours on a terminal, plain in a log."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from headgate.report.terminal import safe

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from headgate.report.terminal import Terminal

Cell = tuple[str, str]
"""A text and its style."""


def write_table(terminal: Terminal, titles: Sequence[str], rows: Sequence[Sequence[Cell]], *, indent: str = "") -> None:
    """Write rows below titles, each column as wide as its widest text. Empty columns are left out."""
    if not rows:
        return
    columns = [column for column in range(len(titles)) if any(row[column][0] for row in rows)]
    table = [[(titles[column], "dim") for column in columns]]
    table += [[(safe(row[column][0]), row[column][1]) for column in columns] for row in rows]
    widths = [max(_width(row[index][0]) for row in table) for index in range(len(columns))]
    for row in table:
        last = max((index for index, cell in enumerate(row) if cell[0]), default=0)
        pieces = [
            (text if index == last else text + " " * (widths[index] - _width(text) + 2), style)
            for index, (text, style) in enumerate(row[: last + 1])
        ]
        terminal.pieces((indent, ""), *pieces)


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
