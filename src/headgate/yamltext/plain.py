"""A fast reader for the subset of YAML that Headgate's own records use: mappings of plain and quoted scalars.

A run reads thousands of records of the same few lines. Only text that every YAML reader understands in the same way is
read here, line by line; the engine reads everything else.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_CHARACTER = "[A-Za-z0-9_./@+-]"
_TEXT = f"[A-Za-z]{_CHARACTER}*(?:[: ]{_CHARACTER}+)*"
_COMMIT = "(?=[0-9be]*[acdf])[0-9a-f]{40}"  # a digit first, but never a number
_VERSION = r"[0-9]+(?:\.[0-9]+){2,3}"
_LINE = re.compile(
    rf"((?:  )*)([A-Za-z][A-Za-z0-9_.-]*):"
    rf'(?: (?:({_TEXT}|{_COMMIT}|{_VERSION})|([1-9][0-9]{{0,17}}|0)|"([A-Za-z0-9_./@+: -]*)"))?'
)
# https://yaml.org/type/bool.html and https://yaml.org/type/null.html: not a string to some readers
_NOT_TEXT = frozenset(("y", "yes", "n", "no", "on", "off", "true", "false", "null"))


class _NotPlainError(Exception):
    pass


@lru_cache(maxsize=4096)
def read_plain(data: bytes) -> Mapping[str, Any] | None:
    """Return the data of a text, or None outside of the subset. Callers must not change the data."""
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
    stack = [root]
    for line in lines:
        depth, key, value = _parts(line)
        if depth < len(stack) - 1 and stack[-1]:
            del stack[depth + 1 :]
        if depth != len(stack) - 1 or key in stack[-1]:
            raise _NotPlainError  # indented too far, below a key without a value (null), or a duplicate key
        if value is None:
            stack.append({})
            stack[-2][key] = stack[-1]
        else:
            stack[-1][key] = value
    if not stack[-1]:
        raise _NotPlainError
    return root


@lru_cache(maxsize=8192)  # most lines are in every record: 'images:', 'ref: refs/heads/main'
def _parts(line: str) -> tuple[int, str, str | int | None]:
    """Return the depth, the key and the value of a line; None where a mapping follows."""
    match = _LINE.fullmatch(line)
    if match is None:
        raise _NotPlainError
    pad, key, plain, number, quoted = match.groups()
    if key.lower() in _NOT_TEXT or (plain is not None and plain.lower() in _NOT_TEXT):
        raise _NotPlainError
    text = plain if plain is not None else quoted
    return len(pad) // 2, key, text if text is not None else int(number) if number is not None else None
