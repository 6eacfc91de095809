"""Flux's verdict from the commit statuses that its notification controller posts on the manifest commit.

The form is that of notification-controller's `gitlab` provider, Flux 2.6 to 2.8: the name is
``kustomization/NAME/FIRST-PART-OF-THE-PROVIDER'S-UID`` (before 2.0 without the last part), the state success or failed,
the description the reason in lower-case words. Whatever is no error comes as a success, with reasons such as
*dependency not ready* too (kustomize-controller, `KustomizationReconciler.Reconcile`), so the description counts.
"""

from __future__ import annotations

import re
from dataclasses import field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from headgate.flux.verdict import FluxReport
from headgate.gitlab.api import project_path
from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headgate.flux.verdict import ReportState
    from headgate.gitlab.api import GitLab

_SUCCEEDED = "reconciliation succeeded"
_MANY = 200


@frozen_record(kw_only=False)
class StatusReports:
    """The commit statuses of the manifest project. Those of each commit are fetched once."""

    gitlab: GitLab
    project: str
    _known: dict[str, list[Any]] = field(default_factory=dict, compare=False)

    def reports(self, commits: Sequence[str], kustomization: str, user: str) -> Iterator[FluxReport]:
        """Yield what Flux said of a Kustomization at some commits. Statuses of others than ``user`` do not count.

        Raises GitLabError.
        """
        name = re.compile(rf"kustomization/{re.escape(kustomization.lower())}(/[0-9a-f]+)?")
        for commit in commits:
            for status in self._statuses(commit):
                author = (status.get("author") or {}).get("username")
                state = _state(status)
                if author == user and state is not None and name.fullmatch(status["name"]):
                    yield FluxReport(
                        commit=commit,
                        name=status["name"],
                        state=state,
                        time=datetime.fromisoformat(status.get("finished_at") or status["created_at"]),
                        reason=f"{status.get('description') or status['status']} (Kustomization {kustomization})",
                    )

    @property
    def is_busy(self) -> bool:
        """Whether so many commits were looked at that only the necessary ones are from now on."""
        return len(self._known) >= _MANY

    def _statuses(self, commit: str) -> list[Any]:
        """Return a commit's statuses: https://docs.gitlab.com/api/commits/#list-commit-statuses."""
        if commit not in self._known:
            path = f"{project_path(self.project)}/repository/commits/{commit}/statuses"
            self._known[commit] = list(self.gitlab.each(path, {"all": "true"}))
        return self._known[commit]


def _state(status: Any) -> ReportState | None:
    if status["status"] == "failed":
        return "failed"
    if status["status"] == "success":
        return "healthy" if status.get("description") == _SUCCEEDED else "waiting"
    return None
