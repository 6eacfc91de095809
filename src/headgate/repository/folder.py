"""Changes -> files in a working folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from headgate.errors import Location, UnsafeFileError

if TYPE_CHECKING:
    from pathlib import Path

    from headgate.repository.tree import Changes


def apply(root: Path, changes: Changes) -> None:
    """Write and remove files below ``root``, and remove folders that became empty.

    Raises UnsafeFileError for a path through a symlink, before it writes anything.
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
        prefix = "/".join(parts[:depth])
        if prefix in checked:
            continue
        checked.add(prefix)
        if os.path.islink(f"{root}/{prefix}"):  # noqa: PTH114  thousands of them: Path is slow
            raise UnsafeFileError(
                "a symlink in the path of an output file",
                where=Location(prefix),
                hint="replace it with a folder",
            )


def _remove_empty(folder: Path, root: Path) -> None:
    while folder not in (root, folder.parent) and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
