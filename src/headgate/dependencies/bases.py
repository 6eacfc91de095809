"""Kustomize bases of other repositories: what their addresses say, and where they lie once they are fetched. Pure.

The address is https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/resource/, as Kustomize reads it.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from headgate.errors import ConfigError

if TYPE_CHECKING:
    from headgate.errors import Place

FOLDER = "headgate-bases"
"""Folder of an app's config in a release, with all bases that a hand-off fetched."""

_REMOTE = re.compile(r"://|@|\?ref=|\.com/")
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_SEGMENT = r"(?!\.\.?(?:/|$))[A-Za-z0-9_.~+-]+"
_SEGMENTS = re.compile(f"{_SEGMENT}(/{_SEGMENT})*")
_EXAMPLE = "https://HOST/GROUP/REPOSITORY//FOLDER?ref=COMMIT"


@dataclass(frozen=True)
class RemoteBase:
    """A folder of a git repository at a commit. ``path`` is empty for the repository's root."""

    address: str
    path: str
    commit: str

    @property
    def repository_folder(self) -> str:
        """Where the repository's files lie in an app's config; a port's colon is no character for a path."""
        parts = urlsplit(self.address)
        name = parts.path.strip("/").removesuffix(".git")
        return f"{FOLDER}/{parts.netloc.replace(':', '_')}/{name}@{self.commit}"

    @property
    def folder(self) -> str:
        """Where the base itself lies in an app's config."""
        return posixpath.join(self.repository_folder, self.path).rstrip("/")

    def __str__(self) -> str:
        """Name it for people."""
        return f"{self.address}//{self.path} at {self.commit[:12]}"


def is_remote(entry: str) -> bool:
    """Whether a path in a kustomization, at which nothing lies, is meant to be somewhere else."""
    return _REMOTE.search(entry) is not None


def parse(entry: str, where: Place) -> RemoteBase:
    """Read the address of a base. Raises ConfigError for one that is not pinned to a commit, with how to write it."""
    parts = urlsplit(entry.removeprefix("git::"))
    query = parse_qs(parts.query)
    ref = (query.get("ref") or query.get("version") or [""])[0]
    if parts.scheme not in ("https", "http") or "@" in parts.netloc or not parts.netloc:
        raise _unusable(entry, "is no address that a base is read from", where)
    if not ref and parts.path.endswith((".yaml", ".yml", ".json")):
        raise ConfigError(
            f"'{entry}' is a file that may change at any time",
            where=where,
            hint="put the file into the repository, or name a folder of a git repository at a commit",
        )
    if not _COMMIT.fullmatch(ref):
        said = f"the branch, tag or short commit '{ref}', which may move" if ref else "no commit"
        raise _unusable(entry, f"names {said}, and not a commit in full", where)
    repository, path = _split(parts.path.lstrip("/"))
    if not _SEGMENTS.fullmatch(repository) or (path and not _SEGMENTS.fullmatch(path)):
        raise _unusable(entry, "is no address of a folder in a git repository", where)
    return RemoteBase(f"{parts.scheme}://{parts.netloc.lower()}/{repository}", path, ref)


def _unusable(entry: str, why: str, where: Place) -> ConfigError:
    return ConfigError(f"'{entry}' {why}", where=where, hint=f"write {_EXAMPLE}, or copy it into the repository")


def _split(path: str) -> tuple[str, str]:
    """Tell the repository from the folder in it: by ``_git/``, ``//``, ``.git``; else it has two parts."""
    if "_git/" in path:
        above, _, below = path.partition("_git/")
        name, _, folder = below.partition("/")
        return f"{above}_git/{name}", _clean(folder)
    for mark, keeps in (("//", ""), (".git/", ".git")):
        if mark in path:
            repository, _, folder = path.partition(mark)
            return repository.strip("/") + keeps, _clean(folder)
    if path.endswith(".git"):
        return path, ""
    parts = path.strip("/").split("/")
    return "/".join(parts[:2]), _clean("/".join(parts[2:]))


def _clean(folder: str) -> str:
    cleaned = posixpath.normpath(folder.strip("/"))
    return "" if cleaned == "." else cleaned
