"""The program as Typer sees it, how a command ends, and the options that several have."""

from __future__ import annotations

import copy
import inspect
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from headgate import __version__
from headgate.commands.options import RunOptions
from headgate.errors import HeadgateError

if TYPE_CHECKING:
    from typer.models import CommandInfo

Command = Callable[[], int]
"""What a command does once its arguments are read. Returns the exit code."""

COMPLETION = "_HEADGATE_COMPLETE"
"""The variable by which the script of `headgate completion` asks what can come next."""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Deliver images from apps' repositories to the final YAML in a manifest repository, on GitLab.",
)


@app.callback()
def _main() -> None:
    """Deliver images from apps' repositories to the final YAML in a manifest repository, on GitLab."""


def program_for(words: Sequence[str]) -> typer.Typer:
    """Return the program with the command that the first word names, alone; with all where it names none.

    Typer builds every command before it runs one, which takes longer than most commands.
    """
    named = [command for command in app.registered_commands if words and command_name(command) == words[0]]
    if not named:
        return app
    alone = copy.copy(app)
    alone.registered_commands, alone.registered_groups = named, []
    return alone


def command_name(command: CommandInfo) -> str:
    """Return what people type for a command."""
    return command.name or getattr(command.callback, "__name__", "").replace("_", "-")


def sandboxed(no_sandbox: bool) -> bool:
    """Whether what apps wrote needs an engine that is locked in: a job cannot choose."""
    return not no_sandbox or bool(os.environ.get("CI"))


def finish(command: Command) -> None:
    """Run a command; print an error once; leave with its code. A bug keeps its traceback."""
    from headgate.certificates import trusted_certificates  # noqa: PLC0415

    try:
        with trusted_certificates():
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


Checkout = Annotated[
    Path,
    typer.Option(
        "--manifests",
        "--repo",  # its name in version 1.0.0
        metavar="DIR",
        help="Manifest repository: a checkout.",
        show_default="this folder",
    ),
]
Diff = Annotated[bool, typer.Option("--diff", help="Show changed objects field by field.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Describe what would land; write nothing.")]
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
NoSandbox = Annotated[
    bool,
    typer.Option(
        "--no-sandbox",
        help="Read apps' files even if the engine cannot lock itself in. No effect in CI or with --commit.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
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
    typer.Option("--intent", metavar="ID", help="Id of this run: repeated with the same id, it does nothing twice."),
]
Reason = Annotated[str, typer.Option("--reason", help="Why; shown by 'status' and in merge requests.")]
By = Annotated[
    str, typer.Option("--by", metavar="NAME", help="Who does this.", show_default="user.name in git's configuration")
]
AppName = Annotated[str, typer.Argument(metavar="APP", help="The app.")]
OneEnvironment = Annotated[str, typer.Option("--environment", metavar="ENV", help="The environment.")]
EnvironmentName = Annotated[str, typer.Argument(metavar="ENV", help="The environment.")]

_SHARED: dict[str, tuple[Any, str | bool]] = {
    "by": (By, ""),
    "manifests": (Manifests, "."),
    "intent": (IntentId, ""),
    "diff": (Diff, False),
    "json": (Json, False),
    "dry_run": (DryRun, False),
    "signing_key": (SigningKey, ""),
}


def changes_repository(*, but: tuple[str, ...] = ()) -> Callable[[Callable[..., Command]], Callable[..., None]]:
    """Give a command the options that all have that change a manifest repository, ``but`` for some.

    The command's function takes them as one `RunOptions`, its first parameter, and returns what is run.
    """

    def decorate(function: Callable[..., Command]) -> Callable[..., None]:
        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
        names = [name for name in _SHARED if name not in but]

        def command(**arguments: Any) -> None:
            shared = {name: arguments.pop(name) for name in names}
            finish(function(RunOptions(**shared), **arguments))

        shared = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for name, (annotation, default) in _SHARED.items()
            if name in names
        ]
        parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own] + shared
        command.__name__, command.__doc__ = function.__name__, function.__doc__
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return command

    return decorate
