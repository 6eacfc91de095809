"""The files and remote bases that a kustomization builds on. Pure."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headgate.dependencies.kustomization import FOLDER_FIELDS, PLUGIN_FIELDS, file_in, read_kustomization
from headgate.engine.reading import documents
from headgate.errors import ConfigError, Location, TooLargeError
from headgate.repository.tree import prefetch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from headgate.dependencies.bases import RemoteBase
    from headgate.repository.tree import Tree

_MAX_FOLDERS = 200


@dataclass(frozen=True)
class Closure:
    """Files of the tree, remote bases, and entries that leave the tree."""

    files: frozenset[str]
    remote: tuple[tuple[RemoteBase, Location], ...]
    outside: tuple[tuple[str, Location], ...]


@dataclass
class _Walk:
    files: set[str]
    remote: dict[RemoteBase, Location]
    outside: dict[str, Location]
    folders: list[str]


def closure(tree: Tree, roots: Iterable[str], named: Callable[[str], str], owner: str) -> Closure:
    """Follow kustomizations through a tree of the app ``owner``. ``named`` names a path in messages.

    Ignores missing files, which a render reports. Raises YamlError, RenderError for an invalid kustomization,
    ConfigError for a base without a commit, TooLargeError above a limit.
    """
    seen: set[str] = set()
    pending = _Walk(set(), {}, {}, list(roots))
    while pending.folders:
        fresh = [folder for folder in dict.fromkeys(pending.folders) if folder not in seen and file_in(tree, folder)]
        seen.update(fresh)
        if len(seen) > _MAX_FOLDERS:
            raise TooLargeError(f"more than {_MAX_FOLDERS} kustomizations", where=Location(named(fresh[0])))
        prefetch(tree, [file_in(tree, folder) for folder in fresh])
        pending.folders = []
        for folder in fresh:
            _read(tree, folder, named, owner, pending)
    return Closure(frozenset(pending.files), tuple(pending.remote.items()), tuple(pending.outside.items()))


def _read(tree: Tree, folder: str, named: Callable[[str], str], owner: str, pending: _Walk) -> None:
    file = file_in(tree, folder)
    where = Location(named(file))
    pending.files.add(file)
    read = read_kustomization(tree.read(file), where.file, owner)
    for field, entry in read.entries:
        path = posixpath.normpath(posixpath.join(folder, entry))
        if "\n" in entry:
            pending.files.update(_named_files(tree, folder, entry, where.file, owner))
        elif path.startswith(("../", "/")) or path == "..":
            pending.outside.setdefault(entry, where)
        elif path in tree:
            pending.files.add(path)
            if field in PLUGIN_FIELDS:
                pending.files.update(_named_files(tree, folder, tree.read(path), named(path), owner))
        elif file_in(tree, path):
            pending.folders.append(path)
        elif field in FOLDER_FIELDS and entry in read.remote:
            base = read.remote[entry]
            if isinstance(base, ConfigError):
                raise base
            pending.remote.setdefault(base, where)


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
