"""The pipelines of merge requests, begun where GitLab left them out: of a push of many branches it makes a few."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.errors import GitLabError
from headgate.gitlab.api import project_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from headgate.review.mergerequest import MergeRequest, MergeRequests
    from headgate.review.upkeep import Reconciled


def without_pipeline(
    requests: MergeRequests, branches: Mapping[str, str], done: Reconciled
) -> Iterator[tuple[MergeRequest, str]]:
    """Yield the merge requests of ours that must have a pipeline and have none, with their commits. Raises GitLabError.

    Those that this run changed are left to the next: GitLab may still be making theirs.
    """
    ours = [one for one in done.open.values() if one.branch in branches and one.branch not in done.changed]
    path = project_path(requests.project)
    # https://docs.gitlab.com/user/project/merge_requests/auto_merge/#require-a-successful-pipeline-for-merge
    if not ours or not requests.gitlab.get(path).get("only_allow_merge_if_pipeline_succeeds"):
        return
    newest = requests.gitlab.get(f"{path}/pipelines", {"source": "merge_request_event", "per_page": 100})
    known = {one["sha"] for one in newest}
    yield from ((one, branches[one.branch]) for one in ours if branches[one.branch] not in known)


def begin_pipeline(requests: MergeRequests, one: MergeRequest, commit: str, done: Reconciled) -> None:
    """Begin the pipeline of a merge request, unless it has one after all. Raises GitLabError.

    https://docs.gitlab.com/api/merge_requests/#create-merge-request-pipeline. GitLab begins none without jobs for it.
    """
    path = f"{requests.path}/{one.number}"
    found = requests.gitlab.get(path)
    if found.get("head_pipeline") or found.get("sha") != commit:
        return
    try:
        requests.gitlab.post(f"{path}/pipelines", {})
    except GitLabError as error:
        if error.status != _NO_JOBS:
            raise
        done.told.append(f"{one.name} must have a pipeline to be merged, and GitLab begins none: {error.what}")
    else:
        done.told.append(f"began the pipeline of {one.name}, which GitLab had left out")


_NO_JOBS = 400
