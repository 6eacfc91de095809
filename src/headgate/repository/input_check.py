"""Refuses files that an engine or a checkout must not see, before anything reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.errors import Location, TooLargeError, UnsafeFileError
from headgate.repository.names import collision, is_gits_own, unportable
from headgate.repository.tree import (
    EXECUTABLE,
    MAX_FILE,
    MAX_FILES,
    MAX_FOLDER,
    MEBI,
    REGULAR,
    SYMLINK,
    Tree,
    measure,
    read_ahead,
    submodule_error,
    too_large_error,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headgate.repository.tree import Blob

MAX_DEPTH = 20
MAX_NAME = 200  # bytes: file systems take 255
MAX_PATH = 1000  # bytes: systems take 4,096, some build tools less, and the manifest repository adds a folder


def check_input(tree: Tree, label: str, *, arrives: bool = False) -> None:
    """Refuse files that an engine must not see, then read all others in one batch.

    ``label`` is the folder's name in messages. ``arrives``: the files are about to be committed, so every checkout
    must be able to hold them. Raises UnsafeFileError for symlinks, submodules, git's own files, paths that leave the
    folder and names that a checkout cannot hold, TooLargeError above a limit.
    """
    if len(tree) > MAX_FILES:
        raise TooLargeError(f"{len(tree)} files, the limit is {MAX_FILES}", where=Location(label))
    blobs = {path: tree.blob(path) for path in tree.paths()}
    for path, blob in blobs.items():
        _check_path(path, blob.mode, label)
    if arrives:
        _check_portable(tree.paths(), label)
    measure(blobs.values())
    _check_sizes(blobs, label)
    read_ahead(blobs.values())


def _check_sizes(blobs: Mapping[str, Blob], label: str) -> None:
    total = 0
    for path, blob in blobs.items():
        if blob.size > MAX_FILE:
            raise too_large_error(f"{label}/{path}", blob.size)
        total += blob.size
    if total > MAX_FOLDER:
        raise TooLargeError(
            f"{total / MEBI:.0f} MiB in all, the limit is {MAX_FOLDER // MEBI} MiB", where=Location(label)
        )


def safe_files(tree: Tree) -> Tree:
    """Return the tree without the files that `check_input` refuses."""
    safe: dict[str, Blob] = {}
    measure(tree.blob(path) for path in tree.paths())
    for path in tree.paths():
        blob = tree.blob(path)
        try:
            _check_path(path, blob.mode, "")
        except (UnsafeFileError, TooLargeError):
            continue
        if blob.size <= MAX_FILE:
            safe[path] = blob
    return Tree(safe)


def _check_path(path: str, mode: str, label: str) -> None:
    where = Location(f"{label}/{path}")
    parts = path.split("/")
    if mode not in (REGULAR, EXECUTABLE):
        if mode == SYMLINK:
            raise UnsafeFileError("a symlink, which is never followed", where=where, hint="replace it with the file")
        raise submodule_error(where)
    if any(part in ("", ".", "..") or "\\" in part or not part.isprintable() for part in parts):
        raise UnsafeFileError("a path that could leave its folder", where=where, hint="rename the file")
    if any(is_gits_own(part) for part in parts):
        raise UnsafeFileError(
            "a file that configures git, on some systems at least, and would do so in the manifest repository",
            where=where,
            hint="remove it from this folder",
        )
    if max(len(_raw(part)) for part in parts) > MAX_NAME or len(_raw(path)) > MAX_PATH:
        raise TooLargeError(
            f"a name above {MAX_NAME} bytes or a path above {MAX_PATH}, which some checkouts cannot hold",
            where=Location(f"{label}/{path[:MAX_NAME]}..."),
            hint="rename the file",
        )
    if len(parts) > MAX_DEPTH:
        raise TooLargeError(f"nested deeper than {MAX_DEPTH} folders", where=where)


def _check_portable(paths: Sequence[str], label: str) -> None:
    for path in paths:
        reasons = [f"{part!r} {reason}" for part in path.split("/") if (reason := unportable(part))]
        if reasons:
            raise UnsafeFileError(
                f"a name that some checkouts cannot hold: {reasons[0]}",
                where=Location(f"{label}/{path}"),
                hint="rename the file",
            )
    pair = collision(paths)
    if pair:
        raise UnsafeFileError(
            f"a name that differs only by case or Unicode spelling from {label}/{pair[0]}, "
            "so some checkouts can hold only one of them",
            where=Location(f"{label}/{pair[1]}"),
            hint="rename one of them",
        )


def _raw(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")
