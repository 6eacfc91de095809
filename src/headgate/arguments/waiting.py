"""The command that waits for Flux."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from headgate.arguments.program import Json, Manifests, app, finish


@app.command()
def wait(
    name: Annotated[str | None, typer.Argument(metavar="[APP]", help="Only this app.")] = None,
    environment: Annotated[str, typer.Option("--environment", metavar="ENV", help="Only this environment.")] = "",
    timeout: Annotated[
        str,
        typer.Option(
            "--timeout",
            metavar="TIME",
            envvar="HEADGATE_WAIT",
            help="How long to wait: 90s, 15m or 1h; also HEADGATE_WAIT.",
        ),
    ] = "15m",
    manifests: Manifests = ".",
    token_variable: Annotated[
        str, typer.Option("--token-env", metavar="NAME", help="The variable with a token that reads commit statuses.")
    ] = "HEADGATE_TOKEN",  # noqa: S107  a name
    landed: Annotated[
        str,
        typer.Option(
            "--landed",
            metavar="FILE",
            envvar="HEADGATE_LANDED",
            help="In a pipeline: wait only for what this report of 'headgate ci' lists; also HEADGATE_LANDED.",
        ),
    ] = "",
    json: Json = False,
) -> None:
    """Wait until Flux reports that what has landed is healthy; exit 35 if it failed, 37 on timeout."""
    from headgate.commands import wait as command  # noqa: PLC0415
    from headgate.commands import wait_in_job  # noqa: PLC0415

    request = command.WaitOptions(
        app=name or "",
        environment=environment,
        manifests=manifests,
        timeout=_seconds(timeout),
        token_variable=token_variable,
        json=json,
    )
    finish(lambda: wait_in_job.run(request, landed) if landed else command.run(request))


def _seconds(text: str) -> float:
    found = re.fullmatch(r"([0-9]{1,6})([smh])", text)
    if found is None:
        raise typer.BadParameter("expected a time such as 90s, 15m or 1h", param_hint="--timeout")
    return float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]]
