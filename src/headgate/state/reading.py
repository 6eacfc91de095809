"""A manifest repository opened for reading: a checkout, a bare repository or an address."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from headgate.config import check_is_manifests
from headgate.landing.workspace import Workspace, open_workspace
from headgate.repository import git
from headgate.repository.remote import fetch, upstream

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def open_for_reading(manifests: str, ref: str = "") -> Iterator[Workspace]:
    """Open a repository's committed files.

    Uncommitted changes of a checkout are ignored; it may be on no branch, as in a job. Without a checkout, ``ref`` is
    read instead of the default branch: ``refs/merge-requests/1/head``.
    Raises GitError, ConfigError when it is no manifest repository.
    """
    if not git.is_folder(manifests):
        with open_workspace(manifests) as workspace:
            at = replace(workspace, base=fetch(workspace.repository, workspace.remote, ref)) if ref else workspace
            yield at
        return
    repository = git.open_repository(Path(manifests))
    branch = git.current_branch(repository)
    git.use_names_of(repository)
    remote = upstream(repository, branch) or ("origin" if "remote.origin.url" in repository.settings else "")
    workspace = Workspace(
        repository=repository, branch=branch, base=git.head(repository), remote=remote, is_checkout=not repository.bare
    )
    check_is_manifests(workspace.files, str(repository.path))
    yield workspace
