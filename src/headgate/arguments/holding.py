"""Commands that hold an app or an environment, or remove an app."""

from __future__ import annotations

from typing import Annotated

import typer

from headgate.arguments.program import (
    AppName,
    Command,
    EnvironmentName,
    OneEnvironment,
    Reason,
    app,
    changes_repository,
)
from headgate.commands.options import RunOptions


@app.command()
@changes_repository(but=("diff",))
def pin(options: RunOptions, name: AppName, environment: OneEnvironment, reason: Reason) -> Command:
    """Pin an app in an environment: new versions and template changes are held."""
    from headgate.commands import run, verbs  # noqa: PLC0415

    return lambda: run.run_intent(options, verbs.pin(name, environment, run.actor(options), reason))


@app.command()
@changes_repository()
def unpin(options: RunOptions, name: AppName, environment: OneEnvironment) -> Command:
    """Unpin an app: deliver what was held, and take new versions again."""
    from headgate.commands import run, verbs  # noqa: PLC0415

    return lambda: run.run_intent(options, verbs.unpin(name, environment, run.actor_if_known(options)))


@app.command()
@changes_repository(but=("diff",))
def freeze(options: RunOptions, environment: EnvironmentName, reason: Reason) -> Command:
    """Freeze an environment: new versions are held; in reviewed environments, merges are."""
    from headgate.commands import run, verbs  # noqa: PLC0415

    return lambda: run.run_intent(options, verbs.freeze(environment, run.actor(options), reason))


@app.command()
@changes_repository()
def thaw(options: RunOptions, environment: EnvironmentName) -> Command:
    """Thaw an environment: deliver what was held, and take new versions again."""
    from headgate.commands import run, verbs  # noqa: PLC0415

    return lambda: run.run_intent(options, verbs.thaw(environment, run.actor_if_known(options)))


@app.command()
@changes_repository()
def deliver_held(options: RunOptions, name: AppName, environment: OneEnvironment, reason: Reason) -> Command:
    """Deliver an app's held or failed version despite pin, freeze, windows and order."""
    from headgate.commands import run, verbs  # noqa: PLC0415

    return lambda: run.run_intent(options, verbs.deliver_held(name, environment, run.actor(options), reason))


@app.command()
@changes_repository()
def discard_held(options: RunOptions, name: AppName, environment: OneEnvironment, reason: Reason) -> Command:
    """Discard an app's held or failed version: only newer ones are taken."""
    from headgate.commands import run, verbs  # noqa: PLC0415

    return lambda: run.run_intent(options, verbs.discard_held(name, environment, run.actor(options), reason))


@app.command()
@changes_repository()
def remove(
    options: RunOptions,
    name: AppName,
    environments: Annotated[
        list[str] | None,
        typer.Option("--environment", metavar="ENV", help="Only from this environment. Repeatable."),
    ] = None,
) -> Command:
    """Remove an app with its releases and its YAML, or take it out of an environment."""
    from headgate.commands import run, verbs  # noqa: PLC0415

    return lambda: run.run_intent(options, verbs.remove(name, environments or (), run.actor_if_known(options)))
