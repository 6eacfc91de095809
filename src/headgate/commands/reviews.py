"""Records what people did to merge requests since the last run, before this run decides anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.landing.land import land
from headgate.landing.workspace import refreshed
from headgate.review.merged import mark_counted, merged_by_people
from headgate.review.reconcile import closed_by_people, review_context

if TYPE_CHECKING:
    from headgate.feedback.jobreport import JobReport
    from headgate.gitlab.run import Run
    from headgate.intents.protocol import Intent
    from headgate.landing.workspace import Workspace
    from headgate.report.terminal import Terminal


def with_reviews_recorded(run: Run, report: JobReport, workspace: Workspace, terminal: Terminal) -> Workspace:
    """Record merge requests that people closed, or merged without approvals, since the last run."""
    if run.write is None:  # without a token GitLab does not say
        return workspace
    rejected = closed_by_people(run.write, run.event.manifests, workspace)
    workspace = _recorded(workspace, rejected, report, terminal)
    context = review_context(run.write, run.event.manifests, workspace, workspace.configuration, readers=run.readers)
    merged = merged_by_people(context)
    for line in merged.messages:
        terminal.line(line)
    workspace = _recorded(workspace, merged.intent, report, terminal)
    report.unapproved(merged.intent.found if merged.intent else ())
    for line in mark_counted(context, merged):
        terminal.line(line)
    return workspace


def _recorded(workspace: Workspace, intent: Intent | None, report: JobReport, terminal: Terminal) -> Workspace:
    """Land a record, if there is one, and return the newest state."""
    if intent is None:
        return workspace
    landing = land(workspace, intent, progress=terminal.progress)
    report.announcements.landed(workspace, [landing])
    for line in landing.messages:
        terminal.line(line)
    return refreshed(workspace)
