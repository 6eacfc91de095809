"""Pipelines and jobs in the API: https://docs.gitlab.com/api/pipelines/ and https://docs.gitlab.com/api/jobs/.

What a job token may ask for, and since when: facts, part 12.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from support.gitlab import pipelines
from support.gitlab.entities import commit, person
from support.gitlab.gitside import Who
from support.gitlab.modelled import NotModelledError
from support.gitlab.state import DEVELOPER, MAINTAINER, REPORTER, Job, Pipeline, Project, now
from support.gitlab.web import Answer, Request

if TYPE_CHECKING:
    from support.gitlab.double import Double
    from support.gitlab.rest import Call


def basic(double: Double, one: Pipeline) -> dict[str, Any]:
    """Show a pipeline as lists do."""
    told = {"id": one.id, "iid": one.id, "project_id": one.project.id, "sha": one.sha, "ref": one.ref}
    told |= {"status": one.status, "source": one.source, "created_at": one.created_at, "updated_at": one.created_at}
    return {**told, "web_url": f"{double.url}/{one.project.path}/-/pipelines/{one.id}"}


def detailed(double: Double, one: Pipeline) -> dict[str, Any]:
    """Show a pipeline with what lists leave out."""
    return {**basic(double, one), "tag": one.is_tag, "yaml_errors": None, "user": person(double, one.user)}


def job_entity(double: Double, job: Job) -> dict[str, Any]:
    """Show a job."""
    one = job.pipeline
    told = {"id": job.id, "name": job.name, "stage": job.stage, "status": job.status, "ref": one.ref, "tag": one.is_tag}
    told |= {
        "allow_failure": bool(job.config.get("allow_failure")),
        "created_at": now(),
        "user": person(double, one.user),
    }
    told |= {"commit": commit(double, one.project, one.sha), "pipeline": basic(double, one)}
    return {**told, "web_url": f"{double.url}/{one.project.path}/-/jobs/{job.id}"}


def _pipelines(call: Call) -> Answer:
    """List pipelines, newest first. Child pipelines only where they are asked for by their source."""
    from support.gitlab.rest import paged  # noqa: PLC0415  it knows this module

    query = call.request.query
    wanted = {key: query[key] for key in ("sha", "ref", "source", "status") if key in query}
    found = [one for one in reversed(call.project.pipelines) if "source" in wanted or one.source != "parent_pipeline"]
    shown = [basic(call.double, one) for one in found if not one.errors]
    return paged(call, [one for one in shown if all(str(one[key]) == value for key, value in wanted.items())])


def _find(call: Call) -> Pipeline | None:
    return next((one for one in call.project.pipelines if str(one.id) == call.parts[0]), None)


def _pipeline(call: Call) -> Answer:
    found = _find(call)
    return Answer(200, detailed(call.double, found)) if found else Answer(404, {"message": "404 Not found"})


def _variables(call: Call) -> Answer:
    found = _find(call)
    if found is None:
        return Answer(404, {"message": "404 Not found"})
    return Answer(
        200,
        [
            {"key": key, "value": value, "variable_type": "env_var", "raw": False}
            for key, value in found.variables.items()
        ],
    )


def _bridges(call: Call) -> Answer:
    from support.gitlab.rest import paged  # noqa: PLC0415

    found = _find(call)
    if found is None:
        return Answer(404, {"message": "404 Not found"})
    shown = []
    for job in found.jobs:
        if job.is_bridge:
            downstream = basic(call.double, job.downstream) if job.downstream else None
            shown.append({**job_entity(call.double, job), "downstream_pipeline": downstream})
    return paged(call, shown)


def _jobs(call: Call) -> Answer:
    """List a pipeline's jobs, without its trigger jobs: https://docs.gitlab.com/api/jobs/#list-pipeline-jobs."""
    from support.gitlab.rest import paged  # noqa: PLC0415

    found = _find(call)
    if found is None:
        return Answer(404, {"message": "404 Not found"})
    scope = call.request.query.get("scope")
    wanted = [scope] if isinstance(scope, str) else scope
    jobs = [job for job in found.jobs if not job.is_bridge and (not wanted or job.status in wanted)]
    return paged(call, [job_entity(call.double, job) for job in jobs])


def _job(call: Call) -> Answer:
    jobs = (job for pipeline in call.project.pipelines for job in pipeline.jobs)
    found = next((job for job in jobs if str(job.id) == call.parts[0]), None)
    return Answer(200, job_entity(call.double, found)) if found else Answer(404, {"message": "404 Not found"})


def trigger(double: Double, request: Request, who: Who, project: Project | None) -> Answer:
    """Start a pipeline by a trigger token: https://docs.gitlab.com/api/pipeline_triggers/ (facts, part 2).

    A job token in its place is not modelled.
    """
    body = request.json()
    if double.job_of(body.get("token", "-")) is not None:
        raise NotModelledError("the double does not model triggers by a job token")
    owner = project.trigger_tokens.get(body.get("token", "")) if project else None
    if project is None or owner is None:
        return Answer(404, {"message": "404 Not Found"})
    made = pipelines.make(
        double,
        project,
        body["ref"],
        "trigger",
        owner,
        inputs=body.get("inputs") or {},
        variables=body.get("variables") or {},
    )
    if made.errors:
        return Answer(400, {"message": {"base": made.errors}})
    return Answer(201, detailed(double, made))


def _create(call: Call) -> Answer:
    body = call.request.json()
    assert call.who.user is not None
    variables = {one["key"]: one["value"] for one in body.get("variables") or []}
    made = pipelines.make(
        call.double,
        call.project,
        body["ref"],
        "api",
        call.who.user,
        inputs=body.get("inputs") or {},
        variables=variables,
    )
    return Answer(400, {"message": {"base": made.errors}}) if made.errors else Answer(201, detailed(call.double, made))


ROUTES: tuple[tuple[Any, ...], ...] = (
    ("GET", "/pipelines", _pipelines, REPORTER, "read_pipelines"),
    ("GET", "/pipelines/([0-9]+)", _pipeline, REPORTER, "read_pipelines"),
    ("GET", "/pipelines/([0-9]+)/variables", _variables, MAINTAINER, False),
    ("GET", "/pipelines/([0-9]+)/bridges", _bridges, REPORTER, "read_pipelines"),
    ("GET", "/pipelines/([0-9]+)/trigger_jobs", _bridges, REPORTER, "read_pipelines", (19, 2)),
    ("GET", "/pipelines/([0-9]+)/jobs", _jobs, REPORTER, "read_jobs"),
    ("GET", "/jobs/([0-9]+)", _job, REPORTER, False),
    ("POST", "/pipeline", _create, DEVELOPER, False),
)
