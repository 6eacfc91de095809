"""Merge requests without HEADGATE_TOKEN, since a job token may not create them: push options, and links for people."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from headgate.errors import GitLabError
from headgate.gitlab.people import People
from headgate.landing.review_branches import ReviewBranches
from headgate.review.api import MergeRequests
from headgate.review.description import read_metadata
from headgate.review.reconcile import attempt, collect, sync
from headgate.review.update import ReviewContext, ReviewResult

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headgate.configuration import Configuration
    from headgate.gitlab.api import GitLab
    from headgate.landing.workspace import Workspace
    from headgate.review.api import MergeRequest


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


def find_unopened(
    by_job: GitLab, opener: GitLab | None, project: str, workspace: Workspace, configuration: Configuration
) -> ReviewResult:
    """Return the open merge requests, and open those that are missing by ``opener``, GitLab by HEADGATE_BRANCH_TOKEN.

    Without it each branch that has none is named with the link that opens it, and it is an error where they are more
    than a push can open.
    """
    branches = ReviewBranches(workspace)
    if not branches.recorded:
        return ReviewResult()
    try:
        open_requests = {item.branch: item for item in MergeRequests(by_job, project, workspace.branch).open()}
    except GitLabError as error:
        return ReviewResult(messages=(f"cannot list open merge requests: {error}",))
    if opener is None:
        missing = [name for name in branches.recorded if name not in open_requests and branches.is_recorded(name)]
        return _named(by_job.url, project, workspace.branch, missing, open_requests)
    context = ReviewContext(
        requests=MergeRequests(opener, project, workspace.branch),
        workspace=workspace,
        configuration=configuration,
        people=People(opener),
        branches=branches,
    )
    steps = [
        attempt(branch, partial(sync, context, branch, commit, open_requests.get(branch)))
        for branch, commit in branches.recorded.items()
        if _is_kept(open_requests.get(branch))
    ]
    return collect(open_requests, steps)


def _is_kept(request: MergeRequest | None) -> bool:
    """Whether Headgate keeps a merge request up to date: what a push opened has no description of Headgate's."""
    return request is None or read_metadata(request.description) is not None


def _named(
    url: str, project: str, target: str, missing: Sequence[str], open_requests: Mapping[str, MergeRequest]
) -> ReviewResult:
    messages = tuple(
        f"{branch} needs a merge request: {_creation_link(url, project, branch, target)}" for branch in missing
    )
    error = GitLabError(
        f"{len(missing)} branches need a merge request: GitLab opens none for a push of more than {PUSH_LIMIT} "
        "branches, and a job token may not",
        hint=f"give {project} the variable HEADGATE_BRANCH_TOKEN (role Developer, scope api), with which the next run "
        "opens them, or open each by its link in this job's log; HEADGATE_TOKEN opens them all",
    )
    errors = (error,) if len(missing) > PUSH_LIMIT else ()
    return ReviewResult(open=open_requests, messages=messages, errors=errors)


PUSH_LIMIT = 10
"""For how many branches GitLab heeds a push's options: app/services/merge_requests/push_options_handler_service.rb."""


def _creation_link(url: str, project: str, branch: str, target: str) -> str:
    query = {"merge_request[source_branch]": branch, "merge_request[target_branch]": target}
    return f"{url}/{project}/-/merge_requests/new?{urlencode(query)}"
