"""The proofs of who sent a hand-off, strongest first (docs/trust.md says how each can be abused).

- *trigger jobs*: the upstream pipeline has a trigger job whose downstream is this pipeline. Only GitLab writes these
  records. They are read with the job's token, or with HEADGATE_READ_TOKEN where the job's may not.
- *id-token*: for hand-offs by trigger token, the ``id_token`` of a job that is running now.
- *upstream*: the upstream pipeline that GitLab names in this job's variables, with that pipeline's jobs. Only when
  headgate.yaml allows it, instead of trigger jobs: whoever controls the manifest project's variables or YAML can forge
  it.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Any

from headgate.errors import GitLabError, UntrustedError
from headgate.gitlab.api import project_path
from headgate.gitlab.identity import audience
from headgate.gitlab.idtoken import verified_claims
from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headgate.gitlab.api import GitLab
    from headgate.gitlab.claim import Claim
    from headgate.gitlab.identity import RunningJob


@frozen_record(kw_only=False)
class Upstream:
    """The pipeline that triggered this one, according to the job's variables (``CI_UPSTREAM_*``); zeros when unset."""

    project: int = 0
    pipeline: int = 0


@frozen_record(kw_only=False)
class Verifier:
    """GitLab by each token that may read projects, in the order to try; the proofs that count; the upstream hint."""

    readers: Sequence[GitLab]
    proofs: Sequence[str]
    upstream: Upstream = Upstream()


@frozen_record
class Pipeline:
    """A pipeline as GitLab's API describes it."""

    id: int
    project: int
    commit: str
    ref: str
    is_tag: bool
    source: str
    user: str
    address: str


Lookup = Callable[["GitLab"], Pipeline]
"""Returns the sending pipeline as one token sees it. Raises UntrustedError, GitLabError."""
Proof = Callable[["Claim", "RunningJob", str, Verifier], tuple[Lookup, str]]
"""Returns the lookup and, in words, what it proves."""

NOT_FOUND = 404


def choose_proof(claim: Claim, proofs: Sequence[str]) -> Proof:
    """Return the proof that a claim must pass. Raises UntrustedError when headgate.yaml does not accept it."""
    if claim.token:
        if "id-token" not in proofs:
            raise UntrustedError(
                "the hand-off comes with an id_token, which headgate.yaml does not accept as a proof",
                hint="gitlab: {proofs: [trigger-jobs, id-token]} in headgate.yaml; or hand off by a trigger job "
                "(transport: pipeline)",
            )
        return _by_id_token
    if "trigger-jobs" in proofs:
        return _by_trigger_jobs
    if "upstream" in proofs:
        return _by_upstream
    raise UntrustedError(
        "the hand-off comes by a trigger job, which headgate.yaml does not accept as a proof",
        hint="gitlab: {proofs: [trigger-jobs, id-token]} in headgate.yaml; or hand off with an id_token "
        "(transport: token)",
    )


_MAX_PIPELINES = 100


def _by_trigger_jobs(claim: Claim, job: RunningJob, _manifests: str, verifier: Verifier) -> tuple[Lookup, str]:
    hint = verifier.upstream.pipeline

    def look(reader: GitLab) -> Pipeline:
        return _pipeline(_triggering(claim, job, reader, hint))

    return look, "proved by its trigger jobs"


def _triggering(claim: Claim, job: RunningJob, gitlab: GitLab, hint: int) -> Any:
    """Return the app's pipeline of the commit whose trigger job started this pipeline.

    https://docs.gitlab.com/api/jobs/#list-all-trigger-jobs-for-a-pipeline. Tries the hinted pipeline first; it may not
    exist, since the hint may be forged.
    """
    pipelines, trigger_jobs = f"{project_path(claim.project)}/pipelines", _TriggerJobs(gitlab, claim.project)
    hinted = gitlab.find(f"{pipelines}/{hint}") if hint else None
    if hinted is not None and trigger_jobs.started(hint, job):
        return hinted
    for pipeline in islice(_pipelines_of(claim, gitlab), _MAX_PIPELINES):
        if pipeline != hint and trigger_jobs.started(pipeline, job):
            return gitlab.get(f"{pipelines}/{pipeline}")
    raise UntrustedError(
        f"no pipeline of project {claim.project} for commit {claim.commit[:12]} triggered this pipeline",
        hint="hand off with the component 'deliver', whose trigger GitLab records; if it was, the hand-off is forged: "
        f"check who started {job.address}",
    )


def _pipelines_of(claim: Claim, gitlab: GitLab) -> Iterator[int]:
    """Yield the pipelines of a commit, child pipelines last: GitLab lists those only with a filter."""
    path = f"{project_path(claim.project)}/pipelines"
    for extra in ({}, {"source": "parent_pipeline"}):
        yield from (int(pipeline["id"]) for pipeline in gitlab.each(path, {"sha": claim.commit, **extra}))


class _TriggerJobs:
    """The trigger jobs of pipelines; GitLab before 19.2 names the list ``bridges``."""

    def __init__(self, gitlab: GitLab, project: int) -> None:
        self._gitlab, self._path = gitlab, f"{project_path(project)}/pipelines"
        self._names = ["trigger_jobs", "bridges"]

    def started(self, pipeline: int, job: RunningJob) -> bool:
        """Whether a pipeline has a trigger job whose downstream is this job's pipeline."""
        downstreams = (trigger_job.get("downstream_pipeline") or {} for trigger_job in self._list(pipeline))
        started = ((downstream.get("id"), downstream.get("project_id")) for downstream in downstreams)
        return (job.pipeline, job.project) in started

    def _list(self, pipeline: int) -> list[Any]:
        while True:
            try:
                return list(self._gitlab.each(f"{self._path}/{pipeline}/{self._names[0]}"))
            except GitLabError as error:
                if len(self._names) == 1 or error.status != NOT_FOUND:
                    raise
                del self._names[0]  # an older GitLab


def _by_id_token(claim: Claim, _job: RunningJob, manifests: str, verifier: Verifier) -> tuple[Lookup, str]:
    """The token's job must be running still, so that a leaked token is soon worthless."""
    url = verifier.readers[0].url
    claims = verified_claims(claim.token, url, audience(manifests))
    if str(claims.get("project_id")) != str(claim.project) or claims.get("sha") != claim.commit:
        raise UntrustedError("the hand-off's id_token names another project or commit than the hand-off")
    pipeline, sending_job = int(claims["pipeline_id"]), int(claims["job_id"])
    path = f"{project_path(claim.project)}/pipelines/{pipeline}"

    def look(reader: GitLab) -> Pipeline:
        # A job token may not read a single job, but it may list the jobs of a pipeline.
        running = reader.each(f"{path}/jobs", {"scope": "running"})
        if not any(int(entry["id"]) == sending_job for entry in running):
            raise UntrustedError(
                f"the hand-off's id_token belongs to job {sending_job}, which is no longer running",
                hint="run the app's pipeline again: a hand-off counts only while its job is running",
            )
        return _pipeline(reader.get(path))

    return look, "proved by the id_token of its running job"


def _by_upstream(claim: Claim, job: RunningJob, _manifests: str, verifier: Verifier) -> tuple[Lookup, str]:
    upstream = verifier.upstream
    if job.source != "pipeline" or not upstream.pipeline:
        raise UntrustedError(
            "this job has no CI_UPSTREAM_PIPELINE_ID, so GitLab names no pipeline that triggered it",
            hint="hand off with the component 'deliver' (transport: pipeline), on GitLab 18.9 or newer",
        )
    if upstream.project != claim.project:
        raise UntrustedError(
            f"the hand-off names project {claim.project}, but project {upstream.project} triggered this pipeline"
        )
    path = f"{project_path(claim.project)}/pipelines/{upstream.pipeline}/jobs"

    def look(reader: GitLab) -> Pipeline:
        entry = next(reader.each(path, {"per_page": 1, "include_retried": "true"}), None)
        if entry is None:
            raise UntrustedError(
                f"pipeline {upstream.pipeline} of project {claim.project} has no job besides its trigger job, so "
                "nothing says what it ran for",
                hint="add another job to it, such as one that builds the image",
            )
        pipeline, user = entry["pipeline"], (entry.get("user") or {}).get("username", "")
        return Pipeline(
            id=int(pipeline["id"]),
            project=int(pipeline["project_id"]),
            commit=str(pipeline["sha"]),
            ref=str(entry["ref"]),
            is_tag=bool(entry["tag"]),
            source=str(pipeline.get("source", "")),
            user=str(user),
            address=str(pipeline["web_url"]),
        )

    return look, "named by GitLab in this job's variables, with its pipeline's jobs"


def _pipeline(pipeline: Any) -> Pipeline:
    return Pipeline(
        id=int(pipeline["id"]),
        project=int(pipeline["project_id"]),
        commit=str(pipeline["sha"]),
        ref=str(pipeline["ref"]),
        is_tag=bool(pipeline["tag"]),
        source=str(pipeline["source"]),
        user=str((pipeline["user"] or {}).get("username", "")),
        address=str(pipeline["web_url"]),
    )
