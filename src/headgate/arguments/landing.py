"""What changes a manifest repository: each ends in a commit or a proposal."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from headgate.arguments.program import (
    AppName,
    By,
    Diff,
    IntentId,
    Json,
    Manifests,
    OneEnvironment,
    Reason,
    SigningKey,
    app,
    finish,
)


class TemplateChoice(StrEnum):
    """Which template a roll-back takes."""

    THEN = "then"
    CURRENT = "current"


@app.command()
def deliver(
    project: Annotated[str, typer.Option("--project", help="Project that hands off: acme/shop.")],
    commit: Annotated[str, typer.Option("--commit", metavar="SHA", help="Its commit, in full.")],
    manifests: Manifests = ".",
    images: Annotated[
        list[str] | None,
        typer.Option("--image", metavar="REPO:TAG@DIGEST", help="An image built from the commit. Repeatable."),
    ] = None,
    ref: Annotated[str, typer.Option("--ref", help="Branch, or refs/tags/TAG.")] = "main",
    source: Annotated[str, typer.Option("--source", metavar="DIR|URL", help="The app's repository.")] = ".",
    pipeline: Annotated[int | None, typer.Option("--pipeline", help="Number of the app's pipeline.")] = None,
    allow_diverged: Annotated[
        bool, typer.Option("--allow-diverged", help="Take it though neither version comes after the other.")
    ] = False,
    now: Annotated[
        bool, typer.Option("--now", help="Deliver also where it is pinned (the pin goes), frozen or was rolled back.")
    ] = False,
    by: By = "",
    intent: IntentId = "",
    diff: Diff = False,
    json: Json = False,
    signing_key: SigningKey = "",
) -> None:
    """Hand a version off by hand: write the releases that take it, hydrate, commit, push."""
    from headgate.commands import deliver as command  # noqa: PLC0415
    from headgate.commands.run_intent import RunOptions, person_if_known  # noqa: PLC0415

    actor = by or person_if_known(manifests)
    request = command.DeliverOptions(
        project, commit, ref, source, tuple(images or ()), pipeline, allow_diverged, now, actor
    )
    finish(lambda: command.run(request, RunOptions(manifests, intent, diff, json, signing_key)))


@app.command()
def promote(
    name: AppName,
    source: Annotated[str, typer.Option("--from", metavar="ENV", help="Environment that runs it.")],
    target: Annotated[str, typer.Option("--to", metavar="ENV", help="Environment that is to run it.")],
    manifests: Manifests = ".",
    repository: Annotated[
        str, typer.Option("--source", metavar="DIR|URL", help="The app's repository, to tell newer from older.")
    ] = "",
    allow_older: Annotated[
        bool, typer.Option("--allow-older", help="Promote also what is older than what runs there.")
    ] = False,
    by: By = "",
    intent: IntentId = "",
    diff: Diff = False,
    json: Json = False,
    signing_key: SigningKey = "",
) -> None:
    """Promote what an app runs in one environment to another: commit, or propose where that is reviewed."""
    from headgate.commands import promote as command  # noqa: PLC0415
    from headgate.commands.run_intent import RunOptions, person_if_known  # noqa: PLC0415

    actor = by or person_if_known(manifests)
    request = command.PromoteOptions(name, source, target, repository, allow_older, actor)
    finish(lambda: command.run(request, RunOptions(manifests, intent, diff, json, signing_key)))


@app.command("roll-back")
def roll_back(
    name: AppName,
    environment: OneEnvironment,
    reason: Reason,
    to: Annotated[
        str, typer.Option("--to", metavar="COMMIT|STEPS", help="A commit (the manifest repository's or the app's).")
    ] = "1",
    template: Annotated[
        TemplateChoice, typer.Option("--template", help="The template as it was then, or as it is now.")
    ] = TemplateChoice.THEN,
    by: By = "",
    manifests: Manifests = ".",
    intent: IntentId = "",
    diff: Diff = False,
    json: Json = False,
    signing_key: SigningKey = "",
) -> None:
    """Run an earlier release of an app again, pinned until 'unpin' or 'deliver --now'."""
    from headgate.commands import rollback as command  # noqa: PLC0415
    from headgate.commands.run_intent import RunOptions, person  # noqa: PLC0415
    from headgate.intents.rollback import RollBackRequest  # noqa: PLC0415

    current = template is TemplateChoice.CURRENT
    finish(
        lambda: command.run(
            RollBackRequest(
                app=name,
                environment=environment,
                to=to,
                actor=by or person(manifests),
                reason=reason,
                current_template=current,
            ),
            RunOptions(manifests, intent, diff, json, signing_key),
        )
    )


@app.command()
def rehydrate(
    environments: Annotated[
        list[str] | None, typer.Option("--environment", metavar="ENV", help="Only this environment. Repeatable.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Render also what has not changed since.")] = False,
    allow_removals: Annotated[bool, typer.Option("--allow-removals", help="Let many objects be removed.")] = False,
    manifests: Manifests = ".",
    diff: Diff = False,
    json: Json = False,
    signing_key: SigningKey = "",
) -> None:
    """Hydrate the app-environments whose inputs changed, and commit, or propose where that is reviewed."""
    from headgate.commands import rehydrate as command  # noqa: PLC0415
    from headgate.commands.run_intent import RunOptions  # noqa: PLC0415

    request = command.RehydrateOptions(tuple(environments or ()), everything, allow_removals)
    finish(lambda: command.run(request, RunOptions(manifests, "", diff, json, signing_key)))


@app.command()
def refresh(manifests: Manifests = ".", diff: Diff = False, json: Json = False, signing_key: SigningKey = "") -> None:
    """Bring open proposals up to date with the default branch; those that became empty go."""
    from headgate.commands import rehydrate as command  # noqa: PLC0415
    from headgate.commands.run_intent import RunOptions  # noqa: PLC0415

    finish(lambda: command.refresh(RunOptions(manifests, "", diff, json, signing_key)))


@app.command()
def ci() -> None:
    """Do what this GitLab pipeline asks for: a hand-off, a push, a merge request, a schedule, a form."""
    from headgate.commands import ci as command  # noqa: PLC0415

    finish(command.run)


@app.command()
def preview() -> None:
    """Tell in an app's merge request what the final YAML would become if it were merged. Writes nothing."""
    from headgate.commands import preview as command  # noqa: PLC0415

    finish(command.run)


@app.command("hand-off")
def hand_off() -> None:
    """Hand this pipeline's commit and images off by a trigger token, from a job of the component 'deliver'."""
    from headgate.commands import hand_off as command  # noqa: PLC0415

    finish(command.run)
