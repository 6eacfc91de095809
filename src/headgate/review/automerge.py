"""Auto-merge: wait for a limited time for GitLab's decision on a merge request, then request the merge."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from headgate.errors import GitLabError
from headgate.gitlab.api import project_path
from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Callable

    from headgate.gitlab.api import GitLab
    from headgate.review.api import MergeRequest, MergeRequests

# https://docs.gitlab.com/api/merge_requests/#merge-status
_UNDECIDED = ("unchecked", "checking", "preparing", "approvals_syncing", "cannot_be_merged_rechecking", "")
_PENDING = {
    "ci_still_running": "its pipeline",
    "ci_must_pass": "its pipeline",
    "not_approved": "approvals",
    "requested_changes": "a reviewer who requested changes",
    "discussions_not_resolved": "unresolved threads",
    "status_checks_must_pass": "external status checks",
    "external_status_checks": "external status checks",
    "security_policy_pipeline_check": "the pipeline of a security policy",
    "merge_time": "its scheduled merge time",
}
"""Conditions that GitLab itself waits for once auto-merge is set, in words."""
_BLOCKED = {
    "conflict": "it conflicts with the default branch; the next run replaces its commit",
    "need_rebase": "this project requires a rebase onto the default branch: rebase it in the merge request; or "
    "Settings > Merge requests > Merge method",
    "draft_status": "it is a draft",
    "not_open": "it is closed",
    "commits_status": "its branch has no commits of its own",
    "broken_status": "GitLab reports that it cannot be merged",
    "merge_request_blocked": "another merge request must be merged first",
    "blocked_status": "another merge request must be merged first",
    "jira_association_missing": "its title names no Jira issue",
    "locked_paths": "it changes files that somebody locked",
    "locked_lfs_files": "it changes files that somebody locked",
    "security_policy_violations": "it violates a security policy",
    "title_regex": "its title does not match the project's pattern: commits: {message: ...} in headgate.yaml; or "
    "Settings > Merge requests > 'Merge request title must match regex'",
}
"""Conditions that only people can change."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 8.0


@frozen_record(kw_only=False)
class Deadline:
    """The end of a wait, on the clock of `time.monotonic`."""

    until: float

    @staticmethod
    def of(seconds: float) -> Deadline:
        """Return the deadline this many seconds from now."""
        return Deadline(time.monotonic() + seconds)

    def pause(self, tried: int) -> bool:
        """Sleep, longer each time. Returns whether there was time left."""
        remaining = self.until - time.monotonic()
        time.sleep(max(0.0, min(_FIRST_PAUSE * 2**tried, _LONGEST_PAUSE, remaining)))
        return remaining > 0


def merge(
    requests: MergeRequests,
    request: MergeRequest,
    commit: str,
    deadline: Deadline,
    lacking: Callable[[], str] | None = None,
) -> tuple[MergeRequest, str]:
    """Let GitLab merge exactly ``commit``, now or as soon as it may; return the new state and a message.

    ``lacking`` is called last, and says what is missing that GitLab does not ask for. With it nothing is left to
    GitLab to merge later, but for a merge train: nobody would look again.
    The message says what prevents the merge; a later run tries again. Raises GitLabError when GitLab does not answer.
    """
    current = _decided(requests, request, commit, deadline)
    if current.state == "merged":
        return current, ""
    hindrance = _hindrance(requests, request, current, commit)
    if hindrance:
        return current, hindrance
    missing = lacking() if lacking is not None else ""
    if missing:
        return unset_own(requests, current), f"{current.name} is not merged: it {missing}"
    if current.merges_itself:
        return current, ""
    if lacking is not None and current.status != "mergeable":
        awaited = _PENDING[current.status]
        return current, f"{current.name} waits for {awaited}; a later run counts its approvals again and merges it"
    return _start_merge(requests, current)


def _hindrance(requests: MergeRequests, request: MergeRequest, current: MergeRequest, commit: str) -> str:
    """Say why GitLab is not asked to merge a merge request in its current state; empty where it is."""
    if (current.state, current.branch, current.target) != ("opened", request.branch, requests.target):
        change = f"it is {current.state}, from {current.branch} to {current.target}"
        return f"{current.name} is not merged automatically: somebody changed it ({change})"
    if current.commit != commit or current.status in _UNDECIDED:
        return f"GitLab has not decided yet whether {current.name} may be merged; a later run tries again"
    if current.status != "mergeable" and current.status not in _PENDING:
        reason = _BLOCKED.get(current.status, current.status)
        return f"{current.name} cannot be merged automatically: {reason}"
    return ""


def unset_own(requests: MergeRequests, request: MergeRequest) -> MergeRequest:
    """Unset auto-merge where it is Headgate's own. Raises GitLabError."""
    if not request.merges_itself or request.merge_user != requests.gitlab.user:
        return request
    cancel_auto_merge(requests, request)
    return replace(request, merges_itself=False)


def _decided(requests: MergeRequests, request: MergeRequest, commit: str, deadline: Deadline) -> MergeRequest:
    """Return a merge request once GitLab has seen the commit and decided, or at the deadline.

    Both happen some time after a push: https://docs.gitlab.com/api/merge_requests/#preparation-steps.
    """
    tried = 0
    current = requests.newest(request.number)
    while (
        current.state == "opened"
        and (current.commit != commit or current.status in _UNDECIDED)
        and deadline.pause(tried)
    ):
        current = requests.newest(request.number)
        tried += 1
    return current


def _start_merge(requests: MergeRequests, request: MergeRequest) -> tuple[MergeRequest, str]:
    awaited = _PENDING.get(request.status, "")
    try:
        try:
            _put(requests, request, auto=bool(awaited))
        except GitLabError as error:
            if awaited or error.status != _NOT_ALLOWED or not _has_train(requests):
                raise
            awaited = "its turn in the merge train"
            _put(requests, request, auto=True)
    except GitLabError as error:
        current = requests.newest(request.number)  # the answer may have been lost, or the request sent twice
        if current.state == "merged":
            return current, f"merged {current.name}"
        if current.merges_itself:
            return current, f"{current.name} is set to auto-merge"
        reason = _REFUSALS.get(error.status, error.what)
        said = f": {current.merge_error}" if current.merge_error else ""
        return current, f"GitLab did not merge {request.name} ({reason}){said}{_setting(requests, error.status)}"
    if awaited:
        return replace(request, merges_itself=True), f"{request.name} is set to auto-merge and waits for {awaited}"
    return replace(request, state="merged"), f"merged {request.name}"


def _put(requests: MergeRequests, request: MergeRequest, *, auto: bool) -> None:
    body = {"sha": request.commit, "should_remove_source_branch": True}
    body |= {"auto_merge": True} if auto else {}
    requests.gitlab.put(f"{requests.path}/{request.number}/merge", body)


def _has_train(requests: MergeRequests) -> bool:
    """Whether the project uses merge trains; then GitLab merges nothing directly.

    https://docs.gitlab.com/ci/pipelines/merge_trains/
    """
    project = requests.gitlab.get(project_path(requests.project))
    return bool(project.get("merge_trains_enabled"))


def _setting(requests: MergeRequests, status: int) -> str:
    """Return the setting that lets nothing be merged as it is; empty where it is not that."""
    if status != _FAILED or requests.gitlab.get(project_path(requests.project)).get("squash_option") != "always":
        return ""
    return "; Settings > Merge requests > 'Squash commits when merging': Allow, Encourage or Do not allow"


_NOT_ALLOWED, _FAILED = 405, 422

# https://docs.gitlab.com/api/merge_requests/#merge-a-merge-request
_REFUSALS = {
    401: "the token may not merge onto the default branch",
    403: "the token may not merge onto the default branch",
    405: "it may not be merged now; a later run tries again",
    409: "its branch moved meanwhile; a later run tries again",
    422: "the merge failed; a later run tries again",
}


def is_own_push(gitlab: GitLab, project: str, branch: str, commit: str) -> bool:
    """Whether GitLab's events say that this token's user pushed a commit to a branch.

    https://docs.gitlab.com/api/events/. Pushes of more than three branches at once do not name the branches.
    """
    try:
        events = gitlab.get(f"{project_path(project)}/events", {"action": "pushed", "per_page": 100})
    except GitLabError:
        return False
    pushes = [event.get("push_data") or {} for event in events if event.get("author_id") == gitlab.user]
    return any((push.get("ref"), push.get("commit_to")) == (branch, commit) for push in pushes)


def cancel_auto_merge(requests: MergeRequests, request: MergeRequest) -> None:
    """Unset auto-merge. Raises GitLabError.

    https://docs.gitlab.com/api/merge_requests/#cancel-merge-when-pipeline-succeeds
    """
    try:
        requests.gitlab.post(f"{requests.path}/{request.number}/cancel_merge_when_pipeline_succeeds", {})
    except GitLabError as error:
        if error.status not in (404, 405, 406):  # it was not set
            raise
