"""Commands that only read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from headgate.arguments.program import Json, Manifests, NoSandbox, app, finish, sandboxed


@app.command()
def status(
    name: Annotated[str | None, typer.Argument(metavar="[APP]", help="Only this app.")] = None,
    manifests: Manifests = ".",
    json: Json = False,
) -> None:
    """Show what runs where, since when, and what is waiting, pinned, stale, proposed or edited by hand."""
    from headgate.commands import status as command  # noqa: PLC0415

    request = command.StatusOptions(name or "", manifests, json)
    finish(lambda: command.run(request))


@app.command()
def compare(
    left: Annotated[str, typer.Argument(metavar="ENV", help="The base of the comparison.")],
    right: Annotated[str, typer.Argument(metavar="ENV", help="The environment to compare with it.")],
    name: Annotated[str | None, typer.Argument(metavar="[APP]", help="Only this app.")] = None,
    manifests: Manifests = ".",
    json: Json = False,
) -> None:
    """Show what differs between two environments: versions, objects, fields, and which input each comes from."""
    from headgate.commands import compare as command  # noqa: PLC0415

    request = command.CompareOptions(left=left, right=right, app=name or "", manifests=manifests, json=json)
    finish(lambda: command.run(request))


@app.command()
def history(
    name: Annotated[str | None, typer.Argument(metavar="[APP]", help="Only this app.")] = None,
    environment: Annotated[str, typer.Option("--environment", metavar="ENV", help="Only this environment.")] = "",
    actor: Annotated[
        str, typer.Option("--actor", metavar="NAME", help="Only what this person did: a user name, name or address.")
    ] = "",
    manifests: Manifests = ".",
    limit: Annotated[
        int, typer.Option("--limit", min=1, help="How many steps to show per environment, or in all without APP.")
    ] = 10,
    json: Json = False,
) -> None:
    """Show who delivered what, when and from which commit, newest first."""
    from headgate.commands import history as command  # noqa: PLC0415

    request = command.HistoryOptions(
        app=name or "", manifests=manifests, environment=environment, actor=actor, limit=limit, json=json
    )
    finish(lambda: command.run(request))


@app.command()
def where(
    image: Annotated[
        str,
        typer.Argument(metavar="IMAGE|DIGEST", help="REPOSITORY, REPOSITORY:TAG, or a digest or its first digits."),
    ],
    environment: Annotated[str, typer.Option("--environment", metavar="ENV", help="Only this environment.")] = "",
    history: Annotated[bool, typer.Option("--history", help="Also show where it ran before.")] = False,
    manifests: Manifests = ".",
    json: Json = False,
) -> None:
    """Show where an image runs or waits, since when, from which commit, and who delivered it."""
    from headgate.commands import where as command  # noqa: PLC0415

    request = command.WhereOptions(
        image=image, manifests=manifests, environment=environment, history=history, json=json
    )
    finish(lambda: command.run(request))


@app.command()
def site(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="New, empty, or written by an earlier run.")],
    manifests: Manifests = ".",
    overview: Annotated[
        bool, typer.Option("--overview", help="Only the first page and its JSON, without a page for each app.")
    ] = False,
    steps: Annotated[int, typer.Option("--steps", min=0, help="How many steps of each history to show.")] = 20,
    token_variable: Annotated[
        str,
        typer.Option("--token-env", metavar="NAME", help="The variable with a token that reads the manifest project."),
    ] = "HEADGATE_TOKEN",  # noqa: S107  a name
) -> None:
    """Write static pages that show what runs where: all apps by environment, and a page for each app."""
    from headgate.commands import site as command  # noqa: PLC0415

    request = command.SiteOptions(
        folder=folder, manifests=manifests, overview=overview, steps=steps, token_variable=token_variable
    )
    finish(lambda: command.run(request))


@app.command()
def verify(
    manifests: Manifests = ".",
    apps: Annotated[list[str] | None, typer.Option("--app", metavar="APP", help="Only this app. Repeatable.")] = None,
    environments: Annotated[
        list[str] | None,
        typer.Option("--environment", metavar="ENV", help="Only this environment. Repeatable."),
    ] = None,
    json: Json = False,
    no_sandbox: NoSandbox = False,
) -> None:
    """Hydrate everything again, compare it with the committed YAML, and show who changed it; exit 1 if it differs."""
    from headgate.commands import verify as command  # noqa: PLC0415

    request = command.VerifyOptions(
        manifests, tuple(apps or ()), tuple(environments or ()), json, sandbox=sandboxed(no_sandbox)
    )
    finish(lambda: command.run(request))


@app.command()
def version(json: Json = False) -> None:
    """Print the versions of Headgate and its tools, and where the tools were found."""
    from headgate.commands import version as command  # noqa: PLC0415

    finish(lambda: command.run(json=json))


@app.command()
def schema(
    file: Annotated[str | None, typer.Argument(help="One of headgate.yaml, app.yaml, ...; default: all.")] = None,
) -> None:
    """Print the JSON Schemas of the files in a manifest repository."""
    from headgate.commands import schema as command  # noqa: PLC0415

    def write() -> int:
        sys.stdout.write(command.text(file) if file else command.all_schemas())
        return 0

    finish(write)
