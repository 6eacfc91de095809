"""The note on an app's merged merge request: a table of what became of it, edited in place."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING, Any

from headgate.feedback.commit_report import shown
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
    gitlab: GitLab, told: Sequence[tuple[AppState, Sequence[CommitReport]]], manifests: str, refusals: Refusals
) -> int:
    """Let each merged merge request of these commits have a note of ours. Returns how many changed.

    ``manifests`` is the manifest project's path: another one has a note of its own.
    """
    kind = f"report-{hashlib.sha256(manifests.encode()).hexdigest()[:12]}"
    by_commit: dict[Source, set[str]] = {}
    for standing, words in told:
        for word in words:
            by_commit.setdefault((word.project, word.commit), set()).add(standing.owner[0])
    written = 0
    for source, apps in by_commit.items():
        text = _table(source, [one for one in told if one[0].owner[0] in apps], manifests)
        for number in refusals.attempt(source[0], "notes", partial(_merged, gitlab, source)) or ():
            path = merge_request_path(source[0], number)
            changed = refusals.attempt(source[0], "notes", partial(keep_note, gitlab, path, kind, text))
            written += bool(changed)
    return written


def _merged(gitlab: GitLab, source: Source) -> list[int]:
    """Return the merge requests that brought a commit.

    https://docs.gitlab.com/api/commits/#list-merge-requests-associated-with-a-commit
    """
    path = f"{project_path(source[0])}/repository/commits/{source[1]}/merge_requests"
    return [int(one["iid"]) for one in gitlab.each(path) if _is_merged_into(one, source[0])]


def _is_merged_into(one: Mapping[str, Any], project: int) -> bool:
    return bool(one["state"] == "merged" and one["target_project_id"] == project)


def _table(source: Source, told: Sequence[tuple[AppState, Sequence[CommitReport]]], manifests: str) -> str:
    rows = ["| App | Environment | |", "|---|---|---|"]
    for standing, words in told:
        own = next((one for one in words if (one.project, one.commit) == source), None)
        if own is None:
            said = prose(shown(standing))
        else:
            text = prose(own.text)
            said = f"{_MARKS[own.state]} {link(text, own.url) if own.url else text}"
        app, environment = standing.owner
        rows.append(f"| {cell(app)} | {cell(environment)} | {said} |")
    return "\n".join([f"What became of {source[1][:12]} in {prose(manifests)}:", "", *rows])


_MARKS = {
    "success": ":white_check_mark:",
    "pending": ":hourglass:",
    "running": ":hourglass:",
    "canceled": ":heavy_minus_sign:",
    "failed": ":x:",
}
