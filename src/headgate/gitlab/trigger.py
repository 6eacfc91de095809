"""GitLab's trigger tokens: start a pipeline in another project, with inputs, and see what becomes of it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headgate.errors import GitLabError
from headgate.gitlab.api import connect, project_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headgate.gitlab.api import GitLab


@dataclass(frozen=True)
class Triggered:
    """A pipeline that was started: its number, and its page."""

    id: int
    address: str


def trigger(server: str, project: str, token: str, ref: str, inputs: Mapping[str, str]) -> Triggered:
    """Start a pipeline. Raises GitLabError, with GitLab's words where it takes the inputs not.

    https://docs.gitlab.com/api/pipeline_triggers/#trigger-a-pipeline-with-a-token. The token goes in the body, not in
    the address. Not tried again: whether it was started is not known then.
    """
    anybody = connect(server, "HEADGATE_TRIGGER_TOKEN", "")
    body = {"token": token, "ref": ref, "inputs": dict(inputs)}
    try:
        told = anybody.post(f"{project_path(project)}/trigger/pipeline", body)
    except GitLabError as error:
        what = f"no pipeline of {project} was started on {ref}: {error.what}"
        raise GitLabError(what, hint=_HINTS.get(error.status, error.hint), status=error.status) from None
    return Triggered(int(told["id"]), str(told["web_url"]))


_HINTS = {
    400: "the components 'deliver' here and 'hydrate' there must be of the same major version, and the branch there",
    401: "HEADGATE_TRIGGER_TOKEN is not a trigger token",
    403: "whoever made HEADGATE_TRIGGER_TOKEN may not run pipelines there",
    404: "there is no such project, or HEADGATE_TRIGGER_TOKEN is not one of its trigger tokens (Settings, CI/CD, "
    "Pipeline trigger tokens)",
}


def outcome(gitlab: GitLab, project: str, pipeline: int, pause: float) -> str:
    """Wait until a pipeline has ended, and return how: ``success``, ``failed``; empty where ``gitlab`` may not see it.

    ``pause`` is what lies between two questions, in seconds.
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
