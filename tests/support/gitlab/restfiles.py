"""What a repository and its jobs hold, in the API: files, commits, logs."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING

from support.gitlab.entities import commit
from support.gitlab.gitside import git
from support.gitlab.restpipelines import job_entity
from support.gitlab.state import REPORTER
from support.gitlab.web import Answer

if TYPE_CHECKING:
    from support.gitlab.rest import Call

NOT_FOUND = Answer(404, {"message": "404 Not found"})


def _file(call: Call) -> Answer:
    """Return a file as it is: https://docs.gitlab.com/api/repository_files/#get-raw-file-from-repository."""
    revision = f"{call.request.query.get('ref', call.project.default_branch)}:{call.parts[0]}"
    done = subprocess.run(
        ["git", "-C", str(call.project.folder), "cat-file", "blob", revision], capture_output=True, check=False
    )
    return Answer(404, {"message": "404 File Not Found"}) if done.returncode else Answer(200, raw=done.stdout)


def _commits(call: Call) -> Answer:
    """List commits, newest first: https://docs.gitlab.com/api/commits/#list-repository-commits."""
    from support.gitlab.rest import paged  # noqa: PLC0415  it knows this module

    query = call.request.query
    path = ["--", str(query["path"])] if "path" in query else []
    found = git(call.project, "rev-list", str(query.get("ref_name", call.project.default_branch)), *path)
    return paged(call, [commit(call.double, call.project, sha) for sha in found.split()])


def _jobs(call: Call) -> Answer:
    """List a pipeline's jobs, without trigger jobs: https://docs.gitlab.com/api/jobs/#list-all-jobs-for-a-pipeline."""
    from support.gitlab.rest import paged  # noqa: PLC0415

    found = next((one for one in call.project.pipelines if str(one.id) == call.parts[0]), None)
    if found is None:
        return NOT_FOUND
    return paged(call, [job_entity(call.double, one) for one in found.jobs if not one.is_bridge])


def _log(call: Call) -> Answer:
    """Return a job's log: https://docs.gitlab.com/api/jobs/#retrieve-a-job-log."""
    jobs = (job for pipeline in call.project.pipelines for job in pipeline.jobs)
    found = next((job for job in jobs if str(job.id) == call.parts[0]), None)
    return Answer(200, raw=found.log.encode(), headers={"Content-Type": "text/plain"}) if found else NOT_FOUND


ROUTES: tuple[tuple[str, str, Callable[[Call], Answer], int, bool], ...] = (
    ("GET", "/repository/files/([^/]+)/raw", _file, REPORTER, True),
    ("GET", "/repository/commits", _commits, REPORTER, False),
    ("GET", "/pipelines/([0-9]+)/jobs", _jobs, REPORTER, True),
    ("GET", "/jobs/([0-9]+)/trace", _log, REPORTER, False),
)
