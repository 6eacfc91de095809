"""The note on a merge request of the manifest project itself: what hydrating it changes, kept up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headgate.errors import GitLabError
from headgate.gitlab.api import merge_request_path
from headgate.gitlab.notes import keep_note
from headgate.landing.workspace import refreshed
from headgate.report.appchange import app_changes
from headgate.report.describe import describe
from headgate.repository import git
from headgate.repository.remote import fetch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headgate.gitlab.api import GitLab
    from headgate.landing.workspace import Workspace


def comment_hydration(gitlab: GitLab, project: str, request: Any, workspace: Workspace) -> Iterator[str]:
    """Write the note, and yield what there is to say. ``request`` is the merge request, ``workspace`` at its branch.

    Where the token may not write notes, that is told. Raises GitError.
    """
    newest = refreshed(workspace)
    where = (request.get("diff_refs") or {}).get("base_sha") or f"refs/heads/{request['target_branch']}"
    base = fetch(newest.repository, newest.remote, where)
    changes = app_changes(git.tree_of_commit(newest.repository, base), newest.tree, newest.configuration)
    text = f"What hydrating this changes in the final YAML:\n\n{describe(changes, gitlab.url)}"
    path = merge_request_path(project, request["iid"])
    try:
        if keep_note(gitlab, path, "hydration", text, create=bool(changes)):
            yield f"told !{request['iid']} what changes"
    except GitLabError as error:
        yield f"the note on !{request['iid']} is not written: {error}"
