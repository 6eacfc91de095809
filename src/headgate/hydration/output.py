"""An app's output folder: which files are Headgate's, what a hydration changes in it, and the guards. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from headgate.engine import reading
from headgate.errors import ConfigError, GuardError, HeadgateError, Location
from headgate.impact.effects import effects_of, find_effects
from headgate.impact.risk import find_risks
from headgate.objects.canonical import file_name
from headgate.objects.diff import Field, object_fields
from headgate.objects.generated import paired_by_stem
from headgate.objects.manifest import manifests
from headgate.objects.running import RunningChange
from headgate.repository.tree import MAX_FILE, blob_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from headgate.impact.effects import Effect
    from headgate.impact.risk import Risk
    from headgate.objects.manifest import Manifest
    from headgate.repository.tree import Changes, Tree

RECORD = ".headgate.json"
"""The record in each output folder: what it was hydrated from and which files are ours. Flux reads no JSON."""

_ALWAYS_ALLOWED = 3


@dataclass(frozen=True)
class OutputRecord:
    """What an output folder says of itself. ``inputs``, ``output`` and ``quick`` are hexadecimal SHA-256.

    ``engine`` names what rendered it, with its version: ``helm 4.3.1``.
    """

    inputs: str = ""
    output: str = ""
    files: tuple[str, ...] = ()
    quick: str = ""
    engine: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)
    """The inputs one by one (`sources.input_sources`); empty in records of older versions."""
    flags: tuple[str, ...] = ()
    """What the objects are flagged with as they stand (`risk.standing_flags`)."""


@dataclass(frozen=True)
class ObjectChange:
    """One object that is added, changed or removed."""

    action: str
    kind: str
    namespace: str
    name: str
    file: str
    fields: tuple[Field, ...]
    old_name: str = ""
    """Its name before, where a tool generates another with each change (`paired_by_stem`)."""
    risks: tuple[Risk, ...] = ()
    effects: tuple[Effect, ...] = ()


def read_record(tree: Tree, folder: str) -> OutputRecord:
    """Read the record of an output folder; an empty one when nothing was hydrated there yet."""
    file = f"{folder}/{RECORD}"
    if file not in tree:
        return OutputRecord()
    try:
        return _parsed(tree.read(file))
    except (ValueError, KeyError, TypeError):
        raise ConfigError(
            "not a record of Headgate",
            where=Location(file),
            hint="restore it from git; without it Headgate does not know which files are its own",
        ) from None


@lru_cache(maxsize=4096)  # several look at the record of each folder
def _parsed(text: bytes) -> OutputRecord:
    data = json.loads(text)
    inputs, output, files = str(data["inputs"]), str(data["output"]), tuple(map(str, data["files"]))
    sources = {str(key): str(value) for key, value in dict(data.get("sources", {})).items()}
    flags = tuple(map(str, data.get("flags", ())))
    return OutputRecord(inputs, output, files, str(data.get("quick", "")), str(data.get("engine", "")), sources, flags)


def upgrade(before: OutputRecord, engine: str) -> str:
    """Tell of another version of the same engine: ``helm 4.3.0 -> 4.3.1``; nothing where none was recorded."""
    name, _, old = before.engine.partition(" ")
    same, _, new = engine.partition(" ")
    return f"{name} {old} -> {new}" if name == same and old and new and old != new else ""


def output_id(tree: Tree, folder: str, files: tuple[str, ...]) -> str:
    """Identify the content of the named files of a folder. A missing one counts too."""
    paths = [f"{folder}/{name}" for name in files]
    return _id_of((name, tree.blob(path).oid if path in tree else "-") for name, path in zip(files, paths, strict=True))


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
    """Whether a folder was hydrated from these inputs and nobody has changed it since."""
    record = read_record(tree, folder)
    return record.inputs == inputs and record.output == output_id(tree, folder, record.files)


def is_quickly_current(tree: Tree, folder: str, quick: str) -> bool:
    """The same by the ids of the files alone (`plan.Planner.quick`). When not, `is_current` decides."""
    record = read_record(tree, folder)
    return record.quick == quick and record.output == output_id(tree, folder, record.files)


def changes(
    tree: Tree,
    folder: str,
    files: Mapping[str, str],
    inputs: str,
    *,
    max_removed_percent: int,
    quick: str = "",
    engine: str = "",
    sources: Mapping[str, str] = MappingProxyType({}),
    flags: tuple[str, ...] = (),
) -> Changes:
    """Return what to write and remove so that the folder holds ``files``. Nothing when it does already.

    ``inputs``, ``quick``, ``engine``, ``sources`` and ``flags`` go into the record. It alone is written only for
    another ``engine``: that an upgrade changed nothing is to be seen too, and else each later run would render again to
    find out.

    Only files that an earlier hydration wrote are replaced or removed. Raises GuardError for a file in the
    way that Headgate did not write, and for more removals than ``max_removed_percent`` of what is there.
    """
    record = read_record(tree, folder)
    owned = {name for name in record.files if f"{folder}/{name}" in tree}
    wanted = {name: text.encode() for name, text in files.items()}
    result: Changes = {}
    for name, data in wanted.items():
        path = f"{folder}/{name}"
        if path in tree and name not in owned:
            raise GuardError(
                "a file in the way that Headgate did not write", where=Location(path), hint="move or delete it"
            )
        if path not in tree or tree.blob(path).oid != blob_id(data):
            result[path] = data
    removed = sorted(owned - wanted.keys())
    _check_removals(removed, owned, folder, max_removed_percent)
    result |= {f"{folder}/{name}": None for name in removed}
    if result or record.engine != engine:
        names = tuple(sorted(wanted))
        identity = _id_of((name, blob_id(wanted[name])) for name in names)
        result[f"{folder}/{RECORD}"] = _record_text(
            OutputRecord(inputs, identity, names, quick, engine, sources, flags)
        )
    return result


_NAMES_OF_KUSTOMIZE = ("kustomization.yaml", "kustomization.yml")


def foreign_files(tree: Tree, folder: str, record: OutputRecord) -> list[str]:
    """Return the YAML files in an output folder that Headgate did not write: Flux applies them too."""
    ours = {*record.files, RECORD}
    below = [path.rpartition("/")[0] for path in tree.paths(folder) if path.endswith(f"/{RECORD}")]
    nested = tuple(f"{other}/" for other in below if other != folder)
    found = []
    for path in tree.paths(folder):
        name = path.removeprefix(f"{folder}/")
        is_yaml = name.endswith((".yaml", ".yml")) and name.rpartition("/")[2] not in _NAMES_OF_KUSTOMIZE
        if is_yaml and name not in ours and not path.startswith(nested):
            found.append(path)
    return found


def check_foreign(tree: Tree, folder: str, files: Mapping[str, str], namespace: str) -> None:
    """Refuse somebody's file that gives an object of ours twice, or that nobody can build. Raises GuardError."""
    for path in foreign_files(tree, folder, read_record(tree, folder)):
        if path.removeprefix(f"{folder}/") in files:
            continue  # which `changes` refuses
        try:
            found = manifests(reading.objects(tree.read(path), path))
        except HeadgateError as error:
            raise GuardError(
                f"a file that Headgate did not write, and that stops Flux from building the folder: {error.what}",
                where=Location(path),
                hint="correct it, or move it to a folder of its own",
            ) from None
        for manifest in found:
            name = file_name(manifest, namespace)
            if name in files:
                raise GuardError(
                    f"a file that Headgate did not write has {manifest} too, which Flux would get twice",
                    where=Location(path),
                    hint=f"delete it; {folder}/{name} is Headgate's",
                )


def removal(tree: Tree, folder: str) -> Changes:
    """Return what takes all that a hydration ever wrote away from a folder; what others put there stays."""
    record = read_record(tree, folder)
    owned = [f"{folder}/{name}" for name in (*record.files, RECORD)]
    return {path: None for path in owned if path in tree}


def _check_removals(removed: list[str], owned: set[str], folder: str, max_removed_percent: int) -> None:
    if len(removed) > _ALWAYS_ALLOWED and len(removed) * 100 > len(owned) * max_removed_percent:
        raise GuardError(
            f"would remove {len(removed)} of {len(owned)} objects: {', '.join(removed[:4])}, ...",
            where=Location(folder),
            hint="if it is meant: --allow-removals",
        )


def _record_text(record: OutputRecord) -> bytes:
    data: dict[str, Any] = {"version": 1, "inputs": record.inputs, "output": record.output}
    data |= {key: text for key, text in (("quick", record.quick), ("engine", record.engine)) if text}
    data |= {"sources": dict(sorted(record.sources.items()))} if record.sources else {}
    data |= {"flags": list(record.flags)} if record.flags else {}
    data |= {"files": list(record.files)}
    return (json.dumps(data, indent=1) + "\n").encode()


def object_changes(
    tree: Tree,
    folder: str,
    what: Changes,
    new_objects: Mapping[str, Manifest] = MappingProxyType({}),
    workloads: Mapping[str, str] = MappingProxyType({}),
) -> list[ObjectChange]:
    """Return the changes of a folder object by object. ``new_objects`` are those at hand, by file name.

    ``workloads`` says where custom resources run images (`images.uses`).
    """
    return [object_change(*pair, workloads) for pair in object_pairs(tree, folder, what, new_objects)]


def object_pairs(
    tree: Tree, folder: str, what: Changes, at_hand: Mapping[str, Manifest]
) -> Iterator[tuple[str, Manifest | None, Manifest | None]]:
    """Yield each file's name with its object before and after; None where there is none, or an unreadable one.

    A ConfigMap or Secret with another generated name is a change of the one before.
    """
    yield from paired_by_stem(_file_pairs(tree, folder, what, at_hand))


def _file_pairs(
    tree: Tree, folder: str, what: Changes, at_hand: Mapping[str, Manifest]
) -> Iterator[tuple[str, Manifest | None, Manifest | None]]:
    for path, data in sorted(what.items()):
        name = path.removeprefix(f"{folder}/")
        if name != RECORD:
            is_readable = path in tree and tree.blob(path).size <= MAX_FILE
            old = _object(tree.read(path), path) if is_readable else None
            new = at_hand.get(name) or _object(data, path) if data is not None else None
            yield name, old, new


def _object(data: bytes, file: str) -> Manifest | None:
    """Read an object of the output; None for what somebody made unreadable by hand."""
    try:
        return next(iter(manifests(reading.objects(data, file))), None)
    except HeadgateError:
        return None


def object_change(file: str, old: Manifest | None, new: Manifest | None, workloads: Mapping[str, str]) -> ObjectChange:
    """Return what differs between an object before and after, its risks, and what it does when it is applied."""
    known = new or old
    action = "changed" if old and new else "added" if new else "removed"
    if known is None:
        return ObjectChange(action, "", "", file, file, ())
    change = RunningChange(old, new) if old and new else None
    return ObjectChange(
        action,
        known.kind,
        known.namespace,
        known.name,
        file,
        tuple(object_fields(change)) if change else (),
        old.name if old and old.name != known.name else "",
        tuple(find_risks(old, new, workloads)),
        effects_of(change) if change else find_effects(old, new),
    )
