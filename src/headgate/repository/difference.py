"""What differs between two commits: their folders are compared, and only those that differ are read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from headgate.errors import GitError
from headgate.repository.stored import FOLDER, entries_of

if TYPE_CHECKING:
    from headgate.repository.git import Repository

_Pair = tuple[str, str, str]
"""A folder's path, and its ids before and after; an empty id where there is no such folder."""


def changed_files(repository: Repository, old: str, new: str) -> dict[str, str]:
    """Return the files that differ between two commits, with the new blob's id; zeros for a removed file."""
    before, after = (_tree(repository, commit) for commit in (old, new))
    changed: dict[str, str] = {}
    level = [("", before, after)] if before != after else []
    while level:
        level = _read_level(repository, level, changed)
    return changed


def same_tree(repository: Repository, first: str, second: str) -> bool:
    """Whether two commits hold the same files."""
    old, new = repository.resolve(f"{first}^{{tree}}", f"{second}^{{tree}}")
    return old != "" and old == new


def _tree(repository: Repository, commit: str) -> str:
    (tree,) = repository.resolve(f"{commit}^{{tree}}")
    if not tree:
        raise GitError(f"commit {commit} not found")
    return tree


def _read_level(repository: Repository, pairs: list[_Pair], changed: dict[str, str]) -> list[_Pair]:
    """Note the files that differ between pairs of folders, and return the folders inside that differ."""
    stored = repository.trees([oid for _, *both in pairs for oid in both if oid])
    inside: list[_Pair] = []
    for path, *both in pairs:
        old, new = (entries_of(stored[oid], len(oid) // 2) if oid else {} for oid in both)
        for name in {**old, **new}:
            before, after = old.get(name, _NOTHING), new.get(name, _NOTHING)
            if before == after:
                continue
            place = path + os.fsdecode(name)
            folders = [oid.hex() if mode == FOLDER else "" for mode, oid in (before, after)]
            if any(folders):
                inside.append((f"{place}/", folders[0], folders[1]))
            if after[0] not in (FOLDER, b""):
                changed[place] = after[1].hex()
            elif before[0] not in (FOLDER, b""):
                changed[place] = "0" * len(before[1].hex())
    return inside


_NOTHING = (b"", b"")
