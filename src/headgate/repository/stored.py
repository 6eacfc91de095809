"""The files of a commit, listed folder by folder as they are looked up: a run needs few of hundreds of thousands."""

from __future__ import annotations

import os
import re
from functools import cache
from typing import TYPE_CHECKING, Generic, Protocol

from headgate.repository.listing import Item, Listed, parents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

FOLDER = b"40000"
"""The mode of a folder in a folder."""
_Entry = tuple[bytes, bytes]
"""Mode and id."""


class TreeStore(Protocol):
    """Folders as git stores them. A batch costs about as much as one of them."""

    def trees(self, oids: Sequence[str]) -> Mapping[str, bytes]:
        """Return folders by their ids."""


class StoredListing(Generic[Item]):
    """The files below a stored folder."""

    def __init__(
        self, store: TreeStore, oid: str, item: Callable[[str, str], Item], everything: Callable[[], Mapping[str, Item]]
    ) -> None:
        """Read nothing yet. ``item`` makes a file of its mode and id; ``everything`` lists all files at once."""
        self._item, self._everything = item, everything
        self._folders: dict[str, dict[bytes, _Entry]] = {}
        self._found: dict[str, _Entry] = {}
        self.store, self.root = store, oid
        self._all: Listed[Item] | None = None
        self._paths: dict[str, list[str]] = {}

    def get(self, path: str) -> Item | None:
        """Return the file at a path."""
        if self._all is not None:
            return self._all.get(path)
        folder, _, name = path.rpartition("/")
        mode, oid = self._found.get(path) or self._entries(folder).get(os.fsencode(name), (FOLDER, b""))
        return None if mode == FOLDER else self._item(mode.decode(), oid.hex())

    def paths(self, folder: str) -> list[str]:
        """Return the paths below a folder: of the whole by one listing, of others folder by folder."""
        if not folder and self._all is None:
            self._all = Listed(self._everything())
            self._folders, self._found, self._paths = {}, {}, {}  # no longer needed
        if self._all is not None:
            return self._all.paths(folder)
        if folder not in self._paths:
            self._read_below([folder])
            self._paths[folder] = sorted(self._walk(folder))
        return self._paths[folder]

    def outermost(self, name: str, folder: str) -> list[str]:
        """Return the outermost folders with a file of this name. What is inside of these is not read."""
        if self._all is not None:
            return self._all.outermost(name, folder)
        entry, found = _entry_pattern(os.fsencode(name), len(self.root) // 2), dict[str, _Entry]()
        level = self._inside([folder] if self._entries(folder) else [])
        while level:
            stored = self._stored(level)
            found |= {place: (match[1], match[2]) for place in level if (match := entry.match(stored[place]))}
            others = [place for place in level if place not in found]
            self._keep({place: stored[place] for place in others})
            level = self._inside(others)
        self._found |= {f"{place}/{name}": file for place, file in found.items()}
        return sorted(found)

    def look_up(self, names: Iterable[str]) -> None:
        """Read the folders of all names together, level by level, then what is below those that are folders."""
        if self._all is not None:
            return
        known = [name for name in names if name not in self._found]
        self._read_down({folder for name in known for folder in parents(name)})
        self._read_below([name for name in known if name and self._oid(name)])

    def _walk(self, folder: str) -> Iterable[str]:
        for name, (mode, _) in self._folders.get(folder, {}).items():
            path = f"{folder}/{os.fsdecode(name)}"
            if mode == FOLDER:
                yield from self._walk(path)
            else:
                yield path

    def _entries(self, folder: str) -> Mapping[bytes, _Entry]:
        if folder not in self._folders:
            self._read_down({*parents(folder), folder})
        return self._folders[folder]

    def _read_down(self, folders: set[str]) -> None:
        """Read folders and those that they are in, which must be among them."""
        self._read({"": self.root})
        unread = [folder for folder in folders if folder not in self._folders]
        for depth in sorted({folder.count("/") for folder in unread}):
            self._read({folder: self._oid(folder) for folder in unread if folder.count("/") == depth})

    def _read_below(self, folders: Sequence[str]) -> None:
        self._read_down({place for folder in folders for place in (*parents(folder), folder)})
        level = self._inside(folders)
        while level:
            self._read(level)
            level = self._inside(level)

    def _inside(self, folders: Iterable[str]) -> dict[str, str]:
        """Return the folders in these folders, which have been read, with their ids."""
        return {
            f"{folder}/{os.fsdecode(name)}" if folder else os.fsdecode(name): oid.hex()
            for folder in folders
            for name, (mode, oid) in self._folders[folder].items()
            if mode == FOLDER
        }

    def _oid(self, folder: str) -> str:
        """Return the id of a folder, of which the one above has been read; empty when there is none."""
        if not folder:
            return self.root
        above, _, name = folder.rpartition("/")
        mode, oid = self._folders.get(above, {}).get(os.fsencode(name), (b"", b""))
        return oid.hex() if mode == FOLDER else ""

    def _read(self, oids: Mapping[str, str]) -> None:
        unread = {folder: oid for folder, oid in oids.items() if folder not in self._folders}
        if unread:
            self._keep(self._stored(unread))

    def _stored(self, oids: Mapping[str, str]) -> dict[str, bytes]:
        """Return folders of these ids as git stores them; the empty id is that of no folder."""
        stored = self.store.trees([oid for oid in oids.values() if oid])
        return {folder: stored[oid] if oid else b"" for folder, oid in oids.items()}

    def _keep(self, stored: Mapping[str, bytes]) -> None:
        size = len(self.root) // 2
        self._folders.update((folder, entries_of(data, size)) for folder, data in stored.items())


def entries_of(data: bytes, size: int) -> dict[bytes, _Entry]:
    """Read a folder as git stores it, with ids of so many bytes."""
    return {name: (mode, oid) for mode, name, oid in _pattern(size).findall(data)}


@cache
def _pattern(size: int) -> re.Pattern[bytes]:
    # https://git-scm.com/book/en/v2/Git-Internals-Git-Objects
    return re.compile(rb"(\d+) ([^\0]+)\0(.{%d})" % size, re.DOTALL)


@cache
def _entry_pattern(name: bytes, size: int) -> re.Pattern[bytes]:
    """Match a folder up to its file of this name, which is quicker than to read all that is in it."""
    before = rb"(?:\d++ [^\0]++\0.{%d})*?" % size
    return re.compile(before + rb"(?!40000)(\d++) %s\0(.{%d})" % (re.escape(name), size), re.DOTALL)


_Pair = tuple[str, str, str]
"""A folder's path, and its ids before and after; an empty id where there is no such folder."""


def differing_files(store: TreeStore, old: str, new: str) -> dict[str, str]:
    """Return the files that differ between two stored folders, with the new blob's id; zeros for a removed file.

    Only the folders that differ are read.
    """
    changed: dict[str, str] = {}
    level = [("", old, new)] if old != new else []
    while level:
        level = _differing_level(store, level, changed)
    return changed


def _differing_level(store: TreeStore, pairs: list[_Pair], changed: dict[str, str]) -> list[_Pair]:
    """Note the files that differ between pairs of folders, and return the folders inside that differ."""
    stored = store.trees([oid for _, *both in pairs for oid in both if oid])
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
