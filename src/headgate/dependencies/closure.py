"""The files and remote bases that a kustomization builds on. Pure."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from headgate.dependencies.kustomization import FOLDER_FIELDS, PLUGIN_FIELDS, file_in, read_kustomization
from headgate.engine.reading import documents
from headgate.errors import ConfigError, Location, TooLargeError
from headgate.records import frozen_record
from headgate.repository.tree import prefetch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from headgate.dependencies.bases import RemoteBase
    from headgate.repository.tree import Tree

_MAX_FOLDERS = 200


@frozen_record(kw_only=False)
class Closure:
    """Files of the tree, remote bases, and entries that leave the tree."""

    files: frozenset[str]
    remote: tuple[tuple[RemoteBase, Location], ...]
    outside: tuple[tuple[str, Location], ...]


def closure(tree: Tree, roots: Iterable[str], named: Callable[[str], str], owner: str) -> Closure:
    """Follow kustomizations through a tree of the app ``owner``. ``named`` names a path in messages.

    Ignores missing files, which a render reports. Raises YamlError, RenderError for an invalid kustomization,
    ConfigError for a base without a commit, TooLargeError above a limit.
    """
    walk = _Walk(tree, named, owner)
    seen: set[str] = set()
    folders = list(roots)
    while folders:
        fresh = [folder for folder in dict.fromkeys(folders) if folder not in seen and file_in(tree, folder)]
        seen.update(fresh)
        if len(seen) > _MAX_FOLDERS:
            raise TooLargeError(f"more than {_MAX_FOLDERS} kustomizations", where=Location(named(fresh[0])))
        prefetch(tree, [file_in(tree, folder) for folder in fresh])
        folders = [entry for folder in fresh for entry in walk.read(folder)]
    return Closure(frozenset(walk.files), tuple(walk.remote.items()), tuple(walk.outside.items()))


class _Walk:
    """Reads kustomizations and collects what they name."""

    def __init__(self, tree: Tree, named: Callable[[str], str], owner: str) -> None:
        self._tree, self._named, self._owner = tree, named, owner
        self.files: set[str] = set()
        self.remote: dict[RemoteBase, Location] = {}
        self.outside: dict[str, Location] = {}

    def read(self, folder: str) -> list[str]:
        """Read the kustomization of a folder and return the folders that it names."""
        tree, folders = self._tree, []
        file = file_in(tree, folder)
        where = Location(self._named(file))
        self.files.add(file)
        read = read_kustomization(tree.read(file), where.file, self._owner)
        for field, entry in read.entries:
            path = posixpath.normpath(posixpath.join(folder, entry))
            if "\n" in entry:
                self.files.update(_named_files(tree, folder, entry, where.file, self._owner))
            elif path.startswith(("../", "/")) or path == "..":
                self.outside.setdefault(entry, where)
            elif path in tree:
                self.files.add(path)
                if field in PLUGIN_FIELDS:
                    self.files.update(_named_files(tree, folder, tree.read(path), self._named(path), self._owner))
            elif file_in(tree, path):
                folders.append(path)
            elif field in FOLDER_FIELDS and entry in read.remote:
                base = read.remote[entry]
                if isinstance(base, ConfigError):
                    raise base
                self.remote.setdefault(base, where)
        return folders


def _named_files(tree: Tree, folder: str, text: str | bytes, file: str, owner: str) -> Iterator[str]:
    """Yield the files that the configuration of a transformer or generator names in any key."""
    for document in documents(text, file, owner=owner):
        for text_value in _strings(document.data):
            path = posixpath.normpath(posixpath.join(folder, text_value.rsplit("=", 1)[-1]))
            if path in tree:
                yield path


def _strings(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, (dict, list)):
        for item in data.values() if isinstance(data, dict) else data:
            yield from _strings(item)
