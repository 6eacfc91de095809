"""An app's output folder: Headgate's files in it, the changes of a hydration, and the guards. Pure."""

from __future__ import annotations

import hashlib
import posixpath
from types import MappingProxyType
from typing import TYPE_CHECKING

from headgate.dependencies.kustomization import FOLDER_FIELDS, NAMES, read_kustomization
from headgate.engine import reading
from headgate.errors import ConfigError, GuardError, HeadgateError, Location
from headgate.hydration.record import RECORD, OutputRecord, read_record, record_text
from headgate.objects.canonical import file_name
from headgate.objects.manifest import manifests
from headgate.repository.tree import blob_id

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from headgate.repository.tree import Changes, Tree

_ALWAYS_ALLOWED = 3


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
    """Return the flags of the objects of a folder; none if its record cannot be read."""
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


def foreign_files(tree: Tree, folder: str, record: OutputRecord) -> list[str]:
    """Return the object files in an output folder that Headgate did not write but Flux applies."""
    return [path for path in _foreign(tree, folder, record) if posixpath.basename(path) not in NAMES]


def _foreign(tree: Tree, folder: str, record: OutputRecord) -> list[str]:
    """Return the YAML files of others in an output folder: objects, and kustomizations, by which Flux builds it."""
    ours, paths = {*record.files, RECORD}, tree.paths(folder)
    skip = len(folder) + 1
    if all(path[skip:] in ours for path in paths):
        return []
    below = [path.rpartition("/")[0] for path in paths if path.endswith(f"/{RECORD}")]
    nested = tuple(f"{other}/" for other in below if other != folder)
    foreign = []
    for path in paths:
        name = path[skip:]
        is_yaml = name.endswith((".yaml", ".yml")) or posixpath.basename(name) in NAMES
        if is_yaml and name not in ours and not path.startswith(nested):
            foreign.append(path)
    return foreign


def check_foreign(tree: Tree, folder: str, files: Collection[str], namespace: str) -> None:
    """Refuse foreign files that define an object of ours again or break the build. Raises GuardError."""
    record = read_record(tree, folder)
    for path in _foreign(tree, folder, record):
        if path.removeprefix(f"{folder}/") in files:
            continue  # `changes` refuses it
        try:
            if posixpath.basename(path) in NAMES:
                ours = {f"{folder}/{name}": name in files for name in (*record.files, *files)}
                _check_kustomization(tree, path, ours)
                continue
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


def _check_kustomization(tree: Tree, path: str, ours: Mapping[str, bool]) -> None:
    """Raise the reason why Kustomize cannot build a kustomization. ``ours``: which of Headgate's files will exist."""
    kustomization, folder = read_kustomization(tree.read(path), path, ""), posixpath.dirname(path)
    for problem in kustomization.problems:
        raise ConfigError(problem)
    local = [entry for field, entry in kustomization.entries if field in FOLDER_FIELDS]
    for entry in local:
        named = posixpath.normpath(posixpath.join(folder, entry))
        exists = ours.get(named, named in tree or bool(tree.paths(named)))
        if not exists and entry not in kustomization.remote:
            raise ConfigError(f"it names {entry}, which does not exist")


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
