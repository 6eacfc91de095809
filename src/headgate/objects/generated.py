"""Names that a tool generates from what an object holds, so that every change of it is another object. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from headgate.objects.manifest import Manifest

Pair = tuple[str, "Manifest | None", "Manifest | None"]
"""A file's name, and its object before and after."""

_HASHED = ("ConfigMap", "Secret")
_SUFFIXED = ("Job.batch", "Pod")
_SUFFIX = re.compile(r"-[0-9a-f]{8}")
"""What `hooks.with_suffixes` appends."""
_HASH = re.compile(r"-[2456789bcdfghkmt]{10}")
"""What Kustomize's generators append: https://github.com/kubernetes-sigs/kustomize/blob/master/api/hasher/hasher.go."""


def stem_of(manifest: Manifest) -> str:
    """Return the name of a ConfigMap, Secret or hook without what was generated; empty where nothing was."""
    for kinds, pattern, length in ((_HASHED, _HASH, 11), (_SUFFIXED, _SUFFIX, 9)):
        head, tail = manifest.name[:-length], manifest.name[-length:]
        if manifest.kind_name in kinds and head and pattern.fullmatch(tail):
            return head
    return ""


def without_hashes(text: str) -> str:
    """Return a text with every generated part of a name replaced by the same mark, so that equal names compare."""
    return _HASH_AT_END.sub("-*", text) if "-" in text else text


_HASH_AT_END = re.compile(rf"{_HASH.pattern}(?![a-z0-9-])")


def paired_by_stem(pairs: Iterable[Pair]) -> Iterator[Pair]:
    """Yield the pairs, those of a removed and an added object of the same stem joined to a change of one object.

    They are joined only where the stem says which belong together: one of each. The file is the new one's.
    """
    found = list(pairs)
    stems: dict[tuple[str, str, str], list[Pair]] = defaultdict(list)
    for pair in found:
        known = pair[2] if pair[1] is None else pair[1] if pair[2] is None else None
        if known is not None and (stem := stem_of(known)):
            stems[known.kind, known.namespace, stem].append(pair)
    gone: dict[str, Manifest] = {}
    joined: set[str] = set()
    for same in stems.values():
        removed, added = [pair for pair in same if pair[1]], [pair for pair in same if pair[2]]
        if len(removed) == len(added) == 1 and removed[0][1] is not None:
            gone[added[0][0]] = removed[0][1]
            joined.add(removed[0][0])
    yield from ((name, gone.get(name, old), new) for name, old, new in found if name not in joined)
