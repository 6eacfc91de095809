"""Two texts side by side, line by line, with what is equal between changes left out. Pure."""

from __future__ import annotations

from difflib import SequenceMatcher
from itertools import zip_longest
from typing import TYPE_CHECKING, Literal

from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_CONTEXT = 3
_MAX_ALIGNED = 1000
"""Lines up to which equal ones are looked for: that takes up to the square of their number."""


@frozen_record
class Row:
    """One line of both texts; None is no line. Of skipped lines ``left_number`` is their count."""

    kind: Literal["same", "changed", "skipped"]
    left_number: int = 0
    left: str | None = None
    right_number: int = 0
    right: str | None = None


def side_by_side(old: str, new: str) -> Iterator[Row]:
    """Yield the rows for two texts; none where they are equal."""
    left, right = old.splitlines(), new.splitlines()
    if left == right:
        return
    codes = _codes(left, right)
    for place, (word, old_start, old_end, new_start, new_end) in enumerate(codes):
        if word == "equal":
            shown = 0 if place == 0 else _CONTEXT, 0 if place == len(codes) - 1 else _CONTEXT
            yield from _equal(left[old_start:old_end], old_start, new_start, shown)
            continue
        pairs = zip_longest(range(old_start, old_end), range(new_start, new_end))
        for before, after in pairs:
            yield Row(
                kind="changed",
                left_number=0 if before is None else before + 1,
                left=None if before is None else left[before],
                right_number=0 if after is None else after + 1,
                right=None if after is None else right[after],
            )


def _codes(left: Sequence[str], right: Sequence[str]) -> Sequence[tuple[str, int, int, int, int]]:
    """Return which lines are equal. What both texts begin and end with is set aside first."""
    head = _equal_lines(left, right)
    tail = _equal_lines(left[head:][::-1], right[head:][::-1])
    old_end, new_end = len(left) - tail, len(right) - tail
    middle = [("replace", head, old_end, head, new_end)]
    if max(old_end, new_end) - head <= _MAX_ALIGNED:
        found = SequenceMatcher(None, left[head:old_end], right[head:new_end]).get_opcodes()
        middle = [(word, *(place + head for place in places)) for word, *places in found]  # type: ignore[misc]
    first = [("equal", 0, head, 0, head)] if head else []
    last = [("equal", old_end, len(left), new_end, len(right))] if tail else []
    return [*first, *middle, *last]


def _equal_lines(left: Sequence[str], right: Sequence[str]) -> int:
    """Return how many lines both texts begin with."""
    pairs = zip(left, right, strict=False)
    return next((count for count, pair in enumerate(pairs) if pair[0] != pair[1]), min(len(left), len(right)))


def _equal(lines: Sequence[str], old_start: int, new_start: int, shown: tuple[int, int]) -> Iterator[Row]:
    """Yield equal lines, of which so many are shown at the beginning and the end."""
    head, tail = shown
    skipped = len(lines) - head - tail
    for index, line in enumerate(lines):
        if skipped > 1 and index == head:
            yield Row(kind="skipped", left_number=skipped)
        if skipped <= 1 or not head <= index < head + skipped:
            yield Row(
                kind="same",
                left_number=old_start + index + 1,
                left=line,
                right_number=new_start + index + 1,
                right=line,
            )
