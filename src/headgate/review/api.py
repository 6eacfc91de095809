"""Merge requests of the manifest project in GitLab's API."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from headgate.errors import GitLabError
from headgate.gitlab.api import project_path
from headgate.paths import OURS
from headgate.records import frozen_record
from headgate.retry import TRIES, pause

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from headgate.gitlab.api import GitLab

_DRAFT = re.compile(r"(?:\s*(?:\[draft\]|\(draft\)|draft:|draft\s-\s))+\s*", re.IGNORECASE)
_NO_ANSWER = (0, 500, 502, 503, 504)
"""After these the request may have taken effect. 0 is no answer at all."""


@frozen_record
class MergeRequest:
    """One merge request. ``commit`` is the head of its branch as far as GitLab has noticed.

    ``status`` is GitLab's `detailed_merge_status`; ``merges_itself`` says that it is set to auto-merge, and
    ``merge_user`` is the id of who set that, or merged it; 0 for nobody. ``merged_by`` is that person's user name;
    ``closed_by`` and ``close_user`` name who closed it. ``merge_error`` says why GitLab could not merge it.
    """

    number: int
    state: str
    branch: str
    commit: str
    title: str
    description: str
    is_draft: bool
    url: str
    status: str
    merges_itself: bool
    reviewers: tuple[int, ...]
    target: str
    closed_by: str = ""
    close_user: int = 0
    merge_user: int = 0
    merged_by: str = ""
    merged_at: str = ""
    merge_error: str = ""

    @property
    def name(self) -> str:
        """``!12``."""
        return f"!{self.number}"


def _merge_request(entry: Any) -> MergeRequest:
    return MergeRequest(
        number=int(entry["iid"]),
        state=entry["state"],
        branch=entry["source_branch"],
        commit=entry.get("sha") or "",
        title=entry["title"],
        description=entry.get("description") or "",
        is_draft=bool(entry.get("draft")),
        url=entry["web_url"],
        status=entry.get("detailed_merge_status") or "",
        merges_itself=bool(entry.get("merge_when_pipeline_succeeds")),
        reviewers=tuple(reviewer["id"] for reviewer in entry.get("reviewers") or ()),
        target=entry["target_branch"],
        closed_by=(entry.get("closed_by") or {}).get("username") or "",
        close_user=(entry.get("closed_by") or {}).get("id") or 0,
        merge_user=(entry.get("merge_user") or {}).get("id") or 0,
        merged_by=(entry.get("merge_user") or {}).get("username") or "",
        merged_at=entry.get("merged_at") or "",
        merge_error=" ".join(str(entry.get("merge_error") or "").split())[:300],
    )


@frozen_record(kw_only=False)
class MergeRequests:
    """The merge requests of Headgate's branches in a project, onto its default branch."""

    gitlab: GitLab
    project: str
    target: str

    @property
    def path(self) -> str:
        """Their API path."""
        return f"{project_path(self.project)}/merge_requests"

    def open(self, branch: str = "") -> list[MergeRequest]:
        """Return the open merge requests, of all branches or of one. Raises GitLabError."""
        query = {"state": "opened", "target_branch": self.target}
        return list(self._each_own({**query, "source_branch": branch} if branch else query))

    def merged(self) -> list[MergeRequest]:
        """Return the merged merge requests, latest first. Raises GitLabError."""
        return self._latest("merged", "", 50)

    def closed(self, branch: str = "", limit: int = 100) -> list[MergeRequest]:
        """Return the closed merge requests, latest first, of all branches or of one. Raises GitLabError."""
        return self._latest("closed", branch, limit)

    def _latest(self, state: str, branch: str, limit: int) -> list[MergeRequest]:
        query = {"state": state, "target_branch": self.target, "order_by": "updated_at", "per_page": limit}
        entries = self.gitlab.get(self.path, {**query, "source_branch": branch} if branch else query)
        return [_merge_request(entry) for entry in entries if _is_ours(entry)]

    def _each_own(self, query: Mapping[str, Any]) -> Iterator[MergeRequest]:
        yield from (_merge_request(entry) for entry in self.gitlab.each(self.path, query) if _is_ours(entry))

    def newest(self, number: int) -> MergeRequest:
        """Return a merge request's current state. Raises GitLabError."""
        return _merge_request(self.gitlab.get(f"{self.path}/{number}"))

    def create(self, branch: str, fields: Mapping[str, Any]) -> MergeRequest:
        """Create a merge request, or return the existing one. Raises GitLabError.

        After a lost answer it looks for it before it retries, so that there is never a second one.
        """
        body = {"source_branch": branch, "target_branch": self.target, "remove_source_branch": True, **fields}
        for tried in range(1, TRIES):
            try:
                return _merge_request(self.gitlab.post(self.path, body))
            except GitLabError as error:
                if error.status not in (*_NO_ANSWER, _EXISTS):
                    raise
                pause(tried)
                if existing := self.open(branch):
                    return existing[0]
                if error.status == _EXISTS:
                    raise
        return _merge_request(self.gitlab.post(self.path, body))

    def change(self, request: MergeRequest, fields: Mapping[str, Any]) -> MergeRequest:
        """Change fields of a merge request, and return it. Raises GitLabError."""
        return _merge_request(self.gitlab.put(f"{self.path}/{request.number}", fields))


_EXISTS = 409  # https://docs.gitlab.com/api/merge_requests/#create-mr


def _is_ours(entry: Any) -> bool:
    is_same_project = entry["source_project_id"] == entry["target_project_id"]
    return bool(is_same_project) and str(entry["source_branch"]).startswith(OURS)


def as_draft(title: str) -> str:
    """Return a title that marks a draft: https://docs.gitlab.com/user/project/merge_requests/drafts/."""
    return title if _DRAFT.match(title) else f"Draft: {title}"


def as_ready(title: str) -> str:
    """Return a title that marks no draft."""
    return _DRAFT.sub("", title, count=1) if _DRAFT.match(title) else title
