"""What there is to say of each commit of an app's project: where it runs, where it waits, what took its place. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from headgate.releases.pending import held_release, read_pending
from headgate.releases.release import parts, read_released
from headgate.report.history import version
from headgate.report.markdown import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from headgate.config import AppRecord, Configuration
    from headgate.errors import HeadgateError
    from headgate.flux.verdict import Health
    from headgate.model import Release, ReleasedConfig, ReleasedImage
    from headgate.releases.last_change import Owner
    from headgate.releases.pending import Group
    from headgate.repository.tree import Tree
    from headgate.review.description import Source
    from headgate.state.proposals import Proposed

MOST = 255
"""Characters of a status' description: https://docs.gitlab.com/api/commits/#set-commit-pipeline-status."""
_RANK = ("canceled", "failed", "success", "running", "pending")


@dataclass(frozen=True)
class CommitReport:
    """What one commit is told for one app and environment.

    ``name`` is the environment's, with the app's where several apps are one project's. ``state`` is GitLab's for
    a status, ``deployed`` says that the environment runs this commit of the project. ``pipeline`` is the one that
    handed the commit off; 0 where that is not known. ``health`` is GitLab's state for the deployment, as Flux' verdict
    has it; empty where nothing says whether it is healthy.
    """

    project: int
    commit: str
    ref: str
    app: str
    environment: str
    name: str
    state: str
    text: str
    url: str
    deployed: bool = False
    pipeline: int = 0
    health: str = ""


@dataclass(frozen=True)
class AppState:
    """What is known of one app in one environment. ``url`` leads to what brought what runs there."""

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


CommitRef = tuple[int, str, str]
"""A project's number, a commit of it, and its ref in full; an empty one where that is not known."""


def app_states(
    tree: Tree,
    configuration: Configuration,
    owners: Iterable[Owner],
    proposed: Mapping[Owner, Proposed],
    landed_at: Callable[[Owner], str],
    review_at: Callable[[str], str],
    health: Mapping[Owner, Health] = MappingProxyType({}),
) -> list[AppState]:
    """Return what is known of these apps and environments.

    ``landed_at`` gives the address of what brought what runs there, ``review_at`` that of a branch's merge request.
    """
    found = []
    for app, environment in owners:
        record, proposal = configuration.apps[app], proposed.get((app, environment))
        landed = read_released(tree, record.release_folder(environment))
        pending = read_pending(tree, record.release_folder(environment), landed)
        release = landed.release if landed else None
        found.append(
            AppState(
                (app, environment),
                f"{app}/{environment}" if _shares(record, configuration) else environment,
                release,
                held_release(landed, pending.held),
                (*pending.held, *pending.diverged),
                _held(configuration, environment, release),
                pending.failed,
                proposal.release if proposal else None,
                review_at(proposal.branch) if proposal else "",
                landed_at((app, environment)),
                health.get((app, environment)),
            )
        )
    return found


def _held(configuration: Configuration, environment: str, release: Release | None) -> str:
    freeze = configuration.frozen.get(environment)
    if release is not None and release.pin is not None:
        return f"pinned by {release.pin.by}: {release.pin.reason}"
    return f"frozen by {freeze.by}: {freeze.reason}" if freeze else "it is checked again"


def projects_of(record: AppRecord) -> set[str]:
    """Return the projects that hand parts of an app off."""
    images = [image.project for image in record.app.images.values()]
    config = record.app.config.project if record.app.config else None
    return {project for project in (record.app.project, *images, config) if project}


def _shares(record: AppRecord, configuration: Configuration) -> bool:
    """Whether another app is of one of this app's projects too: then a status must name the app."""
    for project in projects_of(record):
        others = configuration.apps.mentioning(project)
        if any(other.name != record.name and project in projects_of(other) for other in others):
            return True
    return False


def commit_reports(one: AppState, gone: Iterable[CommitRef] = ()) -> list[CommitReport]:
    """Return what each commit is told. ``gone`` are commits that something newer took the place of."""
    found: dict[Source, CommitReport] = {}
    for word in [*_gone(one, gone), *_failed(one), *_running(one), *_waiting(one), *_proposed(one)]:
        key = (word.project, word.commit)
        if key not in found or _RANK.index(word.state) >= _RANK.index(found[key].state):
            found[key] = word
    return list(found.values())


def _running(one: AppState) -> Iterator[CommitReport]:
    deployed = _leading(one.release)
    for part in parts(one.release).values():
        pin = f", {one.held}" if one.release and one.release.pin else ""
        text = f"deployed to {one.owner[1]}: {version(one.release)}{pin}"
        state, health = _with_health(one)
        is_deployed = (part.project_id, part.commit) in deployed
        yield from _word(one, part, state, text + health, one.url, deployed=is_deployed)


def _with_health(one: AppState) -> tuple[str, str]:
    """Return GitLab's state for what is on the default branch, and what Flux says of it, as far as that is known."""
    if one.health is None:
        return "success", ""
    reason = f": {one.health.reason}" if one.health.reason else ""
    if one.health.state == "healthy":
        return "success", ", healthy"
    return ("failed", f", failed{reason}") if one.health.state == "failed" else ("running", f", waits for Flux{reason}")


def _waiting(one: AppState) -> Iterator[CommitReport]:
    running = parts(one.release)
    for group in one.held_groups:
        why = "; ".join(group.record.reasons) or one.held
        for name, part in group.parts.items():
            if part != running.get(name):
                yield from _word(one, part, "pending", f"waits for {one.owner[1]}: {why}", one.url)


def _proposed(one: AppState) -> Iterator[CommitReport]:
    running = parts(one.release)
    for name, part in parts(one.proposed).items():
        if part != running.get(name):
            text = f"waits for review in {one.owner[1]}: {version(one.proposed)}"
            yield from _word(one, part, "pending", text, one.review_url)


def _failed(one: AppState) -> Iterator[CommitReport]:
    for group in one.failed:
        why = group.record.failure.message if group.record.failure else "it could not be rendered"
        for part in group.parts.values():
            yield from _word(one, part, "failed", f"not delivered to {one.owner[1]}: {why}", one.url)


def _gone(one: AppState, gone: Iterable[CommitRef]) -> Iterator[CommitReport]:
    newest = one.proposed or one.waiting or one.release
    every = [part for release in (one.release, one.proposed) for part in parts(release).values()]
    every += [part for group in one.held_groups for part in group.parts.values()]
    there = {(part.project_id, part.commit) for part in every}
    projects = {part.project_id for part in every}
    for project, commit, ref in gone:
        if (project, commit) not in there and project in projects:  # of no project that is not this app's
            text = plain(f"superseded in {one.owner[1]} by {version(newest)}", MOST)
            yield CommitReport(project, commit, ref, *one.owner, one.name, "canceled", text, one.review_url or one.url)


def failed(one: AppState, sent: CommitRef, error: HeadgateError) -> CommitReport:
    """Return what a commit is told whose hand-off could not be rendered."""
    text = plain(f"not delivered to {one.owner[1]}: {error.what}", MOST)
    return CommitReport(*sent, *one.owner, one.name, "failed", text, one.url)


def _word(
    one: AppState, part: ReleasedImage | ReleasedConfig, state: str, text: str, url: str, *, deployed: bool = False
) -> Iterator[CommitReport]:
    if part.project_id is not None:  # handed off by hand: nobody said which project of GitLab it is
        yield CommitReport(
            *(part.project_id, part.commit, part.ref, *one.owner, one.name, state, plain(text, MOST), url, deployed),
            pipeline=part.pipeline or 0,
            health=state if deployed and one.health is not None else "",
        )


def _leading(release: Release | None) -> set[tuple[int | None, str]]:
    """Return one commit for each project: the newest that runs, so that a project has one deployment at a time."""
    found: dict[int | None, ReleasedImage | ReleasedConfig] = {}
    for part in parts(release).values():
        other = found.get(part.project_id)
        if other is None or (part.pipeline or 0) > (other.pipeline or 0):
            found[part.project_id] = part
    return {(project, part.commit) for project, part in found.items()}


def shown(one: AppState) -> str:
    """Say in few words what runs, for those whose commit does not."""
    return f"runs {version(one.release)}" if one.release else "nothing was released yet"
