"""What the apps' projects are told after a run: statuses and notes on commits, deployments. It never fails a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from headgate.errors import GitError, HeadgateError
from headgate.feedback.appnote import write_app_notes
from headgate.feedback.commit_report import MOST, CommitRef, CommitReport, app_states, commit_reports, failed
from headgate.feedback.deployments import record_deployments
from headgate.feedback.environments import describe_environments
from headgate.feedback.health import with_health
from headgate.feedback.statuses import send_statuses
from headgate.gitlab.best_effort import Refusals
from headgate.health.run import run_health
from headgate.paths import review_branch
from headgate.releases.release import parts, read_release, release_file
from headgate.report.appchange import owners_of
from headgate.report.markdown import plain
from headgate.repository import git
from headgate.repository.remote import fetch
from headgate.state.proposals import open_proposals
from headgate.state.status import find_arrivals

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from headgate.config import Configuration
    from headgate.feedback.commit_report import AppState
    from headgate.flux.verdict import Health
    from headgate.gitlab.run import Run
    from headgate.gitlab.sender import Sender
    from headgate.hydration.hydrate import Outcome
    from headgate.intents.protocol import State
    from headgate.landing.land import Landing
    from headgate.landing.workspace import Workspace
    from headgate.model import Environment
    from headgate.releases.last_change import Owner
    from headgate.repository.tree import Tree
    from headgate.review.update import ReviewResult


@dataclass(frozen=True)
class Scope:
    """Of which apps is told: of those that a run touched, of ``everything``, of what came with a push.

    ``since`` is a commit: it counts, with all that came after it. Of what ``told`` holds all is told already, and only
    what came after it counts. ``sent`` is whose hand-off this run landed.
    """

    everything: bool = False
    since: str = ""
    told: str = ""
    sent: CommitRef | None = None


def report(
    run: Run,
    before: Workspace,
    newest: Workspace,
    state: State,
    landings: Sequence[Landing],
    scope: Scope,
    done: ReviewResult,
) -> Iterator[str]:
    """Tell the apps' projects, and yield what there is to say of that. ``before`` is as it was before the run."""
    earlier, came = _earlier(before, newest, scope, state.configuration)
    touched = _touched(state.configuration, landings, scope, {*done.gone, *done.changed}, came)
    touched, health = with_health(
        run_health(run), newest, state, touched, scheduled=scope.everything or bool(scope.told)
    )
    if not touched:
        return
    outcomes = {(one.app, one.environment): one for landing in landings for one in landing.outcomes}
    told: list[tuple[AppState, list[CommitReport]]] = []
    for one in _standings(run, newest, state, touched, done, health):
        gone = _gone(earlier, state.configuration, one.owner, done)
        told.append((one, _words(one, gone, outcomes.get(one.owner), scope.sent)))
    yield from _send(run, told, state.configuration.settings.environments)


def report_to_sender(run: Run, sender: Sender, error: HeadgateError | None) -> None:
    """Tell the app's commit, by a status of its own, why its hand-off was refused as a whole.

    Without an error, that it was taken after all, where it had been refused before.
    """
    if run.write is None:
        return
    state, text = ("failed", plain(f"refused: {error.what}", MOST)) if error else ("success", "taken")
    ref = sender.ref if error else ""  # without one, only a status that is there already is changed
    word = CommitReport(sender.project, sender.commit, ref, "", "", "hand-off", state, text, run.job.address)
    send_statuses(run.write, [word], Refusals())


def _send(
    run: Run, told: Sequence[tuple[AppState, Sequence[CommitReport]]], environments: Mapping[str, Environment]
) -> Iterator[str]:
    refusals = Refusals()
    every = [word for _, said in told for word in said]
    deployed = record_deployments([one for one in (run.write, run.by_job) if one], every, refusals)
    described = describe_environments(run.write or run.by_job, deployed, environments, refusals)
    counts = {"deployments": len(deployed), "environments": described}
    if run.write is not None:
        counts["commit statuses"] = send_statuses(run.write, every, refusals)
        counts["notes"] = write_app_notes(run.write, told, run.event.manifests, refusals)
    elif every:
        yield "commit statuses and notes are not written: GitLab takes them by HEADGATE_TOKEN, not by a job token"
    sent = [f"{number} {what}" for what, number in counts.items() if number]
    if sent:
        yield f"told the apps' projects: {', '.join(sent)}"
    yield from refusals.told


def _words(one: AppState, gone: list[CommitRef], outcome: Outcome | None, sent: CommitRef | None) -> list[CommitReport]:
    """Return what commits are told of one app and environment; also that of this run's hand-off, if it did not land."""
    if sent is None or outcome is None:
        return commit_reports(one, gone)
    if outcome.state == "superseded":
        return commit_reports(one, [*gone, sent])
    said = commit_reports(one, gone)
    if outcome.error is not None and not any(word.state == "failed" for word in said):
        said = [word for word in said if (word.project, word.commit) != sent[:2]]
        said.append(failed(one, sent, outcome.error))
    return said


def _earlier(
    before: Workspace, newest: Workspace, scope: Scope, configuration: Configuration
) -> tuple[Tree, list[Owner]]:
    """Return the files as they were before what this run is about, and whose differ since then.

    A run lands something itself, or runs since somebody pushed: then it is what was before that push.
    """
    if not (scope.since or scope.told):
        return before.tree, []
    repository, base = newest.repository, scope.told or f"{scope.since}^"
    try:
        fetch(repository, newest.remote, scope.told or scope.since, depth=2)
        changed = repository.git("diff-tree", "-r", "-z", "--name-only", base, newest.base)
        earlier = git.tree_of_commit(repository, base)
    except GitError:  # the first commit of all, or one that is gone
        return before.tree, []
    return earlier, list(owners_of(filter(None, changed.split("\0")), configuration))


def _touched(
    configuration: Configuration,
    landings: Sequence[Landing],
    scope: Scope,
    branches: set[str],
    came: Sequence[Owner],
) -> list[Owner]:
    """Return the apps and environments of which there may be news: with an app, all its environments."""
    if scope.everything:
        return [(record.name, name) for record, name in configuration.pairs()]
    outcomes = [one for landing in landings for one in landing.outcomes]
    apps = {one.app for one in outcomes if scope.sent or one.state in ("changed", "superseded", "held")}
    apps |= {branch.rsplit("/", 1)[1] for branch in branches} | {app for app, _ in came}
    known = [configuration.apps[app] for app in sorted(apps) if app in configuration.apps]
    return [(record.name, name) for record in known for name in record.environments(configuration.settings)]


def _standings(
    run: Run,
    newest: Workspace,
    state: State,
    touched: Sequence[Owner],
    done: ReviewResult,
    health: Mapping[Owner, Health],
) -> list[AppState]:
    project = f"{run.event.server}/{run.event.manifests}/-"

    def landed_at(owner: Owner) -> str:
        if owner in landed:
            return f"{project}/commit/{landed[owner].commit}"
        folder = state.configuration.apps[owner[0]].release_folder(owner[1])
        return f"{project}/commits/{quote(newest.branch)}/{quote(folder)}"

    def review_at(branch: str) -> str:
        found = done.open.get(branch)
        return found.url if found else f"{project}/commits/{quote(branch)}"

    proposed = open_proposals(newest, state.configuration)
    apps = state.configuration.apps
    released = {(app, name) for app, name in touched if release_file(apps[app], name) in state.tree}
    landed = find_arrivals(newest, released)
    return app_states(state.tree, state.configuration, touched, proposed, landed_at, review_at, health)


def _gone(earlier: Tree, configuration: Configuration, owner: Owner, done: ReviewResult) -> list[CommitRef]:
    """Return the commits whose place something newer may have taken: what ran before, and what was proposed.

    Whether it did is seen by what runs now (`commit_reports`).
    """
    app, environment = owner
    try:
        release = read_release(earlier, configuration.apps[app], environment)
    except HeadgateError:
        release = None
    found: list[CommitRef] = [
        (part.project_id, part.commit, part.ref) for part in parts(release).values() if part.project_id is not None
    ]
    found += [(project, commit, "") for project, commit in done.gone.get(review_branch(app, environment), ())]
    return found
