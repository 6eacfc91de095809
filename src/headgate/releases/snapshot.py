"""The snapshot of an app's config that a release keeps: its files at the commit. Pure."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from headgate.engine.reading import documents
from headgate.errors import ConfigError, Location, UnsafeFileError
from headgate.repository.input_check import check_input
from headgate.repository.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.model import Config


def snapshot(source: Tree, config: Config, *, owner: str, environments: Sequence[str], values_only: bool) -> Tree:
    """Return the files of the app's config that a release keeps, from its repository at the commit.

    ``owner`` is the app. ``values_only``: a shared template renders the app, so the release keeps only values, for all
    ``environments`` of the app, since a promotion carries them. Git's own small files (``.gitignore``, ``.gitkeep``)
    are left out. Raises UnsafeFileError and TooLargeError (`check_input`), ConfigError for an empty folder.
    """
    files = source.folder(config.path)
    wanted = [path for path in files.paths() if _is_wanted(path, config, environments, values_only=values_only)]
    if not files.paths():
        raise ConfigError(
            "folder not found, or empty",
            where=Location(config.path),
            hint="commit it in the app's repository, or correct 'config' in the app's app.yaml",
        )
    kept = Tree({path: files.blob(path) for path in wanted})
    check_input(kept, config.path, arrives=True)
    for name in _OURS:
        if name in kept and not _is_object(kept.read(name), f"{config.path}/{name}", owner):
            raise UnsafeFileError(
                "a file of the manifest repository, which has no effect in an app's config",
                where=Location(f"{config.path}/{name}"),
                hint="remove it from the app's config",
            )
    return kept


_OURS = ("app.yaml", "template.yaml", "release.yaml", "headgate.yaml", "headgate.lock")
_LEFT_OUT = {".gitignore", ".gitkeep", ".mailmap"}


def _is_wanted(path: str, config: Config, environments: Sequence[str], *, values_only: bool) -> bool:
    if path.rsplit("/", 1)[-1] in _LEFT_OUT:
        return False
    if values_only:
        values = ("values.yaml", *(f"values.{environment}.yaml" for environment in environments))
        return path in (*values, ".gitattributes", ".gitmodules")
    return not config.include or any(fnmatchcase(path, pattern) for pattern in config.include)


def _is_object(data: bytes, file: str, owner: str) -> bool:
    """Whether a file holds Kubernetes objects: such a file may have the name app.yaml too."""
    objects = documents(data, file, owner=owner)
    return bool(objects) and all(isinstance(document.data, dict) and "kind" in document.data for document in objects)
