"""Objects that are kept until others are there: their names, and all else in a tenth of the room."""

from __future__ import annotations

import json
import zlib
from sys import intern
from typing import TYPE_CHECKING

from headgate.objects.manifest import Manifest, ObjectName

if TYPE_CHECKING:
    from collections.abc import Sequence

# What came as JSON has no circles, and to look for them takes half of the time.
_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode


class PackedManifests:
    """The objects of an app in an environment: their names, and the rest, which is decoded each time it is asked for.

    What is known from JSON is equal after it was JSON again.
    """

    def __init__(self, manifests: Sequence[Manifest]) -> None:
        """Pack the objects."""
        self._words = tuple(
            tuple(map(intern, (manifest.group, manifest.kind, manifest.namespace, manifest.name, manifest.source)))
            for manifest in manifests
        )
        rest = [(manifest.data, manifest.verbatim, manifest.hook) for manifest in manifests]
        self._rest = zlib.compress(_encode(rest).encode("utf-8", "surrogatepass"), 1)

    @property
    def names(self) -> tuple[ObjectName, ...]:
        """Which objects they are."""
        return tuple(
            ObjectName(group=group, kind=kind, namespace=namespace, name=name, source=source)
            for group, kind, namespace, name, source in self._words
        )

    def unpack(self) -> tuple[Manifest, ...]:
        """Return the objects; new ones each time."""
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
