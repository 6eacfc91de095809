"""Commands that render a local manifest repository, and the demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headgate.arguments.program import Checkout, Diff, DryRun, Json, NoSandbox, SigningKey, app, finish, sandboxed


@app.command()
def hydrate(
    manifests: Checkout = Path(),
    apps: Annotated[list[str] | None, typer.Option("--app", metavar="APP", help="Only this app. Repeatable.")] = None,
    environments: Annotated[
        list[str] | None,
        typer.Option("--environment", metavar="ENV", help="Only this environment. Repeatable."),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if anything would change.")] = False,
    dry_run: DryRun = False,
    commit: Annotated[
        bool, typer.Option("--commit", help="Commit what changes; reviewed environments need rehydrate.")
    ] = False,
    diff: Diff = False,
    json: Json = False,
    everything: Annotated[bool, typer.Option("--all", help="Also render what has not changed.")] = False,
    allow_removals: Annotated[
        bool, typer.Option("--allow-removals", help="Allow the removal of many objects.")
    ] = False,
    upgrade: Annotated[
        bool, typer.Option("--upgrade", help="Hydrate with the installed tools and lock their versions.")
    ] = False,
    signing_key: SigningKey = "",
    no_sandbox: NoSandbox = False,
) -> None:
    """Render a manifest repository and write, check or commit the final YAML."""
    if (check or dry_run) and commit:
        raise typer.BadParameter(f"{'--check' if check else '--dry-run'} writes nothing, so it cannot go with --commit")
    from headgate.commands import hydrate as command  # noqa: PLC0415

    request = command.HydrateCommandOptions(
        manifests,
        tuple(apps or ()),
        tuple(environments or ()),
        check,
        commit,
        diff,
        json,
        everything,
        allow_removals,
        upgrade,
        signing_key,
        sandboxed(no_sandbox),
        dry_run,
    )
    finish(lambda: command.run(request))


@app.command()
def warm(
    shard: Annotated[
        str,
        typer.Option("--shard", metavar="I/N", help="Shard I of N.", show_default="what GitLab says"),
    ] = "",
    at_least: Annotated[
        int,
        typer.Option(
            "--at-least",
            min=0,
            envvar="HEADGATE_AT_LEAST",
            help="Render nothing if fewer app-environments need rendering; also HEADGATE_AT_LEAST.",
        ),
    ] = 0,
    manifests: Annotated[
        str,
        typer.Option(
            "--manifests",
            metavar="DIR|URL",
            help="Manifest repository: a checkout, or an address.",
            show_default="that of the pipeline",
        ),
    ] = "",
) -> None:
    """Render one shard of the app-environments into the folder HEADGATE_RESULTS, for the job that hydrates."""
    from headgate.commands import warm as command  # noqa: PLC0415

    request = command.WarmOptions(manifests=manifests, shard=shard, at_least=at_least)
    finish(lambda: command.run(request))


@app.command()
def demo(
    directory: Annotated[
        Path | None, typer.Option("--directory", help="New folder for the demo's repositories.")
    ] = None,
    cluster: Annotated[
        bool,
        typer.Option(
            "--cluster",
            help="Show a push on its way to running pods, with a GitLab, two clusters and Flux; needs a checkout.",
        ),
    ] = False,
) -> None:
    """Show the whole product in a minute, with example repositories on this machine."""
    from headgate.commands import demo as command  # noqa: PLC0415

    finish(command.run_on_clusters if cluster else lambda: command.run(directory))
