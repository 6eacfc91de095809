"""Open proposals, read only, and the release that each proposes. Nothing is written to a checkout."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from headgate.paths import group_branch, review_branch
from headgate.records import frozen_record
from headgate.releases.decide import cleaned
from headgate.releases.deepen import fetch_with_depth, history_clone
from headgate.releases.pending import PROPOSAL, PROPOSED, compose
from headgate.releases.pending_files import read_pending
from headgate.releases.release import CONFIG, NOTHING, RELEASE, known_parts, parts, read_released
from headgate.repository.difference import changed_files
from headgate.repository.git import has_commit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headgate.configuration import AppRecord, Configuration, Owner
    from headgate.gitlab.approvals import Approvals
    from headgate.landing.workspace import Workspace
    from headgate.model import ProposalRecord, Release
    from headgate.repository.git import Repository
    from headgate.repository.tree import Tree

_BRANCHES = "refs/heads/"


@frozen_record(kw_only=False)
class Proposed:
    """An open proposal. ``release`` is None when only the final YAML differs; ``commit`` is empty without a branch.

    ``decision`` is the record of a person's roll-back or removal; None where versions or templates are proposed.
    ``approvals`` are those of its merge request; None where Headgate needs none to merge it.
    """

    branch: str
    commit: str
    release: Release | None
    decision: ProposalRecord | None = None
    approvals: Approvals | None = None


def open_proposals(
    workspace: Workspace, configuration: Configuration, tree: Tree | None = None
) -> dict[Owner, Proposed]:
    """Return the open proposals by app and environment; an app's own, on record on the default branch, comes first.

    Raises GitError.
    """
    tree = workspace.tree if tree is None else tree
    heads = workspace.branch_heads()
    proposals: dict[Owner, Proposed] = {}
    for record, environment in configuration.pairs():
        if f"{record.release_folder(environment)}/{PROPOSED}/{PROPOSAL}" in tree:
            branch = review_branch(record.name, environment)
            proposed = _proposed(tree, record, environment, branch, heads.get(f"{_BRANCHES}{branch}", ""))
            if proposed is not None:
                proposals[record.name, environment] = proposed
    for owner, proposal in _template_proposals(workspace, configuration, heads).items():
        proposals.setdefault(owner, proposal)
    return proposals


def _proposed(tree: Tree, record: AppRecord, environment: str, branch: str, commit: str) -> Proposed | None:
    """Return the proposal for an app in an environment; a removal has no release."""
    folder = record.release_folder(environment)
    landed = read_released(tree, folder) or NOTHING
    known = known_parts(record, environment) | parts(landed.release).keys()
    proposal = cleaned(landed, read_pending(tree, folder, landed), known).proposal
    if proposal is None:
        return None
    if proposal.by_person:
        release = proposal.decided.release if proposal.decided is not None else None
        return Proposed(branch, commit, release, proposal.record)
    return Proposed(branch, commit, compose(landed, proposal.groups).release)


def _template_proposals(
    workspace: Workspace, configuration: Configuration, heads: dict[str, str]
) -> dict[Owner, Proposed]:
    branches = [group_branch(name) for name in configuration.settings.environments]
    commits = {branch: heads[f"{_BRANCHES}{branch}"] for branch in branches if f"{_BRANCHES}{branch}" in heads}
    proposals: dict[Owner, Proposed] = {}
    with _with_commits(workspace, list(commits.values())) as repository:
        for branch, commit in commits.items():
            if workspace.prover is not None and not workspace.prover.proves(repository, branch, commit):
                continue
            for owner in _owners_of_changes(repository, configuration, workspace.base, commit):
                if branch == group_branch(owner[1]):
                    proposals.setdefault(owner, Proposed(branch, commit, None))
    return proposals


@contextmanager
def _with_commits(workspace: Workspace, commits: Sequence[str]) -> Iterator[Repository]:
    """Give a repository with these commits: a temporary clone when a remote has them."""
    if not workspace.remote or not commits:
        yield workspace.repository
        return
    with history_clone(workspace.repository, workspace.remote) as fresh:
        fetch_with_depth(
            fresh, workspace.repository, [f"+{commit}:refs/headgate/{commit}" for commit in dict.fromkeys(commits)], 2
        )
        yield fresh


def _owners_of_changes(repository: Repository, configuration: Configuration, base: str, commit: str) -> Iterator[Owner]:
    changed = changed_files(repository, base, commit)
    if has_commit(repository, f"{commit}^"):  # leave out later changes of the default branch
        proposed = changed_files(repository, f"{commit}^", commit)
        changed = {path: oid for path, oid in changed.items() if path in proposed}
    folders = {parent for path in changed for parent in _parents(path)}
    for record, environment in configuration.pairs():
        folder, output = record.release_folder(environment), configuration.output_folder(record.name, environment)
        if f"{folder}/{RELEASE}" in changed or not folders.isdisjoint((f"{folder}/{CONFIG}", output)):
            yield record.name, environment


def _parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rsplit("/", 1)[0]
        yield path
