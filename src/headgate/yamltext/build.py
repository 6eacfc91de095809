"""A YAML parser's events -> documents, with a stack of its own.

The composer of libyaml recurses, and a deeply nested file ends the process.
"""

from __future__ import annotations

import json
import re
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from headgate.errors import Place, TooLargeError, YamlError
from headgate.yamltext.scalar import NULL, Plain, is_plain_string, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAX_DEPTH = 100
MAX_NODES = 1_000_000

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """One YAML document: its data, and the line that it begins on; of each key too when they were asked for."""

    data: Any
    line: int
    lines: dict[KeyPath, int] = field(default_factory=dict)

    def place(self, file: str, path: KeyPath) -> Place:
        """Return where ``path`` stands, or the nearest thing above it that stands somewhere."""
        known = path
        while known and known not in self.lines:
            known = known[:-1]
        return Place(file, self.lines.get(known, self.line), dotted(path))


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


TOKEN = re.compile("\ue000([0-9]{1,9})\ue001")
"""Stands in a text for a string by its number; both ends are of Unicode's private use area."""

_PRIVATE_USE = "\ue000"
_SURROGATE = re.compile("[\ud800-\udfff]")


def with_strings(text: str, strings: Sequence[str]) -> str:
    """Put strings in the places of their tokens. A number that no string has is no token: escapes can write one."""
    if _PRIVATE_USE not in text:
        return text
    return TOKEN.sub(lambda match: strings[number] if (number := int(match[1])) < len(strings) else match[0], text)


class _Open:
    """A container that is still being filled."""

    __slots__ = ("anchor", "data", "height", "is_list", "key", "merges", "path", "size")

    def __init__(self, data: Any, path: KeyPath, anchor: str | None) -> None:
        self.data = data
        self.is_list = isinstance(data, list)
        self.path = path
        self.anchor = anchor
        self.key: Any = _NO_KEY
        self.merges: list[tuple[Any, int]] = []
        self.size = 1
        self.height = 1


_NO_KEY = object()
_MERGE = Plain("<<")


class Builder:
    """Turn parser events into documents. State lives for one text."""

    def __init__(self, file: str, strings: Sequence[str], *, marks: bool) -> None:
        """Take what `yamlread.read` was asked for."""
        self.file = file
        self.strings = strings
        self.marks = marks
        self.documents: list[Document] = []
        self.nodes = 0
        self._start()

    def _start(self) -> None:
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[Any, int, int]] = {}
        self.lines: dict[KeyPath, int] = {}
        self.first_line = 0

    def take(self, next_event: Callable[[], Any]) -> None:  # noqa: C901, PLR0912  one call less is a tenth of the time
        """Take all events of a text, until there is none. Nearly all are scalars, most of them simple ones."""
        scalar, marks, strings = yaml.ScalarEvent, self.marks, self.strings
        while (event := next_event()) is not None:
            kind = type(event)
            if kind is scalar:
                if marks or event.tag is not None or event.anchor or not self.stack:
                    self._any_scalar(event)
                    continue
                value = event.value
                if (event.style or is_plain_string(value)) and not (strings and _PRIVATE_USE in value):
                    self.nodes += 1
                    if self.nodes > MAX_NODES:
                        raise self._too_many(event)
                else:
                    value = self._scalar(event)
                # What follows is `_add` for a scalar: calls cost more here than what they do.
                top = self.stack[-1]
                top.size += 1
                if top.is_list:
                    top.data.append(value)
                elif top.key is _NO_KEY:
                    if type(value) is str and value not in top.data and is_plain_string(value):
                        top.key = value
                        top.data[value] = None
                    else:
                        self._key(top, value, event)
                elif top.key is _MERGE:
                    top.merges.append((value, event.start_mark.line + 1))
                    top.key = _NO_KEY
                else:
                    top.data[top.key] = value
                    top.key = _NO_KEY
            elif kind is yaml.MappingStartEvent:
                self._open({}, event)
            elif kind is yaml.SequenceStartEvent:
                self._open([], event)
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                self._close(event)
            elif kind is yaml.AliasEvent:
                self._alias(event)
            elif kind is yaml.DocumentStartEvent:
                self._start()

    def _any_scalar(self, event: Any) -> None:
        value = self._scalar(event)
        if event.anchor:
            self.anchors[event.anchor] = (value, 1, 0)
        self._add(value, 1, 0, event)

    def _scalar(self, event: Any) -> str | Plain:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise self._too_many(event)
        text: str = event.value
        if self.strings and _PRIVATE_USE in text:
            whole = with_strings(text, self.strings)
            if _SURROGATE.search(whole):
                raise self._error("not YAML: a value holds half of a surrogate pair, which is no character", event)
            return whole
        tag = event.tag
        if tag is None:
            if event.style or is_plain_string(text):
                return text
            return plain(text)
        if tag in _STRING_TAGS:
            return text
        if tag in _PLAIN_TAGS and not is_plain_string(text):
            return plain(text)
        raise self._error(f"the tag {tag} is not allowed", event)

    def _add(self, value: Any, size: int, height: int, event: Any, *, path: KeyPath | None = None) -> None:
        if not self.stack:
            self._document(value, event)
            return
        top = self.stack[-1]
        top.size += size
        if height >= top.height:
            top.height = height + 1
        if top.is_list:
            if self.marks and path is None:
                self.lines[(*top.path, len(top.data))] = event.start_mark.line + 1
            top.data.append(value)
        elif top.key is _NO_KEY:
            self._key(top, value, event)
        else:
            if top.key is _MERGE:
                top.merges.append((value, event.start_mark.line + 1))
            else:
                top.data[top.key] = value
            top.key = _NO_KEY

    def _key(self, top: _Open, value: Any, event: Any) -> None:
        if type(value) is not str and not isinstance(value, Plain):
            raise self._error("a key must be a string", event)
        if value in top.data or (_has_two_spellings(value) and _other_spelling(value) in top.data):
            raise self._error(f"the key '{value}' stands here twice", event)
        if type(value) is Plain and value == _MERGE:
            top.key = _MERGE
            return
        top.key = value
        top.data[value] = None  # keeps the place among the keys
        if self.marks:
            self.lines[(*top.path, str(value))] = event.start_mark.line + 1

    def _open(self, data: Any, event: Any) -> None:
        if event.tag is not None and event.tag not in _CONTAINER_TAGS:
            raise self._error(f"the tag {event.tag} is not allowed", event)
        if len(self.stack) >= MAX_DEPTH:
            raise self._too_deep(event)
        self.nodes += 1
        self.first_line = self.first_line or event.start_mark.line + 1
        self.stack.append(_Open(data, self._path(event) if self.marks else (), event.anchor))

    def _close(self, event: Any) -> None:
        done = self.stack.pop()
        if done.merges:
            self._merge(done)
        if done.anchor:
            self.anchors[done.anchor] = (done.data, done.size, done.height)
        self._add(done.data, done.size, done.height, event, path=done.path)

    def _alias(self, event: Any) -> None:
        if event.anchor not in self.anchors:
            raise self._error(f"the alias *{event.anchor} has no anchor before it", event)
        value, size, height = self.anchors[event.anchor]
        self.nodes += size
        if self.nodes > MAX_NODES:
            raise self._too_many(event)
        if len(self.stack) + height > MAX_DEPTH:
            raise self._too_deep(event)
        self._add(deepcopy(value), size, height, event)

    def _merge(self, done: _Open) -> None:
        # https://yaml.org/type/merge.html: keys that stand in the mapping win, then earlier merges.
        for merge, line in done.merges:
            for source in merge if isinstance(merge, list) else [merge]:
                if not isinstance(source, dict):
                    raise YamlError("<< takes a mapping or a list of mappings", where=Place(self.file, line))
                for key, value in source.items():
                    if _other_spelling(key) not in done.data:
                        done.data.setdefault(key, value)

    def _path(self, event: Any) -> KeyPath:
        if not self.stack:
            return ()
        top = self.stack[-1]
        if top.is_list:
            path = (*top.path, len(top.data))
            self.lines[path] = event.start_mark.line + 1
            return path
        return (*top.path, str(top.key))

    def _document(self, value: Any, event: Any) -> None:
        if value == NULL:
            return
        self.documents.append(Document(value, self.first_line or event.start_mark.line + 1, self.lines))

    def _too_deep(self, event: Any) -> TooLargeError:
        return TooLargeError(f"nested deeper than {MAX_DEPTH} levels", where=self._place(event))

    def _too_many(self, event: Any) -> TooLargeError:
        return TooLargeError(f"more than {MAX_NODES} nodes once its aliases are followed", where=self._place(event))

    def _place(self, event: Any) -> Place:
        return Place(self.file, event.start_mark.line + 1)

    def _error(self, what: str, event: Any) -> YamlError:
        return YamlError(what, where=self._place(event))


def _has_two_spellings(key: str | Plain) -> bool:
    """Whether a key means something else with quotes than without: only such a string can be a `Plain` too."""
    return isinstance(key, Plain) or not is_plain_string(key)


def _other_spelling(key: str | Plain) -> str | Plain:
    """Return the same key with quotes instead of without, or the other way round."""
    return key.text if isinstance(key, Plain) else Plain(key)


_STRING_TAGS = {"!", "tag:yaml.org,2002:str"}
_CONTAINER_TAGS = {"!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}
_PLAIN_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("int", "float", "bool", "null")}
