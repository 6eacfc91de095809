"""After a landing: bring GitLab up to date, first the merge requests, then the reports in the apps' projects.

All of it is derived from the state of the repository and of GitLab, so the next run completes one that was killed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.feedback.apps import report
from headgate.landing.land import read_state
from headgate.landing.workspace import refreshed
from headgate.report.files import FOLDER
from headgate.review.reconcile import reconcile, review_context
from headgate.review.without_token import find_unopened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from headgate.configuration import Configuration
    from headgate.feedback.apps import Scope
    from headgate.feedback.commit_report import AppState
    from headgate.gitlab.run import Run
    from headgate.landing.land import Landing
    from headgate.landing.workspace import Workspace
    from headgate.review.update import ReviewResult


def complete(
    run: Run,
    workspace: Workspace,
    landings: Sequence[Landing],
    scope: Scope,
    on_health: Callable[[Sequence[AppState]], None],
) -> Iterator[str]:
    """Bring GitLab up to date with the repository, and yield messages.

    ``workspace`` is as before the run; ``on_health`` gets the apps of whose health GitLab has not known yet. A refused
    report is only a message; raises GitLabError at the end when a merge request could not be reconciled.
    """
    newest = refreshed(workspace)
    state = read_state(newest)
    reviews = _merge_requests(run, newest, state.configuration, landings)
    yield from reviews.messages
    if reviews.merged:
        newest = refreshed(newest)
        state = read_state(newest)
    on_health((yield from report(run, workspace, newest, state, landings, scope, reviews)))
    if reviews.errors:
        raise reviews.errors[0]


def _merge_requests(
    run: Run, newest: Workspace, configuration: Configuration, landings: Sequence[Landing]
) -> ReviewResult:
    if run.write is None:
        return find_unopened(run.by_job, run.branch, run.event.manifests, newest, configuration)
    page = f"{run.job.address}/artifacts/file/{FOLDER}/report.html"
    pages = {made.commit: page for landing in landings for made in landing.delivered}
    context = review_context(run.write, run.event.manifests, newest, configuration, pages=pages, readers=run.readers)
    return reconcile(context)
