"""Deployments in an app's project: GitLab's own record of which environment runs which commit."""

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
    gitlabs: Sequence[GitLab], words: Sequence[CommitReport], refusals: Refusals
) -> list[CommitReport]:
    """Let the newest deployment of each environment be the commit that runs there. Returns what was recorded.

    ``gitlabs`` are the tokens by which it is tried, one after the other.
    """
    recorded = []
    for word in words:
        if word.deployed:
            done = refusals.attempt(word.project, "deployments", partial(_by_one_of, gitlabs, word))
            recorded += [word] if done else []
    return recorded


def _by_one_of(gitlabs: Sequence[GitLab], word: CommitReport) -> bool:
    for gitlab in gitlabs[:-1]:
        try:
            return _record(gitlab, word)
        except GitLabError as error:
            if not error.is_hidden:
                raise
    return _record(gitlabs[-1], word)


def _record(gitlab: GitLab, word: CommitReport) -> bool:
    """Record one, unless the newest one of its environment is the same. Raises GitLabError.

    https://docs.gitlab.com/api/deployments/#create-a-deployment
    """
    path = f"{project_path(word.project)}/deployments"
    if _is_newest(gitlab, path, word):
        return False
    if word.health and _follows_health(gitlab, path, word):
        return True
    body: dict[str, Any] = {
        "environment": word.name,
        "sha": word.commit,
        "ref": short_ref(word.ref),
        "tag": word.ref.startswith(TAGS),
        "status": word.health or "success",
    }
    try:
        gitlab.post(path, body)
    except GitLabError as error:
        # Its answer may have been lost, not the deployment.
        if error.is_refusal or not _is_newest(gitlab, path, word):
            raise
    return True


def _is_newest(gitlab: GitLab, path: str, word: CommitReport) -> bool:
    """Whether the newest deployment is this one. One that ended does not run again while Flux looks at it anew."""
    found = _newest(gitlab, path, word)
    known = ("running", "success", "failed") if word.health == "running" else (word.health or "success",)
    return found is not None and found["sha"] == word.commit and found["status"] in known


def _follows_health(gitlab: GitLab, path: str, word: CommitReport) -> bool:
    """Let the newest deployment, where it is of this commit, have the state that Flux' verdict gives it.

    https://docs.gitlab.com/api/deployments/#update-a-deployment
    """
    found = _newest(gitlab, path, word)
    if found is None or found["sha"] != word.commit:
        return False
    gitlab.put(f"{path}/{found['id']}", {"status": word.health})
    return True


def _newest(gitlab: GitLab, path: str, word: CommitReport) -> Any | None:
    query = {"environment": word.name, "order_by": "id", "sort": "desc", "per_page": 1}
    return next(iter(gitlab.get(path, query)), None)
