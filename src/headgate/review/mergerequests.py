"""Merge requests for what waits on our branches: made, kept up to date, merged and closed, as the state asks for.

Nothing is remembered from run to run but what stands in GitLab and in git, so any run completes what another left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headgate.errors import HeadgateError
from headgate.gitlab.people import People
from headgate.intents.held import Closed, Reject
from headgate.landing.review_branches import ReviewBranches
from headgate.landing.workspace import branch_heads, read_proposal
from headgate.layout import OURS
from headgate.releases.pending import read_pending
from headgate.report.appchange import app_changes
from headgate.repository.git import NO_COMMIT
from headgate.repository.remote import remote_refs
from headgate.repository.tree import differing
from headgate.review.automerge import Patience, merge
from headgate.review.closing import close, tell_closed
from headgate.review.marks import read_marks, settings_id
from headgate.review.mergerequest import MergeRequests
from headgate.review.pipelines import begin_pipeline, without_pipeline
from headgate.review.upkeep import Bench, Reconciled, again, app_of, environment_of, opened, thawed_or_frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headgate.config import Configuration
    from headgate.gitlab.api import GitLab
    from headgate.landing.workspace import OpenProposal, Workspace
    from headgate.review.mergerequest import MergeRequest

SECONDS = 60.0
"""How long a run waits, in all, until GitLab has decided what may be merged."""


def reconcile(
    gitlab: GitLab,
    project: str,
    workspace: Workspace,
    configuration: Configuration,
    *,
    seconds: float = SECONDS,
) -> Reconciled:
    """Bring the merge requests of a project to what its branches hold now.

    ``workspace`` is at the newest commit of the default branch. What fails for one merge request is kept in
    ``errors``, and the others are gone on with. Raises GitLabError when they cannot even be listed.
    """
    requests = MergeRequests(gitlab, project, workspace.branch)
    bench = Bench(requests, workspace, configuration, People(gitlab), ReviewBranches(workspace))
    found = {one.branch: one for one in requests.open()}
    branches = bench.branches.recorded
    done = Reconciled(dict(found))
    for branch, commit in branches.items():
        each(done, branch, lambda b=branch, c=commit: kept(bench, b, c, found.get(b), done))
    for branch, one in found.items():
        if branch not in branches and _is_over(workspace, one):
            each(done, branch, lambda b=branch, o=one: _closed(bench, b, o, done))
    for one in requests.closed():
        if one.branch not in branches:
            each(done, one.branch, lambda o=one: tell_closed(requests, o, _rejected(bench, o) or _why(bench, o.branch)))
    for one, commit in without_pipeline(requests, branches, done):
        each(done, one.branch, lambda o=one, c=commit: begin_pipeline(requests, o, c, done))
    _merge(bench, branches, done, seconds)
    done.told.extend(f"there is no user '{name}' in GitLab to review or to assign" for name in bench.people.unknown)
    return done


def closed_by_people(gitlab: GitLab, project: str, workspace: Workspace) -> Reject | None:
    """Return what people rejected by closing merge requests of what is still proposed; None where nobody did.

    Raises GitLabError.
    """
    branches = ReviewBranches(workspace).recorded
    owners = {branch: (app_of(branch), environment_of(branch)) for branch in branches if app_of(branch)}
    if not owners:
        return None
    requests = MergeRequests(gitlab, project, workspace.branch)
    found = [
        Closed(*owners[one.branch], one.closed_by or "somebody", one.name)
        for one in requests.closed()
        if one.branch in owners and one.commit == branches[one.branch] and _by_person(one)
    ]
    return Reject(tuple(found)) if found else None


def _by_person(one: MergeRequest) -> bool:
    marks = read_marks(one.description)
    return marks is None or not marks.closed


def _is_over(workspace: Workspace, one: MergeRequest) -> bool:
    """Whether a merge request of ours is for something that is not proposed any more."""
    marks = read_marks(one.description)
    head = branch_heads(workspace).get(f"refs/heads/{one.branch}", NO_COMMIT)
    return marks is not None and head in (NO_COMMIT, marks.commit) and not _moved(workspace, one.branch, head)


def each(done: Reconciled, branch: str, action: Any) -> None:
    """Do something for one branch; what goes wrong is kept, and the others are gone on with."""
    try:
        action()
    except HeadgateError as error:
        done.errors.append(error)
        done.told.append(f"the merge request of {branch} is left to a later run")


def kept(bench: Bench, branch: str, commit: str, one: MergeRequest | None, done: Reconciled) -> None:
    """Let a branch have its merge request, as it should be."""
    review = bench.review(branch)
    marks = read_marks(one.description) if one else None
    if one and marks and (marks.commit, marks.settings) == (commit, settings_id(review)):
        done.open[branch] = thawed_or_frozen(bench, one, marks)
        return
    if _moved(bench.workspace, branch, commit):
        return  # who moved it tells GitLab too
    if not bench.branches.is_recorded(branch):
        done.told.append(f"{branch} holds a commit that Headgate did not make, so its merge request is left alone")
        return
    proposal = read_proposal(bench.workspace, branch, commit)
    if not _changes_anything(bench, proposal):
        if one and read_marks(one.description):
            _closed(bench, branch, one, done)
        return
    changes = app_changes(proposal.base, proposal.tree, bench.configuration)
    if one is None:
        opened(bench, proposal, changes, done)
    else:
        again(bench, proposal, changes, one, done)


def _moved(workspace: Workspace, branch: str, commit: str) -> bool:
    """Whether a branch is elsewhere by now."""
    ref = f"refs/heads/{branch}"
    if not workspace.remote:
        return False
    return remote_refs(workspace.repository, workspace.remote, ref).get(ref, NO_COMMIT) != commit


def _changes_anything(bench: Bench, proposal: OpenProposal) -> bool:
    """Whether the default branch does not hold already what is proposed."""
    newest = bench.workspace.tree
    paths = differing(proposal.base, proposal.tree)
    return any(newest.oid(path) != proposal.tree.oid(path) for path in paths)


def _closed(bench: Bench, branch: str, one: MergeRequest, done: Reconciled) -> None:
    why = _why(bench, branch)
    close(bench.requests, one, why)
    marks = read_marks(one.description)
    done.gone[branch] = marks.sources if marks else ()
    done.open.pop(branch, None)
    done.told.append(f"closed {one.name} for {branch}: {why}")


def _rejected(bench: Bench, one: MergeRequest) -> str:
    """Say that a person rejected what a merge request brought; nothing where nobody did."""
    app, environment = app_of(one.branch), environment_of(one.branch)
    if app not in bench.configuration.apps:
        return ""
    folder = bench.configuration.apps[app].release_folder(environment)
    rejected = read_pending(bench.workspace.tree, folder, None).rejected
    found = next((entry for entry in rejected.values() if entry.request == one.name), None)
    return f"rejected by {found.by or 'somebody'}; a newer version is proposed anew" if found else ""


def _why(bench: Bench, branch: str) -> str:
    """Say why nothing is left of a branch to review, by what stands on the default branch."""
    environment, _, app = branch.removeprefix(OURS).partition("/")
    at = f"{bench.workspace.branch} ({bench.workspace.base[:12]})"
    apps = bench.configuration.apps
    if environment not in bench.configuration.settings.environments:
        return f"there is no environment {environment} any more"
    if app.startswith("_"):
        return f"nothing is left to change: {at} holds it already, or something newer took its place"
    if app not in apps.names or (
        app in apps and environment not in apps[app].environments(bench.configuration.settings)
    ):
        return f"{app} is not configured in {environment} any more"
    return f"superseded: {at} holds it already, or something newer"


def _merge(bench: Bench, branches: Mapping[str, str], done: Reconciled, seconds: float) -> None:
    patience = Patience.of(seconds)
    for branch, one in list(done.open.items()):
        review = bench.review(branch)
        if branch in branches and review.auto_merge and not one.is_draft and not bench.notice(branch):
            commit = branches[branch]
            each(done, branch, lambda o=one, c=commit: _merged(bench, o, c, done, patience))


def _merged(bench: Bench, one: MergeRequest, commit: str, done: Reconciled, patience: Patience) -> None:
    """Merge what Headgate itself made, and nothing else."""
    requests = bench.requests
    if not bench.branches.is_recorded(one.branch):
        done.told.append(f"{one.name} is not merged by itself: nothing proves that Headgate made {commit[:12]}")
        return
    after, word = merge(requests, one, commit, patience)
    done.open[one.branch] = after
    done.told.extend([word] if word else [])
    if after.state == "merged":
        done.open.pop(one.branch)
        done.merged.append(one.branch)
        done.changed.append(one.branch)
