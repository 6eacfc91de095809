"""Adds an entry to YAML that people wrote, and leaves every other character as it is. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


class UnusualTextError(Exception):
    """The text is not in one of the usual styles, so nothing can be added to it safely."""


def with_entry(source: str, path: Sequence[str], entry: tuple[str, str], *, after: str = "") -> str:
    """Return the text with one more entry in the mapping at ``path``, after the key ``after`` or at the end.

    ``entry`` is its text in block style, not indented and without a newline at its end, and the same in flow style.
    Raises UnusualTextError.
    """
    from ruamel.yaml import MappingNode  # noqa: PLC0415

    node = _node(source, path)
    if not isinstance(node, MappingNode):
        raise UnusualTextError
    keys = [key.value for key, _ in node.value]
    index = keys.index(after) if after in keys else len(keys) - 1
    if node.flow_style:
        return _in_flow(source, node, [value for _, value in node.value], index, entry[1])
    if not keys:
        raise UnusualTextError
    key, value = node.value[index]
    indent = " " * node.value[0][0].start_mark.column
    return _line_after(source, max(_end(source, value), key.end_mark.index), entry[0], indent)


def with_item(source: str, path: Sequence[str], item: str, *, after: str = "") -> str:
    """Return the text with one more item in the list at ``path``, as in `with_entry`. Raises UnusualTextError."""
    from ruamel.yaml import SequenceNode  # noqa: PLC0415

    node = _node(source, path)
    if not isinstance(node, SequenceNode):
        raise UnusualTextError
    values = [value.value for value in node.value]
    index = values.index(after) if after in values else len(values) - 1
    if node.flow_style:
        return _in_flow(source, node, node.value, index, item)
    last = node.value[index]
    lead = source[source.rfind("\n", 0, last.start_mark.index) + 1 : last.start_mark.index]
    if not re.fullmatch(" *- +", lead):
        raise UnusualTextError
    return _line_after(source, _end(source, last), f"{lead.lstrip()}{item}", lead[: -len(lead.lstrip())])


def _node(source: str, path: Sequence[str]) -> Any:
    """Return the node at a path of the first document."""
    from ruamel.yaml import YAML, MappingNode  # noqa: PLC0415  seldom needed
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415

    try:
        node = next(iter(YAML().compose_all(source)), None)
    except YAMLError:
        raise UnusualTextError from None
    for step in path:
        found = [value for key, value in node.value if key.value == step] if isinstance(node, MappingNode) else []
        if len(found) != 1:
            raise UnusualTextError
        node = found[0]
    return node


def _in_flow(source: str, node: Any, values: Sequence[Any], index: int, text: str) -> str:
    at = values[index].end_mark.index if values else node.start_mark.index + 1
    return f"{source[:at]}{', ' if values else ''}{text}{source[at:]}"


def _end(source: str, node: Any) -> int:
    """Return where the text of a node ends, without the comments and empty lines that follow it."""
    from ruamel.yaml import MappingNode, SequenceNode  # noqa: PLC0415

    if isinstance(node, (MappingNode, SequenceNode)) and not node.flow_style and node.value:
        last = node.value[-1]
        return max(_end(source, last[1]), last[0].end_mark.index) if isinstance(last, tuple) else _end(source, last)
    if node.start_mark.index == node.end_mark.index:  # nothing is written there
        return 0
    return len(source[: node.end_mark.index].rstrip())


def _line_after(source: str, index: int, text: str, indent: str) -> str:
    """Add lines after the one that holds ``index``, with the line's own way to end."""
    found = source.find("\n", index)
    before = source if found < 0 else source[: found + 1]
    end = "\r\n" if before.endswith("\r\n") else "\n"
    lines = [f"{indent}{line}" if line else line for line in text.split("\n")]
    return f"{before}{'' if found >= 0 else end}{end.join(lines)}{end}{source[len(before) :]}"
