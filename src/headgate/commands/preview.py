"""``headgate preview``: how merging an app's merge request would change the final YAML. Writes no YAML."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from headgate.commands.exit_code import merge_codes, outcome_codes
from headgate.errors import ConfigError, GitLabError, RefusedError, RegistryError
from headgate.gitlab.api import merge_request_path, path_of
from headgate.gitlab.claim import read_images
from headgate.gitlab.event import read_event
from headgate.gitlab.identity import branch
from headgate.gitlab.notes import keep_note
from headgate.gitlab.run import check_settings, open_run
from headgate.intents.preview import Preview
from headgate.landing.rehearse import rehearse
from headgate.landing.workspace import open_workspace
from headgate.objects.images import parse_reference
from headgate.process import hide_environment
from headgate.records import frozen_record
from headgate.registry.credentials import access
from headgate.registry.digests import resolve
from headgate.releases.handoff import BRANCHES, HandOff, check
from headgate.releases.source import app_source
from headgate.report.changereport import ChangeReport
from headgate.report.describe import describe
from headgate.report.markdown import prose
from headgate.report.screen import write_change
from headgate.report.terminal import Terminal, summary
from headgate.repository.login import logged_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from headgate.gitlab.run import Run
    from headgate.landing.workspace import Workspace
    from headgate.model import Settings
    from headgate.objects.images import Reference


@frozen_record(kw_only=False)
class _Previewed:
    """The changes of a merge request, as Markdown; ``is_new``: there is something to report."""

    text: str
    is_new: bool
    code: int = 0


def run(environ: Mapping[str, str] = os.environ) -> int:
    """Hydrate what the merge request of this job's pipeline would hand off, report there, and return the exit code."""
    hide_environment()
    found = open_run(read_event(environ))
    if found.job.source != "merge_request_event":
        raise ConfigError(
            f"a preview needs a merge request pipeline, and the source of this one is '{found.job.source}'"
        )
    terminal = Terminal(sys.stdout)
    path = merge_request_path(found.job.project, found.job.merge_request)
    project = path_of(found.by_job, found.job.address)
    logins = (found.reading_login(found.event.manifests), found.own_login(project))
    with logged_in(*logins), open_workspace(found.address) as workspace:
        settings = workspace.configuration.settings
        check_settings(settings, found.event)
        images, messages = _images(environ.get("HEADGATE_IMAGES", ""), found, settings)
        hand_off = _as_if_merged(found, project, found.by_job.get(path), images)
        previewed = _preview(found, workspace, hand_off, terminal)
    for line in (*messages, *_comment(found, path, previewed)):
        terminal.line(line)
    return previewed.code


def _preview(run: Run, workspace: Workspace, hand_off: HandOff, terminal: Terminal) -> _Previewed:
    with ExitStack() as stack:
        repository, login = run.repository(hand_off.project), run.access(workspace.configuration.settings)
        source = stack.enter_context(app_source(repository, hand_off.commit, login))
        try:
            found = rehearse(workspace, Preview(hand_off, source), terminal.progress, lands=False)
        except RefusedError as error:
            terminal.line(f"nothing would be delivered: {error.what}")
            return _Previewed(f"Nothing would be delivered: {prose(error.what)}", is_new=True)
    terminal.end_progress()
    report = ChangeReport.of(workspace.tree, found)
    write_change(terminal, report)
    terminal.line(summary(found.outcomes))
    text = f"If this were merged:\n\n{describe(report, run.event.server)}"
    is_new = bool(report.changes) or any(finding.is_error for finding in report.findings)
    return _Previewed(text, is_new=is_new, code=merge_codes(outcome_codes(found.outcomes)))


def _as_if_merged(run: Run, project: str, request: Any, images: tuple[Reference, ...]) -> HandOff:
    """Return the hand-off of a merge request's newest commit, as if its target branch had it."""
    target = branch(run.by_job, run.job.project, request["target_branch"])
    hand_off = HandOff(
        project=project,
        commit=run.job.commit,
        ref=f"{BRANCHES}{request['target_branch']}",
        images=images,
        pipeline=run.job.pipeline,
        project_id=run.job.project,
        is_protected=bool(target and target["protected"]),
    )
    check(hand_off)
    return hand_off


def _images(text: str, run: Run, settings: Settings) -> tuple[tuple[Reference, ...], list[str]]:
    """Return the images that exist already, and messages about the others."""
    found, messages = [], []
    for item in read_images(text):
        try:
            found.append(resolve(parse_reference(item), access(settings, run.event.registry_variables)))
        except RegistryError as error:
            messages.append(f"{item} stays unchanged: {error.what}")
    return tuple(found), messages


def _comment(run: Run, path: str, previewed: _Previewed) -> Iterator[str]:
    """Write the note on the merge request, with the token of its pipelines; without one, only the job's log has it."""
    if run.branch is None:
        yield "no note on the merge request: HEADGATE_BRANCH_TOKEN is not set"
        return
    try:
        if keep_note(run.branch, path, "preview", previewed.text, create=previewed.is_new):
            yield "wrote the preview into a note on the merge request"
    except GitLabError as error:
        yield f"cannot write the note on the merge request: {error}"
