"""What keeps an app or an environment as it is, or takes an app away."""

from __future__ import annotations

from typing import Annotated

import typer

from headgate.arguments.program import (
    AppName,
    By,
    Diff,
    EnvironmentName,
    IntentId,
    Json,
    Manifests,
    OneEnvironment,
    Reason,
    SigningKey,
    app,
    finish,
)


@app.command()
def pin(
    name: AppName,
    environment: OneEnvironment,
    reason: Reason,
    by: By = "",
    manifests: Manifests = ".",
    intent: IntentId = "",
    json: Json = False,
    signing_key: SigningKey = "",
) -> None:
    """Keep an app as it is in an environment: what would reach it by itself waits."""
    from headgate.commands import hold as command  # noqa: PLC0415
    from headgate.commands.landed import Asked, person  # noqa: PLC0415

    asked = Asked(manifests, intent, json=json, signing_key=signing_key)
    finish(lambda: command.pin(name, environment, by or person(manifests), reason, asked))


@app.command()
def unpin(
    name: AppName,
    environment: OneEnvironment,
    manifests: Manifests = ".",
    intent: IntentId = "",
    diff: Diff = False,
    json: Json = False,
    signing_key: SigningKey = "",
) -> None:
    """Let an app take what reaches it again, beginning with the newest that waited."""
    from headgate.commands import hold as command  # noqa: PLC0415
    from headgate.commands.landed import Asked  # noqa: PLC0415

    finish(lambda: command.unpin(name, environment, Asked(manifests, intent, diff, json, signing_key)))


@app.command()
def freeze(
    environment: EnvironmentName,
    reason: Reason,
    by: By = "",
    manifests: Manifests = ".",
    intent: IntentId = "",
    json: Json = False,
    signing_key: SigningKey = "",
) -> None:
    """Keep a whole environment as it is: what would reach its apps by itself waits."""
    from headgate.commands import hold as command  # noqa: PLC0415
    from headgate.commands.landed import Asked, person  # noqa: PLC0415

    asked = Asked(manifests, intent, json=json, signing_key=signing_key)
    finish(lambda: command.freeze(environment, by or person(manifests), reason, asked))


@app.command()
def thaw(
    environment: EnvironmentName,
    manifests: Manifests = ".",
    intent: IntentId = "",
    diff: Diff = False,
    json: Json = False,
    signing_key: SigningKey = "",
) -> None:
    """Let an environment take what reaches it again, beginning with the newest that waited for each app."""
    from headgate.commands import hold as command  # noqa: PLC0415
    from headgate.commands.landed import Asked  # noqa: PLC0415

    finish(lambda: command.thaw(environment, Asked(manifests, intent, diff, json, signing_key)))


@app.command()
def remove(
    name: AppName,
    environments: Annotated[
        list[str] | None,
        typer.Option("--environment", metavar="ENV", help="Only from this environment. Repeatable."),
    ] = None,
    manifests: Manifests = ".",
    intent: IntentId = "",
    diff: Diff = False,
    json: Json = False,
    signing_key: SigningKey = "",
) -> None:
    """Remove an app with its releases and its YAML, or take it out of an environment."""
    from headgate.commands import hold as command  # noqa: PLC0415
    from headgate.commands.landed import Asked  # noqa: PLC0415

    finish(lambda: command.remove(name, tuple(environments or ()), Asked(manifests, intent, diff, json, signing_key)))
