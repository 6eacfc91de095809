"""``headgate init``: write the first files of a manifest repository, and list the settings to make in GitLab."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from headgate import __version__
from headgate.commands.write_settings import BOT_VARIABLE, Order, secret_in, write_settings
from headgate.config import parse
from headgate.doctor.examine import Checkout
from headgate.errors import ConfigError
from headgate.gitlab.api import connect
from headgate.gitlab_settings.steps import layout_of, steps
from headgate.model import Settings
from headgate.paths import APPS, SETTINGS, TEMPLATES
from headgate.records import frozen_record
from headgate.report.terminal import Terminal
from headgate.repository import folder
from headgate.scaffolding import (
    CODE_OWNERS,
    CODE_OWNERS_PLACES,
    README,
    Installation,
    app_lines,
    as_setup,
    clusters_section,
    code_owners,
    first_files,
    flux_steps,
    likely_registry,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from headgate.commands.write_settings import Settled

INTO_APP = "Add to .gitlab-ci.yml of {}; an earlier stage must push the image:"
_TEMPLATE = "web"
_ENVIRONMENTS = ("dev:commit", "production:review")


@frozen_record(kw_only=False)
class InitOptions:
    """The command's arguments; empty ones are derived from the others."""

    directory: Path
    server: str
    project: str
    setup: str
    environments: tuple[str, ...] = ()
    app: str = ""
    app_project: str = ""
    image: str = ""
    registry: str = ""
    intake: str = ""
    version: str = ""
    components: str = "headgate/headgate"
    flux: bool = False
    owners: str = ""
    apply: bool = False
    dry_run: bool = False
    token_variable: str = "HEADGATE_TOKEN"  # noqa: S105  a name
    bot_token_variable: str = BOT_VARIABLE


def run(request: InitOptions, environ: Mapping[str, str] = os.environ) -> int:
    """Write the files that are missing, and print the steps that are left. Existing files are never changed.

    With ``apply`` GitLab is set as well, and 1 returned where something of that is left.
    """
    terminal = Terminal(sys.stdout)
    wanted = _installation(request)
    known = _known_settings(request.directory)
    if known is not None:
        existing = tuple((name, environment.delivery) for name, environment in known.environments.items())
        wanted = replace(wanted, environments=existing)
    writes_flux = request.flux or (known is not None and any(at.flux for at in known.clusters.values()))
    files = first_files(wanted, known, brings_namespace=not writes_flux)
    names = list(known.environments) if known else [name for name, _ in wanted.environments]
    clusters = clusters_section(wanted, names) if request.flux else ""
    files[SETTINGS] += clusters
    there = {path for path in files if _is_there(request, path)}
    is_another_app = SETTINGS in there and any(path.startswith(f"{APPS}/") for path in files.keys() - there)
    new = {path: text.encode() for path, text in files.items() if path not in there}
    if not request.dry_run:
        request.directory.mkdir(parents=True, exist_ok=True)
        folder.apply(request.directory, dict(new))
    for path in files:
        if path in there:
            terminal.line(f"left alone  {path}", "dim")
        else:
            terminal.line(f"{'would write' if request.dry_run else 'wrote':<12}{path}")
    terminal.line(f"\n{INTO_APP.format(wanted.app_project)}\n", "bold")
    terminal.line(app_lines(wanted))
    if is_another_app and CODE_OWNERS in there:
        terminal.line(f"Add to {CODE_OWNERS}, which already exists:\n", "bold")
        terminal.line(code_owners(wanted, known))
    settled = _set(request, wanted, files[SETTINGS], environ, terminal) if request.apply else None
    terminal.line("\nLeft to do by hand:\n" if settled else "To do in GitLab:\n", "bold")
    terminal.line(steps(wanted, for_another_app=is_another_app, done=settled.done if settled else ()))
    if request.flux:
        _print_flux_steps(terminal, wanted, clusters if SETTINGS in there else "")
    return 1 if settled and settled.left and not request.dry_run else 0


def _set(
    request: InitOptions, wanted: Installation, settings: str, environ: Mapping[str, str], terminal: Terminal
) -> Settled:
    """Make the settings in GitLab that its API can make. Raises GitLabError, ConfigError."""
    hint = "a temporary token with the scope api, of a Maintainer of all these projects"
    secret = secret_in(request.token_variable, environ, hint)
    layout = layout_of(wanted)
    order = Order(
        gitlab=connect(wanted.server, request.token_variable, secret),
        layout=layout,
        checkout=Checkout(parse(settings.encode(), SETTINGS, Settings)[0], projects=layout.apps),
        given=environ.get(request.bot_token_variable, ""),
        bot_variable=request.bot_token_variable,
        may_make=True,
        dry_run=request.dry_run,
    )
    return write_settings(order, terminal)


def _print_flux_steps(terminal: Terminal, wanted: Installation, clusters: str) -> None:
    if clusters:
        terminal.line(f"Add to {SETTINGS}, which already exists:\n", "bold")
        terminal.line(clusters)
    terminal.line(flux_steps(wanted))


def _installation(request: InitOptions) -> Installation:
    """Return the installation to set up, with missing options derived. Raises ConfigError."""
    server, group = request.server.rstrip("/"), request.project.rpartition("/")[0]
    app = request.app or _app_name(request.app_project) or "shop"
    app_project = request.app_project or f"{group}/{app}"
    registry = request.registry or likely_registry(server)
    return Installation(
        *(server, request.project, as_setup(request.setup), app, app_project),
        *(
            request.image or f"{registry}/{app_project.lower()}",
            registry,
            request.intake or f"{request.project}-intake",
        ),
        _environments(request.environments or _ENVIRONMENTS),
        version=request.version or __version__.partition(".")[0],
        pinned=request.version or __version__,
        components=request.components,
        owners=request.owners or f"@{app_project.rpartition('/')[0]}",
    )


def _app_name(project: str) -> str:
    """Return a name for the app of a project, whose path may have capitals, dots and underscores."""
    name = re.sub(r"[^a-z0-9]+", "-", project.rpartition("/")[2].lower())
    return name.strip("-")[:63].rstrip("-")


def _environments(texts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Read ``NAME:DELIVERY``."""
    found = tuple(text.partition(":")[::2] for text in texts)
    for text, (name, delivery) in zip(texts, found, strict=True):
        if not name or delivery not in ("commit", "review"):
            raise ConfigError(f"the environment is {text!r}, expected NAME:commit or NAME:review")
    return found


def _known_settings(directory: Path) -> Settings | None:
    """Return the existing headgate.yaml."""
    file = directory / SETTINGS
    return parse(file.read_bytes(), SETTINGS, Settings)[0] if file.is_file() else None


def _is_there(request: InitOptions, path: str) -> bool:
    """Whether to write no file: it exists, or it belongs to a first app or template and there are others already."""
    directory = request.directory
    if path.startswith(f"{TEMPLATES}/"):
        has_template = (directory / TEMPLATES / _TEMPLATE).exists()
        return has_template or (_has_apps(directory) and not request.app)
    if path.startswith(f"{APPS}/"):
        return (directory / path).exists() or (_has_apps(directory) and not request.app)
    if _has_apps(directory) and (path == README or (path == CODE_OWNERS and not request.app)):
        return True
    places = CODE_OWNERS_PLACES if path == CODE_OWNERS else (path,)
    return any((directory / place).exists() or (directory / place).is_symlink() for place in places)


def _has_apps(directory: Path) -> bool:
    return next((directory / APPS).rglob("app.yaml"), None) is not None
