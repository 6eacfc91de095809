"""Merging what Headgate itself made, with the approvals that it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.gitlab.approvals import ApprovalRule, Approvals, ApprovalSubject, read_approvals
from headgate.landing.workspace import read_proposal
from headgate.paths import app_of, environment_of
from headgate.releases.release import read_release
from headgate.report.approvals import hold_text
from headgate.repository import git
from headgate.review.approvals import (
    actors_of_release,
    commits_of_inputs,
    commits_of_release,
)
from headgate.review.automerge import merge, unset_own
from headgate.review.update import RequestUpdate, actor_of

if TYPE_CHECKING:
    from headgate.review.api import MergeRequest
    from headgate.review.automerge import Deadline
    from headgate.review.update import ReviewContext


def approvals_of(context: ReviewContext, branch: str, commit: str, request: MergeRequest | None) -> Approvals | None:
    """Return the approvals of a proposal, none yet where its merge request does not have the commit.

    None where headgate.yaml asks for no approvals.
    """
    needed = context.needed_approvals(branch)
    if not needed or request is None:
        return Approvals(needed=needed) if needed else None
    requests = context.requests
    subject = ApprovalSubject(
        project=requests.project, number=request.number, commit=commit, needed=needed, merged_at=request.merged_at
    )
    return read_approvals(requests.gitlab, subject, lambda: approval_rule(context, branch, commit))


def approval_rule(context: ReviewContext, branch: str, commit: str) -> ApprovalRule:
    """Return whose approvals count for a commit of a review branch. Raises GitError, GitLabError."""
    proposal = read_proposal(context.workspace, branch, commit)
    environment, record = environment_of(branch), context.configuration.apps.get(app_of(branch))
    actors = {actor_of(context, proposal)} - {""}
    if record is None:
        parents, requests = git.commit_details(context.workspace.repository, commit).parents, context.requests
        commits = commits_of_inputs(requests.gitlab, requests.project, environment, (*parents, commit)[0])
    else:
        before, after = (read_release(tree, record, environment) for tree in (proposal.base, proposal.tree))
        actors |= actors_of_release(before, after)
        commits = commits_of_release(before, after)
    return ApprovalRule(
        role=context.review(branch).approver_role,
        actors=frozenset(actors),
        commits=commits,
        readers=context.readers,
    )


def merges_automatically(context: ReviewContext, request: MergeRequest) -> bool:
    """Whether Headgate merges a merge request by itself."""
    is_wanted = context.review(request.branch).auto_merge and not context.notice(request.branch)
    return is_wanted and not request.is_draft


def merge_proposal(context: ReviewContext, request: MergeRequest, commit: str, deadline: Deadline) -> RequestUpdate:
    """Merge what Headgate itself made, and nothing else, once it has its approvals.

    Raises GitLabError, also where nobody can tell whether it has them.
    """
    if not context.branches.is_recorded(request.branch):
        message = f"{request.name} is not merged automatically: nothing proves that Headgate made {commit[:12]}"
        return RequestUpdate(request=request, message=message)
    is_bound = context.needed_approvals(request.branch) > 0
    lacking = (lambda: _lacking(context, request, commit)) if is_bound else None
    after, message = merge(context.requests, request, commit, deadline, lacking)
    merged = after.state == "merged"
    return RequestUpdate(request=None if merged else after, message=message, changed=merged, merged=merged)


def _lacking(context: ReviewContext, request: MergeRequest, commit: str) -> str:
    """Say which approvals are missing, read anew. Raises GitLabError where nobody can tell."""
    approvals = approvals_of(context, request.branch, commit, request)
    if approvals is None:
        return ""
    if approvals.error is not None:
        unset_own(context.requests, request)
        raise approvals.error
    return hold_text(approvals)
