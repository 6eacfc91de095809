"""Contents of files that are in memory: those that were read last, as many as there is room for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_ROOM = 32 * 1024 * 1024
_OVERHEAD = 200
"""What Python needs for a file, beside its bytes."""


class HeldContents(dict[str, bytes]):
    """Contents by the ids of their objects, of a repository that may have more of them than memory holds."""

    _room = _ROOM

    def with_more(self, contents: Mapping[str, bytes], wanted: Collection[str]) -> Mapping[str, bytes]:
        """Hold more, and forget what was read longest ago where there is no room for both; return what is wanted."""
        self._room -= sum(len(content) + _OVERHEAD for content in contents.values())
        known = {oid: self[oid] for oid in wanted if oid in self}
        while self._room < 0 and self:
            self._room += len(self.pop(next(iter(self)))) + _OVERHEAD
        self.update(contents)
        return {**known, **contents}
