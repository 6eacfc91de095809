"""What settings of a project ask of merge requests: reviewers, pipelines, squashing."""

from __future__ import annotations

from support.gitlab.state import MergeRequest, Project
from support.gitlab.web import Answer


def waiting(request: MergeRequest) -> str:
    """Say what a merge request waits for whose pipeline must succeed, as `detailed_merge_status` does.

    https://docs.gitlab.com/user/project/merge_requests/auto_merge/#require-a-successful-pipeline-for-merge
    """
    if not request.project.pipelines_must_succeed:
        return ""
    found = [at for at in request.source_project.pipelines if at.sha == request.sha and not at.errors]
    if not found or found[-1].status not in ("created", "running", "success", "skipped"):
        return "ci_must_pass"
    return "" if found[-1].status in ("success", "skipped") else "ci_still_running"


def skips_pipeline(project: Project, ref: str) -> bool:
    """Whether a branch gets no pipeline of its own, having a merge request (19.2): doc/ci/pipelines/settings.md."""
    branch = ref.removeprefix("refs/heads/")
    is_proposed = any(request.source == branch and request.state == "opened" for request in project.merge_requests)
    return project.skips_branch_pipelines and is_proposed


def refusal(request: MergeRequest, state: str, *, squash: bool) -> Answer | None:
    """Return what GitLab answers who wants to merge what may not be merged now; None where it may.

    app/services/merge_requests/merge_base_service.rb: the API shows 422, and the merge request says why.
    """
    project = request.project
    if state != "mergeable" or project.must_use_train:
        return Answer(405, {"message": "405 Method Not Allowed"})
    if project.squash_option == "always" and not squash:
        request.merge_error = "This project requires squashing commits when merge requests are accepted."
        return Answer(422, {"message": "Branch cannot be merged"})
    return None


def add_reviewers(request: MergeRequest) -> None:
    """Add Code Owners, but to drafts, and where a reviewer is set (19.1): doc/user/project/merge_requests/reviews."""
    if request.project.reviewer_assignment != "disabled" and not request.is_draft and not request.reviewers:
        request.reviewers = list(request.project.code_owners)
