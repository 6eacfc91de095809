"""Changes -> files on disk, in a working folder that people see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.errors import Place, UnsafeFileError

if TYPE_CHECKING:
    from pathlib import Path

    from headgate.tree import Changes


def apply(root: Path, changes: Changes) -> None:
    """Write and remove files below ``root``, and remove folders that became empty.

    Raises UnsafeFileError, before anything is written, for a path that a symlink leads elsewhere.
    """
    for path in changes:
        _check_inside(root, path)
    for path, data in changes.items():
        target = root / path
        if data is None:
            target.unlink(missing_ok=True)
            _remove_empty(target.parent, root)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)


def _check_inside(root: Path, path: str) -> None:
    parts = path.split("/")
    if any(part in ("", ".", "..", ".git") for part in parts):
        raise UnsafeFileError("not a path inside the repository", where=Place(path))
    at = root
    for part in parts:
        at = at / part
        if at.is_symlink():
            raise UnsafeFileError(
                "a symlink on the way to a file of the output",
                where=Place(str(at.relative_to(root))),
                hint="replace it by a folder",
            )


def _remove_empty(folder: Path, root: Path) -> None:
    while folder not in (root, folder.parent) and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
