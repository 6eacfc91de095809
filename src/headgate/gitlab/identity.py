"""The user of this job and their role: GitLab's own answers, never variables of the pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headgate.errors import GitLabError, UntrustedError
from headgate.gitlab.api import project_path
from headgate.gitlab.idtoken import verified_claims
from headgate.records import frozen_record

if TYPE_CHECKING:
    from headgate.gitlab.api import GitLab


@frozen_record
class RunningJob:
    """The running job, as GitLab knows it: https://docs.gitlab.com/api/jobs/#get-jobs-related-to-a-job-token.

    ``source`` is its pipeline's, ``ref`` the short name of its branch or tag.
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
        """The merge request of the pipeline, whose ref is ``refs/merge-requests/NUMBER/head``."""
        return int(self.ref.removeprefix("refs/merge-requests/").partition("/")[0])


def running_job(gitlab: GitLab) -> RunningJob:
    """Return the job whose token ``gitlab`` uses. Raises GitLabError, also when something other than GitLab answers."""
    job = gitlab.get("/job")
    try:
        pipeline, user = job["pipeline"], job["user"]
        return RunningJob(
            id=job["id"],
            pipeline=pipeline["id"],
            project=pipeline["project_id"],
            source=pipeline["source"],
            ref=job["ref"],
            is_tag=bool(job["tag"]),
            commit=pipeline["sha"],
            user=user["id"],
            user_name=user["username"],
            address=job["web_url"],
        )
    except (KeyError, TypeError):
        raise GitLabError(
            f"the server at {gitlab.url} does not know this job",
            hint="check the input 'server', and whether variables were set from outside",
        ) from None


def audience(manifests: str) -> str:
    """Return the audience of an ``id_token`` for a hand-off to a manifest project."""
    return f"headgate:{manifests}"


def level_by_token(token: str, job: RunningJob, server: str, manifests: str) -> int:
    """Return the access level of the job's user from the job's ``id_token``; 0 when the token is for another project.

    https://docs.gitlab.com/ci/secrets/id_token_authentication/#token-payload. Raises UntrustedError for a token of
    another job.
    """
    claims = verified_claims(token, server, f"headgate-run:{manifests}")
    if str(claims.get("job_id")) != str(job.id):
        raise UntrustedError(
            f"HEADGATE_ID_TOKEN does not belong to this job ({job.id})", hint="a variable was set from outside"
        )
    is_here = str(claims.get("project_id")) == str(job.project) and claims.get("project_path") == manifests
    return LEVELS.get(str(claims.get("user_access_level")), 0) if is_here else 0


LEVELS = {"developer": 30, "maintainer": 40, "owner": 50}
"""https://docs.gitlab.com/api/access_requests/#valid-access-levels"""


def branch(gitlab: GitLab, project: int | str, name: str) -> Any | None:
    """Return a branch as in GitLab's API, or None. Searches the list, since job tokens may not read a single branch.

    https://docs.gitlab.com/api/branches/#list-repository-branches
    """
    branches = gitlab.each(f"{project_path(project)}/repository/branches", {"search": f"^{name}$"})
    return next((branch for branch in branches if branch["name"] == name), None)


def access_level(gitlab: GitLab, project: str, user: int) -> int:
    """Return a user's direct or inherited access level in a project; 0 for a user who is not a member.

    https://docs.gitlab.com/api/project_members/. Raises GitLabError, always with a job token, which may not ask.
    """
    member = gitlab.find(f"{project_path(project)}/members/all/{user}")
    return int(member["access_level"]) if member and member.get("state") == "active" else 0
