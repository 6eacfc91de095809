"""Kustomize bases of other repositories, and where they lie once they are fetched. Pure.

The engine reads their addresses (`kustomization.read_kustomization`).
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from urllib.parse import urlsplit

FOLDER = "headgate-bases"
"""Folder of an app's config in a release, with all bases that a hand-off fetched."""


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
