"""The sender of a hand-off: GitLab's own answer, by one of the proofs that headgate.yaml accepts (`proofs`).

A token that may not look proves nothing and refutes nothing: another token is tried, never a weaker proof.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from headgate.errors import GitLabError, UntrustedError
from headgate.gitlab.api import path_of, project_path, quoted
from headgate.gitlab.identity import branch
from headgate.gitlab.proofs import NOT_FOUND, choose_proof
from headgate.records import frozen_record
from headgate.releases.handoff import BRANCHES, TAGS, short_ref

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.gitlab.api import GitLab
    from headgate.gitlab.claim import Claim
    from headgate.gitlab.identity import RunningJob
    from headgate.gitlab.proofs import Pipeline, Verifier


@frozen_record
class Sender:
    """The pipeline that handed off, as GitLab knows it. ``ref`` is the full ref, ``proof`` says what proved it."""

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


def find_sender(claim: Claim, job: RunningJob, manifests: str, verifier: Verifier) -> Sender:
    """Return who sent a hand-off to this job.

    Raises UntrustedError when that is somebody else than claimed or a kind of pipeline that may not hand off, or when
    no token may look.
    """
    look, proof = choose_proof(claim, verifier.proofs)(claim, job, manifests, verifier)
    refusals: list[tuple[GitLab, GitLabError]] = []
    for reader in verifier.readers:
        try:
            return _sender(claim, reader, look(reader), proof)
        except GitLabError as error:
            if not error.is_hidden:
                raise
            refusals.append((reader, error))
    answers = "; ".join(error.what for _, error in refusals)
    raise UntrustedError(
        f"no token here may read who sent this hand-off of project {claim.project} ({answers})",
        hint=_access_hint(claim, job, refusals),
    )


def _sender(claim: Claim, gitlab: GitLab, pipeline: Pipeline, proof: str) -> Sender:
    path = path_of(gitlab, pipeline.address)
    if pipeline.commit != claim.commit:
        raise UntrustedError(
            f"the hand-off names commit {claim.commit[:12]}, but pipeline {pipeline.id} ran for {pipeline.commit[:12]}"
        )
    _check_source(pipeline, path)
    ref = f"{TAGS if pipeline.is_tag else BRANCHES}{pipeline.ref}"  # a tag called main is not the branch
    is_protected = _is_protected(gitlab, claim.project, ref, pipeline.commit)
    return Sender(
        project=pipeline.project,
        path=path,
        pipeline=pipeline.id,
        commit=pipeline.commit,
        ref=ref,
        is_protected=is_protected,
        source=pipeline.source,
        user=pipeline.user,
        address=pipeline.address,
        proof=f"{proof}, read with {gitlab.token}",
    )


def _access_hint(claim: Claim, job: RunningJob, refusals: Sequence[tuple[GitLab, GitLabError]]) -> str:
    """Return what grants a token the access that it lacks: https://docs.gitlab.com/ci/jobs/ci_job_token/."""
    answers = " ".join(error.what for _, error in refusals)
    statuses = {error.status for _, error in refusals}
    here = f"project {job.project}"
    if "token permission is required" in answers:
        hint = (
            f"in project {claim.project}: Settings > CI/CD > Job token permissions: let {here} read pipelines, jobs "
            "and the repository (read_pipelines, read_jobs, read_repositories), or give it the default permissions"
        )
    elif "not allowed from" in answers:
        hint = f"in project {claim.project}: Settings > CI/CD > Job token permissions: add {here} to the allowlist"
    elif statuses == {NOT_FOUND}:
        hint = f"let {job.user_name}, who runs this job, read project {claim.project} and its pipelines"
    else:
        hint = f"let jobs of {here} read project {claim.project}"
    if not any(reader.token == "HEADGATE_READ_TOKEN" for reader, _ in refusals):  # noqa: S105  a name
        return f"{hint}; or give this project the variable HEADGATE_READ_TOKEN (read_api, Reporter there)"
    return f"{hint}; or let HEADGATE_READ_TOKEN's user be Reporter there, with the scope read_api"


def _check_source(pipeline: Pipeline, project: str) -> None:
    if pipeline.source in _NO_HANDOFF or pipeline.ref.startswith("refs/"):
        raise UntrustedError(
            f"pipeline {pipeline.id} of {project} ({pipeline.source}, {pipeline.ref}) belongs to a merge request, "
            "which may not hand off",
            hint="run the component 'deliver' for branches and tags only, as its own rules do",
        )


_NO_HANDOFF = ("merge_request_event", "external_pull_request_event", "ondemand_dast_scan", "webide")
_BRANCH_CACHE = 35
"""Seconds: GitLab caches the list of branches for 30."""


def _is_protected(gitlab: GitLab, project: int, ref: str, commit: str) -> bool:
    """Whether a branch or tag is protected.

    Raises UntrustedError when it is gone or a tag has moved, and GitLabError.
    """
    current = _ref(gitlab, project, ref)
    if current is None:
        raise UntrustedError(f"{ref} no longer exists, so nothing vouches for commit {commit[:12]}")
    if ref.startswith(TAGS) and current["commit"]["id"] != commit:
        raise UntrustedError(f"{ref} is at {current['commit']['id'][:12]} now, not at {commit[:12]}")
    return bool(current["protected"])


def _ref(gitlab: GitLab, project: int, ref: str) -> Any | None:
    if ref.startswith(TAGS):
        return gitlab.find(f"{project_path(project)}/repository/tags/{quoted(short_ref(ref))}")
    current = branch(gitlab, project, short_ref(ref))
    if current is None:  # it may be newer than GitLab's cache
        time.sleep(_BRANCH_CACHE)
        current = branch(gitlab, project, short_ref(ref))
    return current
