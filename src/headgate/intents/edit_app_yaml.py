"""Edits app.yaml, which people wrote: changes one list, and keeps everything else. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headgate.config import parse
from headgate.errors import ConfigError, HeadgateError
from headgate.model import App

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.configuration import AppRecord


def without_environments(text: bytes, record: AppRecord, left: Sequence[str]) -> bytes:
    """Return app.yaml with only the environments ``left``; comments and style stay.

    Raises ConfigError when it cannot be edited safely.
    """
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415  seldom needed

    file = f"{record.folder}/app.yaml"
    source = text.decode("utf-8")
    try:
        edited = _edited(source, left)
        result = parse(edited.encode(), file, App)[0]
    except (HeadgateError, YAMLError, _UnusualError):
        result, edited = None, ""
    if result is None or list(result.environments or {}) != [name for name in _order(record, left) if name in left]:
        raise ConfigError(
            "cannot remove environments from this file without changing other lines",
            where=record.place("environments"),
            hint=f"set 'environments: [{', '.join(left)}]' by hand, and hydrate",
        )
    return edited.encode()


class _UnusualError(Exception):
    """The file is not in one of the usual styles."""


def _order(record: AppRecord, left: Sequence[str]) -> Sequence[str]:
    return list(record.app.environments) if record.app.environments is not None else left


def _edited(source: str, left: Sequence[str]) -> str:
    from ruamel.yaml import YAML, MappingNode  # noqa: PLC0415

    root: Any = YAML().compose(source)
    if not isinstance(root, MappingNode):
        raise _UnusualError
    node = next((value for key, value in root.value if key.value == "environments"), None)
    if node is None:
        return _added(source, root, left)
    entries = list(node.value) if isinstance(node, type(root)) else [(item, item) for item in node.value]
    removed = [index for index, (key, _) in enumerate(entries) if key.value not in left]
    for index in reversed(removed):
        source = _cut(source, node, entries, index)
        entries.pop(index)
    return source


def _added(source: str, root: Any, left: Sequence[str]) -> str:
    line = f"environments: [{', '.join(left)}]"
    if not root.flow_style:
        return f"{source.rstrip()}\n{line}\n"
    end = root.end_mark.index - 1
    return f"{source[:end].rstrip().rstrip(',')}, {line}{source[end:]}"


def _cut(source: str, node: Any, entries: list[Any], index: int) -> str:
    """Remove one entry, from the last to the first, so that the marks of earlier entries stay valid."""
    start = entries[index][0].start_mark.index
    if not node.flow_style:
        begin = source.rindex("\n", 0, start) + 1
        after = source.find("\n", max(entries[index][1].end_mark.index - 1, start))
        following = source[begin:].find("\n") if entries[index][0] is entries[index][1] else -1
        end = begin + following + 1 if following >= 0 else _next_line(source, entries, index, after)
        return source[:begin] + source[end:]
    end = entries[index][1].end_mark.index
    rest = source[end:].lstrip()
    if rest.startswith(","):
        return source[:start] + rest[1:].lstrip()
    return source[:start].rstrip().rstrip(",") + source[end:]


def _next_line(source: str, entries: list[Any], index: int, after: int) -> int:
    """Return the end of an entry of a block mapping: the next key's line, or the end of its own last line."""
    if index + 1 < len(entries):
        return source.rindex("\n", 0, entries[index + 1][0].start_mark.index) + 1
    return after + 1 if after >= 0 else len(source)
