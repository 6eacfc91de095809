"""``headgate history``: who delivered what, when, from which commit, by the releases in git."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from headgate.config import app_folders, parse
from headgate.errors import ArgumentError, HeadgateError, did_you_mean
from headgate.model import Settings
from headgate.paths import SETTINGS
from headgate.records import frozen_record
from headgate.releases.deepen import deepening
from headgate.releases.history import read_all_histories, read_histories
from headgate.report.history import HistoryEntry, history_to_json, steps_to_json, write_history, write_steps
from headgate.report.history_entries import history_entries, is_by
from headgate.report.terminal import Terminal
from headgate.state.reading import open_for_reading

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headgate.landing.workspace import Workspace
    from headgate.releases.history import ReleaseHistory
    from headgate.repository.tree import Tree


@frozen_record
class HistoryOptions:
    """The command's arguments. ``limit`` counts the steps of each environment; those of all, where no app is named."""

    app: str = ""
    manifests: str = "."
    environment: str = ""
    actor: str = ""
    limit: int = 10
    json: bool = False


Entries = dict[str, tuple[HistoryEntry, ...]]


def run(request: HistoryOptions) -> int:
    """Show the history of an app, or of all, and return 0. Raises ArgumentError if the app never existed."""
    with open_for_reading(request.manifests) as workspace:
        tree = workspace.tree
        names = _environments(tree)
        histories = _histories(workspace, request, names)
        if request.app or request.environment:
            _check_names(request, histories, [folder.rsplit("/", 1)[1] for folder in app_folders(tree)])
    entries = {app: _chosen(request, history_entries(found, names)) for app, found in histories.items()}
    cuts = {app: {name: history.cut for name, history in found.items()} for app, found in histories.items()}
    if request.app:
        _show_app(request, entries.get(request.app, {}), cuts.get(request.app, {}))
    else:
        _show_all(request, entries, next((cut for found in cuts.values() for cut in found.values()), ""))
    return 0


def _show_app(request: HistoryOptions, every: Entries, cuts: Mapping[str, str]) -> None:
    entries = {name: steps[: request.limit] for name, steps in every.items()}
    ends = {name: cuts[name] for name, steps in entries.items() if len(steps) < request.limit}
    if request.json:
        print(history_to_json(request.app, entries, ends, request.actor))  # noqa: T201  the answer itself
    else:
        write_history(Terminal(sys.stdout), request.app, entries, ends)


def _show_all(request: HistoryOptions, entries: Mapping[str, Entries], cut: str) -> None:
    every = [(app, name, entry) for app, found in entries.items() for name, steps in found.items() for entry in steps]
    newest = sorted(every, key=lambda item: item[2].step.time, reverse=True)[: request.limit]
    end = cut if len(newest) < request.limit else ""
    if request.json:
        print(steps_to_json(newest, end, request.actor))  # noqa: T201  the answer itself
    else:
        write_steps(Terminal(sys.stdout), newest, end)


def _chosen(request: HistoryOptions, entries: Entries) -> Entries:
    return {
        name: tuple(entry for entry in steps if not request.actor or is_by(entry, request.actor))
        for name, steps in entries.items()
        if request.environment in ("", name)
    }


def _histories(
    workspace: Workspace, request: HistoryOptions, names: Sequence[str]
) -> dict[str, dict[str, ReleaseHistory]]:
    """Read as much history as there are steps to show, by app and environment."""
    found: dict[str, dict[str, ReleaseHistory]] = {}
    with deepening(workspace.repository, workspace.remote, workspace.base) as repositories:
        for repository in repositories:
            if request.app:
                own = read_histories(repository, workspace.base, request.app)
                found = {request.app: own} if own else {}
            else:
                found = read_all_histories(repository, workspace.base)
            if _is_deep_enough(request, found, names):
                break
    return found


def _is_deep_enough(
    request: HistoryOptions, found: Mapping[str, Mapping[str, ReleaseHistory]], names: Sequence[str]
) -> bool:
    every = [history for histories in found.values() for history in histories.values()]
    wanted = [history for history in every if request.environment in ("", history.environment)]
    if request.app and not request.actor:
        return bool(wanted) and all(len(past.versions) >= request.limit or not past.cut for past in wanted)
    counts = [
        len(steps)
        for histories in found.values()
        for steps in _chosen(request, history_entries(histories, names)).values()
    ]
    fewest = min(counts, default=0) if request.app else sum(counts)
    return bool(wanted) and (fewest >= request.limit or not any(history.cut for history in wanted))


def _environments(tree: Tree) -> list[str]:
    """Return the environments in promotion order; none if headgate.yaml is broken, since history can still be shown."""
    try:
        return list(parse(tree.read(SETTINGS), SETTINGS, Settings)[0].environments) if SETTINGS in tree else []
    except HeadgateError:
        return []


def _check_names(
    request: HistoryOptions, histories: Mapping[str, Mapping[str, ReleaseHistory]], apps: Sequence[str]
) -> None:
    """Raise ArgumentError for an app or an environment that never existed."""
    if request.app and request.app not in apps and not histories:
        raise ArgumentError(
            f"there is no app '{request.app}', and no release of one in git's history",
            hint=did_you_mean(request.app, list(apps)) or f"there are: {', '.join(sorted(apps)) or 'none yet'}",
        )
    released = list(dict.fromkeys(name for found in histories.values() for name in found))
    if request.environment and request.environment not in released:
        what = f"'{request.app}' was never released" if request.app else "nothing was ever released"
        raise ArgumentError(
            f"{what} in '{request.environment}'" + (f", expected one of: {', '.join(released)}" if released else ""),
            hint=did_you_mean(request.environment, released),
        )
