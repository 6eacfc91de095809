"""The commands and their options, as Typer declares them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headgate import __version__
from headgate.errors import HeadgateError

if TYPE_CHECKING:
    from collections.abc import Callable

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


@app.command()
def deliver(
    manifests: Annotated[str, typer.Option("--manifests", metavar="DIR|URL", help="Manifest repository.")],
    project: Annotated[str, typer.Option("--project", help="Project that hands off: acme/shop.")],
    commit: Annotated[str, typer.Option("--commit", metavar="SHA", help="Its commit, in full.")],
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
    diff: Diff = False,
    json: Json = False,
    signing_key: SigningKey = "",
) -> None:
    """Hand a version off by hand: write the releases that take it, hydrate, commit, push."""
    from headgate.commands import deliver as command  # noqa: PLC0415

    request = command.Request(
        *(manifests, project, commit, ref, source, tuple(images or ()), pipeline),
        *(allow_diverged, diff, json, signing_key),
    )
    _finish(lambda: command.run(request))


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
