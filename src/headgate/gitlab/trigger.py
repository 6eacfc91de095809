"""Trigger tokens: start a pipeline in another project, with inputs, and wait for its outcome."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from headgate.errors import GitLabError
from headgate.gitlab.api import connect, project_path
from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headgate.gitlab.api import GitLab


@frozen_record(kw_only=False)
class Triggered:
    """A started pipeline: its id and the address of its page."""

    id: int
    address: str


def trigger(server: str, project: str, token: str, ref: str, inputs: Mapping[str, str]) -> Triggered:
    """Start a pipeline. Raises GitLabError, with GitLab's text when it rejects the inputs.

    https://docs.gitlab.com/api/pipeline_triggers/#trigger-a-pipeline-with-a-token. The token goes in the body, not in
    the address. Never retried: after an error the pipeline may have started.
    """
    anonymous = connect(server, "HEADGATE_TRIGGER_TOKEN", "")
    body = {"token": token, "ref": ref, "inputs": dict(inputs)}
    try:
        pipeline = anonymous.post(f"{project_path(project)}/trigger/pipeline", body)
    except GitLabError as error:
        failure = f"cannot start a pipeline of {project} on {ref}: {error.what}"
        raise GitLabError(failure, hint=_HINTS.get(error.status, error.hint), status=error.status) from None
    return Triggered(int(pipeline["id"]), str(pipeline["web_url"]))


_HINTS = {
    400: "check the branch there, and use the same major version of the components 'deliver' here and 'hydrate' there",
    401: "HEADGATE_TRIGGER_TOKEN is not a trigger token",
    403: "the owner of HEADGATE_TRIGGER_TOKEN may not run pipelines there",
    404: "the project does not exist, or HEADGATE_TRIGGER_TOKEN is not one of its trigger tokens (Settings, CI/CD, "
    "Pipeline trigger tokens)",
}


def outcome(gitlab: GitLab, project: str, pipeline: int, pause: float) -> str:
    """Wait for a pipeline to end and return its status, such as ``success``; empty when ``gitlab`` may not see it.

    ``pause`` is the interval between requests, in seconds.
    """
    while True:
        try:
            status = str(gitlab.get(f"{project_path(project)}/pipelines/{pipeline}")["status"])
        except GitLabError as error:
            if error.is_hidden:
                return ""
            raise
        if status in _ENDED:
            return status
        time.sleep(pause)


# https://docs.gitlab.com/api/pipelines/#list-project-pipelines; 'manual' waits for a person
_ENDED = ("success", "failed", "canceled", "skipped", "manual")
