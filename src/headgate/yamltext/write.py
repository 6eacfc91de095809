"""Data -> canonical YAML text: one way to write each value, which every reader reads back the same.

Block style, two spaces, sequences at the column of their key, lines never folded. Strings have no quotes where every
YAML reader takes them for strings; text of several lines is a literal block.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from headgate.yamltext.scalar import is_plain_string

if TYPE_CHECKING:
    from collections.abc import Callable

_LONG_KEY = 900

# Safe without quotes: a first character that starts nothing else in YAML, then no quotes, no flow indicators, no ": ",
# no " #" and no space or colon at the end. Stricter than YAML, to be safe in flow collections and for every reader.
_SAFE = re.compile(
    r"(?!\.\.\.)(?:[^\W\d_]|[0-9./_$(+~^]|--?(?=[A-Za-z]))(?:[^\x00-\x1f\x7f-\xa0\ud800-\udfff\u2028\u2029\ufeff\ufffe\uffff\"'{}\[\],`#:\\]|#(?<=\S#)|:(?=\S))*+",
)
_BROKEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\xa0\ud800-\udfff\u2028\u2029\ufeff\ufffe\uffff]")


IN_LIST = "[]"
"""Stands for the key of what is in a list."""


def write(data: Any, order: Callable[[dict[Any, Any], Any], list[Any]] | None = None) -> str:
    """Return the canonical text of one document, without a ``---`` line, with a newline at its end.

    ``order`` returns the keys of a mapping in their order of writing, given the mapping and the key under which it
    stands: `IN_LIST` in a list, None at the top.
    """
    parts: list[str] = []
    keys = order or _as_they_are
    if isinstance(data, dict) and data:
        _mapping(parts, data, "", None, keys, lead="")
    elif isinstance(data, list) and data:
        _sequence(parts, data, "", keys, lead="")
    else:
        parts.append(_scalar(data, "") + "\n")
    return "".join(parts)


def _as_they_are(mapping: dict[Any, Any], under: Any) -> list[Any]:  # noqa: ARG001
    return list(mapping)


def _mapping(parts: list[str], data: dict[Any, Any], pad: str, under: Any, keys: Any, *, lead: str) -> None:
    # ``lead`` is empty in a sequence: there the first key follows the dash.
    for key in keys(data, under):
        name, value = _one_line(key), data[key]
        if type(value) is str and "\n" not in value and len(name) < _LONG_KEY:
            parts.append(f"{lead}{name}: {_one_line(value)}\n")  # the common case, without a call
        else:
            # A key on one line may have 1024 characters; a longer key needs the explicit form.
            parts.append(f"{lead}{name}:" if len(name) < _LONG_KEY else f"{lead}? {name}\n{pad}:")
            _value(parts, value, pad, key, keys)
        lead = pad


def _value(parts: list[str], value: Any, pad: str, key: Any, keys: Any) -> None:
    if isinstance(value, dict) and value:
        parts.append("\n")
        _mapping(parts, value, pad + "  ", key, keys, lead=pad + "  ")
    elif isinstance(value, list) and value:
        parts.append("\n")
        _sequence(parts, value, pad, keys, lead=pad)
    else:
        parts.append(f" {_scalar(value, pad)}\n")


def _sequence(parts: list[str], data: list[Any], pad: str, keys: Any, *, lead: str) -> None:
    for item in data:
        if isinstance(item, dict) and item:
            parts.append(f"{lead}- ")
            _mapping(parts, item, pad + "  ", IN_LIST, keys, lead="")
        elif isinstance(item, list) and item:
            parts.append(f"{lead}- ")
            _sequence(parts, item, pad + "  ", keys, lead="")
        else:
            parts.append(f"{lead}- {_scalar(item, pad)}\n")
        lead = pad


def _scalar(value: Any, pad: str) -> str:
    if isinstance(value, str):
        return _block(value, pad) if "\n" in value and _fits_block(value) else _one_line(value)
    if isinstance(value, dict):
        return "{}"
    if isinstance(value, list):
        return "[]"
    return _native(value)


def _native(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        text = re.sub(r"^(-?\d+)e", r"\1.0e", str(value))  # in YAML 1.1, 1e-05 is a string
        return {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}.get(text, text)
    raise TypeError(f"{type(value).__name__} has no YAML form here")


@lru_cache(maxsize=65536)
def _one_line(text: str) -> str:
    if _SAFE.fullmatch(text) and text[-1] not in " :" and is_plain_string(text):
        return text
    return _quoted(text)


def _quoted(text: str) -> str:
    if ("\\" in text or '"' in text) and "\n" not in text and "\t" not in text and not _BROKEN.search(text):
        return "'" + text.replace("'", "''") + "'"
    quoted = json.dumps(text, ensure_ascii=False)
    return _BROKEN.sub(_escape, quoted)


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def _fits_block(text: str) -> bool:
    # A literal block cannot hold control characters or other line breaks; readers disagree on the indentation of
    # blank lines.
    return not _BROKEN.search(text) and bool(text.strip(" \t\n")) and not text.startswith(("\n", "\t"))


def _block(text: str, pad: str) -> str:
    inner = pad + "  "
    body = text.rstrip("\n")
    newlines = len(text) - len(body)
    chomp = "-" if newlines == 0 else "" if newlines == 1 else "+"
    indent = "2" if text.startswith(" ") else ""
    lines = [f"{inner}{line}" if line else "" for line in body.split("\n")]
    return f"|{indent}{chomp}\n" + "\n".join(lines) + "\n" * max(0, newlines - 1)
