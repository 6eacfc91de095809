"""The files and bases that a kustomization names. The engine parses it as Kustomize does."""

from __future__ import annotations

import posixpath
from functools import lru_cache
from typing import TYPE_CHECKING

from headgate.dependencies.bases import RemoteBase
from headgate.engine.protocol import Request
from headgate.engine.reading import decoded, send
from headgate.errors import ConfigError, Location, RenderError
from headgate.records import frozen_record

if TYPE_CHECKING:
    from headgate.repository.tree import Tree

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
FOLDER_FIELDS = ("resources", "bases", "components")
PLUGIN_FIELDS = ("transformers", "generators", "validators")


@frozen_record(kw_only=False)
class Kustomization:
    """The fields of a kustomization file with a path or inline text, and the entries that are remote bases.

    ``problems`` say why it cannot be built.
    """

    entries: tuple[tuple[str, str], ...]
    remote: dict[str, RemoteBase | ConfigError]
    problems: tuple[str, ...]


def find_root(scope: Tree, folder: str, environment: str, label: str) -> str:
    """Return the folder to build: ``overlays/ENV`` if it exists, else the folder itself.

    Raises RenderError when neither has a kustomization file.
    """
    for root in (posixpath.join(folder, "overlays", environment), folder):
        if file_in(scope, root):
            return root
    raise RenderError(
        f"no kustomization.yaml in overlays/{environment} or in the folder itself",
        where=Location(label),
        hint=f"add overlays/{environment}/kustomization.yaml",
    )


def file_in(scope: Tree, folder: str) -> str:
    """Return the path of a folder's kustomization file, or an empty string."""
    paths = (posixpath.join(folder, name) for name in NAMES)
    return next((path for path in paths if path in scope), "")


@lru_cache(maxsize=1024)  # many overlays read the same bases
def read_kustomization(data: bytes, file: str, owner: str) -> Kustomization:
    """Read a kustomization file of the app ``owner``. Raises the engine's errors."""
    body = {"file": file, "text": decoded(data, file)}
    value = send(Request(kind="kustomization", body=body, owner=owner)).value
    entries = tuple((entry["field"], entry["path"]) for entry in value["entries"] or ())
    remote: dict[str, RemoteBase | ConfigError] = {}
    for entry in value["remote"] or ():
        if entry.get("problem"):
            remote[entry["entry"]] = ConfigError(entry["problem"], where=Location(file), hint=entry.get("hint", ""))
        else:
            remote[entry["entry"]] = RemoteBase(entry["address"], entry.get("path", ""), entry["commit"])
    problems = tuple(problem["message"] for problem in value["problems"])
    return Kustomization(entries, remote, problems)
