"""Commit statuses in an app's project: one per environment, sent only when something changed."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from headgate.errors import GitLabError
from headgate.gitlab.api import project_path
from headgate.releases.handoff import short_ref
from headgate.retry import TRIES, pause

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.feedback.commit_report import CommitReport
    from headgate.gitlab.api import GitLab
    from headgate.gitlab.best_effort import Refusals


def send_statuses(gitlab: GitLab, reports: Sequence[CommitReport], refusals: Refusals) -> int:
    """Set the status of each report's commit. Returns how many were sent."""
    known: dict[tuple[int, str], list[dict[str, Any]] | None] = {}
    sent = 0
    for report in reports:
        key, attempt = (report.project, report.commit), partial(refusals.attempt, report.project, "commit statuses")
        if key not in known:
            known[key] = attempt(partial(_statuses, gitlab, report))
        statuses = known[key]
        if statuses is not None:
            before = _newest(statuses, report)
            if not _is_current(before, report) and (report.ref or before is not None):
                sent += bool(attempt(partial(_send, gitlab, report, before)))
    return sent


def status_name(report: CommitReport) -> str:
    """Return the name of a status: ``headgate: dev``, or ``headgate: shop/dev``."""
    return f"headgate: {report.name}"


def _statuses(gitlab: GitLab, report: CommitReport) -> list[dict[str, Any]]:
    """Return a commit's statuses, the oldest first: https://docs.gitlab.com/api/commits/#list-commit-statuses."""
    path = f"{project_path(report.project)}/repository/commits/{report.commit}/statuses"
    return sorted(gitlab.each(path, {"all": "true"}), key=lambda status: int(status["id"]))


def _newest(statuses: Sequence[dict[str, Any]], report: CommitReport) -> dict[str, Any] | None:
    """Return the newest status of a report's name, preferably in the report's pipeline.

    A commit that ran again has several pipelines, and people look at the newest.
    """
    named = [status for status in statuses if status["name"] == status_name(report)]
    own = [status for status in named if report.pipeline and status.get("pipeline_id") == report.pipeline]
    candidates = own or named
    return candidates[-1] if candidates else None


def _is_current(status: Any, report: CommitReport) -> bool:
    return status is not None and (status["status"], status.get("description"), status.get("target_url")) == (
        report.state,
        report.text,
        _target(status, report),
    )


def _target(before: Any, report: CommitReport) -> str:
    """Return the address that a status links: of a failure that is known already, the job that it was in."""
    if report.state == "failed" and before is not None:
        known = str(before.get("target_url") or "")
        if (before["status"], before.get("description")) == ("failed", report.text) and _JOB in known:
            return known
    return report.job or report.url


_JOB = "/-/jobs/"


def _send(gitlab: GitLab, report: CommitReport, before: Any) -> bool:
    """Send a status. Raises GitLabError.

    GitLab changes an unfinished status in place but rejects pending after pending and running after running (its
    CreateCommitStatusService), so the old one is canceled first.
    """
    if report.state in _UNFINISHED and before is not None and before["status"] in _UNFINISHED:
        _post(gitlab, report, "canceled")
    report = replace(report, url=_target(before, report))
    _post(gitlab, report if report.ref else replace(report, ref=before["ref"]), report.state)
    return True


def _post(gitlab: GitLab, report: CommitReport, state: str) -> None:
    body = {
        "state": state,
        "name": status_name(report),
        "ref": short_ref(report.ref),
        "target_url": report.url,
        "description": report.text,
        **({"pipeline_id": report.pipeline} if report.pipeline else {}),
    }
    for attempt in range(1, TRIES + 1):
        try:
            gitlab.post(f"{project_path(report.project)}/statuses/{report.commit}", body)
        except GitLabError as error:
            if error.status == _FORBIDDEN:
                raise GitLabError(error.what, hint=_PROTECTED, status=error.status) from None
            if error.status == _NOT_FOUND and body.pop("pipeline_id", 0):
                continue  # deleted, or of another ref: GitLab takes the newest one, or creates one
            if (
                error.status != _BUSY or attempt == TRIES
            ):  # https://docs.gitlab.com/api/commits/#set-commit-pipeline-status
                raise
            pause(attempt)
        else:
            return


_UNFINISHED = ("pending", "running")
_FORBIDDEN, _NOT_FOUND, _BUSY = 403, 404, 409
_PROTECTED = (
    "the token's user must be a Developer there, who may push or merge the branch if it is protected (Settings > "
    "Repository > Protected branches), or create the tag (Protected tags); and the token needs the scope api"
)
"""https://docs.gitlab.com/api/commits/#set-commit-pipeline-status, lib/api/commit_statuses.rb: `update_pipeline`."""
