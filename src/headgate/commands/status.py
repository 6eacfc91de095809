"""``headgate status``: where each app stands in each environment. Reads only."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from headgate import config
from headgate.commands.hydrate import select
from headgate.commands.wait import found_sources
from headgate.engine import pool
from headgate.gitlab.api import connect_by_variable
from headgate.health.read import read_health
from headgate.hydration.hydrate import broken
from headgate.hydration.record import RECORD
from headgate.paths import INPUTS, LOCK, SETTINGS
from headgate.records import frozen_record
from headgate.report.status import status_to_json, write_status
from headgate.report.terminal import Terminal
from headgate.repository.tree import Tree, prefetch
from headgate.review.show_approvals import with_approvals
from headgate.state.reading import open_for_reading
from headgate.state.status import AppStatus, Status, read_status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headgate.configuration import Configuration
    from headgate.flux.verdict import Health
    from headgate.gitlab.api import GitLab
    from headgate.landing.workspace import Workspace


TOKEN = "HEADGATE_TOKEN"  # noqa: S105  a name
"""The variable with the token that reads commit statuses, where health comes from these, and approvals."""


@frozen_record(kw_only=False)
class StatusOptions:
    """The command's arguments."""

    app: str = ""
    manifests: str = "."
    json: bool = False


def run(request: StatusOptions, environ: Mapping[str, str] = os.environ) -> int:
    """Show the table and return 0. Raises ArgumentError for an app that is not there."""
    terminal = Terminal(sys.stdout, quiet=request.json)
    pool.start_ahead()  # while git works
    with open_for_reading(request.manifests) as workspace:
        prefetch(read_by_status(workspace.files))
        configuration = config.load(workspace.tree)
        gitlab = connect_by_variable(configuration.settings.gitlab, TOKEN, environ)
        whole = whole_status(workspace, configuration, gitlab, environ, terminal, request.app)
    terminal.end_progress()
    if request.json:
        print(status_to_json(whole))  # noqa: T201  the answer itself
    else:
        write_status(terminal, whole, datetime.now(UTC))
    return 0


def whole_status(
    workspace: Workspace,
    configuration: Configuration,
    gitlab: GitLab | None,
    environ: Mapping[str, str],
    terminal: Terminal,
    app: str = "",
) -> Status:
    """Return the status of all apps, or of one, with their health, and of those whose app.yaml is invalid."""
    apps = (app,) if app else ()
    status = read_status(workspace, workspace.tree, configuration, select(configuration, apps, ()), terminal.progress)
    owners = [(found.app, found.environment) for found in status.apps]
    health = read_health(workspace, configuration, owners, found_sources(configuration, gitlab, environ))
    unusable = [
        AppStatus(app=outcome.app, environment=outcome.environment, release=None, state="failed", error=outcome.error)
        for outcome in broken(configuration, apps)
    ]
    with_health = [_with_health(found, health.get((found.app, found.environment))) for found in status.apps]
    counted = with_approvals(with_health, configuration, gitlab, workspace.branch)
    return Status((*counted, *unusable), status.notes)


def _with_health(found: AppStatus, health: Health | None) -> AppStatus:
    return found if health is None else replace(found, health=health)


def read_by_status(tree: Tree) -> Tree:
    """Return the files that are needed as long as all is current: inputs, and the records of the last hydrations.

    All files are listed. Before any is looked up by itself, that is one question in place of thousands.
    """
    records = [path for path in tree.paths() if path.endswith(f"/{RECORD}") or path in (SETTINGS, LOCK)]
    inputs = [path for folder in INPUTS for path in tree.paths(folder)]
    return Tree({path: tree.blob(path) for path in (*records, *inputs)})
