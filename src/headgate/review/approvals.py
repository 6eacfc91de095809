"""The approvals that a proposal has, and whose count: not those of the people who requested it or wrote it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.gitlab.api import project_path
from headgate.gitlab.approvals import ApprovalRule, Approvals, ApprovalSubject, read_approvals
from headgate.paths import ENVIRONMENTS, SETTINGS, TEMPLATES
from headgate.releases.release import parts

if TYPE_CHECKING:
    from collections.abc import Callable

    from headgate.gitlab.api import GitLab
    from headgate.gitlab.approvals import SourceCommit
    from headgate.model import Release, Review
    from headgate.review.api import MergeRequest, MergeRequests


def count_approvals(
    requests: MergeRequests,
    request: MergeRequest | None,
    commit: str,
    needed: int,
    find_rule: Callable[[], ApprovalRule],
) -> Approvals:
    """Return the approvals of a proposal at a commit; none yet where it has no merge request."""
    if request is None:
        return Approvals(needed=needed)
    subject = ApprovalSubject(
        project=requests.project, number=request.number, commit=commit, needed=needed, merged_at=request.merged_at
    )
    return read_approvals(requests.gitlab, subject, find_rule)


def rule_of_release(
    review: Review, actor: str, before: Release | None, after: Release | None, readers: tuple[GitLab, ...]
) -> ApprovalRule:
    """Return whose approvals count for an app's own proposal. ``actor`` is who requested it; may be empty."""
    known = parts(before)
    changed = [part for name, part in parts(after).items() if part != known.get(name)]
    actors = frozenset(name for name in (actor, *(part.actor for part in changed)) if name)
    commits = tuple(dict.fromkeys((part.project_id or part.project, part.commit) for part in changed))
    return ApprovalRule(role=review.approver_role, actors=actors, commits=commits, readers=readers)


def rule_of_inputs(
    review: Review,
    actor: str,
    requests: MergeRequests,
    environment: str,
    commit: str,
    readers: tuple[GitLab, ...],
) -> ApprovalRule:
    """Return whose approvals count for a proposal that changes what many apps are rendered from.

    ``commit`` is the one of the default branch that it is based on. Raises GitLabError.
    """
    commits = _commits_of_inputs(requests.gitlab, requests.project, environment, commit)
    return ApprovalRule(role=review.approver_role, actors=frozenset({actor} - {""}), commits=commits, readers=readers)


def _commits_of_inputs(gitlab: GitLab, project: str, environment: str, commit: str) -> tuple[SourceCommit, ...]:
    """Return the newest commits, as of one of the manifest repository, that changed what many apps are rendered from.

    https://docs.gitlab.com/api/commits/#list-repository-commits. Raises GitLabError.
    """
    here = f"{ENVIRONMENTS}/{environment}"
    paths = (TEMPLATES, SETTINGS, f"{here}/values.yaml", f"{here}/overrides.yaml")
    found: dict[SourceCommit, None] = {}
    for path in paths:
        query = {"ref_name": commit, "path": path, "per_page": 1}
        entries = gitlab.get(f"{project_path(project)}/repository/commits", query)
        found |= {(project, entry["id"]): None for entry in entries}
    return tuple(found)
