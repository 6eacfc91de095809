"""The objects of final YAML. A text is read once, however many steps and environments use it. Pure."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from headgate.engine import reading
from headgate.errors import HeadgateError
from headgate.memo import Memo
from headgate.objects.manifest import Manifest, manifests
from headgate.repository.tree import MEBI

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_read: Memo[bytes, tuple[Manifest, ...]] = Memo(4 * MEBI)
"""Objects by their text. They take about ten times its memory."""


def read_ahead(files: Iterable[tuple[str, bytes]]) -> None:
    """Read files, by their paths, many at once. Until the next call, `objects_of` knows all that are valid."""
    _read.make_room()
    fresh = {text: path for path, text in files if _read.find(text) is None}
    reading.read_objects_ahead((path, text) for text, path in fresh.items())
    for text, path in fresh.items():
        with suppress(HeadgateError):  # `objects_of` raises it
            _read.keep(text, tuple(manifests(reading.objects(text, path))), len(text))


def rendered(text: bytes, manifest: Manifest) -> None:
    """Remember the object that a text was written from, which equals what would be read from it."""
    if not _read.is_full:
        _read.keep(text, (replace(manifest, hook=()) if manifest.hook else manifest,), len(text))


def forget() -> None:
    """Forget what was read, to free memory."""
    _read.forget()


def objects_of(path: str, text: bytes) -> tuple[Manifest, ...]:
    """Return the objects in a file. They are shared: nobody may change them. Raises HeadgateError."""
    found = _read.find(text)
    if found is None:
        found = tuple(manifests(reading.objects(text, path)))
        if not _read.is_full:
            _read.keep(text, found, len(text))
    return found if all(manifest.source == path for manifest in found) else tuple(_from(path, found))


def _from(path: str, found: Iterable[Manifest]) -> Iterator[Manifest]:
    """Yield the same objects of another file."""
    for manifest in found:
        yield Manifest(
            group=manifest.group,
            kind=manifest.kind,
            namespace=manifest.namespace,
            name=manifest.name,
            source=path,
            data=manifest.data,
            verbatim=manifest.verbatim,
            hook=manifest.hook,
        )
