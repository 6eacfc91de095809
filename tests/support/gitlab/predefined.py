"""Predefined variables: https://docs.gitlab.com/ci/variables/predefined_variables/ (facts, parts 1, 2 and 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.gitlab.gitside import message_of

if TYPE_CHECKING:
    from support.gitlab.double import Double
    from support.gitlab.state import Job, Pipeline


def pipeline_variables(double: Double, one: Pipeline) -> dict[str, str]:
    """Return those that are known when a pipeline is made, project variables included, in their order of precedence."""
    project, host = one.project, double.url.partition("://")[2]
    known = {
        "CI": "true",
        "GITLAB_CI": "true",
        "CI_SERVER_URL": double.url,
        "CI_SERVER_FQDN": host,
        "CI_API_V4_URL": f"{double.url}/api/v4",
        "CI_PROJECT_ID": str(project.id),
        "CI_PROJECT_PATH": project.path,
        "CI_PROJECT_URL": f"{double.url}/{project.path}",
        "CI_DEFAULT_BRANCH": project.default_branch,
        "CI_PIPELINE_SOURCE": one.source,
        "CI_COMMIT_SHA": one.sha,
        "CI_COMMIT_SHORT_SHA": one.sha[:8],
        "CI_COMMIT_REF_NAME": one.ref,
        "CI_COMMIT_REF_PROTECTED": str(is_protected(double, one)).lower(),
        "CI_COMMIT_MESSAGE": message_of(project, one.sha),
    }
    if double.registry:
        known |= {"CI_REGISTRY": double.registry, "CI_REGISTRY_IMAGE": f"{double.registry}/{project.path}"}
    if one.is_tag:
        known["CI_COMMIT_TAG"] = one.ref
    elif one.merge_request is None:
        known["CI_COMMIT_BRANCH"] = one.ref
    if one.merge_request is not None:
        request = one.merge_request
        known |= {"CI_MERGE_REQUEST_IID": str(request.iid), "CI_MERGE_REQUEST_PROJECT_PATH": request.project.path}
        known |= {"CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": request.source}
    if one.upstream is not None and one.upstream.is_bridge:  # not where a script triggered (facts, part 12)
        above = one.upstream.pipeline
        known |= {"CI_UPSTREAM_PROJECT_ID": str(above.project.id), "CI_UPSTREAM_PIPELINE_ID": str(above.id)}
        known |= {"CI_UPSTREAM_JOB_ID": str(one.upstream.id)}
    shown = {
        key: value.value for key, value in project.variables.items() if is_protected(double, one) or not value.protected
    }
    return {**known, **shown, **one.variables}


def is_protected(double: Double, one: Pipeline) -> bool:
    """Whether a pipeline runs for a protected branch or tag; those of merge requests do not (facts, part 5)."""
    if one.merge_request is not None:
        return False
    if one.is_tag:
        return bool(double.tag_protection(one.project, one.ref))
    return one.project.protection(one.ref) is not None


def job_variables(double: Double, job: Job) -> dict[str, str]:
    """Return those that only a job has."""
    one = job.pipeline
    return {
        "CI_JOB_ID": str(job.id),
        "CI_JOB_NAME": job.name,
        "CI_JOB_TOKEN": job.token,
        "CI_REGISTRY_USER": "gitlab-ci-token",
        "CI_REGISTRY_PASSWORD": job.token,
        "CI_PIPELINE_ID": str(one.id),
        "CI_JOB_URL": f"{double.url}/{one.project.path}/-/jobs/{job.id}",
        "GITLAB_USER_LOGIN": one.user.name,
        # https://docs.gitlab.com/runner/configuration/tls-self-signed/
        **({"CI_SERVER_TLS_CA_FILE": double.ca_file} if double.ca_file else {}),
    }
