"""The working tree of a checkout: its files as they are now, and whether they differ from HEAD."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from headgate.errors import DirtyError, Location
from headgate.repository.folder_tree import DiskBlob
from headgate.repository.tree import EXECUTABLE, GITLINK, REGULAR, SYMLINK, MemoryBlob, Tree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.repository.git import Repository
    from headgate.repository.tree import Blob


def tree_of_folder(repository: Repository) -> Tree:
    """Return the files of the working tree as they are now: those that git tracks or would add."""
    blobs: dict[str, Blob] = {}
    for path, oid in _listed(repository).items():
        full = f"{repository.path}/{path}"
        try:
            stat_result = os.lstat(full)
        except OSError:
            continue  # deleted, or below a folder that a file replaced
        mode = _mode(stat_result.st_mode)
        if mode == GITLINK:
            blobs[path] = MemoryBlob(b"", GITLINK)
        else:
            blobs[path] = DiskBlob(full, mode, stat_result.st_size, oid)
    return Tree(blobs)


def _listed(repository: Repository) -> dict[str, str]:
    """Return each file that git tracks or would add, with its object id if git knows that it did not change.

    ``-t`` tags each line: H and S for a tracked file, which has a second line with another tag if it changed.
    """
    selection = ("--stage", "--others", "--exclude-standard", "--modified", "--deleted")
    entries = repository.git("ls-files", "-z", "-t", *selection).split("\0")
    listed: dict[str, str] = {}
    for entry in filter(None, entries):
        tag, _, rest = entry.partition(" ")
        meta, _, path = rest.partition("\t") if tag != "?" else ("", "", rest)
        listed[path] = meta.split(" ")[1] if tag in "HS" and path not in listed else ""
    return listed


def _mode(bits: int) -> str:
    if stat.S_ISLNK(bits):
        return SYMLINK
    if stat.S_ISDIR(bits):
        return GITLINK
    return EXECUTABLE if bits & stat.S_IXUSR else REGULAR


def check_clean(repository: Repository, paths: Sequence[str] = ()) -> None:
    """Raise DirtyError when the working tree differs from HEAD: in any file, or in one of ``paths``."""
    files = uncommitted(repository, paths)
    if files:
        raise DirtyError(
            f"uncommitted changes: {files}",
            where=Location(str(repository.path)),
            hint="commit or stash them first, so that the new commit holds hydrated files only",
        )


def uncommitted(repository: Repository, paths: Sequence[str] = ()) -> str:
    """Return the names of the first files that differ from HEAD, of all or of ``paths``, in one text."""
    status = repository.git(
        *("status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames"), *(["--", *paths] if paths else [])
    )
    files = [line[3:] for line in status.split("\0") if line]
    return ", ".join(files[:_MAX_FILES]) + (f" and {len(files) - _MAX_FILES} more" if len(files) > _MAX_FILES else "")


_MAX_FILES = 3
