"""Which final YAML a job, or the push that its pipeline is for, brought to the default branch, and what it did not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.feedback.notify import pushed_by_headgate
from headgate.gitlab.api import path_of
from headgate.paths import OURS, RECORDS_BRANCH
from headgate.records import frozen_record
from headgate.report.appchange import app_changes, owners_of
from headgate.report.landed import LandedApps
from headgate.repository import git
from headgate.repository.remote import fetch
from headgate.repository.tree import differing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from headgate.configuration import Configuration, Owner
    from headgate.gitlab.run import Run
    from headgate.landing.land import Landing
    from headgate.landing.workspace import Workspace
    from headgate.report.appchange import AppChange
    from headgate.repository.tree import Tree


Trees = tuple["Tree", "Tree"]
"""The files before and after a commit."""


@frozen_record(kw_only=False)
class LandedCommit:
    """A commit of a landing: the files before and after it, and the differences."""

    trees: Trees
    changes: Sequence[AppChange]


def landed_commits(workspace: Workspace, landings: Iterable[Landing]) -> dict[str, LandedCommit]:
    """Return what the commits of landings changed, without those that removed a branch."""
    return {
        made.commit: LandedCommit(trees, app_changes(*trees, landing.configuration))
        for landing in landings
        for made in landing.delivered
        if (trees := _trees_of(workspace, made.commit)) is not None
    }


def _trees_of(workspace: Workspace, commit: str) -> Trees | None:
    """Return the files before and after a commit; None for one that removed a branch, or has no parent here."""
    if commit == git.NO_COMMIT or not git.has_commit(workspace.repository, f"{commit}^"):
        return None
    before, after = (git.tree_as_needed(workspace.repository, revision) for revision in (f"{commit}^", commit))
    return before, after


def landed_apps(workspace: Workspace, landings: Sequence[Landing], commits: Mapping[str, LandedCommit]) -> LandedApps:
    """Return what landings brought to the default branch, and which apps they proposed or held."""
    found = LandedApps()
    for landing in landings if workspace.target is None else ():  # else to the branch of a merge request
        held = {(outcome.app, outcome.environment): "held" for outcome in landing.outcomes if outcome.state == "held"}
        found = found.followed_by(LandedApps(elsewhere=held))
        for made in landing.delivered:
            if (commit := commits.get(made.commit)) is not None:
                owners = [(change.app, change.environment) for change in commit.changes]
                folders = _changed_folders(commit.trees, owners, landing.configuration)
                if made.branch == workspace.branch:
                    found = found.followed_by(LandedApps(folders=folders))
                elif made.branch.startswith(OURS) and made.branch != RECORDS_BRANCH:
                    found = found.followed_by(LandedApps(elsewhere=dict.fromkeys(folders, "proposed")))
    return found


def pushed_apps(run: Run, workspace: Workspace) -> LandedApps:
    """Return what the push brought that this pipeline is for; nothing where Headgate pushed it, or to an intake.

    Raises GitError, GitLabError.
    """
    if path_of(run.by_job, run.job.address) != run.event.manifests:
        return LandedApps()
    commit = run.job.commit
    fetch(workspace.repository, workspace.remote, commit, depth=2)
    trees = None if pushed_by_headgate(run, workspace, commit) else _trees_of(workspace, commit)
    if trees is None:
        return LandedApps()
    owners = owners_of(differing(*trees), workspace.configuration)
    return LandedApps(folders=_changed_folders(trees, owners, workspace.configuration))


def _changed_folders(trees: Trees, owners: Iterable[Owner], configuration: Configuration) -> dict[Owner, str]:
    """Return the ids of the folders of final YAML that a commit changed and that are still there."""
    before, after = trees
    folders = {owner: configuration.output_folder(*owner) for owner in owners}
    return {
        owner: after.folder(folder).id
        for owner, folder in folders.items()
        if after.paths(folder) and after.folder(folder).id != before.folder(folder).id
    }
