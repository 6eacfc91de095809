"""Commands that help at the terminal: explanations, completion."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from headgate.arguments.program import COMPLETION, Json, app, finish


class Shell(StrEnum):
    """A shell that completes."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


@app.command()
def explain(
    code: Annotated[str, typer.Argument(metavar="CODE", help="An exit code, a rule of validation, or a flag.")],
    json: Json = False,
) -> None:
    """Explain an exit code, a validation rule or a flag, and what to do about it."""
    from headgate.commands import explain as command  # noqa: PLC0415

    finish(lambda: command.run(code, json=json))


@app.command()
def completion(shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")]) -> None:
    """Print a shell's completion script, to be loaded in its start-up file."""
    from typer.completion import get_completion_script  # type: ignore[attr-defined]  # noqa: PLC0415

    script = get_completion_script(prog_name="headgate", complete_var=COMPLETION, shell=shell.value)
    print(script)  # noqa: T201  the answer itself
