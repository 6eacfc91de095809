"""``headgate preview``: what the final YAML would become if an app's merge request were merged. Writes nothing."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from headgate import git
from headgate.commands.hydrate import exit_code
from headgate.config import load
from headgate.errors import ConfigError, RefusedError
from headgate.event import read_event
from headgate.gitlab import path_of, project_path
from headgate.handoff import BRANCHES, HandOff, check
from headgate.identity import branch
from headgate.intents.preview import Preview
from headgate.landing import Landing, rehearse
from headgate.process import hide_environment
from headgate.report.terminal import Terminal
from headgate.run import check_settings, open_run
from headgate.source import app_source
from headgate.workspace import open_workspace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headgate.run import Run


def run(environ: Mapping[str, str] = os.environ) -> int:
    """Hydrate what the merge request of this job's pipeline would hand off, tell, and return the exit code."""
    hide_environment()
    found = open_run(read_event(environ))
    if found.job.source != "merge_request_event":
        raise ConfigError(f"a preview is of a merge request, and this pipeline is of the kind '{found.job.source}'")
    terminal = Terminal(sys.stdout)
    with git.logged_in(found.reading_login(found.event.manifests)), open_workspace(found.address) as workspace:
        configuration = load(workspace.tree)
        check_settings(configuration.settings, found.event)
        with ExitStack() as stack:
            hand_off = _as_if_merged(found, stack)
            repository, access = found.repository(hand_off.project), found.access(configuration.settings)
            source = stack.enter_context(app_source(repository, hand_off.commit, access))
            try:
                landing = rehearse(workspace, Preview(hand_off, source), terminal.progress)
            except RefusedError as error:
                landing = Landing([], (f"nothing would be delivered: {error.what}",), [], configuration)
    for line in landing.told:
        terminal.line(line)
    terminal.outcomes(landing.outcomes, diff=True)
    return exit_code(landing.outcomes)


def _as_if_merged(run: Run, stack: ExitStack) -> HandOff:
    """Return the hand-off of a merge request's newest commit, as if its target branch had it."""
    number = run.job.ref.removeprefix("refs/merge-requests/").partition("/")[0]
    request = run.by_job.get(f"{project_path(run.job.project)}/merge_requests/{int(number)}")
    project = path_of(run.by_job, run.job.address)
    target = branch(run.by_job, run.job.project, request["target_branch"])
    logins = [run.reading_login(one) for one in (run.event.manifests, project)]
    stack.enter_context(git.logged_in(*logins))
    hand_off = HandOff(
        project,
        run.job.commit,
        f"{BRANCHES}{request['target_branch']}",
        (),
        run.job.pipeline,
        run.job.project,
        bool(target and target["protected"]),
    )
    check(hand_off)
    return hand_off
