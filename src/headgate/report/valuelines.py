"""The lines of a field before and after; of long texts those that differ, with a line around them. Pure."""

from __future__ import annotations

from difflib import unified_diff
from itertools import groupby, zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headgate.objects.diff import Field

_MAX_ALIGNED = 1000
_SECOND = 2
"""Lines of a text from which on it is compared line by line."""


def value_lines(field: Field, width: int) -> list[tuple[str, str]]:
    """Return the lines of a field, each with its sign: ``-`` before, ``+`` after, a space in both.

    Lines are cut to ``width`` characters; two long ones that replace each other begin shortly before their difference.
    """
    old, new = ([] if value is None else value.split("\n") for value in (field.old, field.new))
    if min(len(old), len(new)) < _SECOND or max(len(old), len(new)) > _MAX_ALIGNED:
        found = [*(("-", line) for line in old), *(("+", line) for line in new)]
    else:
        found = [_signed(line) for line in list(unified_diff(old, new, n=1, lineterm=""))[2:]]
    return _cut(found, width) if any(len(line) > width for _, line in found) else found


def _signed(line: str) -> tuple[str, str]:
    return (" ", "...") if line.startswith("@@") else (line[:1], line[1:])


def _cut(lines: list[tuple[str, str]], width: int) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for _, run in groupby(lines, key=lambda line: line[0] == " "):
        signed = list(run)
        before, after = ([line for sign, line in signed if sign == wanted] for wanted in "-+")
        begins = [_begin(old, new, width) for old, new in zip_longest(before, after, fillvalue="")]
        for place, (sign, line) in enumerate(signed):
            begin = 0 if sign == " " else begins[place - (len(before) if sign == "+" else 0)]
            found.append((sign, shortened(line, width, begin)))
    return found


def _begin(old: str, new: str, width: int) -> int:
    """Return the place from which two lines are shown; they are equal up to there."""
    pairs = zip(old, new, strict=False)
    same = next((place for place, pair in enumerate(pairs) if pair[0] != pair[1]), min(len(old), len(new)))
    is_seen = max(len(old), len(new)) <= width or same + _AROUND < width
    return 0 if is_seen else same - _AROUND


_AROUND = 20
"""Equal characters shown before the difference."""


def shortened(line: str, width: int, begin: int = 0) -> str:
    """Return a line from a place on, with dots for the cut parts."""
    shown = f"...{line[begin:]}" if begin else line
    return shown if len(shown) <= width else f"{shown[: width - 3]}..."
