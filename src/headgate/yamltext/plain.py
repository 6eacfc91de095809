"""Reads the plainest of YAML: mappings of words, numbers and quoted words, which is nearly all that Headgate records.

A record is read thousands of times in a run, always the same few lines. What every reader of YAML takes for the same is
read here line by line; of any other text nothing is read, and it is the engine's.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_CHARACTER = "[A-Za-z0-9_./@+-]"
_WORDS = f"[A-Za-z]{_CHARACTER}*(?:[: ]{_CHARACTER}+)*"
_COMMIT = "(?=[0-9be]*[acdf])[0-9a-f]{40}"  # with a digit first, and not to be taken for a number
_VERSION = r"[0-9]+(?:\.[0-9]+){2,3}"
_LINE = re.compile(
    rf"((?:  )*)([A-Za-z][A-Za-z0-9_.-]*):"
    rf'(?: (?:({_WORDS}|{_COMMIT}|{_VERSION})|([1-9][0-9]{{0,17}}|0)|"([A-Za-z0-9_./@+: -]*)"))?'
)
# https://yaml.org/type/bool.html and https://yaml.org/type/null.html: what some readers take for something else
_NO_TEXT = frozenset(("y", "yes", "n", "no", "on", "off", "true", "false", "null"))


class _NotPlainError(Exception):
    pass


@lru_cache(maxsize=4096)
def read_plain(data: bytes) -> Mapping[str, Any] | None:
    """Return what a text holds, or None where it is not of the plainest kind. It is not to be changed."""
    if not data.isascii() or not data.endswith(b"\n"):
        return None
    lines = data.decode("ascii").split("\n")[:-1]
    if lines and lines[0].startswith("# ") and lines[0].isprintable():
        del lines[0]
    try:
        return _mapping(lines)
    except _NotPlainError:
        return None


def _mapping(lines: list[str]) -> dict[str, Any]:
    root: dict[str, Any] = {}
    around = [root]
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None:
            raise _NotPlainError
        pad, key, word, number, quoted = match.groups()
        depth = len(pad) // 2
        if depth < len(around) - 1 and around[-1]:
            del around[depth + 1 :]
        if depth != len(around) - 1 or key in around[-1] or key.lower() in _NO_TEXT:
            raise _NotPlainError  # too deep, after a key without anything, which is null, or twice
        if word is not None and word.lower() in _NO_TEXT:
            raise _NotPlainError
        text = word if word is not None else quoted
        value: Any = text if text is not None else int(number) if number is not None else {}
        around[-1][key] = value
        if value == {}:
            around.append(value)
    if not around[-1]:
        raise _NotPlainError
    return root
