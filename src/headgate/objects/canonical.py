"""Objects -> canonical files: the same object has the same bytes and file name, whoever rendered it. Pure."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from headgate.errors import ManifestError
from headgate.objects.kinds import DEFINITION
from headgate.repository.tree import MAX_FILE, MEBI
from headgate.yamltext.write import IN_LIST, write

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headgate.objects.manifest import Manifest, ObjectName

OUTPUT_FORMAT = 2
"""Version of the canonical text and file names, recorded in headgate.lock."""


def file_name(manifest: ObjectName, namespace: str) -> str:
    """Return the object's file name: ``kind.group-name.yaml``, or ``kind.group-name@namespace.yaml`` outside the
    app's namespace.

    Special characters, and capital letters, since some file systems ignore case, become ``%XX``; names in Kubernetes
    contain no ``%`` and no ``@``.
    """
    elsewhere = f"@{manifest.namespace}" if manifest.namespace not in ("", namespace) else ""
    return f"{_stem(manifest.kind_name, manifest.name)}{elsewhere}.yaml"


@lru_cache(maxsize=65536)  # several steps call it
def _stem(kind: str, name: str) -> str:
    escaped = re.sub(r"[^a-z0-9.-]", lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), name)
    stem = f"{kind.lower()}-{escaped}"
    if len(stem) > _MAX_STEM:  # file systems allow 255 bytes
        stem = f"{stem[: _MAX_STEM - 17]}-{hashlib.sha256(stem.encode()).hexdigest()[:16]}"
    return stem


_MAX_STEM = 180

_FIRST: dict[str | None, tuple[str, ...]] = {
    None: ("apiVersion", "kind", "metadata"),
    "metadata": ("name", "namespace", "labels", "annotations"),
    IN_LIST: ("name", "image"),
}


def _order(mapping: dict[str, Any], under: str | None) -> list[str]:
    """Return the keys in the order of Kubernetes: type, identity, then the rest by name."""
    first = _FIRST.get(under)
    if first is None:
        return sorted(mapping)
    known = [key for key in first if key in mapping]
    return known + sorted(key for key in mapping if key not in known)


def to_text(manifest: Manifest) -> str:
    """Return the canonical text of an object."""
    return manifest.verbatim or write(manifest.data, _order)


def to_files(manifests: Iterable[Manifest], namespace: str) -> dict[str, bytes]:
    """Return the canonical files of an app by their names.

    Charts and their subcharts may render the same CRD twice with the same text. Raises ManifestError for any other
    duplicate, and for an object above the size limit of files.
    """
    files: dict[str, bytes] = {}
    owners: dict[str, Manifest] = {}
    for manifest in manifests:
        name = file_name(manifest, namespace)
        other = owners.setdefault(name, manifest)
        text = to_text(manifest).encode()
        if other is not manifest and not (manifest.kind_name == DEFINITION and files[name] == text):
            raise _taken(name, other, manifest)
        files[name] = text
        if len(text) > MAX_FILE:
            raise ManifestError(
                f"{manifest}: its YAML has {len(text) / MEBI:.1f} MiB, the limit is {MAX_FILE // MEBI} MiB",
                where=manifest.place,
                hint="Kubernetes accepts no object above 1.5 MiB",
            )
    return files


def _taken(name: str, other: Manifest, manifest: Manifest) -> ManifestError:
    sources = " and ".join(dict.fromkeys(filter(None, (other.source, manifest.source))))
    origin = f", by {sources}" if sources else ""
    if other.identity == manifest.identity:
        return ManifestError(
            f"{manifest} is rendered twice{origin}", where=manifest.place, hint="delete one of the two, or rename it"
        )
    both = " and ".join(f"{taken.kind_name} {taken.name}" for taken in (other, manifest))
    return ManifestError(
        f"{both} need the same file, {name}{origin}",
        where=manifest.place,
        hint="a dash separates kind and name there: rename one of them",
    )
