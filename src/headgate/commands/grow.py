"""``headgate app add``, ``environment add``, ``template add``: add and edit files, and keep the rest of them."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from headgate import __version__, growing
from headgate.commands.init import INTO_APP
from headgate.config import load
from headgate.engine.reading import documents
from headgate.errors import ArgumentError, ConfigError, Location
from headgate.gitlab_settings.steps import layout_of, steps
from headgate.gitlab_settings.wanted import shown
from headgate.model import Output
from headgate.paths import APPS, SETTINGS, TEMPLATES
from headgate.records import frozen_record
from headgate.report.terminal import Terminal
from headgate.repository import folder, git
from headgate.repository.worktree import tree_of_folder
from headgate.scaffolding import (
    CI,
    CODE_OWNERS,
    CODE_OWNERS_PLACES,
    INTAKE_CI,
    SCHEMAS,
    Installation,
    app_lines,
    app_yaml,
    as_setup,
    clusters_section,
    code_owners,
    flux_steps,
    likely_registry,
    starter_template,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from headgate.configuration import Configuration
    from headgate.model import Settings
    from headgate.repository.tree import Tree


@frozen_record
class Target:
    """The manifest repository to add to, and the facts about the set-up that its files lack."""

    manifests: Path
    setup: str = ""
    intake: str = ""
    dry_run: bool = False


@frozen_record
class AppOptions:
    """An app to add. Its project and the existing files supply empty fields."""

    name: str
    project: str
    image: str = ""
    template: str = ""
    config: str = ""
    grant: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    owners: str = ""


@frozen_record
class EnvironmentOptions:
    """An environment to add, and the apps with a list of environments that also get it."""

    name: str
    delivery: str
    takes: str = ""
    after: str = ""
    kubernetes: str = ""
    cluster: str = ""
    apps: tuple[str, ...] = ()


@frozen_record
class _Known:
    """The existing files, read and checked; the bodies and the headers of the CI files."""

    tree: Tree
    configuration: Configuration
    bodies: Mapping[str, Any]
    headers: Mapping[str, Any]

    @property
    def settings(self) -> Settings:
        return self.configuration.settings


def add_app(place: Target, options: AppOptions) -> int:
    """Add an app, and print the new steps in GitLab and in the app's repository."""
    known = _known(place)
    wanted = _installation(place, known, options)
    if wanted.app in known.configuration.apps:
        raise ArgumentError(f"app {wanted.app} already exists", hint="choose another name")
    template = options.template or ("" if options.config else _only_template(known))
    if template and not known.tree.paths(f"{TEMPLATES}/{template}"):
        raise ArgumentError(f"there is no template {template}", hint=f"'headgate template add {template}' adds one")
    file = f"{APPS}/{wanted.app}/app.yaml"
    has_schema = f"{SCHEMAS}/app.yaml.schema.json" in known.tree
    text = app_yaml(wanted, template, options.config, options.grant, options.environments, has_schema=has_schema)
    owners = _owners_file(known)
    before = known.tree.read(owners).decode() if owners in known.tree else ""
    section = growing.owners_with(before, code_owners(wanted, known.settings))
    terminal = Terminal(sys.stdout)
    _write(place, known, {file: text, owners: section}, terminal)
    terminal.line(f"\n{INTO_APP.format(wanted.app_project)}\n", "bold")
    terminal.line(app_lines(wanted))
    terminal.line("New steps in GitLab:\n", "bold")
    terminal.line(steps(wanted, for_another_app=True))
    return 0


def add_environment(place: Target, options: EnvironmentOptions) -> int:
    """Add an environment, and print the new steps in GitLab and in its cluster."""
    known = _known(place)
    new = _environment(known, options)
    wanted = _installation(place, known, AppOptions(name="app", project=f"{_group(known)}/app"))
    writes_flux = any(cluster.flux is not None for cluster in known.settings.clusters.values())
    cluster = ""
    if writes_flux and not new.cluster:
        _, _, section = clusters_section(wanted, [new.name]).partition("\n")
        cluster = "\n".join(line.removeprefix("  ") for line in section.rstrip("\n").split("\n"))
    files = {SETTINGS: growing.settings_with(_text(known, SETTINGS), known.settings, new, cluster)}
    for file, header in known.headers.items():
        files[file] = growing.form_with(_text(known, file), file, header, new)
    records = dict(known.configuration.apps)
    for name in options.apps:
        if name not in records:
            raise ArgumentError(f"there is no app {name}", hint=f"the apps are {', '.join(sorted(records))}")
        if records[name].app.environments is not None:
            file = f"{records[name].folder}/app.yaml"
            files[file] = growing.app_with(_text(known, file), file, new)
    lists = [name for name, record in records.items() if record.app.environments is not None]
    without = [name for name in lists if name not in options.apps]
    owners = _owners_file(known)
    unowned: list[str] = []
    if new.delivery == "review" and owners in known.tree:
        owned = {name: record.folder for name, record in records.items() if name not in without}
        output = Output().path.replace("{environment}", new.name)
        files[owners], unowned = growing.owners_of_environment(_text(known, owners), owned, output)
    terminal = Terminal(sys.stdout)
    _write(place, known, files, terminal)
    if without:
        terminal.line(f"\nNot in {new.name}, since their app.yaml lists its environments: {', '.join(without)}", "dim")
    if unowned:
        terminal.line(f"\nNo section of {owners} names the app.yaml of: {', '.join(unowned)}", "dim")
    terminal.line("\nNew steps in GitLab:\n", "bold")
    terminal.line(_new_settings(known, wanted, new) or "Nothing.\n")
    if cluster:
        terminal.line(flux_steps(wanted))
    return 0


def add_template(place: Target, name: str, like: str) -> int:
    """Add a shared template: the one that ``init`` writes, or a copy of another one."""
    known = _known(place)
    if known.tree.paths(f"{TEMPLATES}/{name}"):
        raise ArgumentError(f"template {name} already exists", hint="choose another name")
    if like and not known.tree.paths(f"{TEMPLATES}/{like}"):
        raise ArgumentError(f"there is no template {like}", hint=f"templates are folders of {TEMPLATES}/")
    if like:
        found = {path: known.tree.read(path).decode() for path in known.tree.paths(f"{TEMPLATES}/{like}")}
    else:
        writes_flux = any(cluster.flux is not None for cluster in known.settings.clusters.values())
        found = starter_template(brings_namespace=not writes_flux)
    first = f"{TEMPLATES}/{like}/" if like else f"{TEMPLATES}/web/"
    files = {f"{TEMPLATES}/{name}/{path.removeprefix(first)}": text for path, text in found.items()}
    chart = f"{TEMPLATES}/{name}/Chart.yaml"
    if chart in files:
        files[chart] = files[chart].replace(f"\nname: {like or 'web'}\n", f"\nname: {name}\n", 1)
    terminal = Terminal(sys.stdout)
    _write(place, known, files, terminal)
    terminal.line(f"\nTo use it, set 'template: {name}' in an app.yaml; there is nothing to do in GitLab.")
    return 0


def _known(place: Target) -> _Known:
    tree = tree_of_folder(git.open_repository(place.manifests))
    configuration = load(tree)
    read = {file: documents(tree.read(file), file) for file in (CI, INTAKE_CI) if file in tree}
    return _Known(
        tree=tree,
        configuration=configuration,
        bodies={file: found[-1].data for file, found in read.items() if found},
        headers={file: found[0].data for file, found in read.items() if len(found) > 1},
    )


def _owners_file(known: _Known) -> str:
    return next((path for path in CODE_OWNERS_PLACES if path in known.tree), CODE_OWNERS)


def _text(known: _Known, file: str) -> str:
    return known.tree.read(file).decode()


def _group(known: _Known) -> str:
    at = known.settings.gitlab
    return at.project.rpartition("/")[0] if at else ""


def _installation(place: Target, known: _Known, options: AppOptions) -> Installation:
    """Return the installation for the steps and the app's lines, from the existing files. Raises ConfigError."""
    at = known.settings.gitlab
    if at is None:
        raise ConfigError("no 'gitlab'", where=Location(SETTINGS), hint="add 'gitlab: {url: ..., project: ...}'")
    setup = as_setup(place.setup) if place.setup else growing.setup_of(known.bodies)
    if setup is None:
        raise ConfigError(f"{CI} does not show which set-up it is for", hint="pass --setup direct, intake or token")
    components, pinned = growing.components_of(known.bodies) or ("headgate/headgate", __version__)
    registry = at.registry or likely_registry(at.url)
    is_version = pinned.replace(".", "").isdigit()
    return Installation(
        *(at.url, at.project, setup, options.name, options.project),
        *(options.image or f"{registry}/{options.project.lower()}", registry, place.intake or f"{at.project}-intake"),
        tuple((name, environment.delivery) for name, environment in known.settings.environments.items()),
        version=pinned.partition(".")[0] if is_version else pinned,
        pinned=pinned,
        components=components,
        owners=options.owners or f"@{options.project.rpartition('/')[0]}",
    )


def _only_template(known: _Known) -> str:
    """Return the template of an app that names none. Raises ArgumentError."""
    names = {path.split("/")[1] for path in known.tree.paths(TEMPLATES) if path.count("/") > 1}
    found = sorted(name for name in names if not name.startswith("."))
    if len(found) != 1 and "web" not in found:
        raise ArgumentError(
            "cannot tell which template the app uses", hint=f"pass --template ({', '.join(found)}) or --config FOLDER"
        )
    return "web" if "web" in found else found[0]


def _environment(known: _Known, options: EnvironmentOptions) -> growing.NewEnvironment:
    names = list(known.settings.environments)
    if options.name in names:
        raise ArgumentError(f"environment {options.name} already exists", hint="choose another name")
    after = options.after or (names[-1] if names else "")
    if after and after not in names:
        raise ArgumentError(f"there is no environment {after}", hint=f"they are {', '.join(names)}")
    if options.cluster and options.cluster not in known.settings.clusters:
        raise ArgumentError(f"there is no cluster {options.cluster}", hint=f"clusters are listed in {SETTINGS}")
    before = known.settings.environments[after].kubernetes if after else None
    return growing.NewEnvironment(
        name=options.name,
        delivery=options.delivery,
        takes=growing.rule(options.takes or (f"promotion:{after}" if after else "branch:main")),
        kubernetes=options.kubernetes or before or "1.34",
        after=after,
        cluster=options.cluster,
    )


def _new_settings(known: _Known, wanted: Installation, new: growing.NewEnvironment) -> str:
    """Return the new steps that an environment requires, such as the bot if jobs pushed without one."""
    needed = layout_of(wanted).needs_bot
    after = replace(wanted, environments=(*wanted.environments, (new.name, new.delivery)))
    lines = []
    if not needed and layout_of(after).needs_bot:
        (token,) = [setting for setting in shown(layout_of(after)) if setting.name == "token"]
        lines.append(f"{token.project}: Settings > Access tokens (or a service account): the bot, scope api")
        lines.append(f"{token.project}: {token.place}")
    kind = new.takes.strip("{}").partition(":")[0]
    known_rules = [take for environment in known.settings.environments.values() for take in environment.takes]
    pattern = new.takes.partition(": ")[2].rstrip("}").strip('"')
    if kind in ("branch", "tag") and not any(pattern in (take.branch, take.tag) for take in known_rules):
        where = "Protected branches" if kind == "branch" else "Protected tags"
        lines.append(f"each app's project: Settings > Repository > {where}: add {pattern}")
    return "".join(f"- {line}\n" for line in lines)


def _write(place: Target, known: _Known, files: Mapping[str, str], terminal: Terminal) -> None:
    """Check all files as every run does, and write them. Raises the errors of such a run."""
    changes = {path: text.encode() for path, text in files.items()}
    changes = {path: data for path, data in changes.items() if path not in known.tree or data != known.tree.read(path)}
    after = load(known.tree.with_changes(dict(changes)))
    _check_apps(known.configuration, after)
    if not place.dry_run:
        folder.apply(place.manifests, dict(changes))
    for path in changes:
        word = "would write" if place.dry_run else "changed" if path in known.tree else "wrote"
        terminal.line(f"{word:<12}{path}")


def _check_apps(before: Configuration, after: Configuration) -> None:
    """Check that no app became invalid. Raises its error."""
    for place, error in after.broken.items():
        if place not in before.broken:
            raise error
