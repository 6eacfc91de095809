"""Makes commits from changes, and pushes them to their branches: all or none."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from headgate.errors import ConflictError, GitError
from headgate.landing.records import apart, may_be_apart
from headgate.landing.workspace import fetch_proposed
from headgate.paths import RECORDS_BRANCH, SETTINGS
from headgate.records import frozen_record
from headgate.repository import git
from headgate.repository.commit import advance, commit_identity, make_commit
from headgate.repository.difference import same_tree
from headgate.repository.remote import RefUpdate, push
from headgate.repository.worktree import check_clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.landing.workspace import Workspace
    from headgate.model import Commits
    from headgate.repository.tree import Changes

_PROTECTED = "not allowed to push code to protected branches"
"""GitLab's message: https://docs.gitlab.com/user/project/repository/branches/protected/."""


@frozen_record(kw_only=False)
class Delivered:
    """A commit of Headgate's and its branch."""

    branch: str
    commit: str


@frozen_record(kw_only=False)
class PreparedCommit:
    """Changes for one commit on a branch (None: the default branch). No changes mean that the branch is deleted."""

    branch: str | None
    changes: Changes
    message: str


def publish(workspace: Workspace, drafts: Sequence[PreparedCommit], commits: Commits | None = None) -> list[Delivered]:
    """Make the commits, and push them to their branches: all or none.

    Commits for review are children of the default branch's new commit. They replace the review branch, unless it holds
    the same files already. ``commits`` configures the identity. Raises ConflictError when a branch moved.
    """
    if any(may_be_apart(draft.changes) for draft in drafts if draft.branch is None) and workspace.has_records_apart:
        drafts = [part for draft in drafts for part in _with_records_apart(draft)]
    heads = workspace.branch_heads() if any(draft.branch for draft in drafts) else {}
    delivered: list[Delivered] = []
    updates: list[RefUpdate] = []
    base = workspace.base
    for draft in sorted(drafts, key=lambda draft: draft.branch or ""):
        ref = f"refs/heads/{draft.branch or workspace.branch}"
        old = heads.get(ref, git.NO_COMMIT) if draft.branch else workspace.base
        parent = old if draft.branch == RECORDS_BRANCH else base
        commit = _commit(workspace, parent, draft, commits)
        if draft.branch is None:
            base = commit  # the parent of all commits for review
        elif _is_equal(workspace, old, commit):
            continue
        updates.append(RefUpdate(ref, commit, old))
        delivered.append(Delivered(draft.branch or workspace.branch, commit))
    if workspace.is_checkout:
        _check_untouched(workspace, drafts)
    if updates:
        _update_refs(workspace, updates)
    return delivered


def _with_records_apart(draft: PreparedCommit) -> list[PreparedCommit]:
    """Split a draft for the default branch into the records and the rest."""
    if draft.branch is not None:
        return [draft]
    rest, records = apart(draft.changes)
    both = (replace(draft, changes=rest), replace(draft, branch=RECORDS_BRANCH, changes=records))
    return [part for part in both if part.changes]


def _check_untouched(workspace: Workspace, drafts: Sequence[PreparedCommit]) -> None:
    """Raise DirtyError when a person changed a file of the checkout that the drafts write. Other files may differ."""
    paths = [path for draft in drafts if draft.branch is None for path in draft.changes]
    for start in range(0, len(paths), _MAX_PATHS):
        check_clean(workspace.repository, paths[start : start + _MAX_PATHS])


_MAX_PATHS = 2000  # keeps the command line short enough


def _commit(workspace: Workspace, base: str, draft: PreparedCommit, commits: Commits | None) -> str:
    """Return the draft's commit, or `NO_COMMIT` for a branch to delete."""
    if not draft.changes:
        return git.NO_COMMIT
    identity = commit_identity(commits, workspace.signing_key)
    if draft.branch is None or workspace.prover is None:
        return make_commit(workspace.repository, base, draft.changes, draft.message, identity=identity)
    unsigned = replace(identity, signing_key="")
    unproven = make_commit(workspace.repository, base, draft.changes, draft.message, identity=unsigned)
    return workspace.prover.with_proof(workspace.repository, draft.branch, unproven, identity)


def _is_equal(workspace: Workspace, old: str, new: str) -> bool:
    """Whether two commits of a review branch have the same files and the same parent's files, or both do not exist.

    The same files on other parent files would merge to something else.
    """
    if git.NO_COMMIT in (old, new):
        return old == new
    repository = workspace.repository
    fetch_proposed(workspace, [old])
    if not same_tree(repository, old, new):
        return False
    return git.has_commit(repository, f"{old}^") and same_tree(repository, f"{old}^", f"{new}^")


def _update_refs(workspace: Workspace, updates: Sequence[RefUpdate]) -> None:
    if workspace.remote:
        _push(workspace, updates)
    workspace.forget_heads()
    if not workspace.is_checkout:
        return
    for update in updates:
        if update.ref == f"refs/heads/{workspace.branch}":
            if git.head(workspace.repository) != workspace.base:
                raise ConflictError("the checkout moved in the meantime", hint="run the same command again")
            advance(workspace.repository, update.new, update.old)
        elif not workspace.remote and update.new == git.NO_COMMIT:
            workspace.repository.git("update-ref", "-d", update.ref, update.old)
        elif not workspace.remote:
            workspace.repository.git("update-ref", update.ref, update.new, update.old)


def _push(workspace: Workspace, updates: Sequence[RefUpdate]) -> None:
    proposes = any(update.ref != f"refs/heads/{workspace.branch}" for update in updates)
    get_options = workspace.push_options if proposes else None
    options = get_options(workspace.configuration, workspace.branch) if get_options else ()
    queue = workspace.queue
    try:
        push(workspace.repository, workspace.remote, [*updates, *(queue.delete_refs if queue else ())], options)
    except GitError as error:
        if _PROTECTED not in str(error):
            raise
        hint = f"Settings > Repository > Protected branches: let the bot push {workspace.branch}"
        if not workspace.has_records_apart:
            hint += f"; or, if all changes are reviewed, set 'records: branch' in {SETTINGS}"
        raise GitError(error.what, where=error.where, hint=hint) from None
    if queue:
        queue.pushed()
