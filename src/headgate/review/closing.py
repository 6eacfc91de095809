"""The note on a closed merge request of Headgate's: written once, whoever closed it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from headgate.gitlab.notes import keep_note
from headgate.report.markdown import prose
from headgate.review.description import ProposalMetadata, read_metadata, updated_description

if TYPE_CHECKING:
    from headgate.review.api import MergeRequest, MergeRequests


def close(requests: MergeRequests, request: MergeRequest, reason: str) -> None:
    """Comment why, then close. Raises GitLabError."""
    _comment(requests, request, reason)
    requests.change(request, {"state_event": "close", "description": _as_commented(request)})


def comment_closed(requests: MergeRequests, request: MergeRequest, reason: str) -> None:
    """Comment why unless done, since GitLab itself closes requests of deleted branches. Raises GitLabError."""
    metadata = read_metadata(request.description)
    if metadata is None or metadata.closed:
        return
    _comment(requests, request, reason)
    requests.change(request, {"description": _as_commented(request)})


def _comment(requests: MergeRequests, request: MergeRequest, reason: str) -> None:
    path = f"{requests.path}/{request.number}"
    keep_note(requests.gitlab, path, "closed", f"Closed by Headgate: {prose(reason)}.")


def _as_commented(request: MergeRequest) -> str:
    metadata = read_metadata(request.description) or ProposalMetadata()
    return updated_description(request.description, replace(metadata, closed=True))
