"""Deployments in an app's project: GitLab's record of which environment runs which commit."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from headgate.errors import GitLabError
from headgate.gitlab.api import project_path
from headgate.releases.handoff import TAGS, short_ref

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.feedback.commit_report import CommitReport
    from headgate.gitlab.api import GitLab
    from headgate.gitlab.best_effort import Refusals


def record_deployments(
    gitlabs: Sequence[GitLab], reports: Sequence[CommitReport], refusals: Refusals
) -> list[CommitReport]:
    """Record the running commit of each environment as its newest deployment. Returns what was recorded.

    ``gitlabs`` are tried in turn: a token may lack access.
    """
    recorded = []
    for report in reports:
        if report.deployed:
            is_new = refusals.attempt(report.project, "deployments", partial(_try_each, gitlabs, report))
            recorded += [report] if is_new else []
    return recorded


def _try_each(gitlabs: Sequence[GitLab], report: CommitReport) -> bool:
    for gitlab in gitlabs[:-1]:
        try:
            return _record(gitlab, report)
        except GitLabError as error:
            if not error.is_hidden:
                raise
    return _record(gitlabs[-1], report)


def _record(gitlab: GitLab, report: CommitReport) -> bool:
    """Record a deployment unless it is its environment's newest. Raises GitLabError.

    https://docs.gitlab.com/api/deployments/#create-a-deployment
    """
    path = f"{project_path(report.project)}/deployments"
    if _is_newest(gitlab, path, report):
        return False
    if report.health and _follows_health(gitlab, path, report):
        return True
    if report.rolled_back:
        return False
    body: dict[str, Any] = {
        "environment": report.name,
        "sha": report.commit,
        "ref": short_ref(report.ref),
        "tag": report.ref.startswith(TAGS),
        "status": report.health or "success",
    }
    try:
        gitlab.post(path, body)
    except GitLabError as error:
        # The answer may have been lost, not the deployment.
        if error.is_refusal or not _is_newest(gitlab, path, report):
            raise
    return True


def _is_newest(gitlab: GitLab, path: str, report: CommitReport) -> bool:
    """Whether the newest deployment is this one. One that ended does not run again while Flux looks at it anew."""
    newest = _newest(gitlab, path, report)
    known = ("running", "success", "failed") if report.health == "running" else (report.health or "success",)
    return newest is not None and newest["sha"] == report.commit and newest["status"] in known


def _follows_health(gitlab: GitLab, path: str, report: CommitReport) -> bool:
    """Let the newest deployment, where it is of this commit, have the state that Flux's verdict gives it.

    https://docs.gitlab.com/api/deployments/#update-a-deployment
    """
    newest = _newest(gitlab, path, report)
    if newest is None or newest["sha"] != report.commit:
        return False
    gitlab.put(f"{path}/{newest['id']}", {"status": report.health})
    return True


def _newest(gitlab: GitLab, path: str, report: CommitReport) -> Any | None:
    query = {"environment": report.name, "order_by": "id", "sort": "desc", "per_page": 1}
    return next(iter(gitlab.get(path, query)), None)
