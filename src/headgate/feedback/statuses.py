"""Commit statuses in an app's project: one for each environment, sent only when it says something new."""

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


def send_statuses(gitlab: GitLab, words: Sequence[CommitReport], refusals: Refusals) -> int:
    """Let each commit have the status that its words say. Returns how many were sent."""
    known: dict[tuple[int, str], list[dict[str, Any]] | None] = {}
    sent = 0
    for word in words:
        key, attempt = (word.project, word.commit), partial(refusals.attempt, word.project, "commit statuses")
        if key not in known:
            known[key] = attempt(partial(_statuses, gitlab, word))
        statuses = known[key]
        if statuses is not None:
            before = _newest(statuses, word)
            if not _says(before, word) and (word.ref or before is not None):
                sent += bool(attempt(partial(_send, gitlab, word, before)))
    return sent


def status_name(word: CommitReport) -> str:
    """Return the name of a status: ``headgate: dev``, or ``headgate: shop/dev``."""
    return f"headgate: {word.name}"


def _statuses(gitlab: GitLab, word: CommitReport) -> list[dict[str, Any]]:
    """Return a commit's statuses, the oldest first: https://docs.gitlab.com/api/commits/#list-commit-statuses."""
    path = f"{project_path(word.project)}/repository/commits/{word.commit}/statuses"
    return sorted(gitlab.each(path, {"all": "true"}), key=lambda one: int(one["id"]))


def _newest(statuses: Sequence[dict[str, Any]], word: CommitReport) -> dict[str, Any] | None:
    """Return the newest status of a word's name, in the pipeline that it belongs to where that has one.

    A commit has more pipelines than one when it ran again: what it says in another one is not found there by people.
    """
    named = [one for one in statuses if one["name"] == status_name(word)]
    own = [one for one in named if word.pipeline and one.get("pipeline_id") == word.pipeline]
    found = own or named
    return found[-1] if found else None


def _says(known: Any, word: CommitReport) -> bool:
    return known is not None and (known["status"], known.get("description"), known.get("target_url")) == (
        word.state,
        word.text,
        word.url,
    )


def _send(gitlab: GitLab, word: CommitReport, before: Any) -> bool:
    """Send a status. Raises GitLabError.

    GitLab changes an unfinished one in place and knows no step from pending to pending or running to running (its
    CreateCommitStatusService), so that one ends first, and a new one is made.
    """
    if word.state in _UNFINISHED and before is not None and before["status"] in _UNFINISHED:
        _post(gitlab, word, "canceled")
    _post(gitlab, word if word.ref else replace(word, ref=before["ref"]), word.state)
    return True


def _post(gitlab: GitLab, word: CommitReport, state: str) -> None:
    body = {
        "state": state,
        "name": status_name(word),
        "ref": short_ref(word.ref),
        "target_url": word.url,
        "description": word.text,
        **({"pipeline_id": word.pipeline} if word.pipeline else {}),
    }
    for tried in range(1, TRIES + 1):
        try:
            gitlab.post(f"{project_path(word.project)}/statuses/{word.commit}", body)
        except GitLabError as error:
            if error.status == _NOT_FOUND and body.pop("pipeline_id", 0):
                continue  # that pipeline was deleted, or is of another ref: GitLab takes the newest one, or makes one
            if (
                error.status != _BUSY or tried == TRIES
            ):  # https://docs.gitlab.com/api/commits/#set-commit-pipeline-status
                raise
            pause(tried)
        else:
            return


_UNFINISHED = ("pending", "running")
_NOT_FOUND = 404
_BUSY = 409
