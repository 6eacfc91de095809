"""Merges Headgate's own commits, once they have their approvals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.landing.workspace import read_proposal
from headgate.model.policies import approving
from headgate.paths import app_of, environment_of
from headgate.releases.release import read_release
from headgate.report.approvals import hold_text
from headgate.repository import git
from headgate.review.approvals import count_approvals, rule_of_inputs, rule_of_release
from headgate.review.automerge import merge, unset_own
from headgate.review.content import review_content
from headgate.review.update import RequestUpdate, actor_of

if TYPE_CHECKING:
    from headgate.gitlab.approvals import ApprovalRule, Approvals
    from headgate.review.api import MergeRequest
    from headgate.review.automerge import Deadline
    from headgate.review.update import ReviewContext


def approvals_of(
    context: ReviewContext, branch: str, commit: str, request: MergeRequest | None, needed: int
) -> Approvals | None:
    """Return the approvals of a proposal, none yet where its merge request does not have the commit.

    None where it needs none.
    """
    if not needed:
        return None
    return count_approvals(context.requests, request, commit, needed, lambda: _approval_rule(context, branch, commit))


def needed_approvals(context: ReviewContext, branch: str, commit: str) -> int:
    """Return how many approvals a proposal needs: those of headgate.yaml, and one for each policy that requires one."""
    needed = context.review(branch).approvals
    if not approving(context.configuration.settings.policies, environment_of(branch)):
        return needed
    proposal = read_proposal(context.workspace, branch, commit)
    return needed + review_content(proposal.base, proposal.tree, context.configuration).approvals


def _approval_rule(context: ReviewContext, branch: str, commit: str) -> ApprovalRule:
    """Return whose approvals count for a commit of a review branch. Raises GitError, GitLabError."""
    proposal = read_proposal(context.workspace, branch, commit)
    environment, record = environment_of(branch), context.configuration.apps.get(app_of(branch))
    review, actor = context.review(branch), actor_of(context, proposal)
    if record is None:
        parents = git.commit_details(context.workspace.repository, commit).parents
        return rule_of_inputs(review, actor, context.requests, environment, (*parents, commit)[0], context.readers)
    before, after = (read_release(tree, record, environment) for tree in (proposal.base, proposal.tree))
    return rule_of_release(review, actor, before, after, context.readers)


def merges_automatically(context: ReviewContext, request: MergeRequest) -> bool:
    """Whether Headgate merges a merge request automatically."""
    is_wanted = context.review(request.branch).auto_merge and not context.notice(request.branch)
    return is_wanted and not request.is_draft


def merge_proposal(context: ReviewContext, request: MergeRequest, commit: str, deadline: Deadline) -> RequestUpdate:
    """Merge Headgate's own commit, and no other, once it has its approvals.

    Raises GitLabError, also where they cannot be counted.
    """
    if not context.branches.is_recorded(request.branch):
        message = f"{request.name} is not merged automatically: nothing proves that Headgate made {commit[:12]}"
        return RequestUpdate(request=request, message=message)
    needed = needed_approvals(context, request.branch, commit)
    lacking = (lambda: _lacking(context, request, commit, needed)) if needed else None
    after, message = merge(context.requests, request, commit, deadline, lacking)
    merged = after.state == "merged"
    return RequestUpdate(request=None if merged else after, message=message, changed=merged, merged=merged)


def _lacking(context: ReviewContext, request: MergeRequest, commit: str, needed: int) -> str:
    """Say which approvals are missing, read anew. Raises GitLabError where they cannot be counted."""
    approvals = approvals_of(context, request.branch, commit, request, needed)
    if approvals is None:
        return ""
    if approvals.error is not None:
        unset_own(context.requests, request)
        raise approvals.error
    return hold_text(approvals)
