"""Run Headgate as its users do, in this process."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass

import typer

from headgate.arguments import program_for


@dataclass(frozen=True)
class Ran:
    """What a run left: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


def headgate(*args: str) -> Ran:
    """Run a command line."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = program_for(args)(list(args), standalone_mode=False)
        except typer.Exit as ended:
            code = ended.exit_code
    return Ran(code or 0, out.getvalue(), err.getvalue())
