"""Commit statuses in an app's project: one for each environment, sent only when it says something new."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from headgate.errors import GitLabError
from headgate.gitlab.api import project_path
from headgate.persist import TRIES, pause
from headgate.releases.handoff import short_ref

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.feedback.word import Word
    from headgate.gitlab.api import GitLab
    from headgate.gitlab.refusals import Refusals


def send_statuses(gitlab: GitLab, words: Sequence[Word], refusals: Refusals) -> int:
    """Let each commit have the status that its words say. Returns how many were sent."""
    known: dict[tuple[int, str], dict[str, Any] | None] = {}
    sent = 0
    for word in words:
        key, attempt = (word.project, word.commit), partial(refusals.attempt, word.project, "commit statuses")
        if key not in known:
            known[key] = attempt(partial(_newest, gitlab, word))
        newest = known[key]
        if newest is not None:
            before = newest.get(status_name(word))
            if not _says(before, word) and (word.ref or before is not None):
                sent += bool(attempt(partial(_send, gitlab, word, before)))
    return sent


def status_name(word: Word) -> str:
    """Return the name of a status: ``headgate: dev``, or ``headgate: shop/dev``."""
    return f"headgate: {word.name}"


def _newest(gitlab: GitLab, word: Word) -> dict[str, Any]:
    """Return the newest status of each name: https://docs.gitlab.com/api/commits/#list-commit-statuses."""
    found: dict[str, Any] = {}
    path = f"{project_path(word.project)}/repository/commits/{word.commit}/statuses"
    for one in sorted(gitlab.each(path, {"all": "true"}), key=lambda one: int(one["id"])):
        found[one["name"]] = one
    return found


def _says(known: Any, word: Word) -> bool:
    return known is not None and (known["status"], known.get("description"), known.get("target_url")) == (
        word.state,
        word.text,
        word.url,
    )


def _send(gitlab: GitLab, word: Word, before: Any) -> bool:
    """Send a status. Raises GitLabError.

    GitLab changes a pending one in place and knows no step from pending to pending (its CreateCommitStatusService),
    so that one ends first, and a new one is made.
    """
    if word.state == "pending" and before is not None and before["status"] in ("pending", "running"):
        _post(gitlab, word, "canceled")
    _post(gitlab, word if word.ref else replace(word, ref=before["ref"]), word.state)
    return True


def _post(gitlab: GitLab, word: Word, state: str) -> None:
    body = {
        "state": state,
        "name": status_name(word),
        "ref": short_ref(word.ref),
        "target_url": word.url,
        "description": word.text,
    }
    for tried in range(1, TRIES):
        try:
            gitlab.post(f"{project_path(word.project)}/statuses/{word.commit}", body)
        except GitLabError as error:
            if error.status != _BUSY:  # https://docs.gitlab.com/api/commits/#set-commit-pipeline-status
                raise
            pause(tried)
        else:
            return
    gitlab.post(f"{project_path(word.project)}/statuses/{word.commit}", body)


_BUSY = 409
