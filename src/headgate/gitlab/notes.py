"""Notes of ours on merge requests: one of each kind, found again by a mark that nobody sees, edited in place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.errors import GitLabError
from headgate.retry import pause

if TYPE_CHECKING:
    from typing import Any

    from headgate.gitlab.api import GitLab


def keep_note(gitlab: GitLab, merge_request: str, kind: str, text: str, *, begin: bool = True) -> bool:
    """Let a merge request have exactly one note of ours of a kind, with this text. Returns whether it had to change.

    ``merge_request`` is its path in the API, ``kind`` some words of a-z, 0-9 and ``-``. Only notes that this token's
    user wrote count: anybody can copy the mark. Without ``begin`` no new one is written. Raises GitLabError.
    """
    body = f"{_mark(kind)}\n\n{text}"
    notes = f"{merge_request}/notes"
    found = _find(gitlab, notes, kind)
    if found is not None:
        if found["body"].strip() == body.strip():
            return False
        gitlab.put(f"{notes}/{found['id']}", {"body": body})
        return True
    if not begin:
        return False
    try:
        gitlab.post(notes, {"body": body})
    except GitLabError as error:
        pause(1)
        if error.is_refusal or _find(gitlab, notes, kind) is None:
            raise
    return True


def _mark(kind: str) -> str:
    return f"<!-- headgate:note {kind} -->"


def _find(gitlab: GitLab, notes: str, kind: str) -> Any | None:
    me = gitlab.user
    written = gitlab.each(notes, {"sort": "asc", "order_by": "created_at"})
    return next((one for one in written if _mark(kind) in one["body"] and one["author"]["id"] == me), None)
