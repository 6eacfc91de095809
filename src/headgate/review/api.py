"""Merge requests of the manifest project, as GitLab's API has them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headgate.errors import GitLabError
from headgate.gitlab.api import project_path
from headgate.paths import OURS
from headgate.retry import TRIES, pause

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from headgate.gitlab.api import GitLab

_DRAFT = re.compile(r"(?:\s*(?:\[draft\]|\(draft\)|draft:|draft\s-\s))+\s*", re.IGNORECASE)
_NO_ANSWER = (0, 500, 502, 503, 504)
"""After these it is not known whether something was done. 0 is no answer at all."""


@dataclass(frozen=True)
class MergeRequest:
    """One merge request. ``commit`` is the newest of its branch that GitLab took notice of.

    ``status`` is GitLab's `detailed_merge_status`; ``merges_itself`` says that somebody set it to auto-merge.
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

    @property
    def name(self) -> str:
        """``!12``."""
        return f"!{self.number}"


def _of(found: Any) -> MergeRequest:
    return MergeRequest(
        int(found["iid"]),
        found["state"],
        found["source_branch"],
        found.get("sha") or "",
        found["title"],
        found.get("description") or "",
        bool(found.get("draft")),
        found["web_url"],
        found.get("detailed_merge_status") or "",
        bool(found.get("merge_when_pipeline_succeeds")),
        tuple(one["id"] for one in found.get("reviewers") or ()),
        found["target_branch"],
        (found.get("closed_by") or {}).get("username") or "",
    )


@dataclass(frozen=True)
class MergeRequests:
    """The merge requests of our branches in a project, onto its default branch."""

    gitlab: GitLab
    project: str
    target: str

    @property
    def path(self) -> str:
        """Where the API has them."""
        return f"{project_path(self.project)}/merge_requests"

    def open(self, branch: str = "") -> list[MergeRequest]:
        """Return the open ones, or that of one branch. Raises GitLabError."""
        query = {"state": "opened", "target_branch": self.target}
        return list(self._ours({**query, "source_branch": branch} if branch else query))

    def closed(self, branch: str = "", most: int = 100) -> list[MergeRequest]:
        """Return the closed ones that changed last, or those of one branch. Raises GitLabError."""
        query = {"state": "closed", "target_branch": self.target, "order_by": "updated_at", "per_page": most}
        found = self.gitlab.get(self.path, {**query, "source_branch": branch} if branch else query)
        return [_of(one) for one in found if _is_ours(one)]

    def _ours(self, query: Mapping[str, Any]) -> Iterator[MergeRequest]:
        yield from (_of(one) for one in self.gitlab.each(self.path, query) if _is_ours(one))

    def newest(self, number: int) -> MergeRequest:
        """Return one as it is now. Raises GitLabError."""
        return _of(self.gitlab.get(f"{self.path}/{number}"))

    def create(self, branch: str, wanted: Mapping[str, Any]) -> MergeRequest:
        """Make one, or return the one that is there already. Raises GitLabError.

        After an answer that was lost it is looked up first, so that there is never a second one.
        """
        body = {"source_branch": branch, "target_branch": self.target, "remove_source_branch": True, **wanted}
        for tried in range(1, TRIES):
            try:
                return _of(self.gitlab.post(self.path, body))
            except GitLabError as error:
                if error.status not in (*_NO_ANSWER, _EXISTS):
                    raise
                pause(tried)
                if found := self.open(branch):
                    return found[0]
                if error.status == _EXISTS:
                    raise
        return _of(self.gitlab.post(self.path, body))

    def change(self, one: MergeRequest, wanted: Mapping[str, Any]) -> MergeRequest:
        """Change fields of one, and return it. Raises GitLabError."""
        return _of(self.gitlab.put(f"{self.path}/{one.number}", wanted))


_EXISTS = 409  # https://docs.gitlab.com/api/merge_requests/#create-mr


def _is_ours(found: Any) -> bool:
    same = found["source_project_id"] == found["target_project_id"]
    return bool(same) and str(found["source_branch"]).startswith(OURS)


def as_draft(title: str) -> str:
    """Return a title that makes a draft: https://docs.gitlab.com/user/project/merge_requests/drafts/."""
    return title if _DRAFT.match(title) else f"Draft: {title}"


def as_ready(title: str) -> str:
    """Return a title that makes no draft."""
    return _DRAFT.sub("", title, count=1) if _DRAFT.match(title) else title
