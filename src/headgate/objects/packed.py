"""Objects that are kept until others are there: of many their names, and all else in a tenth of the room."""

from __future__ import annotations

import json
import weakref
import zlib
from collections import deque
from sys import intern
from typing import TYPE_CHECKING

from headgate.objects.manifest import Manifest, ObjectName

if TYPE_CHECKING:
    from collections.abc import Sequence

# What came as JSON has no circles, and to look for them takes half of the time.
_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode


MAX_UNPACKED = 4_000_000
"""So many bytes of final YAML are kept unpacked, the latest of all: those of a few hundred app-environments."""


class PackedManifests:
    """The objects of an app in an environment; nothing may change them.

    Where there are many of them, they are kept as their names and the rest, which is decoded each time it is asked for.
    What is known from JSON is equal after it was JSON again.
    """

    def __init__(self, manifests: Sequence[Manifest], size: int) -> None:
        """Keep the objects, whose final YAML has so many bytes."""
        self._whole: tuple[Manifest, ...] | None = tuple(manifests)
        self._words: tuple[tuple[str, ...], ...] = ()
        self._rest = b""
        _unpacked.add(self, size)

    def pack(self) -> None:
        """Keep the objects in less room from here on."""
        if self._whole is None:
            return
        self._words = tuple(
            tuple(map(intern, (manifest.group, manifest.kind, manifest.namespace, manifest.name, manifest.source)))
            for manifest in self._whole
        )
        rest = [(manifest.data, manifest.verbatim, manifest.hook) for manifest in self._whole]
        self._rest = zlib.compress(_encode(rest).encode("utf-8", "surrogatepass"), 1)
        self._whole = None

    @property
    def names(self) -> tuple[ObjectName, ...]:
        """Which objects they are."""
        if self._whole is not None:
            return self._whole
        return tuple(
            ObjectName(group=group, kind=kind, namespace=namespace, name=name, source=source)
            for group, kind, namespace, name, source in self._words
        )

    def unpack(self) -> tuple[Manifest, ...]:
        """Return the objects."""
        if self._whole is not None:
            return self._whole
        rest = json.loads(zlib.decompress(self._rest).decode("utf-8", "surrogatepass"))
        return tuple(
            Manifest(
                group=group,
                kind=kind,
                namespace=namespace,
                name=name,
                source=source,
                data=data,
                verbatim=verbatim,
                hook=tuple(hook),
            )
            for (group, kind, namespace, name, source), (data, verbatim, hook) in zip(self._words, rest, strict=True)
        )


class _Unpacked:
    """What is not packed yet, the oldest first."""

    def __init__(self) -> None:
        self._all: deque[tuple[weakref.ref[PackedManifests], int]] = deque()
        self._size = 0

    def add(self, manifests: PackedManifests, size: int) -> None:
        """Keep these unpacked, and pack the oldest ones where that is too much."""
        self._all.append((weakref.ref(manifests), size))
        self._size += size
        while self._size > MAX_UNPACKED:
            oldest, size = self._all.popleft()
            self._size -= size
            packed = oldest()
            if packed is not None:
                packed.pack()


_unpacked = _Unpacked()
