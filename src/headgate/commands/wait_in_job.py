"""``headgate wait --landed FILE``: the job of a pipeline that waits for what another job landed."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from headgate.cluster_checks import has_health
from headgate.commands.wait import Look, look, watch
from headgate.errors import ConfigError, Location
from headgate.feedback.landed import pushed_apps
from headgate.gitlab.event import read_event
from headgate.gitlab.run import check_settings, open_run
from headgate.health.run import run_health
from headgate.landing.workspace import open_workspace
from headgate.paths import SETTINGS
from headgate.process import hide_environment
from headgate.report.landed import LandedApps, parse_landed
from headgate.report.terminal import Terminal
from headgate.repository.login import logged_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from headgate.commands.wait import WaitOptions
    from headgate.configuration import Configuration, Owner
    from headgate.gitlab.run import Run
    from headgate.landing.workspace import Workspace


def run(options: WaitOptions, file: str, environ: Mapping[str, str] = os.environ) -> int:
    """Wait for what a file of the pipeline lists as landed, and for what its push brought. Returns wait's exit code.

    Proposed and held versions are only listed. Raises ConfigError if no cluster reports whether
    anything is healthy.
    """
    hide_environment()
    found = open_run(read_event(environ))
    landed = _read(file)
    terminal = Terminal(sys.stdout, quiet=options.json)
    with logged_in(found.manifests_login):
        with _open(found) as workspace:
            if found.job.source == "push":
                landed = pushed_apps(found, workspace).followed_by(landed)
            wanted = _wanted(workspace.configuration, landed, terminal)
            first = _look(found, workspace, wanted)

        def looked() -> Look:
            with _open(found) as newest:
                return _look(found, newest, wanted)

        return watch(options, wanted, first, looked, terminal)


@contextmanager
def _open(run: Run) -> Iterator[Workspace]:
    with open_workspace(run.address) as workspace:
        check_settings(workspace.configuration.settings, run.event)
        yield workspace


def _read(file: str) -> LandedApps:
    try:
        return parse_landed(Path(file).read_text(encoding="utf-8"), file)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"cannot read it: {error}",
            where=Location(file),
            hint="the job that runs 'headgate ci' in the same pipeline passes it on as an artifact",
        ) from None


def _wanted(configuration: Configuration, landed: LandedApps, terminal: Terminal) -> dict[Owner, str]:
    """Return what to wait for, and list the rest."""
    settings = configuration.settings
    if not any(has_health(settings, name) for name in settings.environments):
        raise ConfigError(
            "no cluster reports health, so there is nothing to wait for",
            where=Location(SETTINGS),
            hint="set 'health' of a cluster, or remove the component's input 'wait'",
        )
    reasons = {owner: word for owner, word in landed.elsewhere.items() if owner not in landed.folders}
    without = [owner for owner in landed.folders if not _has_health(configuration, owner)]
    reasons |= dict.fromkeys(without, "landed, and no cluster there has 'health'")
    for (app, environment), reason in sorted(reasons.items()):
        terminal.line(f"{app} in {environment}: {reason}; not waited for")
    wanted = {owner: folder for owner, folder in landed.folders.items() if owner not in without}
    if not wanted:
        terminal.line("nothing landed that could be waited for")
    return wanted


def _has_health(configuration: Configuration, owner: Owner) -> bool:
    environment = owner[1]
    return environment in configuration.settings.environments and has_health(configuration.settings, environment)


def _look(run: Run, workspace: Workspace, wanted: Mapping[Owner, str]) -> Look:
    """Look at the awaited apps that still exist."""
    configuration = workspace.configuration
    owners = [owner for owner in wanted if _has_health(configuration, owner)]
    return look(workspace, configuration, run_health(run)(workspace, configuration, owners))
