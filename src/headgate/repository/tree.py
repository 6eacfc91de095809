"""A snapshot of files by path: of a commit, of a folder on disk, or with changes on top. Checks nothing out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Protocol

from headgate.errors import Location, TooLargeError, UnsafeFileError
from headgate.records import frozen_record
from headgate.repository.listing import Changed, Listed
from headgate.repository.stored import StoredListing, differing_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from headgate.repository.listing import Listing

MEBI = 1024 * 1024
MAX_FILE = 10 * MEBI
MAX_FOLDER = 50 * MEBI
MAX_FILES = 5000

REGULAR = "100644"
EXECUTABLE = "100755"
SYMLINK = "120000"
GITLINK = "160000"

Changes = dict[str, bytes | None]
"""New contents by path; None removes the file."""


class Blob(Protocol):
    """The content of one file, read on demand."""

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


@frozen_record(kw_only=False)
class MemoryBlob:
    """A file in memory."""

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


class Store(Protocol):
    """Contents by object id. A batch costs about as much as one object."""

    def measure(self, oids: Sequence[str]) -> Mapping[str, int]:
        """Return the sizes in bytes, after fetching missing objects."""

    def load(self, oids: Sequence[str]) -> Mapping[str, bytes]:
        """Return the contents of objects up to `MAX_FILE`."""


class StoredBlob(NamedTuple):
    """A file of a commit. Its size and content load on demand, best in a batch (`read_ahead`).

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
    """Return git's object id of a file, by the manifest repository's hash function."""
    return object_id(b"blob", data)


def object_id(kind: bytes, data: bytes) -> str:
    """Return the id of an object: https://git-scm.com/docs/hash-function-transition."""
    return _hashes[-1](kind + b" %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def name_objects_as(example: str) -> None:
    """Use the hash function of an example: ``sha1``, ``sha256`` or an object's id. It holds for the whole run."""
    _hashes[:] = [hashlib.sha256 if example == "sha256" or len(example) == _LONG else hashlib.sha1]


def no_object() -> str:
    """Return git's null id: zeros in the length of an object id."""
    return "0" * (_hashes[-1]().digest_size * 2)


_LONG = hashlib.sha256().digest_size * 2
_hashes = [hashlib.sha1]


class Tree:
    """Files by path, sorted. Paths have no leading slash and use ``/``. Immutable."""

    def __init__(self, files: Mapping[str, Blob] | Listing[Blob]) -> None:
        """Take the files by path, or what lists them."""
        self._files: Listing[Blob] = Listed(files) if isinstance(files, Mapping) else files
        self.stored = files if isinstance(files, StoredListing) else None
        self._folders: dict[str, Tree] = {}
        self._outermost: dict[tuple[str, str], list[str]] = {}
        self._loaded: set[str] = set()

    def __contains__(self, path: str) -> bool:
        """Whether there is a file at ``path``."""
        return self._files.get(path) is not None

    def __len__(self) -> int:
        """How many files there are."""
        return len(self.paths())

    def paths(self, folder: str = "") -> list[str]:
        """Return the full paths of all files below ``folder``, sorted."""
        return self._files.paths(folder)

    def outermost(self, name: str, folder: str) -> list[str]:
        """Return the folders below ``folder`` that hold a file ``name``, except those inside another one of them."""
        if (name, folder) not in self._outermost:
            self._outermost[name, folder] = self._files.outermost(name, folder)
        return self._outermost[name, folder]

    def look_up(self, names: Iterable[str]) -> None:
        """Learn which files there are at these paths and below these folders, all together."""
        self._files.look_up(names)

    def load(self, names: Iterable[str]) -> None:
        """Load the contents of files at these paths and of all below these folders, in one batch."""
        fresh = [name for name in names if name not in self._loaded]
        if not fresh:
            return
        self._loaded.update(fresh)
        read_ahead(self._at_or_below(fresh))

    def texts(self, paths: Iterable[str]) -> dict[str, bytes]:
        """Return the contents of those of these files that are stored and not too large, in one batch."""
        blobs = {path: blob for path in paths if isinstance(blob := self._files.get(path), StoredBlob)}
        contents = read_ahead(blobs.values())
        return {path: contents[blob.oid] for path, blob in blobs.items() if blob.oid in contents}

    def fetch(self, names: Sequence[str]) -> None:
        """Fetch the same in one batch, so that `load` asks no remote."""
        measure(self._at_or_below(names))

    def _at_or_below(self, names: Sequence[str]) -> Iterator[Blob]:
        self.look_up(names)
        found = [(name, self._files.get(name)) for name in names]
        return (blob for name, file in found for blob in ([file] if file else map(self.blob, self.paths(name))))

    def read(self, path: str) -> bytes:
        """Return the content of a file.

        Raises KeyError when there is none, TooLargeError above the limit, UnsafeFileError for a submodule.
        """
        blob = self.blob(path)
        if blob.mode == GITLINK:
            raise submodule_error(Location(path))
        if blob.size > MAX_FILE:
            raise too_large_error(path, blob.size)
        return blob.read()

    def find(self, path: str) -> Blob | None:
        """Return the file at ``path``, if there is one."""
        return self._files.get(path)

    def blob(self, path: str) -> Blob:
        """Return the file at ``path``. Raises KeyError when there is none."""
        blob = self._files.get(path)
        if blob is None:
            raise KeyError(path)
        return blob

    def oid(self, path: str) -> str:
        """Return git's object id of a file, or an empty string when there is none."""
        blob = self._files.get(path)
        return "" if blob is None else blob.oid

    def folder(self, folder: str) -> Tree:
        """Return the files below ``folder``, with paths from there. The trees are cached, with their ids."""
        if not folder:
            return self
        if folder not in self._folders:
            skip = len(folder) + 1
            self._folders[folder] = Tree({path[skip:]: self.blob(path) for path in self.paths(folder)})
        return self._folders[folder]

    def only(self, paths: Iterable[str]) -> Tree:
        """Return the tree with some of its files."""
        return Tree({path: self.blob(path) for path in paths})

    def joined(self, other: Tree) -> Tree:
        """Return the tree with the files of another one, which win where both have a file."""
        blobs: dict[str, Blob | None] = {path: other.blob(path) for path in other.paths()}
        return Tree(Changed(self._files, blobs))

    def with_changes(self, changes: Changes) -> Tree:
        """Return the tree with ``changes`` on top; files keep their modes."""
        blobs: dict[str, Blob | None] = dict.fromkeys(changes)
        for path, data in changes.items():
            if data is not None:
                before = self._files.get(path)
                blobs[path] = MemoryBlob(data, before.mode if before is not None else REGULAR)
        return Tree(Changed(self._files, blobs))

    @cached_property
    def id(self) -> str:
        """SHA-256 of all paths, modes and contents, in hexadecimal."""
        blobs = ((path, self.blob(path)) for path in self.paths())
        lines = (f"{blob.mode} {blob.oid} {path}\n" for path, blob in blobs)
        return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def differing(old: Tree, new: Tree) -> list[str]:
    """Return the paths whose files differ between two trees, sorted."""
    if old.stored and new.stored and old.stored.store is new.stored.store:
        return sorted(differing_files(new.stored.store, old.stored.root, new.stored.root))

    def file(blob: Blob | None) -> tuple[str, str] | None:
        return (blob.oid, blob.mode) if blob is not None else None

    pairs = ((path, old.find(path), new.find(path)) for path in {*old.paths(), *new.paths()})
    return sorted(path for path, before, after in pairs if file(before) != file(after))


def _stored(blobs: Iterable[Blob]) -> list[tuple[Store, list[str]]]:
    """Return the object ids of stored blobs by store, without submodules, which have no content."""
    stores: dict[int, tuple[Store, list[str]]] = {}
    for blob in blobs:
        if isinstance(blob, StoredBlob) and blob.mode != GITLINK:
            stores.setdefault(id(blob.store), (blob.store, []))[1].append(blob.oid)
    return list(stores.values())


def measure(blobs: Iterable[Blob]) -> None:
    """Load the sizes of blobs in one batch."""
    for store, oids in _stored(blobs):
        store.measure(oids)


def read_ahead(blobs: Iterable[Blob]) -> dict[str, bytes]:
    """Load the contents of stored blobs up to `MAX_FILE` in one batch; return them by their ids."""
    contents: dict[str, bytes] = {}
    for store, oids in _stored(blobs):
        contents |= store.load(oids)
    return contents


def prefetch(tree: Tree, names: Iterable[str] = ("",)) -> None:
    """Load the contents of these files, and of all files below these folders, in one batch."""
    tree.load(names)


def submodule_error(where: Location) -> UnsafeFileError:
    """Return the error about a submodule in the input."""
    return UnsafeFileError("a submodule, which is never followed", where=where, hint="replace it with its files")


def too_large_error(path: str, size: int) -> TooLargeError:
    """Return the error about a file above `MAX_FILE`."""
    return TooLargeError(
        f"{size / MEBI:.1f} MiB, the limit for a file is {MAX_FILE // MEBI} MiB",
        where=Location(path),
        hint="Kubernetes takes no object above 1.5 MiB; keep other files out of this folder",
    )
