"""Commands that change a manifest repository: each ends in a commit or a proposal."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from headgate.arguments.program import (
    AppName,
    Command,
    Json,
    Manifests,
    OneEnvironment,
    Reason,
    app,
    changes_repository,
    finish,
)
from headgate.commands.options import RunOptions


class TemplateChoice(StrEnum):
    """The template that a roll-back uses."""

    THEN = "then"
    CURRENT = "current"


@app.command()
@changes_repository()
def deliver(
    options: RunOptions,
    project: Annotated[str, typer.Option("--project", help="The app's project, such as acme/shop.")],
    commit: Annotated[str, typer.Option("--commit", metavar="SHA", help="The full commit id.")],
    images: Annotated[
        list[str] | None,
        typer.Option("--image", metavar="REPO:TAG@DIGEST", help="An image built from the commit. Repeatable."),
    ] = None,
    ref: Annotated[str, typer.Option("--ref", help="Branch, or refs/tags/TAG.")] = "main",
    source: Annotated[str, typer.Option("--source", metavar="DIR|URL", help="The app's repository.")] = ".",
    pipeline: Annotated[int | None, typer.Option("--pipeline", help="Number of the app's pipeline.")] = None,
    allow_diverged: Annotated[
        bool, typer.Option("--allow-diverged", help="Deliver a version that is neither older nor newer.")
    ] = False,
    now: Annotated[
        bool, typer.Option("--now", help="Deliver even if the app is pinned (this unpins it), frozen or rolled back.")
    ] = False,
) -> Command:
    """Hand off a version by hand: update the releases that take it, hydrate, commit, push."""
    from headgate.commands import deliver as command  # noqa: PLC0415
    from headgate.commands.run import actor_if_known  # noqa: PLC0415
    from headgate.releases.handoff import HandOff, full_ref  # noqa: PLC0415

    def run() -> int:
        references, actor = command.references(images or ()), actor_if_known(options)
        hand_off = HandOff(
            project=project,
            commit=commit,
            ref=full_ref(ref),
            images=references,
            pipeline=pipeline,
            actor=actor,
        )
        return command.run(hand_off, source, options, allow_diverged=allow_diverged, now=now)

    return run


@app.command()
@changes_repository()
def promote(
    options: RunOptions,
    name: AppName,
    source: Annotated[str, typer.Option("--from", metavar="ENV", help="Environment that runs it.")],
    target: Annotated[str, typer.Option("--to", metavar="ENV", help="Environment to promote it to.")],
    repository: Annotated[
        str, typer.Option("--source", metavar="DIR|URL", help="The app's repository, to compare versions by.")
    ] = "",
    allow_older: Annotated[
        bool, typer.Option("--allow-older", help="Promote even if the target runs a newer version.")
    ] = False,
) -> Command:
    """Promote an app's release from one environment to another; commit, or propose if the target is reviewed."""
    from headgate.commands import run, verbs  # noqa: PLC0415

    return lambda: run.run_intent(
        options,
        verbs.promote(
            name,
            source=source,
            target=target,
            actor=run.actor_if_known(options),
            repository=repository,
            allow_older=allow_older,
        ),
    )


@app.command("roll-back")
@changes_repository()
def roll_back(
    options: RunOptions,
    name: AppName,
    environment: OneEnvironment,
    reason: Reason,
    to: Annotated[
        str,
        typer.Option(
            "--to", metavar="COMMIT|STEPS", help="Steps back, or a commit of the manifest repository or the app."
        ),
    ] = "1",
    template: Annotated[
        TemplateChoice, typer.Option("--template", help="The template of that time, or today's.")
    ] = TemplateChoice.THEN,
) -> Command:
    """Run an earlier release of an app again, pinned until 'unpin' or 'deliver --now'."""
    from headgate.commands import run, verbs  # noqa: PLC0415
    from headgate.intents.rollback import RollBackRequest  # noqa: PLC0415

    current = template is TemplateChoice.CURRENT
    return lambda: run.run_intent(
        options,
        verbs.go_back(
            RollBackRequest(
                app=name,
                environment=environment,
                to=to,
                actor=run.actor(options),
                reason=reason,
                current_template=current,
            )
        ),
    )


@app.command()
@changes_repository(but=("by", "intent"))
def rehydrate(
    options: RunOptions,
    environments: Annotated[
        list[str] | None, typer.Option("--environment", metavar="ENV", help="Only this environment. Repeatable.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also render what has not changed.")] = False,
    allow_removals: Annotated[
        bool, typer.Option("--allow-removals", help="Allow the removal of many objects.")
    ] = False,
) -> Command:
    """Hydrate the app-environments whose inputs changed; commit, or propose in reviewed environments."""
    from headgate.commands import run, verbs  # noqa: PLC0415
    from headgate.hydration.hydrate import HydrateOptions  # noqa: PLC0415

    chosen = HydrateOptions(everything=everything, allow_removals=allow_removals)
    return lambda: run.run_intent(options, verbs.rehydrate(environments or ()), chosen)


@app.command()
@changes_repository(but=("by", "intent"))
def refresh(options: RunOptions) -> Command:
    """Update open proposals to the default branch; drop those that no longer change anything."""
    from headgate.commands import run, verbs  # noqa: PLC0415

    return lambda: run.run_intent(options, verbs.refresh())


@app.command()
def ci() -> None:
    """Run the task of this GitLab pipeline: a hand-off, a push, a merge request, a schedule or a form."""
    from headgate.commands import ci as command  # noqa: PLC0415

    finish(command.run)


@app.command()
def preview(
    source: Annotated[
        str,
        typer.Option(
            "--source", metavar="DIR", help="Without a pipeline: the app's repository, whose last commit is previewed."
        ),
    ] = "",
    manifests: Manifests = ".",
    project: Annotated[
        str, typer.Option("--project", help="The app's project.", show_default="what the remote 'origin' says")
    ] = "",
    images: Annotated[
        list[str] | None,
        typer.Option("--image", metavar="REPO:TAG@DIGEST", help="An image built from the commit. Repeatable."),
    ] = None,
    ref: Annotated[str, typer.Option("--ref", help="Target branch, or refs/tags/TAG.")] = "main",
    json: Json = False,
) -> None:
    """Describe how the final YAML would change, in an app's merge request, or here with --source. Writes nothing."""
    if not source:
        from headgate.commands import preview as in_pipeline  # noqa: PLC0415

        finish(in_pipeline.run)
        return
    from headgate.commands import preview_local as command  # noqa: PLC0415

    request = command.LocalPreviewOptions(
        source=source, manifests=manifests, project=project, images=tuple(images or ()), ref=ref, json=json
    )
    finish(lambda: command.run(request))


@app.command("hand-off")
def hand_off() -> None:
    """Hand off this pipeline's commit and images with a trigger token, in a job of the component 'deliver'."""
    from headgate.commands import hand_off as command  # noqa: PLC0415

    finish(command.run)
