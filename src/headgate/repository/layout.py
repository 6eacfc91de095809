"""Where a repository keeps what it has, its branch and its settings: by one question to git, or by reading a file.

https://git-scm.com/docs/gitrepository-layout
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar

from headgate.records import frozen_record


@frozen_record
class GitLayout:
    """``own``: the folder of this worktree's HEAD. ``shared``: that of objects and settings, which all worktrees share.

    ``top``: where the files are; none in a bare repository. ``object_format``: ``sha1`` or ``sha256``.
    """

    QUESTION: ClassVar = ("rev-parse", "--absolute-git-dir", "--git-common-dir", "--show-object-format", "--show-cdup")

    own: Path
    shared: Path
    object_format: str
    top: Path | None


def parse_layout(answer: str, asked_in: Path) -> GitLayout:
    """Read the answer to `GitLayout.QUESTION`, asked in a folder. The way up is missing where there are no files."""
    own, shared, object_format, *up = answer.split("\n")
    folder = os.path.realpath(asked_in)
    top = Path(os.path.normpath(f"{folder}/{up[0]}")) if len(up) > 1 else None
    return GitLayout(own=Path(own), shared=Path(folder, shared), object_format=object_format, top=top)


def branch_in(head: Path) -> str | None:
    """Return the branch that a file HEAD names, empty for a commit, None where only git can tell."""
    if head.is_symlink():
        return None
    text = head.read_text("utf-8", "surrogateescape").removesuffix("\n")
    branch = text.removeprefix("ref: refs/heads/")
    if branch == text:
        return None if text.startswith("ref: ") else ""
    return None if branch == ".invalid" else branch  # https://git-scm.com/docs/reftable


def settings_in(listed: str) -> dict[str, str]:
    """Read what ``git config --list -z`` prints: the last value of each key."""
    entries = (entry.partition("\n") for entry in listed.split("\0") if entry)
    return {key: value for key, _, value in entries}
