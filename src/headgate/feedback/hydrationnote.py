"""The note on a merge request of the manifest project: what hydrating it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headgate.errors import GitLabError
from headgate.gitlab.api import merge_request_path
from headgate.gitlab.notes import keep_note
from headgate.landing.land import read_state
from headgate.landing.workspace import refreshed
from headgate.report.changereport import ChangeReport
from headgate.report.describe import describe
from headgate.repository import git
from headgate.repository.remote import fetch
from headgate.review.content import review_content

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headgate.gitlab.api import GitLab
    from headgate.landing.workspace import Workspace


def comment_hydration(gitlab: GitLab, project: str, request: Any, workspace: Workspace) -> Iterator[str]:
    """Write the note and yield messages. ``workspace`` is at the branch of the merge request ``request``.

    A refused note is only a message. Raises GitError.
    """
    newest = refreshed(workspace)
    ref = (request.get("diff_refs") or {}).get("base_sha") or f"refs/heads/{request['target_branch']}"
    base = fetch(newest.repository, newest.remote, ref)
    configuration = read_state(newest).configuration
    content = review_content(git.tree_of_commit(newest.repository, base), newest.tree, configuration)
    report = ChangeReport(changes=content.changes, findings=content.findings)
    text = f"Hydrating this merge request changes the final YAML:\n\n{describe(report, gitlab.url)}"
    path = merge_request_path(project, request["iid"])
    try:
        if keep_note(gitlab, path, "hydration", text, create=bool(content.changes)):
            yield f"commented on !{request['iid']}"
    except GitLabError as error:
        yield f"cannot comment on !{request['iid']}: {error}"
