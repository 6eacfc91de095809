"""Merge requests without HEADGATE_TOKEN, since a job token may not create them: push options, and links for people."""

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
    """Return the options of a push of review branches: https://docs.gitlab.com/topics/git/commit/#push-options.

    They hold for all branches of the push, so settings that differ between environments are left out.
    """
    environments = configuration.settings.environments
    configured = {environment for _, environment in configuration.pairs()} & set(environments)
    reviews = {environments[name].review for name in configured if environments[name].delivery == "review"}
    options = ["merge_request.create", f"merge_request.target={target}", "merge_request.remove_source_branch"]
    if len(reviews) == 1:
        (review,) = reviews
        options += [f"merge_request.label={label}" for label in review.labels]
        options += [f"merge_request.assign={review.assignee}"] if review.assignee else []
        options += ["merge_request.draft"] if review.draft else []
    return tuple(options)


def find_unopened(by_job: GitLab, project: str, workspace: Workspace) -> ReviewResult:
    """Return the open merge requests, and a message with a link for each branch that needs a new one."""
    requests = MergeRequests(by_job, project, workspace.branch)
    branches = ReviewBranches(workspace)
    if not branches.recorded:
        return ReviewResult()
    try:
        open_requests = {request.branch: request for request in requests.open()}
    except GitLabError as error:
        return ReviewResult(messages=(f"cannot list open merge requests: {error}",))
    messages = tuple(
        f"{branch} needs a merge request: {_creation_link(by_job.url, project, branch, workspace.branch)}"
        for branch in branches.recorded
        if branch not in open_requests and branches.is_recorded(branch)
    )
    return ReviewResult(open=open_requests, messages=messages)


def _creation_link(url: str, project: str, branch: str, target: str) -> str:
    query = {"merge_request[source_branch]": branch, "merge_request[target_branch]": target}
    return f"{url}/{project}/-/merge_requests/new?{urlencode(query)}"
