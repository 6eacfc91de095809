"""Who sent a hand-off: GitLab's own word, by one of the ways that headgate.yaml lets count.

The ways, the strongest first (docs/trust.md says what somebody can do on each):

- *trigger jobs*: the upstream pipeline has a trigger job whose downstream is this pipeline. GitLab writes these
  records, and nobody else. They are read with the job's token, or with HEADGATE_READ_TOKEN where that may not look.
- *id-token*: where a trigger token is used, the ``id_token`` of a job that runs at this moment.
- *upstream*: what GitLab put into this job about its upstream, with that pipeline's jobs. Only where headgate.yaml says
  so, and then in place of the trigger jobs: whoever controls variables or YAML of the manifest project can write it.

Where a token may not look, that proves nothing and refutes nothing: another token is tried, never a weaker way.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from headgate.errors import GitLabError, UntrustedError
from headgate.gitlab.api import path_of, project_path, quoted
from headgate.gitlab.identity import audience, branch
from headgate.gitlab.idtoken import verified
from headgate.releases.handoff import BRANCHES, TAGS, short_ref

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headgate.gitlab.api import GitLab
    from headgate.gitlab.claim import Claim
    from headgate.gitlab.identity import RunningJob


@dataclass(frozen=True)
class Sender:
    """The pipeline that handed something off, as GitLab knows it. ``ref`` is in full, ``user`` who it ran as.

    ``proof`` says in words what proved it.
    """

    project: int
    path: str
    pipeline: int
    commit: str
    ref: str
    is_protected: bool
    source: str
    user: str
    address: str
    proof: str = ""


@dataclass(frozen=True)
class Upstream:
    """What GitLab put into the job about the pipeline that triggered it (``CI_UPSTREAM_*``); zeros where nothing is."""

    project: int = 0
    pipeline: int = 0


@dataclass(frozen=True)
class Verifier:
    """Who can be asked (GitLab by each token that may read projects, in turn), what counts, what the job was told."""

    readers: Sequence[GitLab]
    proofs: Sequence[str]
    upstream: Upstream = Upstream()


@dataclass(frozen=True)
class _Pipeline:
    """A pipeline as GitLab's answers have it."""

    id: int
    project: int
    commit: str
    ref: str
    is_tag: bool
    source: str
    user: str
    address: str


_Look = Callable[["GitLab"], _Pipeline]
"""Returns the pipeline that a token sees to be the sender. Raises UntrustedError, and GitLabError."""
_Way = Callable[["Claim", "RunningJob", str, Verifier], tuple[_Look, str]]
"""Gives what is looked at, and in words what it proves it by."""


def sender(claim: Claim, job: RunningJob, manifests: str, witness: Verifier) -> Sender:
    """Return who sent a hand-off to this job.

    Raises UntrustedError when that is not who it says, when a pipeline of a kind that hands nothing off sent it, and,
    in other words, when no token may look.
    """
    look, proof = _way(claim, witness.proofs)(claim, job, manifests, witness)
    refusals: list[tuple[GitLab, GitLabError]] = []
    for reader in witness.readers:
        try:
            return _sender(claim, reader, look(reader), proof)
        except GitLabError as error:
            if not error.is_hidden:
                raise
            refusals.append((reader, error))
    told = "; ".join(error.what for _, error in refusals)
    raise UntrustedError(
        f"nobody here may look who sent this hand-off of project {claim.project} ({told})",
        hint=_opening(claim, job, refusals),
    )


def _sender(claim: Claim, gitlab: GitLab, found: _Pipeline, proof: str) -> Sender:
    path = path_of(gitlab, found.address)
    if found.commit != claim.commit:
        raise UntrustedError(
            f"the hand-off names commit {claim.commit[:12]}, but pipeline {found.id} ran for {found.commit[:12]}"
        )
    _check_source(found, path)
    ref = f"{TAGS if found.is_tag else BRANCHES}{found.ref}"  # a tag called main is not the branch
    is_protected = _is_protected(gitlab, claim.project, ref, found.commit)
    return Sender(
        *(found.project, path, found.id, found.commit, ref, is_protected),
        *(found.source, found.user, found.address, f"{proof}, read with {gitlab.token}"),
    )


def _way(claim: Claim, proofs: Sequence[str]) -> _Way:
    if claim.token:
        if "id-token" not in proofs:
            raise UntrustedError(
                "the hand-off is to be proved by an id_token, which does not count here",
                hint="gitlab: {proofs: [trigger-jobs, id-token]} in headgate.yaml; or hand off by a trigger job "
                "(transport: pipeline)",
            )
        return _by_id_token
    if "trigger-jobs" in proofs:
        return _by_trigger_jobs
    if "upstream" in proofs:
        return _by_upstream
    raise UntrustedError(
        "the hand-off is to be proved by a trigger job, which does not count here",
        hint="gitlab: {proofs: [trigger-jobs, id-token]} in headgate.yaml; or hand off with an id_token "
        "(transport: token)",
    )


def _opening(claim: Claim, job: RunningJob, refusals: Sequence[tuple[GitLab, GitLabError]]) -> str:
    """Say what lets a token look: https://docs.gitlab.com/ci/jobs/ci_job_token/."""
    words = " ".join(error.what for _, error in refusals)
    statuses = {error.status for _, error in refusals}
    here = f"project {job.project}"
    if "token permission is required" in words:
        way = (
            f"in project {claim.project}: Settings > CI/CD > Job token permissions: let {here} read pipelines, jobs "
            "and the repository (read_pipelines, read_jobs, read_repositories), or give it the default permissions"
        )
    elif "not allowed from" in words:
        way = f"in project {claim.project}: Settings > CI/CD > Job token permissions: add {here} to the allowlist"
    elif statuses == {_NOT_FOUND}:
        way = f"let {job.user_name}, who runs this job, read project {claim.project} and its pipelines"
    else:
        way = f"let jobs of {here} read project {claim.project}"
    if not any(reader.token == "HEADGATE_READ_TOKEN" for reader, _ in refusals):  # noqa: S105  its name
        return f"{way}; or give this project the variable HEADGATE_READ_TOKEN (read_api, Reporter there)"
    return f"{way}; or let HEADGATE_READ_TOKEN's user be Reporter there, with the scope read_api"


_NOT_FOUND = 404


# --- by trigger jobs

_MOST_PIPELINES = 100


def _by_trigger_jobs(claim: Claim, job: RunningJob, _manifests: str, witness: Verifier) -> tuple[_Look, str]:
    hint = witness.upstream.pipeline

    def look(reader: GitLab) -> _Pipeline:
        return _of(_triggering(claim, job, reader, hint))

    return look, "proved by its trigger jobs"


def _triggering(claim: Claim, job: RunningJob, gitlab: GitLab, hint: int) -> Any:
    """Return the app's pipeline, for the commit, whose trigger job started this pipeline.

    https://docs.gitlab.com/api/jobs/#list-all-trigger-jobs-for-a-pipeline. The one that is said to be it comes first;
    what is not there may be a wrong name.
    """
    pipelines, listing = f"{project_path(claim.project)}/pipelines", _TriggerJobs(gitlab, claim.project)
    found = gitlab.find(f"{pipelines}/{hint}") if hint else None
    if found is not None and listing.started(hint, job):
        return found
    for pipeline in islice(_pipelines_of(claim, gitlab), _MOST_PIPELINES):
        if pipeline != hint and listing.started(pipeline, job):
            return gitlab.get(f"{pipelines}/{pipeline}")
    raise UntrustedError(
        f"no pipeline of project {claim.project} for commit {claim.commit[:12]} triggered this pipeline",
        hint="hand off with the component 'deliver', whose trigger GitLab itself records; or the hand-off is forged: "
        f"look who started {job.address}",
    )


def _pipelines_of(claim: Claim, gitlab: GitLab) -> Iterator[int]:
    """Yield the pipelines of a commit, child pipelines last, which GitLab lists only when they are asked for."""
    path = f"{project_path(claim.project)}/pipelines"
    for more in ({}, {"source": "parent_pipeline"}):
        yield from (int(one["id"]) for one in gitlab.each(path, {"sha": claim.commit, **more}))


class _TriggerJobs:
    """The trigger jobs of pipelines, by the name that this GitLab has for the list: ``bridges`` before 19.2."""

    def __init__(self, gitlab: GitLab, project: int) -> None:
        self._gitlab, self._path = gitlab, f"{project_path(project)}/pipelines"
        self._names = ["trigger_jobs", "bridges"]

    def started(self, pipeline: int, job: RunningJob) -> bool:
        """Whether a pipeline has a trigger job whose downstream is this job's pipeline."""
        return any(
            ((one.get("downstream_pipeline") or {}).get("id"), (one.get("downstream_pipeline") or {}).get("project_id"))
            == (job.pipeline, job.project)
            for one in self._of(pipeline)
        )

    def _of(self, pipeline: int) -> list[Any]:
        while True:
            try:
                return list(self._gitlab.each(f"{self._path}/{pipeline}/{self._names[0]}"))
            except GitLabError as error:
                if len(self._names) == 1 or error.status != _NOT_FOUND:
                    raise
                del self._names[0]  # this GitLab does not have it


# --- by an id_token


def _by_id_token(claim: Claim, _job: RunningJob, manifests: str, witness: Verifier) -> tuple[_Look, str]:
    """Return the pipeline that an ``id_token`` proves, while the job that has it is running."""
    url = witness.readers[0].url
    claims = verified(claim.token, url, audience(manifests))
    if str(claims.get("project_id")) != str(claim.project) or claims.get("sha") != claim.commit:
        raise UntrustedError("the hand-off's id_token is of another project or commit than the hand-off")
    pipeline, its_job = int(claims["pipeline_id"]), int(claims["job_id"])
    path = f"{project_path(claim.project)}/pipelines/{pipeline}"

    def look(reader: GitLab) -> _Pipeline:
        # No job token may read a single job, but it may list those of a pipeline.
        running = reader.each(f"{path}/jobs", {"scope": "running"})
        if not any(int(one["id"]) == its_job for one in running):
            raise UntrustedError(
                f"the hand-off's id_token is of job {its_job}, which does not run any more",
                hint="run the app's pipeline again: a hand-off counts while the job that sends it runs",
            )
        return _of(reader.get(path))

    return look, "proved by the id_token of its running job"


# --- by what GitLab put into the job


def _by_upstream(claim: Claim, job: RunningJob, _manifests: str, witness: Verifier) -> tuple[_Look, str]:
    told = witness.upstream
    if job.source != "pipeline" or not told.pipeline:
        raise UntrustedError(
            "GitLab put nothing into this job about a pipeline that triggered it (CI_UPSTREAM_PIPELINE_ID)",
            hint="hand off with the component 'deliver' (transport: pipeline), on GitLab 18.9 or newer",
        )
    if told.project != claim.project:
        raise UntrustedError(
            f"the hand-off names project {claim.project}, but GitLab says that project {told.project} triggered this"
        )
    path = f"{project_path(claim.project)}/pipelines/{told.pipeline}/jobs"

    def look(reader: GitLab) -> _Pipeline:
        one = next(reader.each(path, {"per_page": 1, "include_retried": "true"}), None)
        if one is None:
            raise UntrustedError(
                f"pipeline {told.pipeline} of project {claim.project} has no job but its trigger job, so that nothing "
                "says what it ran for",
                hint="let it have another job, as one that builds the image",
            )
        pipeline, user = one["pipeline"], (one.get("user") or {}).get("username", "")
        return _Pipeline(
            *(int(pipeline["id"]), int(pipeline["project_id"]), str(pipeline["sha"]), str(one["ref"])),
            *(bool(one["tag"]), str(pipeline.get("source", "")), str(user), str(pipeline["web_url"])),
        )

    return look, "told by GitLab in this job's variables, with its pipeline's jobs"


# --- what GitLab says of it


def _of(found: Any) -> _Pipeline:
    return _Pipeline(
        *(int(found["id"]), int(found["project_id"]), str(found["sha"]), str(found["ref"]), bool(found["tag"])),
        *(str(found["source"]), str(found["user"]["username"]), str(found["web_url"])),
    )


def _check_source(pipeline: _Pipeline, project: str) -> None:
    if pipeline.source in _HANDS_NOTHING_OFF or pipeline.ref.startswith("refs/"):
        raise UntrustedError(
            f"pipeline {pipeline.id} of {project} ({pipeline.source}, {pipeline.ref}) is a merge request's, which "
            "hands nothing off",
            hint="let the component 'deliver' run for branches and tags only, as its rules do by themselves",
        )


_HANDS_NOTHING_OFF = ("merge_request_event", "external_pull_request_event", "ondemand_dast_scan", "webide")
_CACHED = 35
"""Seconds: GitLab caches the list of branches for 30."""


def _is_protected(gitlab: GitLab, project: int, ref: str, commit: str) -> bool:
    """Whether a branch or tag is protected.

    Raises UntrustedError when it is gone, or a tag is elsewhere by now, and GitLabError.
    """
    found = _ref(gitlab, project, ref)
    if found is None:
        raise UntrustedError(f"{ref} is not there any more, so nothing vouches for commit {commit[:12]}")
    if ref.startswith(TAGS) and found["commit"]["id"] != commit:
        raise UntrustedError(f"{ref} is at {found['commit']['id'][:12]} by now, and not at {commit[:12]}")
    return bool(found["protected"])


def _ref(gitlab: GitLab, project: int, ref: str) -> Any | None:
    if ref.startswith(TAGS):
        return gitlab.find(f"{project_path(project)}/repository/tags/{quoted(short_ref(ref))}")
    found = branch(gitlab, project, short_ref(ref))
    if found is None:  # it may be newer than what GitLab has cached
        time.sleep(_CACHED)
        found = branch(gitlab, project, short_ref(ref))
    return found
