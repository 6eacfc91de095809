"""The files of a folder that is no repository."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from headgate.repository.tree import DiskBlob, Tree

if TYPE_CHECKING:
    from pathlib import Path

    from headgate.repository.tree import Blob


def tree_of_any_folder(folder: Path) -> Tree:
    """Return the plain files below a folder; links are left out, and so is what git keeps for itself."""
    blobs: dict[str, Blob] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not path.is_symlink() and ".git" not in name.split("/"):
            blobs[name] = DiskBlob(os.fspath(path), "100644", path.stat().st_size)
    return Tree(blobs)
