"""Who really sent this, and who runs it: GitLab's own answers, never what a pipeline was told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headgate.errors import GitLabError, UntrustedError
from headgate.gitlab.api import project_path
from headgate.gitlab.idtoken import verified

if TYPE_CHECKING:
    from headgate.gitlab.api import GitLab


@dataclass(frozen=True)
class RunningJob:
    """The job that runs this, as GitLab knows it: https://docs.gitlab.com/api/jobs/#get-jobs-related-to-a-job-token.

    ``source`` is how its pipeline came about, ``ref`` its branch or tag by the bare name.
    """

    id: int
    pipeline: int
    project: int
    source: str
    ref: str
    is_tag: bool
    commit: str
    user: int
    user_name: str
    address: str

    @property
    def merge_request(self) -> int:
        """The number of the merge request that the pipeline is of: ``refs/merge-requests/NUMBER/head``."""
        return int(self.ref.removeprefix("refs/merge-requests/").partition("/")[0])


def running_job(gitlab: GitLab) -> RunningJob:
    """Return the job whose token ``gitlab`` uses. Raises GitLabError, also for an answer that is not GitLab's."""
    told = gitlab.get("/job")
    try:
        pipeline, user = told["pipeline"], told["user"]
        return RunningJob(
            *(told["id"], pipeline["id"], pipeline["project_id"], pipeline["source"], told["ref"], bool(told["tag"])),
            *(pipeline["sha"], user["id"], user["username"], told["web_url"]),
        )
    except (KeyError, TypeError):
        raise GitLabError(
            f"what answers at {gitlab.url} does not know the job that this is",
            hint="look at the input 'server', and for variables that were set from outside",
        ) from None


def audience(manifests: str) -> str:
    """Return what an ``id_token`` must be made for, to hand off to a manifest project."""
    return f"headgate:{manifests}"


def level_by_token(token: str, job: RunningJob, server: str, manifests: str) -> int:
    """Return the access level of who runs this job, by the job's own ``id_token``; 0 where it tells of another project.

    https://docs.gitlab.com/ci/secrets/id_token_authentication/#token-payload. Raises UntrustedError when it is no
    token of this job.
    """
    claims = verified(token, server, f"headgate-run:{manifests}")
    if str(claims.get("job_id")) != str(job.id):
        raise UntrustedError(f"HEADGATE_ID_TOKEN is not of this job ({job.id})", hint="a variable was set from outside")
    is_here = str(claims.get("project_id")) == str(job.project) and claims.get("project_path") == manifests
    return LEVELS.get(str(claims.get("user_access_level")), 0) if is_here else 0


LEVELS = {"developer": 30, "maintainer": 40, "owner": 50}
"""https://docs.gitlab.com/api/access_requests/#valid-access-levels"""


def branch(gitlab: GitLab, project: int | str, name: str) -> Any | None:
    """Return a branch as GitLab's API has it, or None. Job tokens may list branches, so the list is asked.

    https://docs.gitlab.com/api/branches/#list-repository-branches
    """
    found = gitlab.each(f"{project_path(project)}/repository/branches", {"search": f"^{name}$"})
    return next((one for one in found if one["name"] == name), None)


def access_level(gitlab: GitLab, project: str, user: int) -> int:
    """Return a person's access level in a project, inherited ones too; 0 for somebody who is no member.

    https://docs.gitlab.com/api/project_members/. Raises GitLabError where the token may not ask: a job token may not.
    """
    found = gitlab.find(f"{project_path(project)}/members/all/{user}")
    return int(found["access_level"]) if found and found.get("state") == "active" else 0
