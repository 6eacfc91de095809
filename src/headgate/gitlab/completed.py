"""The last scheduled pipeline that succeeded: everything up to its commit has been reported."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from headgate.errors import GitLabError
from headgate.gitlab.api import project_path

if TYPE_CHECKING:
    from headgate.gitlab.api import GitLab


def completed_today(gitlab: GitLab, project: str, branch: str, now: datetime) -> str:
    """Return the commit of today's (UTC) newest successful scheduled pipeline; empty when there is none.

    Empty too when GitLab does not answer: a run that cannot know reports everything. https://docs.gitlab.com/api/pipelines/#list-project-pipelines
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
        pipelines = gitlab.get(f"{project_path(project)}/pipelines", query)
    except GitLabError:
        return ""
    if not pipelines:
        return ""
    created = datetime.fromisoformat(str(pipelines[0]["created_at"]))
    return str(pipelines[0]["sha"]) if created.astimezone(UTC).date() == now.astimezone(UTC).date() else ""
