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
    """Keep an app as it is in an environment: what arrives is held."""
    from headgate.commands import hold as command  # noqa: PLC0415
    from headgate.commands.run_intent import RunOptions, person  # noqa: PLC0415

    asked = RunOptions(manifests, intent, json=json, signing_key=signing_key)
    finish(lambda: command.pin(name, environment, by or person(manifests), reason, asked))


@app.command()
def unpin(
    name: AppName,
    environment: OneEnvironment,
    by: By = "",
    manifests: Manifests = ".",
    intent: IntentId = "",
    diff: Diff = False,
    json: Json = False,
    signing_key: SigningKey = "",
) -> None:
    """Let an app take what reaches it again, beginning with what was held."""
    from headgate.commands import hold as command  # noqa: PLC0415
    from headgate.commands.run_intent import RunOptions, person_if_known  # noqa: PLC0415

    asked = RunOptions(manifests, intent, diff, json, signing_key)
    finish(lambda: command.unpin(name, environment, asked, by or person_if_known(manifests)))


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
    """Keep a whole environment as it is: what arrives is held; where people review, the merge is."""
    from headgate.commands import hold as command  # noqa: PLC0415
    from headgate.commands.run_intent import RunOptions, person  # noqa: PLC0415

    asked = RunOptions(manifests, intent, json=json, signing_key=signing_key)
    finish(lambda: command.freeze(environment, by or person(manifests), reason, asked))


@app.command()
def thaw(
    environment: EnvironmentName,
    by: By = "",
    manifests: Manifests = ".",
    intent: IntentId = "",
    diff: Diff = False,
    json: Json = False,
    signing_key: SigningKey = "",
) -> None:
    """Let an environment take what reaches it again, beginning with what was held."""
    from headgate.commands import hold as command  # noqa: PLC0415
    from headgate.commands.run_intent import RunOptions, person_if_known  # noqa: PLC0415

    asked = RunOptions(manifests, intent, diff, json, signing_key)
    finish(lambda: command.thaw(environment, asked, by or person_if_known(manifests)))


@app.command()
def deliver_held(
    name: AppName,
    environment: OneEnvironment,
    reason: Reason,
    by: By = "",
    manifests: Manifests = ".",
    intent: IntentId = "",
    diff: Diff = False,
    json: Json = False,
    signing_key: SigningKey = "",
) -> None:
    """Deliver what is held or failed for an app, past pin, freeze, windows and order."""
    from headgate.commands import hold as command  # noqa: PLC0415
    from headgate.commands.run_intent import RunOptions, person  # noqa: PLC0415

    asked = RunOptions(manifests, intent, diff, json, signing_key)
    finish(lambda: command.deliver_held(name, environment, by or person(manifests), reason, asked))


@app.command()
def discard_held(
    name: AppName,
    environment: OneEnvironment,
    reason: Reason,
    by: By = "",
    manifests: Manifests = ".",
    intent: IntentId = "",
    diff: Diff = False,
    json: Json = False,
    signing_key: SigningKey = "",
) -> None:
    """Discard what is held or failed for an app: only newer versions are taken."""
    from headgate.commands import hold as command  # noqa: PLC0415
    from headgate.commands.run_intent import RunOptions, person  # noqa: PLC0415

    asked = RunOptions(manifests, intent, diff, json, signing_key)
    finish(lambda: command.discard_held(name, environment, by or person(manifests), reason, asked))


@app.command()
def remove(
    name: AppName,
    environments: Annotated[
        list[str] | None,
        typer.Option("--environment", metavar="ENV", help="Only from this environment. Repeatable."),
    ] = None,
    by: By = "",
    manifests: Manifests = ".",
    intent: IntentId = "",
    diff: Diff = False,
    json: Json = False,
    signing_key: SigningKey = "",
) -> None:
    """Remove an app with its releases and its YAML, or take it out of an environment."""
    from headgate.commands import hold as command  # noqa: PLC0415
    from headgate.commands.run_intent import RunOptions, person_if_known  # noqa: PLC0415

    asked = RunOptions(manifests, intent, diff, json, signing_key)
    finish(lambda: command.remove(name, tuple(environments or ()), asked, by or person_if_known(manifests)))
