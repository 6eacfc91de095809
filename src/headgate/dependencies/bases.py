"""Kustomize bases of other repositories, and their folders after the fetch. Pure.

The engine parses their addresses (`kustomization.read_kustomization`).
"""

from __future__ import annotations

import posixpath
from urllib.parse import urlsplit

from headgate.records import frozen_record

FOLDER = "headgate-bases"
"""Folder in a released config with all fetched bases."""


@frozen_record(kw_only=False)
class RemoteBase:
    """A folder of a git repository at a commit. ``path`` is empty for the repository's root."""

    address: str
    path: str
    commit: str

    @property
    def repository_folder(self) -> str:
        """The folder of the repository's files in an app's config, where a port's colon becomes ``_``."""
        parts = urlsplit(self.address)
        name = parts.path.strip("/").removesuffix(".git")
        return f"{FOLDER}/{parts.netloc.replace(':', '_')}/{name}@{self.commit}"

    @property
    def folder(self) -> str:
        """The folder of the base in an app's config."""
        return posixpath.join(self.repository_folder, self.path).rstrip("/")

    def __str__(self) -> str:
        """Return address, path and short commit."""
        return f"{self.address}//{self.path} at {self.commit[:12]}"
