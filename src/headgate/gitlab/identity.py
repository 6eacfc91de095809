"""Who really sent this, and who runs it: GitLab's own answers, never what a pipeline was told."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from headgate.errors import GitLabError, UntrustedError
from headgate.gitlab.api import path_of, project_path, quoted
from headgate.gitlab.idtoken import verified
from headgate.releases.handoff import BRANCHES, TAGS, short_ref

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headgate.gitlab.api import GitLab
    from headgate.gitlab.claim import Claim


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


@dataclass(frozen=True)
class Sender:
    """The pipeline that handed something off, as GitLab knows it. ``ref`` is in full, ``user`` who it ran as."""

    project: int
    path: str
    pipeline: int
    commit: str
    ref: str
    is_protected: bool
    source: str
    user: str
    address: str


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


def sender(claim: Claim, job: RunningJob, gitlab: GitLab, manifests: str, hint: int = 0) -> Sender:
    """Return who sent a hand-off: proved by the upstream pipeline's bridges, or by the ``id_token`` in the claim.

    ``gitlab`` reads the app's project, ``hint`` is the pipeline that is said to be the upstream one. Raises
    UntrustedError when nothing proves it, and when a pipeline of a kind that hands nothing off sent it.
    """
    pipeline = _told_by_token(claim, gitlab, manifests) if claim.token else _told_by_bridge(claim, job, gitlab, hint)
    found = gitlab.get(f"{project_path(claim.project)}/pipelines/{pipeline}")
    path = path_of(gitlab, found["web_url"])
    if found["sha"] != claim.commit:
        raise UntrustedError(
            f"the hand-off names commit {claim.commit[:12]}, but pipeline {pipeline} ran for {found['sha'][:12]}"
        )
    _check_source(found, path)
    ref = _ref(found)
    is_protected = _is_protected(gitlab, claim.project, ref, found["sha"])
    return Sender(
        *(found["project_id"], path, pipeline, found["sha"], ref, is_protected),
        *(found["source"], found["user"]["username"], found["web_url"]),
    )


def _told_by_token(claim: Claim, gitlab: GitLab, manifests: str) -> int:
    """Return the pipeline that an ``id_token`` proves, while the job that has it is running."""
    claims = verified(claim.token, gitlab.url, audience(manifests))
    if str(claims.get("project_id")) != str(claim.project) or claims.get("sha") != claim.commit:
        raise UntrustedError("the hand-off's id_token is of another project or commit than the hand-off")
    job = gitlab.get(f"{project_path(claim.project)}/jobs/{int(claims['job_id'])}")
    if job["status"] != "running" or str(job["pipeline"]["id"]) != str(claims.get("pipeline_id")):
        raise UntrustedError(
            f"the hand-off's id_token is of job {job['id']}, which does not run any more",
            hint="run the app's pipeline again: a hand-off counts while the job that sends it runs",
        )
    return int(claims["pipeline_id"])


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


_MOST_PIPELINES = 100


def _told_by_bridge(claim: Claim, job: RunningJob, gitlab: GitLab, hint: int) -> int:
    """Return the pipeline of the app, for the commit, that has a bridge to this pipeline.

    https://docs.gitlab.com/api/jobs/#list-all-trigger-jobs-for-a-pipeline. GitLab writes the bridges, nobody else.
    """
    path = f"{project_path(claim.project)}/pipelines"
    candidates = chain([hint] if hint else [], islice(_pipelines_of(claim, gitlab), _MOST_PIPELINES))
    for pipeline in dict.fromkeys(candidates):
        for bridge in _bridges(gitlab, f"{path}/{pipeline}/bridges"):
            downstream = bridge.get("downstream_pipeline") or {}
            if (downstream.get("id"), downstream.get("project_id")) == (job.pipeline, job.project):
                return int(pipeline)
    raise UntrustedError(
        f"no pipeline of project {claim.project} for commit {claim.commit[:12]} triggered this pipeline",
        hint="hand off with the component 'deliver', whose trigger GitLab itself records; or the hand-off is forged: "
        f"look who started {job.address}",
    )


def _pipelines_of(claim: Claim, gitlab: GitLab) -> Iterator[int]:
    """Yield the pipelines of a commit, child pipelines last, which GitLab lists only when they are asked for."""
    path = f"{project_path(claim.project)}/pipelines"
    for more in ({}, {"source": "parent_pipeline"}):
        yield from (one["id"] for one in _visible(gitlab.each(path, {"sha": claim.commit, **more})))


def _bridges(gitlab: GitLab, path: str) -> Iterator[Any]:
    return _visible(gitlab.each(path))


def _visible(entries: Iterator[Any]) -> Iterator[Any]:
    """Yield the entries of a list that is there and may be read: what may not proves nothing."""
    try:
        yield from entries
    except GitLabError as error:
        if not error.is_hidden:
            raise


def _check_source(pipeline: Any, project: str) -> None:
    source, ref = pipeline["source"], pipeline["ref"]
    if source in _HANDS_NOTHING_OFF or ref.startswith("refs/"):
        raise UntrustedError(
            f"pipeline {pipeline['id']} of {project} ({source}, {ref}) is a merge request's, which hands nothing off",
            hint="let the component 'deliver' run for branches and tags only, as its rules do by themselves",
        )


_HANDS_NOTHING_OFF = ("merge_request_event", "external_pull_request_event", "ondemand_dast_scan", "webide")


def _ref(pipeline: Any) -> str:
    # A tag called main is not the branch; the bare name alone does not tell.
    return f"{TAGS if pipeline['tag'] else BRANCHES}{pipeline['ref']}"


def _is_protected(gitlab: GitLab, project: int, ref: str, commit: str) -> bool:
    """Whether a branch or tag is protected. Raises UntrustedError when it is gone, or a tag is elsewhere by now."""
    if ref.startswith(BRANCHES):
        found = branch(gitlab, project, short_ref(ref))
    else:
        found = gitlab.find(f"{project_path(project)}/repository/tags/{quoted(short_ref(ref))}")
    if found is None:
        raise UntrustedError(f"{ref} is not there any more, so nothing vouches for commit {commit[:12]}")
    if ref.startswith(TAGS) and found["commit"]["id"] != commit:
        raise UntrustedError(f"{ref} is at {found['commit']['id'][:12]} by now, and not at {commit[:12]}")
    return bool(found["protected"])


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
