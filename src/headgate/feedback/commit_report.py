"""The report on each commit of an app's project: where it runs, where it waits, what superseded it. Pure."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from headgate.hydration.output import flags_of
from headgate.records import frozen_record
from headgate.releases.pending import held_release
from headgate.releases.pending_files import read_pending
from headgate.releases.release import parts, read_released
from headgate.report.history import version
from headgate.report.markdown import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from headgate.configuration import AppRecord, Configuration, Owner
    from headgate.errors import HeadgateError
    from headgate.flux.verdict import Health
    from headgate.model import Release, ReleasedConfig, ReleasedImage
    from headgate.releases.pending import Group
    from headgate.repository.tree import Tree
    from headgate.review.description import Source
    from headgate.state.proposals import Proposed

MAX_TEXT = 255
"""The limit of a status' description: https://docs.gitlab.com/api/commits/#set-commit-pipeline-status."""
CommitState = Literal["canceled", "failed", "success", "running", "pending"]
_RANK: tuple[CommitState, ...] = ("canceled", "failed", "success", "running", "pending")


@frozen_record
class CommitReport:
    """The report on one commit for one app and environment.

    ``name`` is the environment's, with the app's when several apps share a project. ``state`` is that of GitLab's
    status. ``deployed``: the environment runs this commit. ``pipeline`` handed the commit off; 0 when unknown.
    ``health`` is GitLab's state for the deployment, by Flux's verdict; empty where nothing reports it. ``rolled_back``:
    it was deployed, failed, and is not any more. ``job`` is the address of the job that failed, if this run is it.
    """

    project: int
    commit: str
    ref: str
    app: str
    environment: str
    name: str
    state: CommitState
    text: str
    url: str
    deployed: bool = False
    pipeline: int = 0
    health: str = ""
    rolled_back: bool = False
    job: str = ""


@frozen_record
class AppState:
    """One app in one environment. ``url`` is the address of the commit that delivered the release.

    ``flags`` are the risks of what runs, as it stands.
    """

    owner: Owner
    name: str
    release: Release | None
    waiting: Release | None
    held_groups: tuple[Group, ...]
    held: str
    failed: tuple[Group, ...]
    proposed: Release | None
    review_url: str
    url: str
    health: Health | None = None
    flags: tuple[str, ...] = ()

    @property
    def environment(self) -> str:
        """The environment's name."""
        return self.owner[1]


CommitRef = tuple[int, str, str]
"""A project's id, a commit of it, and its full ref; the ref is empty when unknown."""


def app_states(
    tree: Tree,
    configuration: Configuration,
    owners: Iterable[Owner],
    proposed: Mapping[Owner, Proposed],
    landed_at: Callable[[Owner], str],
    review_at: Callable[[str], str],
    health: Mapping[Owner, Health] = MappingProxyType({}),
) -> list[AppState]:
    """Return the states of these apps and environments.

    ``landed_at`` returns the address of the commit that delivered a release, ``review_at`` that of a merge request.
    """
    states = []
    for app, environment in owners:
        record, proposal = configuration.apps[app], proposed.get((app, environment))
        landed = read_released(tree, record.release_folder(environment))
        pending = read_pending(tree, record.release_folder(environment), landed)
        release = landed.release if landed else None
        states.append(
            AppState(
                owner=(app, environment),
                name=f"{app}/{environment}" if _shares_project(record, configuration) else environment,
                release=release,
                waiting=held_release(landed, pending.held),
                held_groups=(*pending.held, *pending.diverged),
                held=_hold_reason(configuration, environment, release),
                failed=pending.failed,
                proposed=proposal.release if proposal else None,
                review_url=review_at(proposal.branch) if proposal else "",
                url=landed_at((app, environment)),
                health=health.get((app, environment)),
                flags=flags_of(tree, configuration.output_folder(app, environment)),
            )
        )
    return states


def _hold_reason(configuration: Configuration, environment: str, release: Release | None) -> str:
    freeze = configuration.frozen.get(environment)
    if release is not None and release.pin is not None:
        return f"pinned by {release.pin.by}: {release.pin.reason}"
    return f"frozen by {freeze.by}: {freeze.reason}" if freeze else "the next run checks it again"


def projects_of(record: AppRecord) -> set[str]:
    """Return the projects that hand off parts of an app."""
    images = [image.project for image in record.app.images.values()]
    config = record.app.config.project if record.app.config else None
    return {project for project in (record.app.project, *images, config) if project}


def _shares_project(record: AppRecord, configuration: Configuration) -> bool:
    """Whether another app has one of this app's projects too, so that statuses must name the app."""
    for project in projects_of(record):
        others = configuration.apps.mentioning(project)
        if any(other.name != record.name and project in projects_of(other) for other in others):
            return True
    return False


def commit_reports(app: AppState, gone: Iterable[CommitRef] = ()) -> list[CommitReport]:
    """Return the report of each commit. ``gone`` are commits that something newer may have superseded."""
    reports: dict[Source, CommitReport] = {}
    for report in [*_gone(app, gone), *_failed(app), *_running(app), *_waiting(app), *_proposed(app)]:
        key = (report.project, report.commit)
        if key not in reports or _RANK.index(report.state) >= _RANK.index(reports[key].state):
            reports[key] = report
    return list(reports.values())


def _running(app: AppState) -> Iterator[CommitReport]:
    deployed = _leading(app.release)
    state, health = _with_health(app.health)
    for part in parts(app.release).values():
        pin = f", {app.held}" if app.release and app.release.pin else ""
        risks = f"; look at: {', '.join(app.flags)}" if app.flags else ""
        text = f"deployed to {app.environment}: {version(app.release)}{pin}{health}{risks}"
        is_deployed = (part.project_id, part.commit) in deployed
        yield from _report(app, part, state, text, app.url, deployed=is_deployed)


def _with_health(health: Health | None) -> tuple[CommitState, str]:
    """Return GitLab's state for what is on the default branch, and Flux's verdict as text, where it is known."""
    if health is None:
        return "success", ""
    reason = f": {health.reason}" if health.reason else ""
    if health.state == "healthy":
        return "success", ", healthy"
    return ("failed", f", failed{reason}") if health.state == "failed" else ("running", f", waits for Flux{reason}")


def _waiting(app: AppState) -> Iterator[CommitReport]:
    running = parts(app.release)
    for group in app.held_groups:
        reason = "; ".join(group.record.reasons) or app.held
        for name, part in group.parts.items():
            if part != running.get(name):
                yield from _report(app, part, "pending", f"waits for {app.environment}: {reason}", app.url)


def _proposed(app: AppState) -> Iterator[CommitReport]:
    running = parts(app.release)
    for name, part in parts(app.proposed).items():
        if part != running.get(name):
            text = f"waits for review in {app.environment}: {version(app.proposed)}"
            yield from _report(app, part, "pending", text, app.review_url)


def _failed(app: AppState) -> Iterator[CommitReport]:
    for group in app.failed:
        reason = group.record.failure.message if group.record.failure else "it could not be rendered"
        for part in group.parts.values():
            yield from _report(app, part, "failed", f"not delivered to {app.environment}: {reason}", app.url)


def _gone(app: AppState, gone: Iterable[CommitRef]) -> Iterator[CommitReport]:
    newest = app.proposed or app.waiting or app.release
    parts_in_use = [part for release in (app.release, app.proposed) for part in parts(release).values()]
    parts_in_use += [part for group in app.held_groups for part in group.parts.values()]
    current = {(part.project_id, part.commit) for part in parts_in_use}
    projects = {part.project_id for part in parts_in_use}
    rolled_back = _rolled_back(app.release)
    for project, commit, ref in gone:
        if commit in rolled_back and project in projects:
            text = f"failed in {app.environment}, rolled back to {version(app.release)}"
            report = _build(app, (project, commit, ref), "failed", text, app.url)
            yield replace(report, deployed=True, health="failed", rolled_back=True)
        elif (project, commit) not in current and project in projects:
            text = f"superseded in {app.environment} by {version(newest)}"
            url = app.review_url or app.url
            yield _build(app, (project, commit, ref), "canceled", text, url)


def _rolled_back(release: Release | None) -> set[str]:
    """Return the commits that `on_failure` took back: the newest ever released, where no pin keeps them away."""
    if release is None or release.pin is not None:
        return set()
    return {part.commit for part in release.newest.values()} - {part.commit for part in parts(release).values()}


def failed(app: AppState, sent: CommitRef, error: HeadgateError) -> CommitReport:
    """Return the report of a commit whose hand-off could not be rendered."""
    return _build(app, sent, "failed", f"not delivered to {app.environment}: {error_text(error)}", app.url)


def error_text(error: HeadgateError) -> str:
    """Return an error's place and message, without what to do: a status is short."""
    return f"{error.where}: {error.what}" if error.where else error.what


def _build(app: AppState, ref: CommitRef, state: CommitState, text: str, url: str) -> CommitReport:
    return CommitReport(
        project=ref[0],
        commit=ref[1],
        ref=ref[2],
        app=app.owner[0],
        environment=app.environment,
        name=app.name,
        state=state,
        text=plain(text, MAX_TEXT),
        url=url,
    )


def _report(
    app: AppState,
    part: ReleasedImage | ReleasedConfig,
    state: CommitState,
    text: str,
    url: str,
    *,
    deployed: bool = False,
) -> Iterator[CommitReport]:
    if part.project_id is not None:  # unknown after a hand-off without GitLab
        report = _build(app, (part.project_id, part.commit, part.ref), state, text, url)
        health = state if deployed and app.health is not None else ""
        yield replace(report, deployed=deployed, pipeline=part.pipeline or 0, health=health)


def _leading(release: Release | None) -> set[tuple[int | None, str]]:
    """Return the newest running commit of each project, so that a project has one deployment at a time."""
    newest: dict[int | None, ReleasedImage | ReleasedConfig] = {}
    for part in parts(release).values():
        known = newest.get(part.project_id)
        if known is None or (part.pipeline or 0) > (known.pipeline or 0):
            newest[part.project_id] = part
    return {(project, part.commit) for project, part in newest.items()}


def summary(app: AppState) -> str:
    """Describe what runs, for commits without a report."""
    return f"runs {version(app.release)}" if app.release else "nothing released yet"
