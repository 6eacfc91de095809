"""``headgate hand-off``: hand off with a trigger token, from a job that proves itself by its ``id_token``."""

from __future__ import annotations

import base64
import json
import os
import re
import sys
import time
from typing import TYPE_CHECKING

from headgate.errors import ConfigError, RefusedError
from headgate.gitlab.api import connect
from headgate.gitlab.claim import Claim, read_images, write_claim
from headgate.gitlab.event import check_addresses, needed
from headgate.gitlab.trigger import outcome, trigger
from headgate.objects.images import parse_reference
from headgate.report.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Mapping

_PAUSE = 5.0


def run(environ: Mapping[str, str] = os.environ, pause: float = _PAUSE) -> int:
    """Trigger the manifest project's pipeline, wait for it, and return the exit code.

    The job must run until the other side has checked it: its ``id_token`` counts only that long.
    """
    terminal = Terminal(sys.stdout)
    server, project = needed(environ, "HEADGATE_SERVER").rstrip("/"), needed(environ, "HEADGATE_MANIFESTS")
    check_addresses(server, environ)
    token = needed(environ, "HEADGATE_TRIGGER_TOKEN", _MISSING_HINT)
    branch = needed(environ, "HEADGATE_BRANCH")
    by_job = connect(server, "the job token", needed(environ, "CI_JOB_TOKEN"), is_job_token=True)
    started = trigger(server, project, token, branch, {"handoff": write_claim(claim(environ))})
    terminal.line(f"handed off: {started.address}")
    ended = outcome(by_job, project, started.id, pause)
    if not ended:
        _wait_unseen(terminal, project, environ)
    elif ended != "success":
        raise RefusedError(f"the pipeline of {project} ended as '{ended}'", hint=f"see its log: {started.address}")
    return 0


def claim(environ: Mapping[str, str]) -> Claim:
    """Return the claim of a job, from its variables. Raises ConfigError for a missing or invalid variable."""
    project, images = needed(environ, "CI_PROJECT_ID"), environ.get("HEADGATE_IMAGES", "")
    if not re.fullmatch(r"[0-9]{1,18}", project):
        raise ConfigError(f"CI_PROJECT_ID is {project!r}, expected a number")
    references = tuple(parse_reference(image) for image in read_images(images))
    return Claim(
        project=int(project),
        commit=needed(environ, "CI_COMMIT_SHA"),
        images=references,
        token=needed(environ, "HEADGATE_ID_TOKEN"),
    )


def _wait_unseen(terminal: Terminal, project: str, environ: Mapping[str, str]) -> None:
    """Wait until the ``id_token`` expires, if this job may not see the pipeline that it started."""
    terminal.line(
        f"{project} does not show this job its pipelines, so how it ends is not seen here; waiting until it has looked "
        "at this job. To see it: add this project to the job token allowlist there, and give people the role Reporter"
    )
    time.sleep(max(0.0, _expiry(environ["HEADGATE_ID_TOKEN"]) - time.time()))


def _expiry(token: str) -> float:
    """Return when a token of this job expires, in seconds since 1970; 0 if it does not say."""
    try:
        payload = token.split(".")[1]
        return float(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["exp"])
    except (ValueError, KeyError, IndexError, TypeError):
        return 0.0


_MISSING_HINT = (
    "add it in this project: Settings, CI/CD, Variables; visibility 'Masked and hidden', 'Protect variable'. "
    "This pipeline must be of a protected branch or tag to see it"
)
