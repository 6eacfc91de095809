"""An app's output folder: Headgate's files in it, the changes of a hydration, and the guards. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from headgate.engine import reading
from headgate.errors import ConfigError, GuardError, HeadgateError, Location
from headgate.hydration.record import RECORD, OutputRecord, read_record, record_text
from headgate.impact.effects import effects_of, find_effects
from headgate.impact.risk import find_risks
from headgate.objects.canonical import file_name
from headgate.objects.diff import Field, object_fields
from headgate.objects.generated import paired_by_stem
from headgate.objects.manifest import manifests
from headgate.objects.running import RunningChange
from headgate.records import frozen_record
from headgate.repository.tree import MAX_FILE, blob_id

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from headgate.impact.effects import Effect
    from headgate.impact.risk import Risk
    from headgate.objects.edits import AnyEdit
    from headgate.objects.manifest import Manifest
    from headgate.repository.tree import Changes, Tree

_ALWAYS_ALLOWED = 3


ObjectAction = Literal["added", "changed", "removed"]


@frozen_record
class ObjectChange:
    """An object that is added, changed or removed."""

    action: ObjectAction
    kind: str
    namespace: str
    name: str
    file: str
    fields: tuple[Field, ...]
    old_name: str = ""
    """Its name before, where a tool generates another with each change (`paired_by_stem`)."""
    risks: tuple[Risk, ...] = ()
    effects: tuple[Effect, ...] = ()
    edits: tuple[AnyEdit, ...] = field(default=(), compare=False, repr=False)
    """What runs differently in a changed object."""


def upgrade(before: OutputRecord, engine: str) -> str:
    """Return a change of the engine's version: ``helm 4.3.0 -> 4.3.1``; empty when none was recorded."""
    name, _, old = before.engine.partition(" ")
    same, _, new = engine.partition(" ")
    return f"{name} {old} -> {new}" if name == same and old and new and old != new else ""


def output_id(tree: Tree, folder: str, files: tuple[str, ...]) -> str:
    """Identify the content of these files of a folder; a missing file counts too."""
    paths = [f"{folder}/{name}" for name in files]
    return _id_of((name, tree.oid(path) or "-") for name, path in zip(files, paths, strict=True))


def flags_of(tree: Tree, folder: str) -> tuple[str, ...]:
    """Return what the objects of a folder are flagged with; nothing where its record cannot be read."""
    try:
        return read_record(tree, folder).flags
    except ConfigError:
        return ()


def _id_of(files: Iterable[tuple[str, str]]) -> str:
    lines = (f"{name} {oid}\n" for name, oid in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def is_current(tree: Tree, folder: str, inputs: str) -> bool:
    """Whether a folder was hydrated from these inputs and has not changed since."""
    record = read_record(tree, folder)
    return record.inputs == inputs and record.output == output_id(tree, folder, record.files)


def is_fingerprint_current(tree: Tree, folder: str, fingerprint: str) -> bool:
    """The same by file ids alone (`plan.Planner.fingerprint`). If false, `is_current` decides."""
    record = read_record(tree, folder)
    return record.fingerprint == fingerprint and record.output == output_id(tree, folder, record.files)


def changes(
    tree: Tree,
    folder: str,
    files: Mapping[str, bytes],
    inputs: str,
    *,
    max_removed_percent: int,
    fingerprint: str = "",
    engine: str = "",
    sources: Mapping[str, str] = MappingProxyType({}),
    flags: tuple[str, ...] = (),
) -> Changes:
    """Return the changes after which the folder holds ``files``; none if it already does.

    ``inputs``, ``fingerprint``, ``engine``, ``sources`` and ``flags`` go into the record. The record changes alone only
    for another ``engine``: an upgrade without effect is visible then, and later runs do not render again to find out.

    Only files that an earlier hydration wrote are replaced or removed. Raises GuardError when a file that Headgate
    did not write is in the way, and when more than ``max_removed_percent`` of the files would be removed.
    """
    record = read_record(tree, folder)
    owned = {name for name in record.files if f"{folder}/{name}" in tree}
    result: Changes = {}
    for name, data in files.items():
        path = f"{folder}/{name}"
        if path in tree and name not in owned:
            raise GuardError(
                "a file that Headgate did not write is in the way", where=Location(path), hint="move or delete it"
            )
        if path not in tree or tree.blob(path).oid != blob_id(data):
            result[path] = data
    removed = sorted(owned - files.keys())
    _check_removals(removed, owned, folder, max_removed_percent)
    result |= {f"{folder}/{name}": None for name in removed}
    if result or record.engine != engine:
        names = tuple(sorted(files))
        identity = _id_of((name, blob_id(files[name])) for name in names)
        result[f"{folder}/{RECORD}"] = record_text(
            OutputRecord(
                inputs=inputs,
                output=identity,
                files=names,
                fingerprint=fingerprint,
                engine=engine,
                sources=sources,
                flags=flags,
            )
        )
    return result


_NAMES_OF_KUSTOMIZE = ("kustomization.yaml", "kustomization.yml")


def foreign_files(tree: Tree, folder: str, record: OutputRecord) -> list[str]:
    """Return the YAML files in an output folder that Headgate did not write but Flux applies."""
    ours, paths = {*record.files, RECORD}, tree.paths(folder)
    below = [path.rpartition("/")[0] for path in paths if path.endswith(f"/{RECORD}")]
    nested = tuple(f"{other}/" for other in below if other != folder)
    foreign = []
    for path in paths:
        name = path.removeprefix(f"{folder}/")
        is_yaml = name.endswith((".yaml", ".yml")) and name.rpartition("/")[2] not in _NAMES_OF_KUSTOMIZE
        if is_yaml and name not in ours and not path.startswith(nested):
            foreign.append(path)
    return foreign


def check_foreign(tree: Tree, folder: str, files: Collection[str], namespace: str) -> None:
    """Refuse foreign files that define an object of ours again or break the build. Raises GuardError."""
    for path in foreign_files(tree, folder, read_record(tree, folder)):
        if path.removeprefix(f"{folder}/") in files:
            continue  # `changes` refuses it
        try:
            parsed = manifests(reading.objects(tree.read(path), path))
        except HeadgateError as error:
            raise GuardError(
                f"a file that Headgate did not write prevents Flux from building the folder: {error.what}",
                where=Location(path),
                hint="correct it, or move it to another folder",
            ) from None
        for manifest in parsed:
            name = file_name(manifest, namespace)
            if name in files:
                raise GuardError(
                    f"a file that Headgate did not write also defines {manifest}, so Flux would get it twice",
                    where=Location(path),
                    hint=f"delete it; Headgate writes {folder}/{name}",
                )


def removal(tree: Tree, folder: str) -> Changes:
    """Return the changes that remove Headgate's files from a folder and keep all others."""
    record = read_record(tree, folder)
    owned = [f"{folder}/{name}" for name in (*record.files, RECORD)]
    return {path: None for path in owned if path in tree}


def _check_removals(removed: list[str], owned: set[str], folder: str, max_removed_percent: int) -> None:
    if len(removed) > _ALWAYS_ALLOWED and len(removed) * 100 > len(owned) * max_removed_percent:
        raise GuardError(
            f"would remove {len(removed)} of {len(owned)} objects: {', '.join(removed[:4])}, ...",
            where=Location(folder),
            hint="if this is intended, pass --allow-removals",
        )


def object_changes(
    tree: Tree,
    folder: str,
    changes: Changes,
    new_objects: Mapping[str, Manifest] = MappingProxyType({}),
    workloads: Mapping[str, str] = MappingProxyType({}),
) -> list[ObjectChange]:
    """Return the changes of a folder by object. ``new_objects`` are parsed objects by file name.

    ``workloads`` says where custom resources run images (`images.uses`).
    """
    return [object_change(*pair, workloads) for pair in object_pairs(tree, folder, changes, new_objects)]


def object_pairs(
    tree: Tree, folder: str, changes: Changes, new_objects: Mapping[str, Manifest]
) -> Iterator[tuple[str, Manifest | None, Manifest | None]]:
    """Yield each file's name with its object before and after; None if missing or unreadable.

    A ConfigMap or Secret with another generated name is a change of the one before.
    """
    yield from paired_by_stem(_file_pairs(tree, folder, changes, new_objects))


def read_ahead(tree: Tree, changes: Changes) -> None:
    """Read the objects of both sides at once, which `object_pairs` then takes one by one."""
    before = {path: _text_before(tree, path) for path in changes}
    sides = [*before.items(), *changes.items()]
    reading.read_objects_ahead((path, text) for path, text in sides if text is not None and _is_object(path))


def _is_object(path: str) -> bool:
    return path.rpartition("/")[2] != RECORD


def _text_before(tree: Tree, path: str) -> bytes | None:
    """Return a file's text; None where there is none, or too much."""
    return tree.read(path) if path in tree and tree.blob(path).size <= MAX_FILE else None


def _file_pairs(
    tree: Tree, folder: str, changes: Changes, new_objects: Mapping[str, Manifest]
) -> Iterator[tuple[str, Manifest | None, Manifest | None]]:
    for path, data in sorted(changes.items()):
        name = path.removeprefix(f"{folder}/")
        if _is_object(path):
            before = _text_before(tree, path)
            old = _object(before, path) if before is not None else None
            new = new_objects.get(name) or _object(data, path) if data is not None else None
            yield name, old, new


def _object(data: bytes, file: str) -> Manifest | None:
    """Read an object of the output; None if an edit made it unreadable."""
    try:
        return next(iter(manifests(reading.objects(data, file))), None)
    except HeadgateError:
        return None


def object_change(file: str, old: Manifest | None, new: Manifest | None, workloads: Mapping[str, str]) -> ObjectChange:
    """Return what differs between an object before and after, its risks, and what it does when it is applied."""
    known = new or old
    action: ObjectAction = "changed" if old and new else "added" if new else "removed"
    if known is None:
        return ObjectChange(action=action, kind="", namespace="", name=file, file=file, fields=())
    change = RunningChange(old, new) if old and new else None
    return ObjectChange(
        action=action,
        kind=known.kind,
        namespace=known.namespace,
        name=known.name,
        file=file,
        fields=tuple(object_fields(change)) if change else (),
        old_name=old.name if old and old.name != known.name else "",
        risks=tuple(find_risks(old, new, workloads)),
        effects=effects_of(change) if change else find_effects(old, new),
        edits=change.edits if change else (),
    )
