"""Since when nothing is left to be told: the last scheduled pipeline that succeeded, as GitLab remembers it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from headgate.errors import GitLabError
from headgate.gitlab.api import project_path

if TYPE_CHECKING:
    from headgate.gitlab.api import GitLab


def completed_today(gitlab: GitLab, project: str, branch: str, now: datetime) -> str:
    """Return the commit of the newest scheduled pipeline of today that succeeded; empty where there is none.

    Days are UTC's. Where GitLab does not answer there is none either, so that the first run of each day, and every run
    that cannot know, looks at everything. https://docs.gitlab.com/api/pipelines/#list-project-pipelines
    """
    query = {
        "source": "schedule",
        "status": "success",
        "ref": branch,
        "order_by": "id",
        "sort": "desc",
        "per_page": 1,
    }
    try:
        found = gitlab.get(f"{project_path(project)}/pipelines", query)
    except GitLabError:
        return ""
    if not found:
        return ""
    made = datetime.fromisoformat(str(found[0]["created_at"]))
    return str(found[0]["sha"]) if made.astimezone(UTC).date() == now.astimezone(UTC).date() else ""
