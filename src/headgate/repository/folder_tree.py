"""The files of a folder that is no repository."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING

from headgate.records import frozen_record
from headgate.repository.tree import SYMLINK, Tree, blob_id

if TYPE_CHECKING:
    from pathlib import Path

    from headgate.repository.tree import Blob


_CHUNK = 1 << 20


@frozen_record(kw_only=False)
class DiskBlob:
    """A file of a working folder. ``known_oid`` is its object id if git knows that it did not change."""

    path: str
    mode: str
    size: int
    known_oid: str = ""

    @cached_property
    def oid(self) -> str:
        """Git's object id of the content."""
        return self.known_oid or blob_id(self.read())

    def read(self) -> bytes:
        """Return the content on disk; of a symlink its target."""
        if self.mode == SYMLINK:
            return os.fsencode(os.readlink(self.path))  # noqa: PTH115  thousands of them: Path is slow
        file = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            content = os.read(file, self.size + 1)
            while len(content) != self.size and (more := os.read(file, _CHUNK)):  # it is no longer as it was listed
                content += more
        finally:
            os.close(file)
        return content


def tree_of_any_folder(folder: Path) -> Tree:
    """Return the plain files below a folder; links are left out, and so is what git keeps for itself."""
    blobs: dict[str, Blob] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not path.is_symlink() and ".git" not in name.split("/"):
            blobs[name] = DiskBlob(os.fspath(path), "100644", path.stat().st_size)
    return Tree(blobs)
