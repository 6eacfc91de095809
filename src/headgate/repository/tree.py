"""A snapshot of files by path: of a commit, of a folder on disk, or with changes on top. Nothing is checked out."""

from __future__ import annotations

import hashlib
import os
from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Protocol

from headgate.errors import Location, TooLargeError, UnsafeFileError
from headgate.repository.names import collision, is_gits_own, unportable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

MEBI = 1024 * 1024
MAX_FILE = 10 * MEBI
MAX_FOLDER = 50 * MEBI
MAX_FILES = 5000
MAX_DEPTH = 20
MAX_NAME = 200  # bytes: file systems take 255
MAX_PATH = 1000  # bytes: systems take 4,096, some build tools less, and the manifest repository adds a folder

REGULAR = "100644"
EXECUTABLE = "100755"
SYMLINK = "120000"
GITLINK = "160000"

Changes = dict[str, bytes | None]
"""What to write at which path; None removes."""


class Blob(Protocol):
    """The content of one file, read when it is needed."""

    @property
    def mode(self) -> str:
        """Git's mode: ``100644``, ``100755``, ``120000`` (symlink), ``160000`` (submodule)."""

    @property
    def oid(self) -> str:
        """Git's object id of the content."""

    @property
    def size(self) -> int:
        """Bytes."""

    def read(self) -> bytes:
        """Return the content."""


@dataclass(frozen=True)
class MemoryBlob:
    """A file whose content is at hand."""

    data: bytes
    mode: str = REGULAR

    @cached_property
    def oid(self) -> str:
        """Git's object id of the content."""
        return blob_id(self.data)

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.data)

    def read(self) -> bytes:
        """Return the content."""
        return self.data


@dataclass(frozen=True)
class DiskBlob:
    """A file of a working folder. ``known_oid`` is its object id where git knows that it did not change."""

    path: str
    mode: str
    size: int
    known_oid: str = ""

    @cached_property
    def oid(self) -> str:
        """Git's object id of the content."""
        return self.known_oid or blob_id(self.read())

    def read(self) -> bytes:
        """Return the content, as it lies on the disk; of a symlink its target."""
        if self.mode == SYMLINK:
            return os.fsencode(os.readlink(self.path))  # noqa: PTH115  thousands of them: Path is slow
        with open(self.path, "rb") as file:  # noqa: PTH123
            return file.read()


class Store(Protocol):
    """Where contents are kept, by object id. Asking for many at once costs about what one costs."""

    def measure(self, oids: Sequence[str]) -> Mapping[str, int]:
        """Return how many bytes each has, after fetching those that are not here."""

    def load(self, oids: Sequence[str]) -> Mapping[str, bytes]:
        """Return the contents of those that are not above `MAX_FILE`."""


class StoredBlob(NamedTuple):
    """A file of a commit. Its size and content come when they are needed, best for many at once (`read_ahead`).

    A tuple, since there are tens of thousands.
    """

    store: Store
    oid: str
    mode: str

    @property
    def size(self) -> int:
        """Bytes."""
        return 0 if self.mode == GITLINK else self.store.measure([self.oid])[self.oid]

    def read(self) -> bytes:
        """Return the content."""
        return self.store.load([self.oid])[self.oid]


def blob_id(data: bytes) -> str:
    """Return git's object id of a file with this content, as the manifest repository names its objects."""
    return object_id(b"blob", data)


def object_id(kind: bytes, data: bytes) -> str:
    """Return the id of an object: https://git-scm.com/docs/hash-function-transition."""
    return _hashes[-1](kind + b" %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def name_objects_as(example: str) -> None:
    """Name objects as the one in this example, a commit's id or git's word for it: by SHA-1, or by SHA-256.

    One run works on one manifest repository.
    """
    _hashes[:] = [hashlib.sha256 if example == "sha256" or len(example) == _LONG else hashlib.sha1]


def no_object() -> str:
    """Return the id of no object: zeros, as many as ids are long."""
    return "0" * (_hashes[-1]().digest_size * 2)


_LONG = hashlib.sha256().digest_size * 2
_hashes = [hashlib.sha1]


class Tree:
    """Files by path, sorted. Paths have no leading slash and use ``/``. Never changes."""

    def __init__(self, blobs: Mapping[str, Blob]) -> None:
        """Take the files as they are."""
        self._blobs = dict(sorted(blobs.items()))
        self._paths = list(self._blobs)
        self._folders: dict[str, Tree] = {}

    def __contains__(self, path: str) -> bool:
        """Whether there is a file at ``path``."""
        return path in self._blobs

    def __len__(self) -> int:
        """How many files there are."""
        return len(self._paths)

    def paths(self, folder: str = "") -> list[str]:
        """Return the full paths of all files below ``folder``, sorted."""
        if not folder:
            return self._paths
        start = bisect_left(self._paths, f"{folder}/")
        return self._paths[start : bisect_left(self._paths, f"{folder}0", start)]  # "0" follows "/"

    def read(self, path: str) -> bytes:
        """Return the content of a file.

        Raises KeyError when there is none, TooLargeError above the limit, UnsafeFileError for a submodule.
        """
        blob = self._blobs[path]
        if blob.mode == GITLINK:
            raise _submodule(Location(path))
        if blob.size > MAX_FILE:
            raise _too_large(path, blob.size)
        return blob.read()

    def blob(self, path: str) -> Blob:
        """Return the file at ``path``. Raises KeyError when there is none."""
        return self._blobs[path]

    def oid(self, path: str) -> str:
        """Return git's object id of a file's content; an empty string where there is no file."""
        return self._blobs[path].oid if path in self._blobs else ""

    def folder(self, folder: str) -> Tree:
        """Return what is below ``folder``, with paths from there: the same tree each time, so that its id is too."""
        if not folder:
            return self
        if folder not in self._folders:
            skip = len(folder) + 1
            self._folders[folder] = Tree({path[skip:]: self._blobs[path] for path in self.paths(folder)})
        return self._folders[folder]

    def only(self, paths: Iterable[str]) -> Tree:
        """Return the tree with some of its files."""
        return Tree({path: self._blobs[path] for path in paths})

    def joined(self, other: Tree) -> Tree:
        """Return the tree with the files of another one, which count where both have one."""
        return Tree({**self._blobs, **other._blobs})

    def with_changes(self, changes: Changes) -> Tree:
        """Return the tree with ``changes`` on top; a file keeps its mode."""
        blobs = {path: blob for path, blob in self._blobs.items() if path not in changes}
        for path, data in changes.items():
            if data is not None:
                mode = self._blobs[path].mode if path in self._blobs else REGULAR
                blobs[path] = MemoryBlob(data, mode)
        return Tree(blobs)

    @cached_property
    def id(self) -> str:
        """Identify the content: equal for equal paths, modes and bytes. Hexadecimal SHA-256."""
        lines = (f"{blob.mode} {blob.oid} {path}\n" for path, blob in self._blobs.items())
        return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def differing(old: Tree, new: Tree) -> list[str]:
    """Return the paths at which two trees hold different files, sorted."""

    def file(tree: Tree, path: str) -> tuple[str, str] | None:
        return (tree.blob(path).oid, tree.blob(path).mode) if path in tree else None

    return sorted(path for path in {*old.paths(), *new.paths()} if file(old, path) != file(new, path))


def _stored(blobs: Iterable[Blob]) -> list[tuple[Store, list[str]]]:
    """Return the object ids of those that lie in a store, by store. Links to other repositories have no content."""
    found: dict[int, tuple[Store, list[str]]] = {}
    for blob in blobs:
        if isinstance(blob, StoredBlob) and blob.mode != GITLINK:
            found.setdefault(id(blob.store), (blob.store, []))[1].append(blob.oid)
    return list(found.values())


def measure(blobs: Iterable[Blob]) -> None:
    """Let the sizes of all be known at once."""
    for store, oids in _stored(blobs):
        store.measure(oids)


def read_ahead(blobs: Iterable[Blob]) -> None:
    """Let the contents of all be here at once, but for those above `MAX_FILE`, which nobody may read."""
    for store, oids in _stored(blobs):
        store.load(oids)


def prefetch(tree: Tree, names: Iterable[str] = ("",)) -> None:
    """Let the contents of all files below these folders, or of these names, be here at once; most will be needed."""
    read_ahead(tree.blob(path) for name in names for path in ([name] if name in tree else tree.paths(name)))


def check_input(tree: Tree, label: str, *, arrives: bool = False) -> None:
    """Refuse what an engine must not see, before anything of it is read. What is not refused is read at once.

    ``label`` is the folder's name in messages. ``arrives``: it is about to be committed, so every checkout must be
    able to hold it. Raises UnsafeFileError for symlinks, submodules, git's own files, paths that leave the folder
    and names that a checkout cannot hold, TooLargeError above a limit.
    """
    if len(tree) > MAX_FILES:
        raise TooLargeError(f"{len(tree)} files, at most {MAX_FILES} are read", where=Location(label))
    blobs = {path: tree.blob(path) for path in tree.paths()}
    for path, blob in blobs.items():
        _check_path(path, blob.mode, label)
    if arrives:
        _check_portable(tree.paths(), label)
    measure(blobs.values())
    _check_sizes(blobs, label)
    read_ahead(blobs.values())


def _check_sizes(blobs: Mapping[str, Blob], label: str) -> None:
    total = 0
    for path, blob in blobs.items():
        if blob.size > MAX_FILE:
            raise _too_large(f"{label}/{path}", blob.size)
        total += blob.size
    if total > MAX_FOLDER:
        raise TooLargeError(
            f"{total / MEBI:.0f} MiB in all, at most {MAX_FOLDER // MEBI} MiB are read", where=Location(label)
        )


def safe_files(tree: Tree) -> Tree:
    """Return the tree without the files that `check_input` refuses, which concern only who uses them."""
    safe: dict[str, Blob] = {}
    measure(tree.blob(path) for path in tree.paths())
    for path in tree.paths():
        blob = tree.blob(path)
        try:
            _check_path(path, blob.mode, "")
        except (UnsafeFileError, TooLargeError):
            continue
        if blob.size <= MAX_FILE:
            safe[path] = blob
    return Tree(safe)


def _check_path(path: str, mode: str, label: str) -> None:
    where = Location(f"{label}/{path}")
    parts = path.split("/")
    if mode not in (REGULAR, EXECUTABLE):
        raise _symlink(where) if mode == SYMLINK else _submodule(where)
    if any(part in ("", ".", "..") or "\\" in part or not part.isprintable() for part in parts):
        raise UnsafeFileError("a path that could leave its folder", where=where, hint="rename the file")
    if any(is_gits_own(part) for part in parts):
        raise UnsafeFileError(
            "a file that steers git, at least on some systems, and would do so in the manifest repository",
            where=where,
            hint="remove it from this folder",
        )
    if max(len(_raw(part)) for part in parts) > MAX_NAME or len(_raw(path)) > MAX_PATH:
        raise TooLargeError(
            f"a name above {MAX_NAME} bytes or a path above {MAX_PATH}, which not every checkout could hold",
            where=Location(f"{label}/{path[:MAX_NAME]}..."),
            hint="rename the file",
        )
    if len(parts) > MAX_DEPTH:
        raise TooLargeError(f"nested deeper than {MAX_DEPTH} folders", where=where)


def _check_portable(paths: Sequence[str], label: str) -> None:
    for path in paths:
        reasons = [f"its part {part!r} {reason}" for part in path.split("/") if (reason := unportable(part))]
        if reasons:
            raise UnsafeFileError(
                f"a name that not every checkout could hold: {reasons[0]}",
                where=Location(f"{label}/{path}"),
                hint="rename the file",
            )
    found = collision(paths)
    if found:
        raise UnsafeFileError(
            f"a name that differs only by case or by the spelling of Unicode from {label}/{found[0]}, "
            "so some checkouts could hold only one of them",
            where=Location(f"{label}/{found[1]}"),
            hint="rename one of them",
        )


def _raw(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def _symlink(where: Location) -> UnsafeFileError:
    return UnsafeFileError("a symlink, which is never followed", where=where, hint="put the file itself in its place")


def _submodule(where: Location) -> UnsafeFileError:
    return UnsafeFileError("a submodule, which is never followed", where=where, hint="put its files in its place")


def _too_large(path: str, size: int) -> TooLargeError:
    return TooLargeError(
        f"{size / MEBI:.1f} MiB, a file may have {MAX_FILE // MEBI} MiB",
        where=Location(path),
        hint="Kubernetes takes no object above 1.5 MiB; keep other files out of this folder",
    )


def write_files(tree: Tree, folder: Path) -> None:
    """Write a checked tree to a folder on disk."""
    for path in tree.paths():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(tree.read(path))
