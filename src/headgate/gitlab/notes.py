"""Headgate's notes on merge requests: one of each kind, identified by a hidden marker and edited in place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.errors import GitLabError
from headgate.retry import pause

if TYPE_CHECKING:
    from typing import Any

    from headgate.gitlab.api import GitLab


def keep_note(gitlab: GitLab, merge_request: str, kind: str, text: str, *, create: bool = True) -> bool:
    """Create or update Headgate's note of a kind on a merge request. Returns whether anything changed.

    ``merge_request`` is an API path, ``kind`` consists of a-z, 0-9 and ``-``. Only notes of this token's user count,
    since anybody can copy the marker. Without ``create`` no new note is written. Raises GitLabError.
    """
    body = f"{_marker(kind)}\n\n{text}"
    notes = f"{merge_request}/notes"
    note = _find(gitlab, notes, kind)
    if note is not None:
        if note["body"].strip() == body.strip():
            return False
        gitlab.put(f"{notes}/{note['id']}", {"body": body})
        return True
    if not create:
        return False
    try:
        gitlab.post(notes, {"body": body})
    except GitLabError as error:
        pause(1)
        if error.is_refusal or _find(gitlab, notes, kind) is None:
            raise
    return True


def _marker(kind: str) -> str:
    return f"<!-- headgate:note {kind} -->"


def _find(gitlab: GitLab, notes: str, kind: str) -> Any | None:
    user = gitlab.user
    written = gitlab.each(notes, {"sort": "asc", "order_by": "created_at"})
    return next((note for note in written if _marker(kind) in note["body"] and note["author"]["id"] == user), None)
