"""Paths of values, as grants and configuration write them: ``a."b.c"[*].d``.

A name selects a key, ``"..."`` (a JSON string) a key with dots, ``*`` every key, ``[2]`` an item, ``[*]`` every item.
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
    """Write a key path as text: ``spec.containers[0]."a.b"``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            quoted = step if re.fullmatch(r"[^.\[\]\"*\\\s]+", step) else json.dumps(step, ensure_ascii=False)
            text += f".{quoted}" if text else quoted
    return text


class AnyKey:
    """Matches every key of a mapping."""


class AnyItem:
    """Matches every item of a list."""


ANY_KEY: Final = AnyKey()
ANY_ITEM: Final = AnyItem()

PatternStep = str | int | AnyKey | AnyItem
Pattern = tuple[PatternStep, ...]

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
    """Read a path. Raises ValueError with the position of the mistake."""
    steps: list[PatternStep] = []
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


def _step(match: re.Match[str]) -> PatternStep:
    if match["star"]:
        return ANY_KEY
    if match["items"]:
        return ANY_ITEM
    if match["item"]:
        return int(match["item"])
    return str(json.loads(match["quoted"])) if match["quoted"] else match["name"]


def covers(pattern: Pattern, path: KeyPath) -> bool:
    """Whether ``pattern`` matches ``path`` or one of its parents."""
    return len(pattern) <= len(path) and all(
        step == wanted
        or (wanted is ANY_KEY and isinstance(step, str))
        or (wanted is ANY_ITEM and isinstance(step, int))
        for wanted, step in zip(pattern, path, strict=False)
    )


def select(data: Any, pattern: Pattern) -> Iterator[tuple[Any, str | int]]:
    """Yield ``(container, key)`` for every value in ``data`` that matches ``pattern``."""
    containers: list[Any] = [data]
    for step in pattern[:-1]:
        containers = [container[key] for container in containers for key in _keys(container, step)]
    for container in containers:
        for key in _keys(container, pattern[-1]):
            yield container, key


def _keys(container: Any, step: PatternStep) -> list[Any]:
    if isinstance(container, dict):
        if step is ANY_KEY:
            return list(container)
        return [step] if isinstance(step, str) and step in container else []
    if isinstance(container, list):
        if step is ANY_ITEM:
            return list(range(len(container)))
        return [step] if isinstance(step, int) and step < len(container) else []
    return []


def leaves(data: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Yield the path and the value of every scalar and every empty container."""
    if isinstance(data, dict) and data:
        for key, value in data.items():
            yield from leaves(value, (*path, str(key)))
    elif isinstance(data, list) and data:
        for index, value in enumerate(data):
            yield from leaves(value, (*path, index))
    else:
        yield path, data
