"""Pipelines, waited for and looked into."""

from __future__ import annotations

from typing import Any

from support.live.api import Account, Project, ask, below, get, listed, post, until

Pipeline = dict[str, Any]
ENDED = ("success", "failed", "canceled", "skipped", "manual")


def run_form(account: Account, project: Project, inputs: dict[str, str]) -> Pipeline:
    """Start a pipeline of the default branch with inputs, as a person, and wait for its end."""
    return ended(account, post(account, below(project, "/pipeline"), ref="main", inputs=inputs))


def pipeline_of(account: Account, project: Project, sha: str, source: str = "push") -> Pipeline:
    """Wait for the newest pipeline of a commit, and for its end."""

    def look() -> Pipeline | None:
        found = listed(account, below(project, "/pipelines"), sha=sha, source=source)
        return found[0] if found else None

    return ended(account, until(account, f"a pipeline ({source}) of {project.path} at {sha}", look))


def ended(account: Account, pipeline: Pipeline) -> Pipeline:
    """Wait for a pipeline's end, and return it as it is then."""
    path = f"/projects/{pipeline['project_id']}/pipelines/{pipeline['id']}"

    def look() -> Pipeline | None:
        found: Pipeline = get(account, path)
        return found if found["status"] in ENDED else None

    return until(account, f"the end of {pipeline['web_url']}: is there a runner for it?", look)


def succeeded(account: Account, pipeline: Pipeline) -> Pipeline:
    """Check that a pipeline did what it was made for, and return it."""
    assert pipeline["status"] == "success", (pipeline["web_url"], everything_said(account, pipeline))
    return pipeline


def triggered(account: Account, pipeline: Pipeline) -> Pipeline:
    """Return the one pipeline that another triggered: https://docs.gitlab.com/api/jobs/#list-all-trigger-jobs-for-a-pipeline."""
    path = f"/projects/{pipeline['project_id']}/pipelines/{pipeline['id']}/bridges"
    (bridge,) = listed(account, path)
    assert bridge["downstream_pipeline"], f"nothing was triggered: {bridge.get('failure_reason')}"
    return ended(account, bridge["downstream_pipeline"])


def log(account: Account, pipeline: Pipeline) -> str:
    """Return the logs of a pipeline's jobs."""
    project = f"/projects/{pipeline['project_id']}"
    jobs = listed(account, f"{project}/pipelines/{pipeline['id']}/jobs")
    return "\n".join(ask(account, "GET", f"{project}/jobs/{job['id']}/trace").text for job in jobs)


def everything_said(account: Account, pipeline: Pipeline) -> str:
    """Return the logs of a pipeline and of those that it triggered, for a person who looks why it failed."""
    bridges = listed(account, f"/projects/{pipeline['project_id']}/pipelines/{pipeline['id']}/bridges")
    below = [log(account, one["downstream_pipeline"]) for one in bridges if one["downstream_pipeline"]]
    return "\n".join([log(account, pipeline), *below])
