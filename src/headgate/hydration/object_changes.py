"""The changes of an app's final YAML, object by object: fields, risks, effects; equal ones are compared once. Pure."""

from __future__ import annotations

from dataclasses import field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from headgate.errors import HeadgateError
from headgate.hydration import final_yaml
from headgate.hydration.record import RECORD
from headgate.impact.effects import effects_of, find_effects
from headgate.impact.risk import find_risks
from headgate.memo import Memo
from headgate.objects.diff import Field, object_fields
from headgate.objects.encrypted import HIDDEN, is_secret
from headgate.objects.generated import paired_by_stem, stem_of
from headgate.objects.running import RunningChange
from headgate.records import frozen_record
from headgate.repository.tree import MAX_FILE, MEBI

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from headgate.impact.effects import Effect
    from headgate.impact.risk import Risk
    from headgate.objects.edits import AnyEdit
    from headgate.objects.generated import Pair
    from headgate.objects.manifest import Manifest
    from headgate.repository.tree import Changes, Tree

ObjectAction = Literal["added", "changed", "removed"]


@frozen_record
class ObjectChange:
    """An object that is added, changed or removed.

    The fields of a ``secret`` one never have values, since every report reads them.
    """

    action: ObjectAction
    kind: str
    namespace: str
    name: str
    file: str
    fields: tuple[Field, ...]
    secret: bool = False
    old_name: str = ""
    """Its name before, where a tool generates another with each change (`paired_by_stem`)."""
    risks: tuple[Risk, ...] = ()
    effects: tuple[Effect, ...] = ()
    edits: tuple[AnyEdit, ...] = field(default=(), compare=False, repr=False)
    """The effects of the change on the cluster."""


@frozen_record(kw_only=False)
class ComparedObject:
    """An object before and after, None where it is missing or unreadable, and what differs."""

    change: ObjectChange
    old: Manifest | None
    new: Manifest | None


_NO_OBJECTS: Mapping[str, Manifest] = MappingProxyType({})
_NO_WORKLOADS: Mapping[str, str] = MappingProxyType({})

_known: Memo[tuple[object, ...], ObjectChange] = Memo(4 * MEBI)
"""Changes by the texts on both sides: many environments have the same, and several steps of a run need them."""


def compared_objects(
    tree: Tree,
    folder: str,
    changes: Changes,
    new_objects: Mapping[str, Manifest] = _NO_OBJECTS,
    workloads: Mapping[str, str] = _NO_WORKLOADS,
) -> Iterator[ComparedObject]:
    """Yield the differences in a folder, object by object. ``new_objects`` are parsed objects by file name.

    ``workloads`` says where custom resources run images (`images.uses`).
    """
    pairs, texts = _pairs(tree, folder, changes, new_objects)
    secrets = {_stem(side) for _, *sides in pairs for side in sides if side is not None and side.kind == "Secret"}
    decides = frozenset(workloads.items())
    for file, old, new in pairs:
        before, after = (texts.get(id(side)) for side in (old, new))
        key = (file, before, after, decides)
        change = _known.find(key)
        if change is None:
            change = object_change(file, old, new, workloads)
            _known.make_room()
            _known.keep(key, change, len(before or b"") + len(after or b""))
        yield ComparedObject(_with_secrets(change, old or new, secrets), old, new)


def _stem(manifest: Manifest) -> tuple[str, str]:
    return manifest.namespace, stem_of(manifest) or manifest.name


def _with_secrets(change: ObjectChange, known: Manifest | None, secrets: Collection[tuple[str, str]]) -> ObjectChange:
    """Hide a ConfigMap that becomes a Secret or was one."""
    is_twin = change.kind == "ConfigMap" and known is not None and bool(secrets) and _stem(known) in secrets
    return replace(change, secret=True) if is_twin and change.action != "changed" else change


def object_changes(
    tree: Tree,
    folder: str,
    changes: Changes,
    new_objects: Mapping[str, Manifest] = _NO_OBJECTS,
    workloads: Mapping[str, str] = _NO_WORKLOADS,
) -> list[ObjectChange]:
    """Return only the changes of `compared_objects`."""
    return [compared.change for compared in compared_objects(tree, folder, changes, new_objects, workloads)]


def object_pairs(tree: Tree, folder: str, changes: Changes) -> Iterator[Pair]:
    """Yield each file's name with its object before and after; None if missing or unreadable.

    A ConfigMap or Secret with another generated name is a change of the one before.
    """
    yield from _pairs(tree, folder, changes, _NO_OBJECTS)[0]


def _pairs(
    tree: Tree, folder: str, changes: Changes, new_objects: Mapping[str, Manifest]
) -> tuple[list[Pair], dict[int, bytes]]:
    """Return the pairs, and the texts of their objects by the ids of these."""
    pairs: list[Pair] = []
    texts: dict[int, bytes] = {}
    for path, after in sorted(changes.items()):
        if not _is_object(path):
            continue
        name, before = path.removeprefix(f"{folder}/"), _text_before(tree, path)
        old = _object(path, before) if before is not None else None
        new = new_objects.get(name) or _object(path, after) if after is not None else None
        pairs.append((name, old, new))
        texts |= {id(side): text for side, text in ((old, before), (new, after)) if side and text is not None}
    return list(paired_by_stem(pairs)), texts


def read_ahead(tree: Tree, changes: Changes) -> None:
    """Read the objects of both sides at once, which `compared_objects` then takes one by one."""
    before = {path: _text_before(tree, path) for path in changes}
    sides = [*before.items(), *changes.items()]
    final_yaml.read_ahead((path, text) for path, text in sides if text is not None and _is_object(path))


def _is_object(path: str) -> bool:
    return path.rpartition("/")[2] != RECORD


def _text_before(tree: Tree, path: str) -> bytes | None:
    """Return a file's text; None if it is missing or too large."""
    blob = tree.find(path)
    return tree.read(path) if blob is not None and blob.size <= MAX_FILE else None


def _object(path: str, text: bytes) -> Manifest | None:
    """Read an object of the output; None if an edit made it unreadable."""
    try:
        return next(iter(final_yaml.objects_of(path, text)), None)
    except HeadgateError:
        return None


def object_change(file: str, old: Manifest | None, new: Manifest | None, workloads: Mapping[str, str]) -> ObjectChange:
    """Return the change between an object before and after: differences, risks, and effects."""
    known = new or old
    action: ObjectAction = "changed" if old and new else "added" if new else "removed"
    if known is None:
        return ObjectChange(action=action, kind="", namespace="", name=file, file=file, fields=())
    change, secret = RunningChange(old, new) if old and new else None, is_secret(old, new)
    fields = tuple(object_fields(change)) if change else ()
    return ObjectChange(
        action=action,
        kind=known.kind,
        namespace=known.namespace,
        name=known.name,
        file=file,
        fields=tuple(map(_without_values, fields)) if secret else fields,
        secret=secret,
        old_name=old.name if old and old.name != known.name else "",
        risks=tuple(find_risks(old, new, workloads)),
        effects=effects_of(change) if change else find_effects(old, new),
        edits=change.edits if change else (),
    )


def _without_values(found: Field) -> Field:
    old, new = (None if side is None else HIDDEN for side in (found.old, found.new))
    return replace(found, old=old, new=new)
