"""The record in each output folder: the inputs of its hydration, and the files that Headgate wrote. Pure."""

from __future__ import annotations

import json
from dataclasses import field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from headgate.errors import ConfigError, Location
from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headgate.repository.tree import Tree

RECORD = ".headgate.json"
"""The record in each output folder: its inputs and Headgate's files. Flux ignores JSON."""


@frozen_record
class OutputRecord:
    """``inputs``, ``output`` and ``fingerprint`` are hexadecimal SHA-256; ``engine`` is ``helm 4.3.1``."""

    inputs: str = ""
    output: str = ""
    files: tuple[str, ...] = ()
    fingerprint: str = ""
    engine: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)
    """The inputs one by one (`inputs.input_sources`); empty in records of older versions."""
    flags: tuple[str, ...] = ()
    """The flags of the objects (`risk.standing_flags`)."""


def read_record(tree: Tree, folder: str) -> OutputRecord:
    """Read the record of an output folder; an empty record before the first hydration."""
    known = _read.setdefault(tree, {})
    if folder not in known:
        if len(known) == _MAX_KNOWN:
            known.clear()
        known[folder] = _record(tree, folder)
    return known[folder]


_MAX_KNOWN = 4096
_read: WeakKeyDictionary[Tree, dict[str, OutputRecord]] = WeakKeyDictionary()
"""The records of trees: each is needed several times."""


def _record(tree: Tree, folder: str) -> OutputRecord:
    file = f"{folder}/{RECORD}"
    if file not in tree:
        return OutputRecord()
    try:
        return _parsed(tree.read(file))
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ConfigError(
            "not a valid Headgate record",
            where=Location(file),
            hint="restore it from git; Headgate needs it to know which files are its own",
        ) from None


def _parsed(text: bytes) -> OutputRecord:
    data = json.loads(text)
    return OutputRecord(
        inputs=str(data["inputs"]),
        output=str(data["output"]),
        files=tuple(map(str, data["files"])),
        fingerprint=str(data.get("quick", "")),
        engine=str(data.get("engine", "")),
        sources={str(key): str(value) for key, value in dict(data.get("sources", {})).items()},
        flags=tuple(map(str, data.get("flags", ()))),
    )


def record_text(record: OutputRecord) -> bytes:
    """Return the record's text."""
    data: dict[str, Any] = {"version": 1, "inputs": record.inputs, "output": record.output}
    data |= {key: text for key, text in (("quick", record.fingerprint), ("engine", record.engine)) if text}
    data |= {"sources": dict(sorted(record.sources.items()))} if record.sources else {}
    data |= {"flags": list(record.flags)} if record.flags else {}
    data |= {"files": list(record.files)}
    return (json.dumps(data, indent=1) + "\n").encode()
