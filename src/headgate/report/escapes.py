"""Escapes for characters that nobody sees, in every report. Pure."""

from __future__ import annotations

import unicodedata

_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
"""Unicode's categories of invisible characters: control, direction of writing, joiners, lone surrogates."""


def visible(text: str, keep: str = "") -> str:
    """Replace invisible characters by escapes, except those to ``keep``."""
    if text.isprintable():  # it has none, as nearly every text
        return text
    return "".join(
        char
        if char in keep or unicodedata.category(char) not in _HIDDEN
        else f"\\u{ord(char):04x}"
        if ord(char) < 0x10000  # noqa: PLR2004  where four digits end
        else f"\\U{ord(char):08x}"
        for char in text
    )
