"""Commands that set up a manifest repository and its GitLab, and check both."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headgate.arguments.program import Checkout, Json, app, finish

ShowOnly = Annotated[
    bool, typer.Option("--dry-run", "--preview", help="Show what would be written and set; change nothing.")
]
TokenVariable = Annotated[
    str,
    typer.Option(
        "--token-env",
        metavar="NAME",
        help="The variable that holds a token: scope read_api, or api to change settings. A terminal asks for it.",
    ),
]
BotTokenVariable = Annotated[
    str,
    typer.Option(
        "--bot-token-env",
        metavar="NAME",
        help="The variable that holds the bot's token, if the bot already has one.",
    ),
]


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
    intake: Annotated[
        str, typer.Option("--intake", metavar="PROJECT", help="The intake project of the set-up intake.")
    ] = "",
    version: Annotated[
        str,
        typer.Option(
            "--version",
            help="Version of the components: 1, 1.2.3 or a commit.",
            show_default="1 in apps, this release in the manifest repository",
        ),
    ] = "",
    components: Annotated[
        str, typer.Option("--component", metavar="PROJECT", help="The project of Headgate's components on this GitLab.")
    ] = "headgate/headgate",
    flux: Annotated[
        bool, typer.Option("--flux", help="Let Headgate write the Flux objects, for one cluster per environment.")
    ] = False,
    owners: Annotated[
        str,
        typer.Option("--owners", help="Code Owners of the app: '@acme/team'.", show_default="the group of its project"),
    ] = "",
    apply: Annotated[bool, typer.Option("--apply", help="Make the settings in GitLab that its API can make.")] = False,
    dry_run: ShowOnly = False,
    token_variable: TokenVariable = "HEADGATE_TOKEN",  # noqa: S107  a name
    bot_token_variable: BotTokenVariable = "HEADGATE_BOT_TOKEN",  # noqa: S107  a name
) -> None:
    """Write the first files of a manifest repository, and list what to set in GitLab. Overwrites nothing."""
    from headgate.commands import init as command  # noqa: PLC0415

    request = command.InitOptions(
        *(directory, server, project, setup, tuple(environments or ()), name, app_project, image, registry, intake),
        *(version, components, flux, owners, apply, dry_run, token_variable, bot_token_variable),
    )
    finish(lambda: command.run(request))


@app.command()
def doctor(
    manifests: Checkout = Path(),
    setup: Annotated[
        str, typer.Option("--setup", metavar="SETUP", help="direct, intake or token.", show_default="the strictest")
    ] = "",
    server: Annotated[
        str, typer.Option("--server", metavar="URL", help="GitLab.", show_default="as in headgate.yaml")
    ] = "",
    project: Annotated[
        str, typer.Option("--project", help="The manifest project.", show_default="as in headgate.yaml")
    ] = "",
    intake: Annotated[
        str, typer.Option("--intake", metavar="PROJECT", help="The intake project.", show_default="PROJECT-intake")
    ] = "",
    token_variable: TokenVariable = "HEADGATE_TOKEN",  # noqa: S107  a name
    fix: Annotated[bool, typer.Option("--fix", help="Make the settings in GitLab that its API can make.")] = False,
    dry_run: ShowOnly = False,
    bot_token_variable: BotTokenVariable = "HEADGATE_BOT_TOKEN",  # noqa: S107  a name
    json: Json = False,
) -> None:
    """Check how GitLab is set up: who could bypass the review, what is open, what is missing."""
    from headgate.commands import doctor as command  # noqa: PLC0415

    request = command.DoctorOptions(
        *(manifests, setup, server, project, intake, token_variable, json),
        fix=fix,
        dry_run=dry_run,
        bot_token_variable=bot_token_variable,
    )
    finish(lambda: command.run(request))
