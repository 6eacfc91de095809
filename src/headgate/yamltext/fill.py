"""Rendered text with tokens in it -> data. A text that many renders print is parsed once, then only filled.

A shared template prints nearly the same text for every app: what differs are mostly strings, and these are tokens
still (`yamlread.TOKEN`). Filling a text that was parsed before costs a tenth of parsing it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from headgate.errors import HeadgateError
from headgate.yamltext.read import TOKEN, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# What is kept is bounded whatever apps print: 128 texts of 16 Ki characters, of 2,000 nodes each, are below 50 MiB
# at the worst (measured: 27), and about 2 MiB for templates as people write them.
_KEPT, _MAX_TEXT, _MAX_NODES = 128, 16 * 1024, 2000
_MAX_SEEN = 10_000


def filled(text: str, strings: Sequence[str]) -> list[Any] | None:
    """Return the data of all documents of a text with the strings in the places of their tokens.

    It is what `yamlread.read` gives for both, new each time. None where `read` must be asked: for a text that is
    seen for the first time, for what `read` refuses, since it alone knows the line, for tokens in keys, which may
    turn out to be equal, and for what is large.
    """
    known = _parsed(text) if len(text) <= _MAX_TEXT and _was_seen(text) else None
    if known is None:
        return None
    try:
        "".join(strings).encode()
        return [_with(data, strings) for data in known]
    except (UnicodeEncodeError, IndexError):  # half of a surrogate pair; what only looks like a token
        return None


_seen: set[int] = set()


def _was_seen(text: str) -> bool:
    """Whether a text comes again: to keep one that does not would cost more than it saves."""
    key = hash(text)
    if key in _seen:
        return True
    if len(_seen) >= _MAX_SEEN:
        _seen.clear()
    _seen.add(key)
    return False


class _NotKeptError(Exception):
    """A text of which nothing is kept."""


@lru_cache(maxsize=_KEPT)
def _parsed(text: str) -> tuple[Any, ...] | None:
    """Parse a text, with a tuple for each scalar that holds tokens: its parts, and the number for each token."""
    left = iter(range(_MAX_NODES))
    try:
        return tuple(_in_parts(document.data, left) for document in read(text, ""))
    except (HeadgateError, _NotKeptError):
        return None


def _in_parts(value: Any, left: Iterator[int]) -> Any:
    """Return a copy with the tuples. ``left`` has an item for each node that there may be still."""
    if next(left, None) is None:
        raise _NotKeptError
    if isinstance(value, dict):
        if any(TOKEN.search(str(key)) for key in value):
            raise _NotKeptError
        return {key: _in_parts(item, left) for key, item in value.items()}
    if isinstance(value, list):
        return [_in_parts(item, left) for item in value]
    if isinstance(value, str) and TOKEN.search(value):
        parts = TOKEN.split(value)  # every second one is a number
        return tuple(int(part) if at % 2 else part for at, part in enumerate(parts))
    return value


def _with(value: Any, strings: Sequence[str]) -> Any:
    """Return a copy with strings in the places of the numbers. Most scalars are strings, and calls cost most here."""
    kind = type(value)
    if kind is dict:
        return {key: item if type(item) is str else _with(item, strings) for key, item in value.items()}
    if kind is list:
        return [item if type(item) is str else _with(item, strings) for item in value]
    if kind is tuple:
        return "".join([strings[part] if type(part) is int else part for part in value])
    return value
