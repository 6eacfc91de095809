"""The review branches, and whether their commits are Headgate's: proven, and recorded on the default branch.

A proof alone says that Headgate made a commit once. Everybody can push it again after it was replaced, merged or
rejected, so a commit counts only while the record on the default branch names its changes.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING

from headgate.config import parse_record
from headgate.errors import HeadgateError
from headgate.landing.proof import has_our_wording
from headgate.landing.workspace import fetch_proposed, read_proposal
from headgate.model import ProposalRecord
from headgate.paths import APPS, ENVIRONMENTS, LOCK, OURS, app_of, environment_of, group_branch, review_branch
from headgate.releases.pending import PROPOSAL, PROPOSED
from headgate.repository import git
from headgate.repository.difference import changed_files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.landing.workspace import Workspace
    from headgate.repository.tree import Tree


def group_record_file(environment: str) -> str:
    """Return the file that records the proposal of a template change."""
    return f"{ENVIRONMENTS}/{environment}/{PROPOSAL}"


class ReviewBranches:
    """The review branches of a workspace, as of their first read."""

    def __init__(self, workspace: Workspace) -> None:
        """Read nothing yet."""
        self._workspace = workspace
        self._change_ids: dict[str, str] = {}
        self._problems: dict[tuple[str, ProposalRecord | None], str] = {}

    @cached_property
    def records(self) -> dict[str, ProposalRecord]:
        """The records on the default branch, by branch."""
        return recorded_proposals(self._workspace.tree)

    @property
    def recorded(self) -> dict[str, str]:
        """The existing branches with a record, and their commits. Raises GitError."""
        return {branch: head for branch in sorted(self.records) if (head := self.head(branch))}

    def is_recorded(self, branch: str) -> bool:
        """Whether a branch matches its record on the default branch."""
        return branch in self.records and self.matches(branch, self.records[branch])

    def head(self, branch: str) -> str:
        """Return the commit of a branch; empty when it does not exist. Raises GitError."""
        return self._workspace.branch_heads().get(f"refs/heads/{branch}", "")

    def matches(self, branch: str, record: ProposalRecord) -> bool:
        """Whether a branch holds the commit of a record."""
        head = self.head(branch)
        return bool(head) and self.made_by_headgate(branch, head) and self._changes_id(head) == record.changes

    def is_current(self, branch: str, record: ProposalRecord) -> bool:
        """Whether a branch holds the commit of a record, and the default branch still has the files that it changes.

        Else a person could not merge it, though Headgate would propose the same YAML.
        """
        if not self.matches(branch, record):
            return False
        head, repository = self.head(branch), self._workspace.repository
        below, now = git.tree_as_needed(repository, f"{head}^"), self._workspace.files
        changed = changed_files(repository, f"{head}^", head)
        return all(below.oid(path) == now.oid(path) for path in changed if path != LOCK)

    def problem(self, branch: str, record: ProposalRecord | None) -> str:
        """Return why Headgate may not overwrite a branch; empty if it may."""
        if (branch, record) not in self._problems:
            self._problems[branch, record] = self._problem(branch, record)
        return self._problems[branch, record]

    def _problem(self, branch: str, record: ProposalRecord | None) -> str:
        head = self.head(branch)
        if not head:
            return self._in_the_way(branch)
        if (record is not None and self.matches(branch, record)) or self._is_leftover(branch, head):
            return ""
        if record is None and self._is_of_an_app_that_was_gone(branch):
            return ""
        return (
            f"the branch {branch} holds a commit that Headgate did not make, or replaced since then ({head[:12]}): "
            "merge or delete that branch"
        )

    def _in_the_way(self, branch: str) -> str:
        """Say which branch prevents another one: ``a`` and ``a/b`` cannot both exist, since refs are paths."""
        parents = (f"{OURS}{environment_of(branch)}", OURS.rstrip("/"))
        other = next((parent for parent in parents if self.head(parent)), "") or self._branch_below.get(branch, "")
        return f"the branch {other} is in the way of {branch}: delete that branch" if other else ""

    @cached_property
    def _branch_below(self) -> dict[str, str]:
        """One branch below each name that only a review branch should have."""
        names = (ref.removeprefix("refs/heads/").split("/", 3) for ref in self._workspace.branch_heads())
        return {"/".join(parts[:3]): "/".join(parts) for parts in names if len(parts) > 3}  # noqa: PLR2004  a/b/c/d

    def leftovers(self, branches: Sequence[str]) -> tuple[str, ...]:
        """Return the branches with a commit of Headgate's whose changes are all on the default branch."""
        existing = [branch for branch in branches if self.head(branch)]
        self.read_ahead(existing)
        return tuple(branch for branch in existing if self._is_leftover(branch, self.head(branch)))

    def _is_of_an_app_that_was_gone(self, branch: str) -> bool:
        """Whether a branch was proposed before a person removed the app by hand, and its records with its folder."""
        app = self._workspace.configuration.apps.get(app_of(branch))
        has_records = app is None or bool(self._workspace.tree.paths(app.release_folder(environment_of(branch))))
        return not has_records and self._was_recorded(branch)

    def _was_recorded(self, branch: str) -> bool:
        """Whether Headgate made a branch's commit, and recorded its changes on the commit below it."""
        head = self.head(branch)
        if not self.made_by_headgate(branch, head):
            return False
        if self._workspace.has_records_apart:  # the commit below has none
            return self._workspace.prover is not None
        below = read_proposal(self._workspace, branch, head).base
        record = recorded_proposals(below.only(path for path in below.paths(APPS) if _branch_of(path) == branch))
        return branch in record and record[branch].changes == self._changes_id(head)

    def _is_leftover(self, branch: str, head: str) -> bool:
        if not self.made_by_headgate(branch, head):
            return False
        repository, base = self._workspace.repository, self._workspace.base
        changed = changed_files(repository, f"{head}^", head)
        missing = changed_files(repository, base, head)
        return not any(path in missing and not _is_record(path) for path in changed)

    def made_by_headgate(self, branch: str, commit: str) -> bool:
        """Whether Headgate made a commit once: by its proof, or, without a key, by its message."""
        fetch_proposed(self._workspace, [commit])
        if not git.has_commit(self._workspace.repository, f"{commit}^"):
            return False
        if self._workspace.prover is not None:
            return self._workspace.prover.proves(self._workspace.repository, branch, commit)
        return has_our_wording(git.commit_details(self._workspace.repository, commit).message)

    def _changes_id(self, commit: str) -> str:
        if commit not in self._change_ids:
            self._change_ids[commit] = commit_changes_id(self._workspace, commit)
        return self._change_ids[commit]

    def read_ahead(self, branches: Sequence[str]) -> None:
        """Fetch the commits of many branches at once."""
        heads = [head for branch in branches if (head := self.head(branch))]
        fetch_proposed(self._workspace, heads)


def commit_changes_id(workspace: Workspace, commit: str) -> str:
    """Identify the changes of a commit like `intents.outcome.changes_id`, without the engines' lock."""
    files = changed_files(workspace.repository, f"{commit}^", commit)
    lines = sorted(f"{path}\0{oid if oid.strip('0') else '-'}\n" for path, oid in files.items() if path != LOCK)
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _is_record(path: str) -> bool:
    return path == LOCK or f"/{PROPOSED}/" in path or path.endswith(f"/{PROPOSAL}")


def recorded_proposals(tree: Tree) -> dict[str, ProposalRecord]:
    """Return the records of all proposals, by review branch."""
    records = {}
    for path in [*tree.paths(APPS), *tree.paths(ENVIRONMENTS)]:
        branch = _branch_of(path)
        if branch:
            try:
                records[branch] = parse_record(tree.read(path), path, ProposalRecord)
            except HeadgateError:
                continue  # hydrating that app reports the broken record
    return records


def _branch_of(path: str) -> str:
    """Return the branch whose record is in a file; empty for every other file."""
    parts = path.split("/")
    if parts[-1] != PROPOSAL:
        return ""
    if parts[0] == ENVIRONMENTS and len(parts) == 3:  # noqa: PLR2004  environments/ENV/proposal.yaml
        return group_branch(parts[1])
    if parts[-2] == PROPOSED and parts[-4] == "releases":  # apps/.../APP/releases/ENV/proposed/proposal.yaml
        return review_branch(parts[-5], parts[-3])
    return ""
