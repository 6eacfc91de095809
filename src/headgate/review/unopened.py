"""Where there is only a job token, which may make no merge request: what a push asks for, and what people must do."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from headgate.errors import GitLabError
from headgate.gitlab.people import People
from headgate.landing.review_branches import ReviewBranches
from headgate.review.marks import read_marks
from headgate.review.mergerequest import MergeRequests
from headgate.review.mergerequests import each, kept
from headgate.review.upkeep import Bench, Reconciled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.config import Configuration
    from headgate.gitlab.api import GitLab
    from headgate.landing.workspace import Workspace


def push_options(configuration: Configuration, target: str) -> tuple[str, ...]:
    """Return what a push of branches for review tells GitLab: https://docs.gitlab.com/topics/git/commit/#push-options.

    They hold for all branches of one push, so what environments want differently is left out.
    """
    environments = configuration.settings.environments
    reviewed = {environment for _, environment in configuration.pairs()} & set(environments)
    wanted = {environments[name].review for name in reviewed if environments[name].delivery == "review"}
    options = ["merge_request.create", f"merge_request.target={target}", "merge_request.remove_source_branch"]
    if len(wanted) == 1:
        (review,) = wanted
        options += [f"merge_request.label={label}" for label in review.labels]
        options += [f"merge_request.assign={review.assignee}"] if review.assignee else []
        options += ["merge_request.draft"] if review.draft else []
    return tuple(options)


def unopened(
    by_job: GitLab, opener: GitLab | None, project: str, workspace: Workspace, configuration: Configuration
) -> Reconciled:
    """Return the merge requests that are open, and open those that are missing by ``opener``.

    ``opener`` is GitLab by HEADGATE_BRANCH_TOKEN; without it each branch that has none is named, with the link that
    opens it, and it is an error where they are more than a push can open.
    """
    requests = MergeRequests(opener or by_job, project, workspace.branch)
    branches = ReviewBranches(workspace)
    recorded = branches.recorded
    if not recorded:
        return Reconciled()
    try:
        found = {one.branch: one for one in MergeRequests(by_job, project, workspace.branch).open()}
    except GitLabError as error:
        return Reconciled(told=[f"whether merge requests are open is not known: {error}"])
    done = Reconciled(dict(found))
    if opener is None:
        missing = [branch for branch in recorded if branch not in found and branches.is_recorded(branch)]
        _tell(by_job.url, project, workspace.branch, missing, done)
        return done
    bench = Bench(requests, workspace, configuration, People(opener), branches)
    for branch, commit in recorded.items():
        one = found.get(branch)
        if one is None or read_marks(one.description):  # what a push opened has no description of ours to keep up
            each(done, branch, lambda b=branch, c=commit, o=one: kept(bench, b, c, o, done))
    return done


def _tell(url: str, project: str, target: str, missing: Sequence[str], done: Reconciled) -> None:
    done.told.extend(f"{branch} waits for a merge request: {_new(url, project, branch, target)}" for branch in missing)
    if len(missing) > MOST_AT_ONCE:
        done.errors.append(
            GitLabError(
                f"{len(missing)} branches wait for a merge request: GitLab opens none of a push of more than "
                f"{MOST_AT_ONCE} branches, and a job token may not",
                hint=f"give {project} the variable HEADGATE_BRANCH_TOKEN (role Developer, scope api), with which the "
                "next run opens them, or open each by its link in this job's log; with HEADGATE_TOKEN none is left out",
            )
        )


MOST_AT_ONCE = 10
"""For how many branches GitLab heeds a push's options: app/services/merge_requests/push_options_handler_service.rb."""


def _new(url: str, project: str, branch: str, target: str) -> str:
    chosen = {"merge_request[source_branch]": branch, "merge_request[target_branch]": target}
    return f"{url}/{project}/-/merge_requests/new?{urlencode(chosen)}"
