"""Texts about many: counted, and cut where they get too long for GitLab's log. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAX_TEXT, _MAX_LINES = 8000, 50
_MAX_REST = 60  # the note on the rest


def bounded(text: str, characters: int = _MAX_TEXT, lines: int = _MAX_LINES) -> str:
    """Return the beginning of a text and the length of the rest, since GitLab truncates long logs. Idempotent."""
    if len(text) <= characters and text.count("\n") < lines:
        return text
    kept = text[: characters - _MAX_REST].split("\n")[: lines - 1]
    rest = text.count("\n") + 1 - len(kept)
    if rest:
        return "\n".join((*kept, f"    ... and {rest} more lines"))
    shown = "\n".join(kept)
    return f"{shown}... and {len(text) - len(shown)} more characters"


def counted(number: int, noun: str) -> str:
    """Return how many there are, in words."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def first_few(texts: Sequence[str], limit: int = 10) -> list[str]:
    """Return the first texts, and the number of the others."""
    return [*texts[:limit], f"... and {len(texts) - limit} more"] if len(texts) > limit else list(texts)
