"""A commit as git stores it. Pure."""

from __future__ import annotations

import re

from headgate.errors import GitError
from headgate.records import frozen_record


@frozen_record(kw_only=False)
class CommitDetails:
    """Tree, parents and message of a commit."""

    tree: str
    parents: tuple[str, ...]
    message: str


def parse_commit(data: bytes, commit: str) -> CommitDetails:
    """Read a commit by git's own rules: the tree first, then the parents; later headers of these names do not count.

    https://git-scm.com/docs/git-fsck (missingTree, badParentSha1). Raises GitError for a commit without a tree.
    """
    header, _, message = data.partition(b"\n\n")
    rows = header.split(b"\n")
    tree = _HEADER.fullmatch(rows[0])
    if tree is None or tree[1] != b"tree":
        raise GitError(f"the commit {commit[:12]} names no tree")
    parents: list[str] = []
    for row in rows[1:]:
        match = _HEADER.fullmatch(row)
        if match is None or match[1] != b"parent":
            break
        parents.append(match[2].decode())
    return CommitDetails(tree[2].decode(), tuple(parents), message.decode("utf-8", "surrogateescape"))


_HEADER = re.compile(rb"(tree|parent) ([0-9a-f]{40}(?:[0-9a-f]{24})?)")
