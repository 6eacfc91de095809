"""``headgate history``: who delivered what, when, from which commit, by the releases in git."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headgate.config import app_folders, parse
from headgate.errors import ConfigError, HeadgateError, did_you_mean
from headgate.model import Settings
from headgate.paths import SETTINGS
from headgate.releases.deepen import deepening
from headgate.releases.history import read_histories
from headgate.report.history import SHORT, HistoryEntry, history_to_json, write_history
from headgate.report.terminal import Terminal
from headgate.state.reading import open_for_reading

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headgate.landing.workspace import Workspace
    from headgate.model import Release
    from headgate.releases.history import ReleaseHistory, ReleaseStep
    from headgate.repository.tree import Tree


@dataclass(frozen=True)
class HistoryOptions:
    """The command's arguments."""

    app: str
    manifests: str = "."
    environment: str = ""
    limit: int = 10
    json: bool = False


def run(request: HistoryOptions) -> int:
    """Show the history of an app and return 0. Raises ConfigError when there never was such an app."""
    with open_for_reading(request.manifests) as workspace:
        tree = workspace.tree
        names = _environments(tree)
        histories = _histories(workspace, request)
        shown = _shown(request, histories, [folder.rsplit("/", 1)[1] for folder in app_folders(tree)])
    ordered = sorted(histories, key=lambda name: names.index(name) if name in names else len(names))
    entries = {name: _entries(histories, ordered, name)[: request.limit] for name in ordered if name in shown}
    cuts = {name: histories[name].cut for name in entries if len(entries[name]) < request.limit}
    if request.json:
        print(history_to_json(request.app, entries, cuts))  # noqa: T201  the answer itself
    else:
        write_history(Terminal(sys.stdout), request.app, entries, cuts)
    return 0


def _histories(workspace: Workspace, request: HistoryOptions) -> dict[str, ReleaseHistory]:
    """Read so much of the past as there are steps to show."""
    found: dict[str, ReleaseHistory] = {}
    with deepening(workspace.repository, workspace.remote, workspace.base) as repositories:
        for repository in repositories:
            found = read_histories(repository, workspace.base, request.app)
            requested = [history for name, history in found.items() if request.environment in ("", name)]
            if requested and all(len(history.versions) >= request.limit or not history.cut for history in requested):
                break
    return found


def _environments(tree: Tree) -> list[str]:
    """Return the environments in promotion order; none where headgate.yaml is broken, which the past is not."""
    try:
        return list(parse(tree.read(SETTINGS), SETTINGS, Settings)[0].environments) if SETTINGS in tree else []
    except HeadgateError:
        return []


def _shown(request: HistoryOptions, histories: Mapping[str, ReleaseHistory], apps: Sequence[str]) -> list[str]:
    """Return the environments to show. Raises ConfigError for an app or an environment that never was."""
    if request.app not in apps and not histories:
        raise ConfigError(
            f"there is no app '{request.app}', and no release of one in git's history",
            hint=did_you_mean(request.app, list(apps)) or f"there are: {', '.join(sorted(apps)) or 'none yet'}",
        )
    if request.environment and request.environment not in histories:
        raise ConfigError(
            f"'{request.app}' was never released in '{request.environment}'"
            + (f", expected one of: {', '.join(histories)}" if histories else ""),
            hint=did_you_mean(request.environment, list(histories)),
        )
    return [request.environment] if request.environment else list(histories)


def _entries(histories: Mapping[str, ReleaseHistory], ordered: Sequence[str], name: str) -> tuple[HistoryEntry, ...]:
    """Return the entries of an environment: the steps that changed what runs, or who may change it."""
    history = histories[name]
    before = [histories[other] for other in ordered[: ordered.index(name)]]
    entries = []
    olders = (*history.steps, history.oldest)[1:]
    for step, older in zip(history.steps, olders, strict=True):
        pin_changed = _pin(step.release) != _pin(older.release if older else None)
        if step.is_version or pin_changed:
            entries.append(_entry(history, before, step, pin_changed=pin_changed))
    return tuple(entries)


def _entry(
    history: ReleaseHistory, before: Sequence[ReleaseHistory], step: ReleaseStep, *, pin_changed: bool
) -> HistoryEntry:
    same = history.same_as(step)
    first = next((other.environment for other in reversed(before) if _had_before(other, step)), "")
    notes = []
    if step.is_version and step.release is None:
        notes.append(f"cannot be read: {step.problem}" if step.problem else "removed")
    if same is not None:
        notes.append(f"back to {same.commit[:SHORT]}")
    if first:
        notes.append(f"as in {first}")
    if pin_changed:
        pin = step.release.pin if step.release else None
        notes.append(f"pinned by {pin.by}: {pin.reason}" if pin else "unpinned")
    return HistoryEntry(step=step, back_to=same.commit if same else "", as_in=first, notes=tuple(notes))


def _had_before(other: ReleaseHistory, step: ReleaseStep) -> bool:
    """Whether another environment had the same parts, from the same refs, with an earlier commit: a promotion."""
    if step.release is None or not step.is_version:
        return False
    for version in other.versions:
        earlier = version.time <= step.time and version.commit != step.commit
        if earlier and version.release is not None and _parts(version.release) == _parts(step.release):
            return True
    return False


def _parts(release: Release) -> object:
    return release.images, release.config


def _pin(release: Release | None) -> object:
    return release.pin if release else None
