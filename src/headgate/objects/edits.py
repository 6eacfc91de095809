"""The edits that turn one value into another: items of lists by their keys, everything else by its place. Pure."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from headgate.objects.listkeys import DEFAULTS, list_keys
from headgate.records import frozen_record
from headgate.yamltext.valuepath import dotted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.objects.listkeys import FieldNames


class Nothing:
    """The value of a field that does not exist."""


NOTHING: Final = Nothing()


@frozen_record(kw_only=False)
class ItemKey:
    """Selects the item of a list by the values of its keys."""

    keys: tuple[str, ...]
    values: tuple[Any, ...]

    @classmethod
    def of(cls, item: Any, keys: Sequence[str]) -> ItemKey | None:
        """Return the key of an item; None when the item has no usable value for each."""
        values = _key_values(item, keys)
        return cls(tuple(keys), values) if values else None

    def __str__(self) -> str:
        """Return it as people write it: ``web``, ``53/UDP``; a protocol TCP is not written."""
        shown = self.values[:-1] if len(self.values) > 1 and self.values[-1] == DEFAULTS["protocol"] else self.values
        return "/".join(str(value) for value in shown)


def _key_values(item: Any, keys: Sequence[str]) -> tuple[Any, ...]:
    """Return the values of an item's keys; none when one of them has no usable value."""
    values = tuple([item.get(key, DEFAULTS.get(key)) for key in keys]) if isinstance(item, dict) else ()
    return values if all(map(_is_usable, keys, values)) else ()


def _is_usable(key: str, value: Any) -> bool:
    return isinstance(value, str) or (key != "name" and type(value) is int)


EditPath = tuple[Any, ...]
"""Keys of maps, `At` and `ItemKey`."""


@frozen_record(kw_only=False)
class At:
    """A place in a list whose items have no keys: in the old list for what is removed, else in the new one."""

    index: int


@frozen_record
class Edit:
    """One value that differs. ``place`` is where an added item with keys is in the new list."""

    path: EditPath
    old: Any = NOTHING
    new: Any = NOTHING
    place: int = 0


@frozen_record
class Reorder:
    """Items that both lists have, in another order."""

    path: EditPath
    old: tuple[ItemKey, ...]
    new: tuple[ItemKey, ...]


AnyEdit = Edit | Reorder


def find_edits(old: Any, new: Any, kind_name: str = "", path: EditPath = ()) -> list[AnyEdit]:
    """Return the edits from ``old`` to ``new``, in the order of their paths.

    ``kind_name`` (``Kind`` or ``Kind.group``) says which keys lists have; of other lists those items are matched that
    have a ``name`` of their own, the rest by content and place.
    """
    found: list[AnyEdit] = []
    if not same(old, new):
        _add_edits(old, new, kind_name, path, found)
    return found


def _add_edits(old: Any, new: Any, kind_name: str, path: EditPath, found: list[AnyEdit]) -> None:
    """Add the edits between two values that are not the same."""
    if isinstance(old, dict) and isinstance(new, dict):
        differing = [key for key in {**old, **new} if not same(old.get(key, NOTHING), new.get(key, NOTHING))]
        for key in sorted(differing, key=str) if len(differing) > 1 else differing:
            _add_edits(old.get(key, NOTHING), new.get(key, NOTHING), kind_name, (*path, key), found)
    elif isinstance(old, list) and isinstance(new, list):
        _add_list_edits(old, new, kind_name, path, found)
    else:
        found.append(Edit(path=path, old=old, new=new))


def same(old: Any, new: Any) -> bool:
    """Return whether two values are equal and all in them is of the same types; ``1`` and ``true`` are not.

    Python compares at once: most of what differs, and the texts of what is equal and has its keys in the same order.
    """
    return type(old) is type(new) and bool(
        old == new and (type(old) not in _CONTAINERS or repr(old) == repr(new) or _same_types(old, new))
    )


_CONTAINERS = frozenset({dict, list})


def _same_types(old: Any, new: Any) -> bool:
    """Return whether all values in two equal maps or lists are of the same types: to Python ``1`` equals ``True``."""
    for key, before in old.items() if type(old) is dict else enumerate(old):
        kind, after = type(before), new[key]
        if kind is not type(after) or (kind in _CONTAINERS and not _same_types(before, after)):
            return False
    return True


def field_names(path: EditPath) -> FieldNames:
    """Return the names on a path, without the items of lists."""
    return tuple(str(step) for step in path if not isinstance(step, (At, ItemKey)))


def _add_list_edits(old: list[Any], new: list[Any], kind_name: str, path: EditPath, found: list[AnyEdit]) -> None:
    for keys in (list_keys(kind_name, field_names(path)), ("name",)):
        before = _by_key(old, keys)
        after = _by_key(new, keys) if before is not None else None
        if before is not None and after is not None and (before or after):
            _add_keyed_edits((before, after), tuple(keys), kind_name, path, found)
            return
    _add_aligned_edits(old, new, kind_name, path, found)


def _by_key(items: list[Any], keys: Sequence[str]) -> dict[tuple[Any, ...], Any] | None:
    """Return the items by the values of their keys; None when there are no keys, or two items have the same ones."""
    found: dict[tuple[Any, ...], Any] = {}
    for item in items if keys else (None,):
        values = _key_values(item, keys)
        if not values or values in found:
            return None
        found[values] = item
    return found


def _add_keyed_edits(
    sides: tuple[dict[tuple[Any, ...], Any], dict[tuple[Any, ...], Any]],
    keys: tuple[str, ...],
    kind_name: str,
    path: EditPath,
    found: list[AnyEdit],
) -> None:
    before, after = sides
    places = {values: place for place, values in enumerate(after)}
    for values in {**before, **after}:
        old, new = before.get(values, NOTHING), after.get(values, NOTHING)
        if NOTHING in (old, new):
            found.append(Edit(path=(*path, ItemKey(keys, values)), old=old, new=new, place=places.get(values, 0)))
        elif not same(old, new):
            _add_edits(old, new, kind_name, (*path, ItemKey(keys, values)), found)
    order = [values for values in before if values in after], [values for values in after if values in before]
    if order[0] != order[1]:
        shown = [tuple(ItemKey(keys, values) for values in side) for side in order]
        found.append(Reorder(path=path, old=shown[0], new=shown[1]))


def _add_aligned_edits(old: list[Any], new: list[Any], kind_name: str, path: EditPath, found: list[AnyEdit]) -> None:
    """Add the edits between what both lists begin and end with, item by item. Takes the time of one look at each."""
    head = _equal_items(old, new) if len(old) != len(new) else 0
    tail = _equal_items(old[head:][::-1], new[head:][::-1]) if len(old) != len(new) else 0
    old_end, new_end = len(old) - tail, len(new) - tail
    shared = min(old_end, new_end)
    for index in range(head, shared):
        if not same(old[index], new[index]):
            _add_edits(old[index], new[index], kind_name, (*path, At(index)), found)
    found += [Edit(path=(*path, At(index)), old=old[index]) for index in range(max(head, shared), old_end)]
    found += [Edit(path=(*path, At(index)), new=new[index]) for index in range(max(head, shared), new_end)]


def _equal_items(old: list[Any], new: list[Any]) -> int:
    """Return how many items both lists begin with."""
    pairs = zip(old, new, strict=False)
    return next(
        (count for count, pair in enumerate(pairs) if identity(pair[0]) != identity(pair[1])), min(len(old), len(new))
    )


def identity(value: Any) -> Any:
    """Return what equal values have in common, types included, as a key of a dict."""
    if isinstance(value, dict):
        return dict, frozenset((key, identity(item)) for key, item in value.items())
    if isinstance(value, list):
        return list, tuple(identity(item) for item in value)
    return type(value), value


def shown_path(path: EditPath) -> str:
    """Return a path as people write it: ``spec.template.spec.containers[web].image``."""
    text = ""
    for step in path:
        if isinstance(step, At):
            text += f"[{step.index}]"
        elif isinstance(step, ItemKey):
            text += f"[{step}]"
        else:
            name = _shown_name(str(step))
            text += f".{name}" if text else name
    return text


@lru_cache(maxsize=4096)
def _shown_name(name: str) -> str:
    return dotted((name,))
