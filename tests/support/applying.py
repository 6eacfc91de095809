"""Edits applied to a value: the way back from a difference to what it was made of. Judges `find_edits`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headgate.objects.edits import NOTHING, At, Edit, ItemKey, Reorder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.objects.edits import AnyEdit, EditPath


def apply_edits(value: Any, edits: Sequence[AnyEdit], depth: int = 0) -> Any:
    """Return ``value`` with edits of `find_edits` applied. Raises ValueError for edits of another value."""
    whole = [edit for edit in edits if len(edit.path) == depth and isinstance(edit, Edit)]
    if whole:
        return whole[0].new
    if not edits:
        return value
    if isinstance(value, dict):
        return _in_map(value, edits, depth)
    if isinstance(value, list):
        first = next((edit.path[depth] for edit in edits if len(edit.path) > depth), None)
        return _by_place(value, edits, depth) if isinstance(first, At) else _by_key(value, edits, depth)
    raise ValueError(f"no map or list at depth {depth}")


def _in_map(value: dict[Any, Any], edits: Sequence[AnyEdit], depth: int) -> dict[Any, Any]:
    result = dict(value)
    for key, inner in _grouped(edits, depth).items():
        edited = apply_edits(result.get(key, NOTHING), inner, depth + 1)
        if edited is NOTHING:
            del result[key]
        else:
            result[key] = edited
    return result


def _grouped(edits: Sequence[AnyEdit], depth: int) -> dict[Any, list[AnyEdit]]:
    groups: dict[Any, list[AnyEdit]] = {}
    for edit in edits:
        if len(edit.path) > depth:
            groups.setdefault(edit.path[depth], []).append(edit)
    return groups


def _ends(path: EditPath, depth: int) -> bool:
    return len(path) == depth + 1


def _by_place(items: list[Any], edits: Sequence[AnyEdit], depth: int) -> list[Any]:
    own = [edit for edit in edits if isinstance(edit, Edit) and _ends(edit.path, depth)]
    removed = {edit.path[depth].index for edit in own if edit.new is NOTHING}
    result = [item for index, item in enumerate(items) if index not in removed]
    added = {edit.path[depth].index: edit.new for edit in own if edit.old is NOTHING}
    for index in sorted(added):
        result.insert(index, added[index])
    changed = [edit for edit in edits if not any(edit is other for other in own if NOTHING in (other.old, other.new))]
    for place, inner in _grouped(changed, depth).items():
        result[place.index] = apply_edits(result[place.index], inner, depth + 1)
    return result


def _by_key(items: list[Any], edits: Sequence[AnyEdit], depth: int) -> list[Any]:
    keys = _keys(edits, depth)
    found = {ItemKey.of(item, keys): item for item in items}
    for edit in edits:
        if isinstance(edit, Reorder) and len(edit.path) == depth:
            moved = iter(edit.new)
            found = {key: found[key] for key in (next(moved) if key in edit.new else key for key in list(found))}
    added = []
    for key, inner in _grouped(edits, depth).items():
        edited = apply_edits(found.get(key, NOTHING), inner, depth + 1)
        if edited is NOTHING:
            del found[key]
        elif key in found:
            found[key] = edited
        else:
            added.append((inner[0].place if isinstance(inner[0], Edit) else 0, edited))
    result = list(found.values())
    for place, item in sorted(added, key=lambda pair: pair[0]):
        result.insert(place, item)
    return result


def _keys(edits: Sequence[AnyEdit], depth: int) -> tuple[str, ...]:
    inner = [edit.path[depth] for edit in edits if len(edit.path) > depth]
    moved = [key for edit in edits if isinstance(edit, Reorder) and len(edit.path) == depth for key in edit.new]
    return next(key.keys for key in (*inner, *moved))
