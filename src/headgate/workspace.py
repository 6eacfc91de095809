"""Where a manifest repository is worked on: a checkout of the user's, or a remote without any checkout."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from headgate import git
from headgate.errors import ConflictError, GitError, Place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.git import Clone, Repository
    from headgate.tree import Changes, Tree


@dataclass(frozen=True)
class Workspace:
    """A manifest repository at the commit ``base`` of ``branch``. ``remote`` is empty when nothing is pushed."""

    repository: Repository
    branch: str
    base: str
    remote: str
    clone: Clone | None = None

    @property
    def tree(self) -> Tree:
        """All files of the base commit."""
        return git.tree_of_commit(self.repository, self.base)


@dataclass(frozen=True)
class Delivered:
    """A commit of ours and the branch it is on."""

    branch: str
    commit: str


@dataclass(frozen=True)
class Draft:
    """Changes that become one commit on a branch; None is the default branch."""

    branch: str | None
    changes: Changes
    message: str


def open_workspace(manifests: str) -> Workspace:
    """Open a checkout (which must be clean), a bare repository or an address.

    Raises GitError, and DirtyError for a checkout with changes of its own.
    """
    folder = Path(manifests)
    if "://" not in manifests and folder.is_dir():
        repository = git.open_repository(folder)
        if not repository.bare:
            git.check_clean(repository)
            branch = git.current_branch(repository)
            if not branch:
                raise GitError("HEAD is on no branch", where=Place(manifests), hint="check a branch out first")
            return Workspace(repository, branch, git.head(repository), git.upstream(repository, branch))
    clone = git.clone(manifests)
    branch = clone.default_branch
    return Workspace(clone.repository, branch, clone.fetch(f"refs/heads/{branch}"), clone.url, clone)


def publish(workspace: Workspace, drafts: Sequence[Draft]) -> list[Delivered]:
    """Make the commits, those for review on top of the default branch's, and bring them to their branches: in one push, or none of them.

    A branch for review is replaced when it is ours, and left alone when it holds the same files already.
    Raises ConflictError when a branch moved, GitError when a branch for review holds somebody else's commits.
    """
    elsewhere = _review_heads(workspace) if any(draft.branch for draft in drafts) else {}
    delivered: list[Delivered] = []
    moves: list[git.Move] = []
    base = workspace.base
    for draft in sorted(drafts, key=lambda draft: draft.branch or ""):
        ref = f"refs/heads/{draft.branch or workspace.branch}"
        old = elsewhere.get(ref, git.NO_COMMIT) if draft.branch else workspace.base
        commit = git.commit(workspace.repository, base, draft.changes, draft.message)
        if draft.branch is None:
            base = commit  # what is reviewed stands on the newest default branch
        if draft.branch and old != git.NO_COMMIT:
            _check_ours(workspace, ref, old)
            if git.same_tree(workspace.repository, old, commit):
                continue
        moves.append(git.Move(ref, commit, old))
        delivered.append(Delivered(draft.branch or workspace.branch, commit))
    _bring(workspace, moves)
    return delivered


def _review_heads(workspace: Workspace) -> dict[str, str]:
    if workspace.remote:
        return git.remote_refs(workspace.repository, workspace.remote)
    return git.local_refs(workspace.repository)


def _check_ours(workspace: Workspace, ref: str, commit: str) -> None:
    if not git.has_commit(workspace.repository, commit):
        git.fetch(workspace.repository, workspace.remote, commit)
    if not re.search(r"^Headgate-Environment: ", git.message_of(workspace.repository, commit), re.MULTILINE):
        raise GitError(
            f"the branch {ref.removeprefix('refs/heads/')} holds a commit that Headgate did not make ({commit[:12]})",
            hint="merge or delete that branch, then run this again",
        )


def _bring(workspace: Workspace, moves: Sequence[git.Move]) -> None:
    if not moves:
        return
    if workspace.remote:
        git.push(workspace.repository, workspace.remote, moves)
    if workspace.clone is not None:
        return
    for move in moves:
        if move.ref == f"refs/heads/{workspace.branch}":
            if git.head(workspace.repository) != workspace.base:
                raise ConflictError("the checkout moved in the meantime", hint="run the same command again")
            git.advance(workspace.repository, move.new, move.old)
        elif not workspace.remote:
            workspace.repository.git("update-ref", move.ref, move.new, move.old)
