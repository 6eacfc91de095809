"""Commands that add apps, environments and templates to a manifest repository. A terminal asks for what is missing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from headgate.arguments.program import Checkout, DryRun, app, finish
from headgate.errors import ArgumentError

apps = typer.Typer(no_args_is_help=True, help="Add an app to a manifest repository.")
environments = typer.Typer(no_args_is_help=True, help="Add an environment to a manifest repository.")
templates = typer.Typer(no_args_is_help=True, help="Add a shared template to a manifest repository.")
for group, name in ((apps, "app"), (environments, "environment"), (templates, "template")):
    app.add_typer(group, name=name)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Its name.", show_default="asked for in a terminal")]
Setup = Annotated[
    str, typer.Option("--setup", metavar="SETUP", help="direct, intake or token.", show_default="as the CI file says")
]
Intake = Annotated[
    str, typer.Option("--intake", metavar="PROJECT", help="The intake project.", show_default="PROJECT-intake")
]


def _answer(value: str, question: str, option: str) -> str:
    """Return what was given, or what somebody answers in a terminal. Raises ArgumentError where nobody can."""
    if value:
        return value
    if not sys.stdin.isatty():
        raise ArgumentError(f"the {question} is missing", hint=f"pass {option}")
    return str(typer.prompt(f"The {question}"))


@apps.command("add")
def add_app(
    name: Name = "",
    app_project: Annotated[str, typer.Option("--app-project", metavar="PROJECT", help="Its project: acme/shop")] = "",
    image: Annotated[
        str,
        typer.Option("--image", metavar="REPOSITORY", help="Its image, without a tag.", show_default="its project's"),
    ] = "",
    template: Annotated[
        str,
        typer.Option("--template", help="The template that renders it.", show_default="the only one, or web"),
    ] = "",
    config: Annotated[
        str, typer.Option("--config", metavar="FOLDER", help="The folder of its repository with its config or values.")
    ] = "",
    grant: Annotated[
        list[str] | None, typer.Option("--grant", metavar="PATH", help="A value that it may set. Repeatable.")
    ] = None,
    environment: Annotated[
        list[str] | None, typer.Option("--environment", metavar="ENV", help="Only this environment. Repeatable.")
    ] = None,
    owners: Annotated[
        str,
        typer.Option("--owners", help="Code Owners of the app: '@acme/team'.", show_default="the group of its project"),
    ] = "",
    manifests: Checkout = Path(),
    setup: Setup = "",
    intake: Intake = "",
    dry_run: DryRun = False,
) -> None:
    """Add an app: its app.yaml and Code Owners. Print its CI lines and the new steps in GitLab."""
    from headgate.commands import grow as command  # noqa: PLC0415

    def run() -> int:
        called = _answer(name, "name of the app", "its name")
        project = _answer(app_project, "project of the app, such as acme/shop", "--app-project")
        options = command.AppOptions(
            name=called,
            project=project,
            image=image,
            template=template,
            config=config,
            grant=tuple(grant or ()),
            environments=tuple(environment or ()),
            owners=owners,
        )
        place = command.Target(manifests=manifests, setup=setup, intake=intake, dry_run=dry_run)
        return command.add_app(place, options)

    finish(run)


@environments.command("add")
def add_environment(
    name: Name = "",
    delivery: Annotated[str, typer.Option("--delivery", help="commit or review.")] = "",
    takes: Annotated[
        str,
        typer.Option(
            "--takes",
            metavar="RULE",
            help="promotion:ENV, branch:PATTERN or tag:PATTERN.",
            show_default="promotions of the environment before it",
        ),
    ] = "",
    after: Annotated[
        str, typer.Option("--after", metavar="ENV", help="The environment before it.", show_default="the last")
    ] = "",
    kubernetes: Annotated[
        str, typer.Option("--kubernetes", metavar="VERSION", help="1.34", show_default="of the environment before it")
    ] = "",
    cluster: Annotated[
        str, typer.Option("--cluster", metavar="CLUSTER", help="An existing cluster.", show_default="a new one")
    ] = "",
    apps_: Annotated[
        list[str] | None,
        typer.Option("--app", metavar="APP", help="Also add it to this app, which lists its environments. Repeatable."),
    ] = None,
    manifests: Checkout = Path(),
    setup: Setup = "",
    dry_run: DryRun = False,
) -> None:
    """Add an environment: to headgate.yaml, its clusters, and the form. Print the new steps in GitLab."""
    from headgate.commands import grow as command  # noqa: PLC0415

    def run() -> int:
        options = command.EnvironmentOptions(
            name=_answer(name, "name of the environment", "its name"),
            delivery=_answer(delivery, "delivery, commit or review", "--delivery"),
            takes=takes,
            after=after,
            kubernetes=kubernetes,
            cluster=cluster,
            apps=tuple(apps_ or ()),
        )
        return command.add_environment(command.Target(manifests=manifests, setup=setup, dry_run=dry_run), options)

    finish(run)


@templates.command("add")
def add_template(
    name: Name = "",
    like: Annotated[
        str,
        typer.Option("--like", metavar="TEMPLATE", help="Copy this template.", show_default="the one that init writes"),
    ] = "",
    manifests: Checkout = Path(),
    dry_run: DryRun = False,
) -> None:
    """Add a shared template to start from, in templates/."""
    from headgate.commands import grow as command  # noqa: PLC0415

    def run() -> int:
        place = command.Target(manifests=manifests, dry_run=dry_run)
        return command.add_template(place, _answer(name, "name of the template", "its name"), like)

    finish(run)
