"""What sets a manifest repository up, and looks whether it is set up right."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headgate.arguments.program import app, finish


@app.command()
def init(
    server: Annotated[str, typer.Option("--server", metavar="URL", help="GitLab: https://gitlab.example.com")],
    project: Annotated[str, typer.Option("--project", help="The manifest project: acme/manifests")],
    setup: Annotated[
        str, typer.Option("--setup", metavar="SETUP", help="direct, intake or token; docs/setup.md compares them.")
    ],
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The manifest repository's checkout.")] = Path(),
    environments: Annotated[
        list[str] | None,
        typer.Option("--environment", metavar="ENV:DELIVERY", help="dev:commit, production:review. Repeatable."),
    ] = None,
    name: Annotated[str, typer.Option("--app", metavar="APP", help="The first app.")] = "",
    app_project: Annotated[str, typer.Option("--app-project", metavar="PROJECT", help="Its project: acme/shop")] = "",
    image: Annotated[str, typer.Option("--image", metavar="REPOSITORY", help="Its image, without a tag.")] = "",
    registry: Annotated[str, typer.Option("--registry", metavar="HOST", help="GitLab's container registry.")] = "",
    intake: Annotated[str, typer.Option("--intake", metavar="PROJECT", help="Of the set-up intake.")] = "",
    version: Annotated[str, typer.Option("--version", help="Of the components: 1, 1.2.3 or a commit.")] = "1",
    components: Annotated[
        str, typer.Option("--component", metavar="PROJECT", help="Where Headgate's components are on this GitLab.")
    ] = "headgate/headgate",
) -> None:
    """Write the first files of a manifest repository, and say what is to be set in GitLab. Overwrites nothing."""
    from headgate.commands import init as command  # noqa: PLC0415

    request = command.Request(
        *(directory, server, project, setup, tuple(environments or ()), name, app_project, image, registry, intake),
        *(version, components),
    )
    finish(lambda: command.run(request))
