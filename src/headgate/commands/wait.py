"""``headgate wait``: wait until Flux reports that what has landed is healthy, or failed. Reads only."""

from __future__ import annotations

import os
import sys
import time
from itertools import count
from typing import TYPE_CHECKING

from headgate import config
from headgate.cluster_checks import has_health
from headgate.commands.exit_code import merge_codes
from headgate.commands.hydrate import select
from headgate.errors import ConfigError, HealthUnknownError, Location, StillWaitingError, UnhealthyError
from headgate.flux.verdict import Health
from headgate.gitlab.api import connect_by_variable
from headgate.health.read import read_health
from headgate.health.run import health_sources
from headgate.paths import SETTINGS
from headgate.records import frozen_record
from headgate.report.health import health_line, health_to_json
from headgate.report.terminal import Terminal
from headgate.state.reading import open_for_reading

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from headgate.configuration import Configuration, Owner
    from headgate.gitlab.api import GitLab
    from headgate.health.read import HealthSources
    from headgate.landing.workspace import Workspace

_PAUSE = 10.0
_TRIES = 3
_CODES = {
    "failed": UnhealthyError.code,
    "unknown": HealthUnknownError.code,
    "waiting": StillWaitingError.code,
}


@frozen_record
class WaitOptions:
    """The command's arguments. ``timeout`` is in seconds; ``pause`` is the time between two looks."""

    app: str = ""
    environment: str = ""
    manifests: str = "."
    timeout: float = 900
    token_variable: str = "HEADGATE_TOKEN"  # noqa: S105  a name
    json: bool = False
    pause: float = _PAUSE


@frozen_record(kw_only=False)
class Look:
    """The result of one look: the health of each app and environment, and the id of its folder."""

    health: dict[Owner, Health]
    folders: dict[Owner, str]


def run(options: WaitOptions, environ: Mapping[str, str] = os.environ) -> int:
    """Wait, and return 0 if everything is healthy or superseded, else the code of the failure.

    Raises ConfigError if no cluster reports health.
    """

    def looked() -> Look:
        with open_for_reading(options.manifests) as workspace:
            configuration = config.load(workspace.tree)
            gitlab = connect_by_variable(configuration.settings.gitlab, options.token_variable, environ)
            sources = found_sources(configuration, gitlab, environ)
            owners = _chosen(configuration, options)
            return look(workspace, configuration, read_health(workspace, configuration, owners, sources))

    terminal = Terminal(sys.stdout, quiet=options.json)
    first = looked()
    if not first.health:
        terminal.line("nothing has landed yet", "dim")
    return watch(options, first.folders, first, looked, terminal)


def look(workspace: Workspace, configuration: Configuration, health: dict[Owner, Health]) -> Look:
    """Return a look at apps whose health was read."""
    folders = {owner: configuration.output_folder(*owner) for owner in health}
    return Look(health, {owner: workspace.tree.folder(folder).id for owner, folder in folders.items()})


def watch(
    options: WaitOptions, wanted: Mapping[Owner, str], first: Look, looked: Callable[[], Look], terminal: Terminal
) -> int:
    """Look until the state of everything ``wanted``, by the ids of its folders, is final. Returns the exit code."""
    end = time.monotonic() + options.timeout
    shown: dict[Owner, Health] = {}
    now = first
    for looks in count(1):
        found = {owner: _health(first, now, owner, folder) for owner, folder in wanted.items()}
        for owner, health in found.items():
            if shown.get(owner) != health:
                terminal.line(health_line(owner, health))
        sys.stdout.flush()  # people follow the log of a job
        shown = found
        is_open = any(_may_change(health, looks) for health in found.values())
        if not is_open or time.monotonic() >= end:
            break
        time.sleep(min(options.pause, max(0.0, end - time.monotonic())))
        now = looked()
    if options.json:
        print(health_to_json(shown))  # noqa: T201  the answer itself
    return merge_codes(_CODES.get(health.state, 0) for health in shown.values())


def _may_change(health: Health, looks: int) -> bool:
    """Whether to look again: an unknown state can change only if GitLab or a cluster did not answer."""
    return health.state == "waiting" or (health.state == "unknown" and looks < _TRIES)


def _health(first: Look, now: Look, owner: Owner, folder: str) -> Health:
    """Return the health of the folder with this id: superseded if newer YAML replaced it."""
    if now.folders.get(owner) == folder:
        return now.health[owner]
    deployed = first.health[owner].deployed if first.folders.get(owner) == folder else ""
    return Health(state="superseded", reason="newer YAML replaced it", deployed=deployed)


def _chosen(configuration: Configuration, options: WaitOptions) -> list[Owner]:
    apps = (options.app,) if options.app else ()
    environments = (options.environment,) if options.environment else ()
    owners = [(record.name, name) for record, name in select(configuration, apps, environments)]
    known = [owner for owner in owners if has_health(configuration.settings, owner[1])]
    if owners and (not known or (options.environment and len(known) < len(owners))):
        raise ConfigError(
            "no cluster reports health there",
            where=Location(SETTINGS),
            hint="set 'health' of each cluster on which the environment runs",
        )
    return known


def found_sources(configuration: Configuration, gitlab: GitLab | None, environ: Mapping[str, str]) -> HealthSources:
    """Return the available sources of health: GitLab, and a kubeconfig."""
    settings = configuration.settings.gitlab
    return health_sources(gitlab, settings.project if settings is not None else "", environ.get("KUBECONFIG", ""))
