"""Where there is only a job token, which may make no merge request: what a push asks for, and what people must do."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from headgate.errors import GitLabError
from headgate.landing.review_branches import ReviewBranches
from headgate.review.api import MergeRequests
from headgate.review.update import ReviewResult

if TYPE_CHECKING:
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


def unopened(by_job: GitLab, project: str, workspace: Workspace) -> ReviewResult:
    """Return the merge requests that are open, and say which branches have none, with the link that opens one."""
    requests = MergeRequests(by_job, project, workspace.branch)
    branches = ReviewBranches(workspace)
    if not branches.recorded:
        return ReviewResult()
    try:
        found = {one.branch: one for one in requests.open()}
    except GitLabError as error:
        return ReviewResult(told=[f"whether merge requests are open is not known: {error}"])
    told = [
        f"{branch} waits for a merge request: {_new(by_job.url, project, branch, workspace.branch)}"
        for branch in branches.recorded
        if branch not in found and branches.is_recorded(branch)
    ]
    return ReviewResult(found, told)


def _new(url: str, project: str, branch: str, target: str) -> str:
    chosen = {"merge_request[source_branch]": branch, "merge_request[target_branch]": target}
    return f"{url}/{project}/-/merge_requests/new?{urlencode(chosen)}"
