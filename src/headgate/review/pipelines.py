"""Starts pipelines of merge requests that GitLab skipped: for a push of many branches it creates only a few."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.errors import GitLabError
from headgate.gitlab.api import project_path
from headgate.review.update import RequestUpdate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from headgate.review.api import MergeRequest, MergeRequests
    from headgate.review.update import ReviewResult

_NO_JOBS = 400


def without_pipeline(
    requests: MergeRequests, branches: Mapping[str, str], result: ReviewResult
) -> Iterator[tuple[MergeRequest, str]]:
    """Yield our merge requests that need a pipeline and have none, with their commits. Raises GitLabError.

    Those that this run changed are left to the next one: GitLab may still be making theirs.
    """
    ours = [item for item in result.open.values() if item.branch in branches and item.branch not in result.changed]
    path = project_path(requests.project)
    # https://docs.gitlab.com/user/project/merge_requests/auto_merge/#require-a-successful-pipeline-for-merge
    if not ours or not requests.gitlab.get(path).get("only_allow_merge_if_pipeline_succeeds"):
        return
    newest = requests.gitlab.get(f"{path}/pipelines", {"source": "merge_request_event", "per_page": 100})
    known = {pipeline["sha"] for pipeline in newest}
    yield from ((item, branches[item.branch]) for item in ours if branches[item.branch] not in known)


def begin_pipeline(requests: MergeRequests, request: MergeRequest, commit: str) -> RequestUpdate | None:
    """Begin the pipeline of a merge request, unless it has one after all. Raises GitLabError.

    https://docs.gitlab.com/api/merge_requests/#create-merge-request-pipeline. GitLab begins none without jobs for it.
    """
    path = f"{requests.path}/{request.number}"
    current = requests.gitlab.get(path)
    if current.get("head_pipeline") or current.get("sha") != commit:
        return None
    try:
        requests.gitlab.post(f"{path}/pipelines", {})
    except GitLabError as error:
        if error.status != _NO_JOBS:
            raise
        message = f"{request.name} needs a pipeline to be merged, and GitLab begins none: {error.what}"
        return RequestUpdate(request=request, message=message)
    return RequestUpdate(request=request, message=f"began the pipeline of {request.name}, which GitLab had left out")
