"""The word that is said when a merge request of ours is closed: once, whoever closed it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from headgate.gitlab.notes import keep_note
from headgate.report.markdown import prose
from headgate.review.description import ProposalMetadata, described, read_marks

if TYPE_CHECKING:
    from headgate.review.api import MergeRequest, MergeRequests


def close(requests: MergeRequests, one: MergeRequest, why: str) -> None:
    """Say why, and close it. Raises GitLabError."""
    _say(requests, one, why)
    requests.change(one, {"state_event": "close", "description": _is_commented(one)})


def comment_closed(requests: MergeRequests, one: MergeRequest, why: str) -> None:
    """Say why one of ours is closed, where nobody did: GitLab closes those whose branch goes. Raises GitLabError."""
    marks = read_marks(one.description)
    if marks is None or marks.closed:
        return
    _say(requests, one, why)
    requests.change(one, {"description": _is_commented(one)})


def _say(requests: MergeRequests, one: MergeRequest, why: str) -> None:
    keep_note(requests.gitlab, f"{requests.path}/{one.number}", "closed", f"Closed by Headgate: {prose(why)}.")


def _is_commented(one: MergeRequest) -> str:
    return described(one.description, replace(read_marks(one.description) or ProposalMetadata(), closed=True))
