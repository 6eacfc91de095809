"""What differs between two commits, and whether one comes after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.errors import GitError
from headgate.repository.git import head
from headgate.repository.stored import differing_files

if TYPE_CHECKING:
    from headgate.repository.git import Repository


def changed_files(repository: Repository, old: str, new: str) -> dict[str, str]:
    """Return the files that differ between two commits, with the new blob's id; zeros for a removed file."""
    return differing_files(repository, *(_tree(repository, commit) for commit in (old, new)))


def same_tree(repository: Repository, first: str, second: str) -> bool:
    """Whether two commits hold the same files."""
    old, new = repository.resolve(f"{first}^{{tree}}", f"{second}^{{tree}}")
    return old != "" and old == new


def is_ancestor(repository: Repository, old: str, new: str) -> bool:
    """Whether ``new`` is ``old`` or a descendant. Raises GitError when one of them is missing."""
    for commit in (old, new):
        head(repository, commit)
    # Commits reachable from the old one, but not from the new one: an ancestor has none.
    return repository.git("rev-list", "--max-count=1", old, f"^{new}") == ""


def _tree(repository: Repository, commit: str) -> str:
    (tree,) = repository.resolve(f"{commit}^{{tree}}")
    if not tree:
        raise GitError(f"commit {commit} not found")
    return tree
