"""YAML text -> data, without losing what was written.

One reader for everything. It keeps the difference between quoted and
plain scalars, because readers of YAML do not agree on what a plain ``on``, ``0644`` or ``1e3`` is: such a
scalar stays the text that it was (`Plain`) and is written back as such; only nulls, on whose spellings all
readers agree, get one spelling.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from headgate.errors import Place, YamlError
from headgate.yamltext.build import MAX_DEPTH, MAX_NODES, TOKEN, Builder, Document, KeyPath, dotted, with_strings
from headgate.yamltext.scalar import Plain

__all__ = ["MAX_DEPTH", "MAX_NODES", "TOKEN", "Document", "KeyPath", "Text", "dotted", "read", "with_strings"]

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Text:
    """The text of a file with one document, from which lines are read when somebody must be told of one."""

    data: bytes
    file: str

    def place(self, path: KeyPath) -> Place:
        """Return where ``path`` stands in it."""
        return read(self.data, self.file, marks=True)[0].place(self.file, path)

    def scalar(self, path: KeyPath) -> str:
        """Return a scalar without quotes as its author wrote it; an empty string where no such scalar stands."""
        value = read(self.data, self.file)[0].data
        for step in path:
            if isinstance(value, dict):
                value = next((item for key, item in value.items() if str(key) == str(step)), None)
            else:
                inside = isinstance(value, list) and isinstance(step, int) and step < len(value)
                value = value[step] if inside else None
        return str(value) if isinstance(value, Plain) else ""


def read(data: bytes | str, file: str, *, marks: bool = False, strings: Sequence[str] = ()) -> list[Document]:
    """Read all documents of a YAML text.

    ``file`` names it in errors. With ``marks`` each document knows the line of each key. ``strings`` take the
    places of their tokens (`TOKEN`) inside scalars. Mappings become dicts, sequences lists, strings str, and every
    other scalar a `Plain`. Empty documents are left out. Aliases are copied and counted, merge keys (``<<``) are
    merged.

    Raises YamlError for what is not YAML (duplicate keys and unknown tags are not either), TooLargeError
    above `MAX_DEPTH` levels or `MAX_NODES` nodes.
    """
    text = _decode(data, file)
    builder = Builder(file, strings, marks=marks)
    try:
        builder.take(yaml.CSafeLoader(text).get_event)
    except UnicodeEncodeError:
        raise YamlError("not UTF-8 text", where=Place(file)) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        context = getattr(error, "context", None)
        raise YamlError(
            f"not YAML: {problem}" + (f" ({context})" if context else ""),
            where=Place(file, mark.line + 1 if mark else 0),
        ) from None
    return builder.documents


def _decode(data: bytes | str, file: str) -> str:
    if isinstance(data, str):
        return data
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise YamlError("not UTF-8 text", where=Place(file, line)) from None
