"""Which files there are, and what each is: all known at once, or with changes on top of others. Pure."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Item = TypeVar("Item")
Item_co = TypeVar("Item_co", covariant=True)


class Listing(Protocol[Item_co]):
    """Files by path. It may learn of them folder by folder, when it is asked."""

    def get(self, path: str) -> Item_co | None:
        """Return the file at a path."""

    def paths(self, folder: str) -> list[str]:
        """Return the full paths of all files below a folder, sorted; an empty folder is the whole."""

    def outermost(self, name: str, folder: str) -> list[str]:
        """Return the folders below a folder that hold a file of this name, sorted, without those inside another."""

    def look_up(self, names: Iterable[str]) -> None:
        """Learn of these files, and of all below these folders, by as few steps as possible."""


class Listed(Generic[Item]):
    """Files that are all known."""

    def __init__(self, files: Mapping[str, Item]) -> None:
        """Sort the files by path."""
        self._files = dict(sorted(files.items()))
        self._paths = list(self._files)

    def get(self, path: str) -> Item | None:
        """Return the file at a path."""
        return self._files.get(path)

    def paths(self, folder: str) -> list[str]:
        """Return the paths below a folder."""
        return within(self._paths, folder)

    def outermost(self, name: str, folder: str) -> list[str]:
        """Return the outermost folders with a file of this name."""
        return outermost([path for path in self.paths(folder) if path.endswith(f"/{name}")], folder)

    def look_up(self, names: Iterable[str]) -> None:
        """Do nothing, since all is known."""


class Changed(Generic[Item]):
    """Files with changes on top: an item replaces or adds one, None removes it."""

    def __init__(self, below: Listing[Item], changes: Mapping[str, Item | None]) -> None:
        """Lay the changes on what is below."""
        self._below, self._changes = below, changes
        self._paths = sorted(changes)
        self._joined: dict[str, list[str]] = {}

    def get(self, path: str) -> Item | None:
        """Return the file at a path."""
        return self._changes[path] if path in self._changes else self._below.get(path)

    def paths(self, folder: str) -> list[str]:
        """Return the paths below a folder."""
        changed = within(self._paths, folder)
        if not changed:
            return self._below.paths(folder)
        if folder not in self._joined:
            kept = [path for path in self._below.paths(folder) if path not in self._changes]
            self._joined[folder] = sorted(kept + [path for path in changed if self._changes[path] is not None])
        return self._joined[folder]

    def outermost(self, name: str, folder: str) -> list[str]:
        """Return the outermost folders with a file of this name."""
        changed = [path for path in within(self._paths, folder) if path.endswith(f"/{name}")]
        if any(self._changes[path] is None for path in changed):  # what was inside of another one may not be any more
            return outermost([path for path in self.paths(folder) if path.endswith(f"/{name}")], folder)
        found = self._below.outermost(name, folder)
        return outermost({*changed, *(f"{place}/{name}" for place in found)}, folder) if changed else found

    def look_up(self, names: Iterable[str]) -> None:
        """Learn of what is below."""
        self._below.look_up(names)


def within(paths: list[str], folder: str) -> list[str]:
    """Return those of sorted paths that are below a folder."""
    if not folder:
        return paths
    start = bisect_left(paths, f"{folder}/")
    return paths[start : bisect_left(paths, f"{folder}0", start)]  # "0" follows "/"


def outermost(files: Iterable[str], folder: str) -> list[str]:
    """Return the folders of files below a folder, sorted, without those inside another one of them."""
    found: set[str] = set()
    for path in sorted(files, key=lambda path: (path.count("/"), path)):
        place = path.rpartition("/")[0]
        if place != folder and not any(above in found for above in parents(place)):
            found.add(place)
    return sorted(found)


def parents(path: str) -> Sequence[str]:
    """Return the folders that a path is in, the outermost first; never the empty one."""
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]
