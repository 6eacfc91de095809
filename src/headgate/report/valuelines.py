"""The lines of a field before and after; of long texts those that differ, with a line around them. Pure."""

from __future__ import annotations

from difflib import unified_diff
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headgate.objects.diff import Field

_MAX_ALIGNED = 1000
_SECOND = 2
"""Lines of a text from which on it is compared line by line."""


def value_lines(field: Field) -> list[tuple[str, str]]:
    """Return the lines of a field, each with its sign: ``-`` before, ``+`` after, a space in both."""
    old, new = ([] if value is None else value.split("\n") for value in (field.old, field.new))
    if min(len(old), len(new)) < _SECOND or max(len(old), len(new)) > _MAX_ALIGNED:
        return [*(("-", line) for line in old), *(("+", line) for line in new)]
    found = list(unified_diff(old, new, n=1, lineterm=""))[2:]
    return [(" ", "...") if line.startswith("@@") else (line[:1], line[1:]) for line in found]
