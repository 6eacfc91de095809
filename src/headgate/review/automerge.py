"""Merging: waiting, for a time, until GitLab knows whether a merge request may be merged, and then asking for it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from headgate.errors import GitLabError
from headgate.gitlab.api import project_path

if TYPE_CHECKING:
    from headgate.gitlab.api import GitLab
    from headgate.review.api import MergeRequest, MergeRequests

# https://docs.gitlab.com/api/merge_requests/#merge-status
_UNDECIDED = ("unchecked", "checking", "preparing", "approvals_syncing", "cannot_be_merged_rechecking", "")
_PENDING = {
    "ci_still_running": "its pipeline",
    "ci_must_pass": "its pipeline",
    "not_approved": "approvals",
    "requested_changes": "a reviewer who asked for changes",
    "discussions_not_resolved": "threads that are not resolved",
    "status_checks_must_pass": "external status checks",
    "external_status_checks": "external status checks",
    "security_policy_pipeline_check": "the pipeline of a security policy",
    "merge_time": "its time to be merged",
}
"""What GitLab waits for by itself, once it was told to merge, in words."""
_BLOCKED = {
    "conflict": "it conflicts with the default branch; the next run makes it anew",
    "need_rebase": "this project merges only what is on top of the default branch: rebase it in the merge request",
    "draft_status": "it is a draft",
    "not_open": "it is closed",
    "commits_status": "its branch holds no commits that differ",
    "broken_status": "it cannot be merged as it is",
    "merge_request_blocked": "another merge request has to be merged first",
    "blocked_status": "another merge request has to be merged first",
    "jira_association_missing": "its title names no Jira issue",
    "locked_paths": "somebody locked files that it changes",
    "locked_lfs_files": "somebody locked files that it changes",
    "security_policy_violations": "it violates a security policy",
    "title_regex": "its title does not fit the project's pattern",
}
"""What only people can change."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 8.0


@dataclass(frozen=True)
class Deadline:
    """Until when is waited: by `time.monotonic`."""

    until: float

    @staticmethod
    def of(seconds: float) -> Deadline:
        """Wait for so long from now on."""
        return Deadline(time.monotonic() + seconds)

    def pause(self, tried: int) -> bool:
        """Wait a while, longer each time. Returns whether there is time left."""
        left = self.until - time.monotonic()
        time.sleep(max(0.0, min(_FIRST_PAUSE * 2**tried, _LONGEST_PAUSE, left)))
        return left > 0


def merge(requests: MergeRequests, one: MergeRequest, commit: str, patience: Deadline) -> tuple[MergeRequest, str]:
    """Ask GitLab to merge, now or as soon as it may be, exactly ``commit``; return it as it is then, and a word.

    What keeps it from being merged is told and left to a later run. Raises GitLabError when GitLab does not answer.
    """
    found = _decided(requests, one, commit, patience)  # as it is right before it is merged
    if found.state == "merged":
        return found, ""
    if (found.state, found.branch, found.target) != ("opened", one.branch, requests.target):
        where = f"it is {found.state}, from {found.branch} to {found.target}"
        return found, f"{found.name} is not merged by itself: somebody changed it ({where})"
    if found.commit != commit or found.status in _UNDECIDED:
        return found, f"GitLab has not decided yet whether {found.name} may be merged; a later run asks again"
    if found.status != "mergeable" and found.status not in _PENDING:
        why = _BLOCKED.get(found.status, found.status)
        return found, f"{found.name} cannot be merged by itself: {why}"
    if found.merges_itself:
        return found, ""
    return _request_merge(requests, found)


def _decided(requests: MergeRequests, one: MergeRequest, commit: str, patience: Deadline) -> MergeRequest:
    """Return a merge request when GitLab has seen the commit and decided, or as it is when there is no more time.

    Both come after a push, not with it: https://docs.gitlab.com/api/merge_requests/#preparation-steps.
    """
    tried = 0
    found = requests.newest(one.number)
    while found.state == "opened" and (found.commit != commit or found.status in _UNDECIDED) and patience.pause(tried):
        found = requests.newest(one.number)
        tried += 1
    return found


def _request_merge(requests: MergeRequests, one: MergeRequest) -> tuple[MergeRequest, str]:
    waits_for = _PENDING.get(one.status, "")
    try:
        try:
            _put(requests, one, by_itself=bool(waits_for))
        except GitLabError as error:
            if waits_for or error.status != _NOT_ALLOWED or not _has_train(requests):
                raise
            waits_for = "its turn in the merge train"
            _put(requests, one, by_itself=True)
    except GitLabError as error:
        found = requests.newest(one.number)  # its answer may have been lost, or it was tried twice
        if found.state == "merged":
            return found, f"merged {found.name}"
        if found.merges_itself:
            return found, f"{found.name} merges by itself"
        return found, f"GitLab did not merge {one.name} ({_REFUSALS.get(error.status, error.what)})"
    if waits_for:
        return replace(one, merges_itself=True), f"{one.name} merges by itself, and waits for {waits_for}"
    return replace(one, state="merged"), f"merged {one.name}"


def _put(requests: MergeRequests, one: MergeRequest, *, by_itself: bool) -> None:
    wanted = {"sha": one.commit, "should_remove_source_branch": True}
    wanted |= {"auto_merge": True} if by_itself else {}
    requests.gitlab.put(f"{requests.path}/{one.number}/merge", wanted)


def _has_train(requests: MergeRequests) -> bool:
    """Whether the project merges by trains: where it must, GitLab merges nothing at once.

    https://docs.gitlab.com/ci/pipelines/merge_trains/
    """
    found = requests.gitlab.get(project_path(requests.project))
    return bool(found.get("merge_trains_enabled"))


_NOT_ALLOWED = 405

# https://docs.gitlab.com/api/merge_requests/#merge-a-merge-request
_REFUSALS = {
    401: "the token may not merge onto the default branch",
    403: "the token may not merge onto the default branch",
    405: "it may not be merged now; a later run asks again",
    409: "its branch moved in the meantime; a later run asks again",
    422: "merging failed; a later run asks again",
}


def was_pushed_by_us(gitlab: GitLab, project: str, branch: str, commit: str) -> bool:
    """Whether GitLab's events say that this token's user pushed a commit to a branch.

    https://docs.gitlab.com/api/events/. It says nothing of single branches when more than three were pushed at once.
    """
    try:
        events = gitlab.get(f"{project_path(project)}/events", {"action": "pushed", "per_page": 100})
    except GitLabError:
        return False
    pushes = [one.get("push_data") or {} for one in events if one.get("author_id") == gitlab.user]
    return any((push.get("ref"), push.get("commit_to")) == (branch, commit) for push in pushes)


def stop(requests: MergeRequests, one: MergeRequest) -> None:
    """Take back that a merge request merges by itself. Raises GitLabError.

    https://docs.gitlab.com/api/merge_requests/#cancel-merge-when-pipeline-succeeds
    """
    try:
        requests.gitlab.post(f"{requests.path}/{one.number}/cancel_merge_when_pipeline_succeeds", {})
    except GitLabError as error:
        if error.status not in (404, 405, 406):  # it is not set to any more
            raise
