"""``headgate doctor``: check GitLab's settings against the trust page; ``--fix`` makes those that the API can make."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from headgate.commands.write_settings import BOT_VARIABLE, Order, secret_in, write_settings
from headgate.config import load
from headgate.doctor import diagnose
from headgate.doctor.diagnosis import hand_offs
from headgate.doctor.examine import Checkout, examine
from headgate.doctor.sandbox import sandbox
from headgate.engine.reading import documents
from headgate.errors import ConfigError, Location
from headgate.gitlab.api import connect
from headgate.gitlab_settings.wanted import Layout
from headgate.paths import SETTINGS
from headgate.records import frozen_record
from headgate.report.terminal import WIDTH, Terminal
from headgate.repository import git
from headgate.repository.worktree import tree_of_folder
from headgate.scaffolding import CI, INTAKE_CI, as_setup

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from headgate.configuration import Configuration
    from headgate.doctor.diagnosis import Diagnosis
    from headgate.scaffolding import Setup


@frozen_record(kw_only=False)
class DoctorOptions:
    """The command's arguments; the checkout supplies empty ones."""

    manifests: Path
    setup: str = ""
    server: str = ""
    project: str = ""
    intake: str = ""
    token_variable: str = "HEADGATE_TOKEN"  # noqa: S105  a name
    json: bool = False
    fix: bool = False
    dry_run: bool = False
    bot_token_variable: str = BOT_VARIABLE


def run(request: DoctorOptions, environ: Mapping[str, str] = os.environ) -> int:
    """Show the result of each check, and return 1 if something is wrong."""
    terminal, checkout = Terminal(sys.stdout, quiet=request.json), _checkout(request.manifests)
    setup = as_setup(request.setup or ("intake" if INTAKE_CI in checkout.ci else "token"))
    configured = checkout.settings.gitlab if checkout.settings else None
    server = (request.server or (configured.url if configured else "")).rstrip("/")
    project = request.project or (configured.project if configured else "")
    if not server or not project:
        raise ConfigError(
            "which GitLab and which project to look at is unknown",
            where=Location(str(request.manifests.absolute())),
            hint=f"name a checkout whose {SETTINGS} has 'gitlab' with --manifests, or pass --server URL --project PATH",
        )
    scope = "api" if request.fix else "read_api"
    what = f"a token with the scope {scope}, of somebody with the role Maintainer"
    gitlab = connect(server, request.token_variable, secret_in(request.token_variable, environ, what))
    intake = (request.intake or f"{project}-intake") if setup == "intake" else ""
    if request.fix:
        if not request.setup and setup != "intake":
            raise ConfigError("which set-up to fix is unknown", hint="pass --setup direct, intake or token")
        order = Order(
            gitlab=gitlab,
            layout=_layout(setup, project, intake, checkout),
            checkout=checkout,
            given=environ.get(request.bot_token_variable, ""),
            bot_variable=request.bot_token_variable,
            dry_run=request.dry_run,
        )
        write_settings(order, terminal)
        terminal.line("")
    findings = [*diagnose(examine(gitlab, setup, project, intake, checkout)), sandbox(checkout.settings)]
    _print_findings(terminal, findings)
    if request.json:
        found = {
            "version": 1,
            "hand_offs": hand_offs(findings),
            "findings": [_to_json(finding) for finding in findings],
        }
        print(json.dumps(found, indent=2))  # noqa: T201
    return 1 if any(finding.state == "wrong" for finding in findings) else 0


def _layout(setup: Setup, project: str, intake: str, checkout: Checkout) -> Layout:
    environments = checkout.settings.environments.values() if checkout.settings else ()
    needs_bot = setup != "direct" or any(environment.delivery == "review" for environment in environments)
    return Layout(setup=setup, manifests=project, intake=intake, apps=checkout.projects, needs_bot=needs_bot)


def _to_json(finding: Diagnosis) -> dict[str, Any]:
    record = asdict(finding)
    return {"told" if key == "message" else key: value for key, value in record.items()}


def _checkout(folder: Path) -> Checkout:
    """Read headgate.yaml and the apps of a checkout; nothing without one."""
    if not (folder / SETTINGS).is_file():
        return Checkout()
    tree = tree_of_folder(git.open_repository(folder))
    configuration = load(tree)
    return Checkout(
        configuration.settings,
        {file: documents(tree.read(file), file)[-1].data for file in (CI, INTAKE_CI) if file in tree},
        *_apps(configuration),
    )


def _apps(configuration: Configuration) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the projects and the images of all apps."""
    projects, images = set(), set()
    for record, environment in configuration.pairs():
        projects.add(record.app.project)
        for image in record.images(environment).values():
            projects.add(image.project)
            images.add(image.repository)
        if record.app.config is not None:
            projects.add(record.app.config.project)
    return tuple(sorted(finding for finding in projects if finding)), tuple(sorted(images))


_STYLES = {"ok": "green", "wrong": "bold red", "cannot tell": "yellow"}


def _print_findings(terminal: Terminal, findings: Sequence[Diagnosis]) -> None:
    for finding in findings:
        place = f"{finding.project}: " if finding.project else ""
        first, *more = _wrapped(f"{finding.check}: {place}{finding.message}")
        terminal.pieces((f"{finding.state:<12}", _STYLES[finding.state]), (first, ""))
        for line in more:
            terminal.line(f"{'':<12}{line}")
        for line in _wrapped(finding.hint):
            terminal.line(f"{'':<12}  {line}", "dim")
    numbers = {state: sum(finding.state == state for finding in findings) for state in _STYLES}
    terminal.line(", ".join(f"{number} {state}" for state, number in numbers.items() if number))
    terminal.line(_HAND_OFF_LINES[hand_offs(findings)])


def _wrapped(text: str) -> list[str]:
    """Return a text in lines that fit next to its state."""
    return textwrap.wrap(text, WIDTH - 14, break_on_hyphens=False)


_HAND_OFF_LINES = {
    "ok": "hand-offs go through",
    "wrong": "hand-offs do not go through",
    "cannot tell": "cannot tell whether hand-offs go through",
}
