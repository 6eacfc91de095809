"""The differences between two states of an object, field by field. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headgate.yamltext.valuepath import dotted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headgate.yamltext.valuepath import KeyPath

NOTHING = object()


@dataclass(frozen=True)
class Field:
    """A field that differs. A side is its YAML text, or None if the field is missing there."""

    path: str
    old: str | None
    new: str | None


def fields(old: Any, new: Any, path: KeyPath = ()) -> Iterator[Field]:
    """Yield every field that differs. List items with a ``name`` are matched by it."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}, key=str):
            yield from fields(old.get(key, NOTHING), new.get(key, NOTHING), (*path, str(key)))
    elif isinstance(old, list) and isinstance(new, list):
        yield from _list_fields(old, new, path)
    elif not same(old, new):
        yield from _leaf_fields(old, new, path)


def _list_fields(old: list[Any], new: list[Any], path: KeyPath) -> Iterator[Field]:
    names = [_names(old), _names(new)]
    if None not in names and (old or new):
        before, after = (
            dict(zip(names[0] or [], old, strict=True)),
            dict(zip(names[1] or [], new, strict=True)),
        )
        for name in [*before, *(name for name in after if name not in before)]:
            yield from fields(before.get(name, NOTHING), after.get(name, NOTHING), (*path, f"[{name}]"))
        if [name for name in before if name in after] != [name for name in after if name in before]:
            yield Field(_shown_path(path), ", ".join(before), ", ".join(after))
        return
    for index in range(max(len(old), len(new))):
        left = old[index] if index < len(old) else NOTHING
        right = new[index] if index < len(new) else NOTHING
        yield from fields(left, right, (*path, index))


def _names(items: list[Any]) -> list[str] | None:
    """Return the names of the items, or None unless each has a unique name."""
    names = [item.get("name") if isinstance(item, dict) else None for item in items]
    if not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
        return None
    return [str(name) for name in names]


def _leaf_fields(old: Any, new: Any, path: KeyPath) -> Iterator[Field]:
    """Yield fields where a side is a scalar or missing. A container that is added or removed gives all its fields."""
    for side, value in (("old", old), ("new", new)):
        other = new if side == "old" else old
        if isinstance(value, (dict, list)) and value and other is NOTHING:
            empty: Any = {} if isinstance(value, dict) else []
            yield from fields(value, empty, path) if side == "old" else fields(empty, value, path)
            return
    yield Field(_shown_path(path), _shown(old), _shown(new))


def same(old: Any, new: Any) -> bool:
    """Whether two values are equal; ``"8080"`` and ``8080`` are not."""
    return type(old) is type(new) and bool(old == new)


def _shown_path(path: KeyPath) -> str:
    text = ""
    for step in path:
        if isinstance(step, str) and step.startswith("[") and step.endswith("]"):
            text += step
        else:
            text += f".{dotted((step,))}" if text and isinstance(step, str) else dotted((step,))
    return text


def _shown(value: Any) -> str | None:
    if value is NOTHING:
        return None
    if isinstance(value, str) and "\n" in value:
        return value
    from headgate.yamltext.write import write  # noqa: PLC0415  only for changes

    return write(value).rstrip("\n")
