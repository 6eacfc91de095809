"""Whose commits are on the branches for review: ours are those that the default branch has on record, and proves.

A proof alone says that we made a commit once. Everybody can fetch it and push it again when it was replaced, merged or
rejected long ago, so a commit counts only while the record on the default branch names what it changes.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING

from headgate.config import parse_record
from headgate.errors import HeadgateError
from headgate.landing.proof import is_worded_as_ours
from headgate.landing.workspace import branch_heads, fetch_proposed
from headgate.model import ProposalRecord
from headgate.paths import APPS, ENVIRONMENTS, LOCK, group_branch, review_branch
from headgate.releases.pending import PROPOSAL, PROPOSED
from headgate.repository import git

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.landing.workspace import Workspace
    from headgate.repository.tree import Tree


def group_record_file(environment: str) -> str:
    """Return the file that has the proposal of a template change on record."""
    return f"{ENVIRONMENTS}/{environment}/{PROPOSAL}"


class ReviewBranches:
    """The branches for review of a workspace, as they were when they were first asked for."""

    def __init__(self, workspace: Workspace) -> None:
        """Read nothing yet."""
        self._workspace = workspace
        self._made: dict[str, str] = {}
        self._problems: dict[tuple[str, ProposalRecord | None], str] = {}

    @cached_property
    def records(self) -> dict[str, ProposalRecord]:
        """Return what the default branch has on record of each branch."""
        return recorded_proposals(self._workspace.tree)

    @property
    def recorded(self) -> dict[str, str]:
        """Return the branches that are on record and there, with their commits. Raises GitError."""
        return {branch: head for branch in sorted(self.records) if (head := self.head(branch))}

    def is_recorded(self, branch: str) -> bool:
        """Whether a branch holds what the default branch has on record of it."""
        return branch in self.records and self.is_there(branch, self.records[branch])

    def head(self, branch: str) -> str:
        """Return the commit of a branch; empty where there is none. Raises GitError."""
        return branch_heads(self._workspace).get(f"refs/heads/{branch}", "")

    def is_there(self, branch: str, record: ProposalRecord) -> bool:
        """Whether a branch holds what we last put on it."""
        head = self.head(branch)
        return bool(head) and self.is_ours(branch, head) and self._changes(head) == record.changes

    def problem(self, branch: str, record: ProposalRecord | None) -> str:
        """Say why a branch may not be written: it holds something that is not ours, or not ours any more."""
        if (branch, record) not in self._problems:
            self._problems[branch, record] = self._problem(branch, record)
        return self._problems[branch, record]

    def _problem(self, branch: str, record: ProposalRecord | None) -> str:
        head = self.head(branch)
        if not head or (record is not None and self.is_there(branch, record)) or self._is_spent(branch, head):
            return ""
        return (
            f"the branch {branch} holds a commit that Headgate did not make, or has replaced since ({head[:12]}): "
            "merge or delete that branch"
        )

    def spent(self, branches: Sequence[str]) -> tuple[str, ...]:
        """Return those of some branches that hold a commit of ours, and nothing that is not on the default branch."""
        there = [branch for branch in branches if self.head(branch)]
        self.read_ahead(there)
        return tuple(branch for branch in there if self._is_spent(branch, self.head(branch)))

    def _is_spent(self, branch: str, head: str) -> bool:
        """Whether a commit of ours changes nothing that is not on the default branch already."""
        if not self.is_ours(branch, head):
            return False
        repository, base = self._workspace.repository, self._workspace.base
        changed = git.changed_files(repository, f"{head}^", head)
        now = git.changed_files(repository, base, head)
        return not any(path in now and not _is_record(path) for path in changed)

    def is_ours(self, branch: str, commit: str) -> bool:
        """Whether we made a commit once, as far as this run can tell."""
        fetch_proposed(self._workspace, [commit])
        if not git.has_commit(self._workspace.repository, f"{commit}^"):
            return False
        if self._workspace.prover is not None:
            return self._workspace.prover.proves(self._workspace.repository, branch, commit)
        return is_worded_as_ours(git.message_of(self._workspace.repository, commit))

    def _changes(self, commit: str) -> str:
        if commit not in self._made:
            self._made[commit] = commit_changes_id(self._workspace, commit)
        return self._made[commit]

    def read_ahead(self, branches: Sequence[str]) -> None:
        """Fetch the commits of many branches at once."""
        heads = [head for branch in branches if (head := self.head(branch))]
        fetch_proposed(self._workspace, heads)


def commit_changes_id(workspace: Workspace, commit: str) -> str:
    """Identify what a commit changes: see `intents.outcome.changes_id`. The engines' lock is not part of it."""
    found = git.changed_files(workspace.repository, f"{commit}^", commit)
    lines = sorted(f"{path}\0{oid if oid.strip('0') else '-'}\n" for path, oid in found.items() if path != LOCK)
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _is_record(path: str) -> bool:
    return path == LOCK or f"/{PROPOSED}/" in path or path.endswith(f"/{PROPOSAL}")


def recorded_proposals(tree: Tree) -> dict[str, ProposalRecord]:
    """Return what the default branch has on record of each branch for review, by the branch."""
    found = {}
    for path in [*tree.paths(APPS), *tree.paths(ENVIRONMENTS)]:
        branch = _branch_of(path)
        if branch:
            try:
                found[branch] = parse_record(tree.read(path), path, ProposalRecord)
            except HeadgateError:
                continue  # whose record cannot be read is nobody's: who hydrates that app says so
    return found


def _branch_of(path: str) -> str:
    """Return the branch whose record is in a file; empty where it is another file."""
    parts = path.split("/")
    if parts[-1] != PROPOSAL:
        return ""
    if parts[0] == ENVIRONMENTS and len(parts) == 3:  # noqa: PLR2004  environments/ENV/proposal.yaml
        return group_branch(parts[1])
    if parts[-2] == PROPOSED and parts[-4] == "releases":  # apps/.../APP/releases/ENV/proposed/proposal.yaml
        return review_branch(parts[-5], parts[-3])
    return ""
