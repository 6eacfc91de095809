"""GitLab's trigger tokens: start a pipeline in another project, with inputs, and see what becomes of it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headgate.errors import GitLabError
from headgate.gitlab import project_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headgate.gitlab import GitLab

_SECONDS = 30


@dataclass(frozen=True)
class Triggered:
    """A pipeline that was started: its number, and its page."""

    id: int
    address: str


def trigger(server: str, project: str, token: str, ref: str, inputs: Mapping[str, str]) -> Triggered:
    """Start a pipeline. Raises GitLabError, with GitLab's words where it takes the inputs not.

    https://docs.gitlab.com/api/pipeline_triggers/#trigger-a-pipeline-with-a-token. The token goes in the body, not in
    the address, and redirects are not followed. Not tried again: whether it was started is not known then.
    """
    import requests  # noqa: PLC0415

    try:
        answer = requests.post(
            f"{server}/api/v4{project_path(project)}/trigger/pipeline",
            json={"token": token, "ref": ref, "inputs": dict(inputs)},
            headers={"User-Agent": "headgate"},
            timeout=_SECONDS,
            allow_redirects=False,
        )
        told = answer.json()
    except (requests.RequestException, ValueError) as error:
        raise GitLabError(
            f"{server} did not answer the trigger of {project}: {type(error).__name__}",
            hint="run the same again when GitLab answers; nothing is done twice",
        ) from None
    if answer.status_code != 201 or not isinstance(told, dict):  # noqa: PLR2004  made
        raise _refused(project, ref, answer.status_code, told)
    return Triggered(int(told["id"]), str(told["web_url"]))


def _refused(project: str, ref: str, status: int, told: Any) -> GitLabError:
    words = "; ".join(_words(told))[:500]
    return GitLabError(
        f"GitLab did not start a pipeline of {project} on {ref} ({status}){f': {words}' if words else ''}",
        hint=_HINTS.get(status, ""),
        status=status,
    )


def _words(told: Any) -> list[str]:
    """Return GitLab's words, however deep they are: ``{"message": {"base": ["..."]}}``."""
    if isinstance(told, dict):
        return [word for value in told.values() for word in _words(value)]
    if isinstance(told, list):
        return [word for value in told for word in _words(value)]
    return [" ".join(str(told).split())]


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
            found = gitlab.find(f"{project_path(project)}/pipelines/{pipeline}")
        except GitLabError as error:
            if error.status not in (401, 403):
                raise
            found = None
        if found is None or found["status"] in _ENDED:
            return found["status"] if found else ""
        time.sleep(pause)


# https://docs.gitlab.com/api/pipelines/#list-project-pipelines; 'manual' waits for a person
_ENDED = ("success", "failed", "canceled", "skipped", "manual")
