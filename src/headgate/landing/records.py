"""Where what is pending stands: on the default branch, or on a branch of its own where the bot may not push that one.

The branch of its own, ``headgate/_state``, holds nothing but records, each at the path that it would have on the
default branch. Its commits are proven as those of branches for review are, and it is to be protected: an older commit
of it that somebody pushes again is proven too.
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
    """Whether `apart` may take something out of changes: all others go on without a look at the configuration."""
    return changes.keys() <= {LOCK} or any(map(is_record, changes))


def apart(changes: Changes) -> tuple[Changes, Changes]:
    """Return what of changes goes to the default branch, and what to the branch for records.

    The engines' versions alone are no reason to touch the default branch: they come with what is reviewed.
    """
    rest = {path: data for path, data in changes.items() if not is_record(path)}
    records = {path: data for path, data in changes.items() if path not in rest}
    return ({} if rest.keys() <= {LOCK} else rest), records


def with_records(tree: Tree, records: Tree) -> Tree:
    """Return a tree whose records are those of another one."""
    own = tree.only(path for path in tree.paths() if not is_record(path))
    return own.joined(records.only(path for path in records.paths() if is_record(path)))


def read_records(repository: Repository, commit: str, prover: ProofKey | None) -> Tree:
    """Return the files of a commit of the branch for records. Raises GitError where we did not make it."""
    if prover is not None and not prover.proves(repository, RECORDS_BRANCH, commit):
        raise GitError(
            f"the branch {RECORDS_BRANCH} holds a commit that Headgate did not make ({commit[:12]})",
            where=Location(RECORDS_BRANCH),
            hint="push its last commit by Headgate there again, and protect the branch: only the bot pushes it; "
            "or delete it, if what was held, proposed or rejected may be forgotten",
        )
    return git.tree_of_commit(repository, commit)
