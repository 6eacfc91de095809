"""What keeps an app or an environment as it is, or takes an app away."""

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
    """Keep an app as it is in an environment: what arrives is held."""
    from headgate.commands import run, verbs  # noqa: PLC0415

    return lambda: run.run_intent(options, verbs.pin(name, environment, run.actor(options), reason))


@app.command()
@changes_repository()
def unpin(options: RunOptions, name: AppName, environment: OneEnvironment) -> Command:
    """Let an app take again what reaches it, beginning with what was held."""
    from headgate.commands import run, verbs  # noqa: PLC0415

    return lambda: run.run_intent(options, verbs.unpin(name, environment, run.actor_if_known(options)))


@app.command()
@changes_repository(but=("diff",))
def freeze(options: RunOptions, environment: EnvironmentName, reason: Reason) -> Command:
    """Keep a whole environment as it is: what arrives is held; where people review, the merge is."""
    from headgate.commands import run, verbs  # noqa: PLC0415

    return lambda: run.run_intent(options, verbs.freeze(environment, run.actor(options), reason))


@app.command()
@changes_repository()
def thaw(options: RunOptions, environment: EnvironmentName) -> Command:
    """Let an environment take again what reaches it, beginning with what was held."""
    from headgate.commands import run, verbs  # noqa: PLC0415

    return lambda: run.run_intent(options, verbs.thaw(environment, run.actor_if_known(options)))


@app.command()
@changes_repository()
def deliver_held(options: RunOptions, name: AppName, environment: OneEnvironment, reason: Reason) -> Command:
    """Deliver what is held or failed for an app, past pin, freeze, windows and order."""
    from headgate.commands import run, verbs  # noqa: PLC0415

    return lambda: run.run_intent(options, verbs.deliver_held(name, environment, run.actor(options), reason))


@app.command()
@changes_repository()
def discard_held(options: RunOptions, name: AppName, environment: OneEnvironment, reason: Reason) -> Command:
    """Discard what is held or failed for an app: only newer versions are taken."""
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
