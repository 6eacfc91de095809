"""Keeps the records of what is pending on a branch of their own, when the bot may not push the default branch.

This branch, ``headgate/_state``, holds only records, each at its path on the default branch. Its commits have proofs
like those of review branches, and people must protect it: an older commit that somebody pushes again has a proof too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.errors import GitError, Location
from headgate.paths import LOCK, RECORDS_BRANCH
from headgate.releases.pending_files import is_record
from headgate.repository import git

if TYPE_CHECKING:
    from headgate.landing.proof import ProofKey
    from headgate.repository.git import Repository
    from headgate.repository.tree import Changes, Tree


def may_be_apart(changes: Changes) -> bool:
    """Whether `apart` may split these changes; if not, the configuration need not be read."""
    return changes.keys() <= {LOCK} or any(map(is_record, changes))


def apart(changes: Changes) -> tuple[Changes, Changes]:
    """Split changes into those of the default branch and those of the records' branch.

    The lock alone is no reason to touch the default branch: it comes with the next reviewed change.
    """
    rest = {path: data for path, data in changes.items() if not is_record(path)}
    records = {path: data for path, data in changes.items() if path not in rest}
    return ({} if rest.keys() <= {LOCK} else rest), records


def with_records(tree: Tree, records: Tree) -> Tree:
    """Return a tree with the records of another one."""
    own = tree.only(path for path in tree.paths() if not is_record(path))
    return own.joined(records.only(path for path in records.paths() if is_record(path)))


def read_records(repository: Repository, commit: str, prover: ProofKey | None) -> Tree:
    """Return the files of a commit of the records' branch. Raises GitError when Headgate did not make it."""
    if prover is not None and not prover.proves(repository, RECORDS_BRANCH, commit):
        raise GitError(
            f"the branch {RECORDS_BRANCH} holds a commit that Headgate did not make ({commit[:12]})",
            where=Location(RECORDS_BRANCH),
            hint="push Headgate's last commit there again, and protect the branch so that only the bot may push; "
            "or delete it, if everything held, proposed and rejected may be forgotten",
        )
    return git.tree_of_commit(repository, commit)
