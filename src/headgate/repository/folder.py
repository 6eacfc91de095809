"""Changes -> files on disk, in a working folder that people see."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from headgate.errors import Location, UnsafeFileError

if TYPE_CHECKING:
    from pathlib import Path

    from headgate.repository.tree import Changes


def apply(root: Path, changes: Changes) -> None:
    """Write and remove files below ``root``, and remove folders that became empty.

    Raises UnsafeFileError, before anything is written, for a path that a symlink leads elsewhere.
    """
    checked: set[str] = set()
    for path in changes:
        _check_inside(root, path, checked)
    made: set[str] = set()
    for path, data in changes.items():
        if data is None:
            target = root / path
            target.unlink(missing_ok=True)
            _remove_empty(target.parent, root)
        else:
            folder = path.rpartition("/")[0]
            if folder not in made:
                (root / folder).mkdir(parents=True, exist_ok=True)
                made.add(folder)
            with open(f"{root}/{path}", "wb") as file:  # noqa: PTH123  thousands of them: Path is slow
                file.write(data)


def _check_inside(root: Path, path: str, checked: set[str]) -> None:
    parts = path.split("/")
    if any(part in ("", ".", "..", ".git") for part in parts):
        raise UnsafeFileError("not a path inside the repository", where=Location(path))
    for depth in range(1, len(parts) + 1):
        at = "/".join(parts[:depth])
        if at in checked:
            continue
        checked.add(at)
        if os.path.islink(f"{root}/{at}"):  # noqa: PTH114  thousands of them: Path is slow
            raise UnsafeFileError(
                "a symlink on the way to a file of the output",
                where=Location(at),
                hint="replace it by a folder",
            )


def _remove_empty(folder: Path, root: Path) -> None:
    while folder not in (root, folder.parent) and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
