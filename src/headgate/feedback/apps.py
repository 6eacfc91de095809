"""Reports in the apps' projects after a run: commit statuses, notes, deployments. They never fail a run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from headgate.errors import GitError, HeadgateError
from headgate.feedback.appnote import write_app_notes
from headgate.feedback.commit_report import (
    MAX_TEXT,
    CommitRef,
    CommitReport,
    app_states,
    commit_reports,
    error_text,
    failed,
)
from headgate.feedback.deployments import record_deployments
from headgate.feedback.environments import describe_environments
from headgate.feedback.health import with_health
from headgate.feedback.statuses import send_statuses
from headgate.gitlab.best_effort import Refusals
from headgate.health.run import run_health
from headgate.paths import review_branch
from headgate.records import frozen_record
from headgate.releases.release import parts, read_release, release_file
from headgate.report.appchange import owners_of
from headgate.report.markdown import plain
from headgate.repository import git
from headgate.repository.difference import changed_files
from headgate.repository.remote import fetch
from headgate.state.proposals import open_proposals
from headgate.state.status import find_last_changes

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Mapping, Sequence

    from headgate.configuration import Configuration, Owner
    from headgate.feedback.commit_report import AppState
    from headgate.flux.verdict import Health
    from headgate.gitlab.run import Run
    from headgate.gitlab.sender import Sender
    from headgate.hydration.outcome import Outcome
    from headgate.intents.protocol import State
    from headgate.landing.land import Landing
    from headgate.landing.workspace import Workspace
    from headgate.model import Environment
    from headgate.repository.tree import Tree
    from headgate.review.update import ReviewResult


@frozen_record
class Scope:
    """The apps that get reports: those that a run touched, those of a push, or with ``everything`` all.

    ``since`` is a commit: it counts with all that came after it. ``reported`` is a commit up to which everything is
    reported. ``sent`` is the commit whose hand-off this run landed. ``landed``: nothing where the run landed nothing.
    """

    everything: bool = False
    since: str = ""
    reported: str = ""
    sent: CommitRef | None = None
    landed: bool = False


def report(
    run: Run,
    before: Workspace,
    newest: Workspace,
    state: State,
    landings: Sequence[Landing],
    scope: Scope,
    reviews: ReviewResult,
) -> Generator[str, None, list[AppState]]:
    """Report to the apps' projects and yield messages. ``before`` is the workspace before the run.

    Returns the apps whose health is news: GitLab's deployment had another state, which is the record of it.
    """
    earlier, pushed = _earlier(before, newest, scope, state.configuration)
    touched = _touched(state.configuration, landings, scope, reviews.changed, pushed)
    touched, health = with_health(
        run_health(run), newest, state, touched, scheduled=scope.everything or bool(scope.reported)
    )
    if not touched:
        return []
    outcomes = {(outcome.app, outcome.environment): outcome for landing in landings for outcome in landing.outcomes}
    reports_by_app: list[tuple[AppState, list[CommitReport]]] = []
    for app_state in _app_states(run, newest, state, touched, reviews, health):
        gone = _superseded(earlier, state.configuration, app_state.owner, reviews)
        outcome = outcomes.get(app_state.owner)
        commits = _commit_reports(app_state, gone, outcome, scope.sent)
        job = run.job.address if outcome is not None and outcome.error is not None else ""
        reports_by_app.append(
            (app_state, [replace(item, job=job if item.state == "failed" else "") for item in commits])
        )
    deployed = yield from _send(run, reports_by_app, state.configuration.settings.environments)
    news = {(report.app, report.environment) for report in deployed if report.health in ("success", "failed")}
    return [app_state for app_state, _ in reports_by_app if app_state.owner in news]


def report_to_sender(run: Run, sender: Sender, error: HeadgateError | None) -> None:
    """Set a status on the app's commit that says why its hand-off was refused as a whole.

    Without an error, correct an earlier refusal.
    """
    if run.write is None:
        return
    commit_report = CommitReport(
        project=sender.project,
        commit=sender.commit,
        ref=sender.ref if error else "",  # without a ref, only an existing status is changed
        app="",
        environment="",
        name="hand-off",
        state="failed" if error else "success",
        text=plain(f"refused: {error_text(error)}", MAX_TEXT) if error else "accepted",
        url=run.job.address,
    )
    send_statuses(run.write, [commit_report], Refusals())


def _send(
    run: Run, reports_by_app: Sequence[tuple[AppState, Sequence[CommitReport]]], environments: Mapping[str, Environment]
) -> Generator[str, None, list[CommitReport]]:
    refusals = Refusals()
    reports = [commit_report for _, app_reports in reports_by_app for commit_report in app_reports]
    deployed = record_deployments([gitlab for gitlab in (run.write, run.by_job) if gitlab], reports, refusals)
    described = describe_environments(run.write or run.by_job, deployed, environments, refusals)
    counts = {"deployments": len(deployed), "environments": described}
    if run.write is not None:
        counts["commit statuses"] = send_statuses(run.write, reports, refusals)
        counts["notes"] = write_app_notes(run.write, reports_by_app, run.event.manifests, refusals)
    elif reports:
        yield "no commit statuses and notes: GitLab accepts them with HEADGATE_TOKEN, not with a job token"
    sent = [f"{count} {kind}" for kind, count in counts.items() if count]
    if sent:
        yield f"reported to the apps' projects: {', '.join(sent)}"
    yield from refusals.messages
    return deployed


def _commit_reports(
    app_state: AppState, gone: list[CommitRef], outcome: Outcome | None, sent: CommitRef | None
) -> list[CommitReport]:
    """Return the commits' reports for one app and environment, with the failure of this run's hand-off."""
    if sent is None or outcome is None:
        return commit_reports(app_state, gone)
    if outcome.state == "superseded":
        return commit_reports(app_state, [*gone, sent])
    reports = commit_reports(app_state, gone)
    if outcome.error is not None and not any(commit_report.state == "failed" for commit_report in reports):
        reports = [other for other in reports if (other.project, other.commit) != sent[:2]]
        reports.append(failed(app_state, sent, outcome.error))
    return reports


def _earlier(
    before: Workspace, newest: Workspace, scope: Scope, configuration: Configuration
) -> tuple[Tree, list[Owner]]:
    """Return the files before this run or the push that it handles, and the apps that changed since then."""
    if not (scope.since or scope.reported):
        return before.tree, []
    repository, base = newest.repository, scope.reported or f"{scope.since}^"
    try:
        fetch(repository, newest.remote, scope.reported or scope.since, depth=2)
        changed = changed_files(repository, base, newest.base)
        earlier = git.tree_as_needed(repository, base)
    except GitError:  # the first commit, or a deleted one
        return before.tree, []
    return earlier, list(owners_of(changed, configuration))


def _touched(
    configuration: Configuration,
    landings: Sequence[Landing],
    scope: Scope,
    branches: Collection[str],
    pushed: Sequence[Owner],
) -> list[Owner]:
    """Return the apps and environments that may have changed: all environments of each app."""
    if scope.everything:
        return [(record.name, name) for record, name in configuration.pairs()]
    outcomes = [outcome for landing in landings for outcome in landing.outcomes]
    apps = {outcome.app for outcome in outcomes if scope.sent or outcome.state in ("changed", "superseded", "held")}
    apps |= {branch.rsplit("/", 1)[1] for branch in branches} | {app for app, _ in pushed}
    known = [configuration.apps[app] for app in sorted(apps) if app in configuration.apps]
    return [(record.name, name) for record in known for name in record.environments(configuration.settings)]


def _app_states(
    run: Run,
    newest: Workspace,
    state: State,
    touched: Sequence[Owner],
    reviews: ReviewResult,
    health: Mapping[Owner, Health],
) -> list[AppState]:
    project = f"{run.event.server}/{run.event.manifests}/-"

    def landed_at(owner: Owner) -> str:
        if owner in landed:
            return f"{project}/commit/{landed[owner].commit}"
        folder = state.configuration.apps[owner[0]].release_folder(owner[1])
        return f"{project}/commits/{quote(newest.branch)}/{quote(folder)}"

    def review_at(branch: str) -> str:
        request = reviews.open.get(branch)
        return request.url if request else f"{project}/commits/{quote(branch)}"

    proposed = open_proposals(newest, state.configuration)
    apps = state.configuration.apps
    released = {(app, name) for app, name in touched if release_file(apps[app], name) in state.tree}
    landed = find_last_changes(newest, released)
    return app_states(state.tree, state.configuration, touched, proposed, landed_at, review_at, health)


def _superseded(earlier: Tree, configuration: Configuration, owner: Owner, reviews: ReviewResult) -> list[CommitRef]:
    """Return the commits that something newer may have superseded: what ran before, and what was proposed.

    `commit_reports` compares them with what runs now.
    """
    app, environment = owner
    try:
        release = read_release(earlier, configuration.apps[app], environment)
    except HeadgateError:
        release = None
    commits: list[CommitRef] = [
        (part.project_id, part.commit, part.ref) for part in parts(release).values() if part.project_id is not None
    ]
    commits += [(project, commit, "") for project, commit in reviews.gone.get(review_branch(app, environment), ())]
    return commits
