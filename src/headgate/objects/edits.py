"""The edits that turn one value into another: items of lists by their keys, everything else by its place. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from headgate.objects.listkeys import DEFAULTS, list_keys
from headgate.records import frozen_record
from headgate.yamltext.valuepath import dotted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
        values = tuple(item.get(key, DEFAULTS.get(key)) for key in keys) if isinstance(item, dict) else ()
        return cls(tuple(keys), values) if values and all(map(_is_usable, keys, values)) else None

    def __str__(self) -> str:
        """Return it as people write it: ``web``, ``53/UDP``; a protocol TCP is not written."""
        shown = self.values[:-1] if len(self.values) > 1 and self.values[-1] == DEFAULTS["protocol"] else self.values
        return "/".join(str(value) for value in shown)


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


def find_edits(old: Any, new: Any, kind_name: str = "", path: EditPath = ()) -> Iterator[AnyEdit]:
    """Yield the edits from ``old`` to ``new``, in the order of their paths.

    ``kind_name`` (``Kind`` or ``Kind.group``) says which keys lists have; of other lists those items are matched that
    have a ``name`` of their own, the rest by content and place.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}, key=str):
            before, after = old.get(key, NOTHING), new.get(key, NOTHING)
            if isinstance(before, (dict, list)) or not same(before, after):
                yield from find_edits(before, after, kind_name, (*path, key))
    elif isinstance(old, list) and isinstance(new, list):
        yield from _list_edits(old, new, kind_name, path)
    elif not same(old, new):
        yield Edit(path=path, old=old, new=new)


def same(old: Any, new: Any) -> bool:
    """Return whether two scalars are equal and of the same type; ``"8080"`` and ``8080`` are not."""
    return type(old) is type(new) and bool(old == new)


def field_names(path: EditPath) -> FieldNames:
    """Return the names on a path, without the items of lists."""
    return tuple(str(step) for step in path if not isinstance(step, (At, ItemKey)))


def _list_edits(old: list[Any], new: list[Any], kind_name: str, path: EditPath) -> Iterator[AnyEdit]:
    for keys in (list_keys(kind_name, field_names(path)), ("name",)):
        before, after = _by_key(old, keys), _by_key(new, keys)
        if before is not None and after is not None and (before or after):
            yield from _keyed_edits(before, after, kind_name, path)
            return
    yield from _aligned_edits(old, new, kind_name, path)


def _by_key(items: list[Any], keys: Sequence[str]) -> dict[ItemKey, Any] | None:
    """Return the items by their keys; None when there are no keys, or two items have the same ones."""
    found: dict[ItemKey, Any] = {}
    for item in items if keys else (None,):
        key = ItemKey.of(item, keys)
        if key is None or key in found:
            return None
        found[key] = item
    return found


def _keyed_edits(
    before: dict[ItemKey, Any], after: dict[ItemKey, Any], kind_name: str, path: EditPath
) -> Iterator[AnyEdit]:
    places = {key: place for place, key in enumerate(after)}
    for key in [*before, *(key for key in after if key not in before)]:
        if key in before and key in after:
            yield from find_edits(before[key], after[key], kind_name, (*path, key))
        else:
            old, new = before.get(key, NOTHING), after.get(key, NOTHING)
            yield Edit(path=(*path, key), old=old, new=new, place=places.get(key, 0))
    order = tuple(key for key in before if key in after), tuple(key for key in after if key in before)
    if order[0] != order[1]:
        yield Reorder(path=path, old=order[0], new=order[1])


def _aligned_edits(old: list[Any], new: list[Any], kind_name: str, path: EditPath) -> Iterator[AnyEdit]:
    """Yield the edits between what both lists begin and end with, item by item. Takes the time of one look at each."""
    head = _equal_items(old, new) if len(old) != len(new) else 0
    tail = _equal_items(old[head:][::-1], new[head:][::-1]) if len(old) != len(new) else 0
    old_end, new_end = len(old) - tail, len(new) - tail
    shared = min(old_end, new_end)
    for index in range(head, shared):
        yield from find_edits(old[index], new[index], kind_name, (*path, At(index)))
    for index in range(max(head, shared), old_end):
        yield Edit(path=(*path, At(index)), old=old[index])
    for index in range(max(head, shared), new_end):
        yield Edit(path=(*path, At(index)), new=new[index])


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
            name = dotted((str(step),))
            text += f".{name}" if text else name
    return text
