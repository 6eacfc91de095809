"""The note on an app's merged merge request: a table with its state in each environment, edited in place."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING, Any

from headgate.feedback.commit_report import CommitState, summary
from headgate.gitlab.api import merge_request_path, project_path
from headgate.gitlab.notes import keep_note
from headgate.report.markdown import cell, link, prose

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headgate.feedback.commit_report import AppState, CommitReport
    from headgate.gitlab.api import GitLab
    from headgate.gitlab.best_effort import Refusals
    from headgate.review.description import Source


def write_app_notes(
    gitlab: GitLab,
    reports_by_app: Sequence[tuple[AppState, Sequence[CommitReport]]],
    manifests: str,
    refusals: Refusals,
) -> int:
    """Create or update a note on each merged merge request of these commits. Returns how many changed.

    ``manifests`` is the manifest project's path: each manifest project has a note of its own.
    """
    kind = f"report-{hashlib.sha256(manifests.encode()).hexdigest()[:12]}"
    by_commit: dict[Source, set[str]] = {}
    for app_state, reports in reports_by_app:
        for report in reports:
            by_commit.setdefault((report.project, report.commit), set()).add(app_state.owner[0])
    written = 0
    for source, apps in by_commit.items():
        text = _table(source, [entry for entry in reports_by_app if entry[0].owner[0] in apps], manifests)
        for number in refusals.attempt(source[0], "notes", partial(_merged, gitlab, source)) or ():
            path = merge_request_path(source[0], number)
            changed = refusals.attempt(source[0], "notes", partial(keep_note, gitlab, path, kind, text))
            written += bool(changed)
    return written


def _merged(gitlab: GitLab, source: Source) -> list[int]:
    """Return the merged merge requests that contain a commit.

    https://docs.gitlab.com/api/commits/#list-merge-requests-associated-with-a-commit
    """
    path = f"{project_path(source[0])}/repository/commits/{source[1]}/merge_requests"
    return [int(request["iid"]) for request in gitlab.each(path) if _is_merged_into(request, source[0])]


def _is_merged_into(request: Mapping[str, Any], project: int) -> bool:
    return bool(request["state"] == "merged" and request["target_project_id"] == project)


def _table(source: Source, reports_by_app: Sequence[tuple[AppState, Sequence[CommitReport]]], manifests: str) -> str:
    rows = ["| App | Environment | |", "|---|---|---|"]
    for app_state, reports in reports_by_app:
        own = next((report for report in reports if (report.project, report.commit) == source), None)
        if own is None:
            text = prose(summary(app_state))
        else:
            text = f"{_ICONS[own.state]} {link(prose(own.text), own.url) if own.url else prose(own.text)}"
        app, environment = app_state.owner
        rows.append(f"| {cell(app)} | {cell(environment)} | {text} |")
    return "\n".join([f"Deployment of {source[1][:12]} by {prose(manifests)}:", "", *rows])


_ICONS: dict[CommitState, str] = {
    "success": ":white_check_mark:",
    "pending": ":hourglass:",
    "running": ":hourglass:",
    "canceled": ":heavy_minus_sign:",
    "failed": ":x:",
}
