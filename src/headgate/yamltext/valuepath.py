"""Paths of values, as grants and configuration write them: ``a."b.c"[*].d``.

A name selects a key, ``"..."`` (a JSON string) a key that holds dots, ``*`` every key, ``[2]`` an item, ``[*]``
every item.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator


KeyPath = tuple[str | int, ...]


def dotted(path: KeyPath) -> str:
    """Write a key path as people do: ``spec.containers[0]."a.b"``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            quoted = step if re.fullmatch(r"[^.\[\]\"*\\\s]+", step) else json.dumps(step, ensure_ascii=False)
            text += f".{quoted}" if text else quoted
    return text


class AnyKey:
    """Stands in a pattern for every key of a mapping."""


class AnyItem:
    """Stands in a pattern for every item of a list."""


ANY_KEY: Final = AnyKey()
ANY_ITEM: Final = AnyItem()

Pattern = tuple[str | int | AnyKey | AnyItem, ...]

_STEP = re.compile(
    r"""
      (?P<dot> \.)? (?:
          (?P<quoted> "(?: \\. | [^"\\] )+" ) | (?P<star> \*) (?= [.\[] | $ ) | (?P<name> [^.\[\]"*\\\s]+ )
      )
    | \[ (?: (?P<item> \d+ ) | (?P<items> \* ) ) \]
    """,
    re.VERBOSE,
)


@lru_cache(maxsize=4096)
def parse(text: str) -> Pattern:
    """Read a path. Raises ValueError with what is wrong and where."""
    steps: list[str | int | AnyKey | AnyItem] = []
    position = 0
    while position < len(text):
        match = _STEP.match(text, position)
        bracket = match is not None and (match["item"] is not None or match["items"] is not None)
        if match is None or (not bracket and bool(match["dot"]) != bool(steps)):
            raise ValueError(f"wrong at character {position + 1}")
        try:
            steps.append(_step(match))
        except json.JSONDecodeError:
            raise ValueError(f"wrong at character {position + 1}") from None
        position = match.end()
    if not steps:
        raise ValueError("empty")
    return tuple(steps)


def _step(match: re.Match[str]) -> str | int | AnyKey | AnyItem:
    if match["star"]:
        return ANY_KEY
    if match["items"]:
        return ANY_ITEM
    if match["item"]:
        return int(match["item"])
    return str(json.loads(match["quoted"])) if match["quoted"] else match["name"]


def covers(pattern: Pattern, path: KeyPath) -> bool:
    """Whether ``pattern`` names ``path`` itself or something above it."""
    return len(pattern) <= len(path) and all(
        step == want or (want is ANY_KEY and isinstance(step, str)) or (want is ANY_ITEM and isinstance(step, int))
        for want, step in zip(pattern, path, strict=False)
    )


def select(data: Any, pattern: Pattern) -> Iterator[tuple[Any, str | int]]:
    """Yield ``(container, key)`` for every value in ``data`` that ``pattern`` names and that is there."""
    holders: list[Any] = [data]
    for step in pattern[:-1]:
        holders = [holder[key] for holder in holders for key in _keys(holder, step)]
    for holder in holders:
        for key in _keys(holder, pattern[-1]):
            yield holder, key


def _keys(holder: Any, step: str | int | AnyKey | AnyItem) -> list[Any]:
    if isinstance(holder, dict):
        if step is ANY_KEY:
            return list(holder)
        return [step] if isinstance(step, str) and step in holder else []
    if isinstance(holder, list):
        if step is ANY_ITEM:
            return list(range(len(holder)))
        return [step] if isinstance(step, int) and step < len(holder) else []
    return []


def leaves(data: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Yield every path that ends in a scalar or in an empty container, with what stands there."""
    if isinstance(data, dict) and data:
        for key, value in data.items():
            yield from leaves(value, (*path, str(key)))
    elif isinstance(data, list) and data:
        for index, value in enumerate(data):
            yield from leaves(value, (*path, index))
    else:
        yield path, data
