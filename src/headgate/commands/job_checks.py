"""A job's checks before it does anything: the installation, a person's permission, and the app's health."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from headgate.errors import ConfigError, Location
from headgate.gitlab.api import path_of
from headgate.gitlab.form import check_permitted, concerned
from headgate.gitlab.identity import access_level, level_by_token
from headgate.gitlab.run import check_settings
from headgate.health.run import run_health
from headgate.paths import SETTINGS
from headgate.report.health import health_line
from headgate.report.terminal import Terminal

if TYPE_CHECKING:
    from headgate.gitlab.run import Run
    from headgate.landing.workspace import Workspace

Check = Callable[["Run", "Workspace"], None]


def check_installation(run: Run, workspace: Workspace) -> None:
    """Raise ConfigError if headgate.yaml does not match the job's project and tokens."""
    settings = workspace.configuration.settings
    check_settings(settings, run.event)
    if settings.records == "branch" and run.write is None:
        raise ConfigError(
            "'records: branch' keeps what is pending on a branch that only the bot pushes, and there is no "
            "HEADGATE_TOKEN",
            where=Location(SETTINGS),
            hint="set HEADGATE_TOKEN in the project, or remove 'records' if jobs push the default branch",
        )


def check_person(run: Run, workspace: Workspace) -> None:
    """Raise the errors of `check_permitted` if the person who filled in the form may not do that."""
    form, configuration = run.event.form, workspace.configuration
    check_permitted(form, configuration.settings, concerned(form, configuration), _level(run), run.job.user_name)


def show_health(run: Run, workspace: Workspace) -> None:
    """Print the health of the app in a form, if there is a source of health: people need it for their decision."""
    form, configuration = run.event.form, workspace.configuration
    if form.app:
        owners = [(form.app, name) for name in dict.fromkeys((form.source, *concerned(form, configuration))) if name]
        for owner, health in run_health(run)(workspace, configuration, owners).items():
            Terminal(sys.stdout).line(health_line(owner, health))


def _level(run: Run) -> int:
    """Return the access level of the job's user in the manifest project. Job tokens may not read members."""
    gitlab = run.write or (run.read if run.event.tokens.read else None)
    if gitlab is not None:
        return access_level(gitlab, run.event.manifests, run.job.user)
    if path_of(run.by_job, run.job.address) != run.event.manifests:
        raise ConfigError(
            f"no token of this job may read the role of {run.job.user_name} in {run.event.manifests}",
            hint=f"give {path_of(run.by_job, run.job.address)} the variable HEADGATE_TOKEN, or HEADGATE_READ_TOKEN "
            f"(read_api) of a member of {run.event.manifests}; or fill in the form there",
        )
    return level_by_token(run.event.tokens.id, run.job, run.event.server, run.event.manifests)
