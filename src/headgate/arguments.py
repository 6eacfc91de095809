"""The commands and their options, as Typer declares them."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headgate import __version__
from headgate.errors import HeadgateError

if TYPE_CHECKING:
    from collections.abc import Callable


class Template(StrEnum):
    """Which template a roll-back takes."""

    THEN = "then"
    CURRENT = "current"


app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="From an app's repository to the final YAML in the manifest repository, on GitLab.",
)


@app.callback()
def _main() -> None:
    """From an app's repository to the final YAML in the manifest repository, on GitLab."""


def _finish(command: Callable[[], int]) -> None:
    """Run a command; print an error once; leave with its code. A bug keeps its traceback."""
    try:
        code = command()
    except HeadgateError as error:
        from headgate.report.terminal import Terminal  # noqa: PLC0415

        terminal = Terminal(sys.stdout)
        terminal.end_progress()
        terminal.error(error)
        code = error.code
    except (BrokenPipeError, KeyboardInterrupt):
        code = 130
    except Exception:
        import platform  # noqa: PLC0415

        version = f"headgate {__version__}, Python {platform.python_version()}, {platform.platform()}"
        print(f"This is a bug in Headgate. Please report it with what follows.\n{version}", file=sys.stderr)  # noqa: T201
        raise
    raise typer.Exit(code)


Repo = Annotated[Path, typer.Option("--repo", help="Manifest repository.", show_default="this folder")]
Diff = Annotated[bool, typer.Option("--diff", help="Show changed objects field by field.")]
SigningKey = Annotated[
    str,
    typer.Option(
        "--signing-key",
        metavar="FILE",
        envvar="HEADGATE_SIGNING_KEY",
        show_default=False,
        help="Private SSH key that signs commits; also HEADGATE_SIGNING_KEY.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@app.command()
def hydrate(
    repo: Repo = Path(),
    apps: Annotated[list[str] | None, typer.Option("--app", metavar="APP", help="Only this app. Repeatable.")] = None,
    environments: Annotated[
        list[str] | None,
        typer.Option("--environment", metavar="ENV", help="Only this environment. Repeatable."),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if anything would change.")] = False,
    commit: Annotated[bool, typer.Option("--commit", help="Make one commit of what changes.")] = False,
    diff: Diff = False,
    json: Json = False,
    everything: Annotated[bool, typer.Option("--all", help="Render also what has not changed since.")] = False,
    allow_removals: Annotated[bool, typer.Option("--allow-removals", help="Let many objects be removed.")] = False,
    upgrade: Annotated[bool, typer.Option("--upgrade", help="Hydrate with these tools and lock them.")] = False,
    signing_key: SigningKey = "",
) -> None:
    """Render a manifest repository and write, check or commit the final YAML."""
    if check and commit:
        raise typer.BadParameter("--check writes nothing, so it cannot go with --commit")
    from headgate.commands import hydrate as command  # noqa: PLC0415

    request = command.Request(
        repo,
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
    )
    _finish(lambda: command.run(request))


Manifests = Annotated[
    str,
    typer.Option(
        "--manifests",
        metavar="DIR|URL",
        help="Manifest repository: a checkout, or an address.",
        show_default="this folder",
    ),
]
IntentId = Annotated[
    str,
    typer.Option("--intent", metavar="ID", help="Id of this run: what was landed with it is not done again."),
]


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
    intent: IntentId = "",
    diff: Diff = False,
    json: Json = False,
    signing_key: SigningKey = "",
) -> None:
    """Hand a version off by hand: write the releases that take it, hydrate, commit, push."""
    from headgate.commands import deliver as command  # noqa: PLC0415
    from headgate.commands.landed import Asked  # noqa: PLC0415

    request = command.Request(project, commit, ref, source, tuple(images or ()), pipeline, allow_diverged, now)
    _finish(lambda: command.run(request, Asked(manifests, intent, diff, json, signing_key)))


@app.command()
def demo(
    directory: Annotated[
        Path | None, typer.Option("--directory", help="New folder for the demo's repositories.")
    ] = None,
) -> None:
    """Show the whole product in a minute, on example repositories on this machine."""
    from headgate.commands import demo as command  # noqa: PLC0415

    _finish(lambda: command.run(directory))


@app.command()
def version() -> None:
    """Print the versions of Headgate and its tools, and where these were found."""
    from headgate.commands import version as command  # noqa: PLC0415

    told, code = command.lines()
    print("\n".join(told))  # noqa: T201
    raise typer.Exit(code)


@app.command()
def schema(
    file: Annotated[str | None, typer.Argument(help="One of headgate.yaml, app.yaml, ...; default: all.")] = None,
) -> None:
    """Print the JSON Schemas of the files in a manifest repository."""
    from headgate.commands import schema as command  # noqa: PLC0415

    def write() -> int:
        sys.stdout.write(command.text(file) if file else command.all_schemas())
        return 0

    _finish(write)


@app.command()
def history(
    name: Annotated[str, typer.Argument(metavar="APP", help="The app.")],
    environment: Annotated[str, typer.Option("--environment", metavar="ENV", help="Only this environment.")] = "",
    manifests: Manifests = ".",
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many steps of each environment.")] = 10,
    json: Json = False,
) -> None:
    """Show who delivered what of an app, when and from which commit, newest first."""
    from headgate.commands import history as command  # noqa: PLC0415

    request = command.Request(name, manifests, environment, limit, json)
    _finish(lambda: command.run(request))


Reason = Annotated[str, typer.Option("--reason", help="Why, for those who find it so.")]
By = Annotated[
    str, typer.Option("--by", metavar="NAME", help="Who asks for it.", show_default="user.name in git's configuration")
]
AppName = Annotated[str, typer.Argument(metavar="APP", help="The app.")]
OneEnvironment = Annotated[str, typer.Option("--environment", metavar="ENV", help="The environment.")]
EnvironmentName = Annotated[str, typer.Argument(metavar="ENV", help="The environment.")]


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
    intent: IntentId = "",
    diff: Diff = False,
    json: Json = False,
) -> None:
    """Promote what an app runs in one environment to another: commit, or propose where that is reviewed."""
    from headgate.commands import promote as command  # noqa: PLC0415
    from headgate.commands.landed import Asked  # noqa: PLC0415

    request = command.Request(name, source, target, repository, allow_older)
    _finish(lambda: command.run(request, Asked(manifests, intent, diff, json)))


@app.command("roll-back")
def roll_back(
    name: AppName,
    environment: OneEnvironment,
    reason: Reason,
    to: Annotated[
        str, typer.Option("--to", metavar="COMMIT|STEPS", help="A commit (the manifest repository's or the app's).")
    ] = "1",
    template: Annotated[
        Template, typer.Option("--template", help="The template as it was then, or as it is now.")
    ] = Template.THEN,
    by: By = "",
    manifests: Manifests = ".",
    intent: IntentId = "",
    diff: Diff = False,
    json: Json = False,
) -> None:
    """Run an earlier release of an app again, pinned until 'unpin' or 'deliver --now'."""
    from headgate.commands import rollback as command  # noqa: PLC0415
    from headgate.commands.landed import Asked, person  # noqa: PLC0415
    from headgate.intents.rollback import Wanted  # noqa: PLC0415

    current = template is Template.CURRENT
    _finish(
        lambda: command.run(
            Wanted(name, environment, to, by or person(manifests), reason, current),
            Asked(manifests, intent, diff, json),
        )
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
) -> None:
    """Keep an app as it is in an environment: what would reach it by itself waits."""
    from headgate.commands import hold as command  # noqa: PLC0415
    from headgate.commands.landed import Asked, person  # noqa: PLC0415

    asked = Asked(manifests, intent, json=json)
    _finish(lambda: command.pin(name, environment, by or person(manifests), reason, asked))


@app.command()
def unpin(
    name: AppName,
    environment: OneEnvironment,
    manifests: Manifests = ".",
    intent: IntentId = "",
    diff: Diff = False,
    json: Json = False,
) -> None:
    """Let an app take what reaches it again, beginning with the newest that waited."""
    from headgate.commands import hold as command  # noqa: PLC0415
    from headgate.commands.landed import Asked  # noqa: PLC0415

    _finish(lambda: command.unpin(name, environment, Asked(manifests, intent, diff, json)))


@app.command()
def freeze(
    environment: EnvironmentName,
    reason: Reason,
    by: By = "",
    manifests: Manifests = ".",
    intent: IntentId = "",
    json: Json = False,
) -> None:
    """Keep a whole environment as it is: what would reach its apps by itself waits."""
    from headgate.commands import hold as command  # noqa: PLC0415
    from headgate.commands.landed import Asked, person  # noqa: PLC0415

    asked = Asked(manifests, intent, json=json)
    _finish(lambda: command.freeze(environment, by or person(manifests), reason, asked))


@app.command()
def thaw(
    environment: EnvironmentName,
    manifests: Manifests = ".",
    intent: IntentId = "",
    diff: Diff = False,
    json: Json = False,
) -> None:
    """Let an environment take what reaches it again, beginning with the newest that waited for each app."""
    from headgate.commands import hold as command  # noqa: PLC0415
    from headgate.commands.landed import Asked  # noqa: PLC0415

    _finish(lambda: command.thaw(environment, Asked(manifests, intent, diff, json)))


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
) -> None:
    """Remove an app with its releases and its YAML, or take it out of an environment."""
    from headgate.commands import hold as command  # noqa: PLC0415
    from headgate.commands.landed import Asked  # noqa: PLC0415

    _finish(lambda: command.remove(name, tuple(environments or ()), Asked(manifests, intent, diff, json)))


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
) -> None:
    """Hydrate the app-environments whose inputs changed, and commit, or propose where that is reviewed."""
    from headgate.commands import rehydrate as command  # noqa: PLC0415
    from headgate.commands.landed import Asked  # noqa: PLC0415

    request = command.Request(tuple(environments or ()), everything, allow_removals)
    _finish(lambda: command.run(request, Asked(manifests, "", diff, json)))


@app.command()
def refresh(manifests: Manifests = ".", diff: Diff = False, json: Json = False) -> None:
    """Bring open proposals up to date with the default branch; those that became empty go."""
    from headgate.commands import rehydrate as command  # noqa: PLC0415
    from headgate.commands.landed import Asked  # noqa: PLC0415

    _finish(lambda: command.refresh(Asked(manifests, "", diff, json)))


@app.command()
def status(
    name: Annotated[str | None, typer.Argument(metavar="[APP]", help="Only this app.")] = None,
    manifests: Manifests = ".",
    json: Json = False,
) -> None:
    """Show what runs where and since when, and what waits, is pinned, stale, proposed or edited by hand."""
    from headgate.commands import status as command  # noqa: PLC0415

    request = command.Request(name or "", manifests, json)
    _finish(lambda: command.run(request))


@app.command()
def verify(
    manifests: Manifests = ".",
    apps: Annotated[list[str] | None, typer.Option("--app", metavar="APP", help="Only this app. Repeatable.")] = None,
    environments: Annotated[
        list[str] | None,
        typer.Option("--environment", metavar="ENV", help="Only this environment. Repeatable."),
    ] = None,
    json: Json = False,
) -> None:
    """Hydrate all anew and compare with what is committed; exit 1 if it differs, and say who changed what."""
    from headgate.commands import verify as command  # noqa: PLC0415

    request = command.Request(manifests, tuple(apps or ()), tuple(environments or ()), json)
    _finish(lambda: command.run(request))
