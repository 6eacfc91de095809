"""The differences between two states of an object, field by field. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from headgate.objects.edits import NOTHING, Reorder, find_edits, same, shown_path
from headgate.records import frozen_record
from headgate.yamltext.write import write

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from headgate.objects.edits import AnyEdit, EditPath
    from headgate.objects.running import RunningChange

__all__ = ["Field", "fields", "object_fields", "same"]


@frozen_record(kw_only=False)
class Field:
    """A field that differs. A side is its YAML text, or None if the field is missing there.

    ``runs_alike``: it is only written differently (``500m`` and ``0.5``, a default written out).
    """

    path: str
    old: str | None
    new: str | None
    runs_alike: bool = False


def object_fields(change: RunningChange) -> Iterator[Field]:
    """Yield every field that differs between two states of an object, and whether that is only how it is written."""
    if change.edits is change.written:
        yield from _fields(change.written, change.new.kind_name)
        return
    running = {shown_path(edit.path) for edit in change.edits}
    for field in _fields(change.written, change.new.kind_name):
        place = field.path
        if change.new.kind_name == "Secret":
            place = place.replace("stringData", "data", 1)  # where a server keeps it
        yield field if _differs(place, running) else replace(field, runs_alike=True)


def _differs(path: str, running: set[str]) -> bool:
    """Return whether a path, something above it or something below it differs in what runs."""
    return path in running or any(
        path.startswith((f"{other}.", f"{other}[")) or other.startswith((f"{path}.", f"{path}[")) for other in running
    )


def fields(old: Any, new: Any, kind_name: str = "") -> Iterator[Field]:
    """Return every field that differs, a container that comes or goes field by field.

    ``kind_name`` (``Kind`` or ``Kind.group``) says which keys the items of lists have (`find_edits`).
    """
    return _fields(find_edits(old, new, kind_name), kind_name)


def _fields(edits: Iterable[AnyEdit], kind_name: str) -> Iterator[Field]:
    for edit in edits:
        if isinstance(edit, Reorder):
            yield Field(shown_path(edit.path), ", ".join(map(str, edit.old)), ", ".join(map(str, edit.new)))
        else:
            yield from _leaf_fields(edit.old, edit.new, edit.path, kind_name)


def _leaf_fields(old: Any, new: Any, path: EditPath, kind_name: str) -> Iterator[Field]:
    value = new if old is NOTHING else old
    if NOTHING in (old, new) and isinstance(value, (dict, list)) and value:
        empty: Any = {} if isinstance(value, dict) else []
        before, after = (empty, value) if old is NOTHING else (value, empty)
        for edit in find_edits(before, after, kind_name, path):
            if not isinstance(edit, Reorder):
                yield from _leaf_fields(edit.old, edit.new, edit.path, kind_name)
        return
    yield Field(shown_path(path), _shown(old), _shown(new))


def _shown(value: Any) -> str | None:
    if value is NOTHING:
        return None
    if isinstance(value, str) and "\n" in value:
        return value
    return write(value).rstrip("\n")
