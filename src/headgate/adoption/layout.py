"""Finds the apps of a running manifest repository, their environments and their folders. Pure."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Literal, NoReturn

from headgate.adoption.choices import OpenQuestionError
from headgate.adoption.fluxobjects import flux_kustomizations
from headgate.config import app_folders
from headgate.dependencies.closure import closure
from headgate.dependencies.kustomization import file_in
from headgate.engine.reading import mapping
from headgate.errors import ArgumentError
from headgate.hydration.record import RECORD
from headgate.paths import SETTINGS, TEMPLATES
from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from headgate.adoption.choices import Choices
    from headgate.adoption.fluxobjects import FluxKustomization
    from headgate.repository.tree import Tree

SourceKind = Literal["helm", "kustomize", "plain"]

USUAL_ENVIRONMENTS = (
    *("sandbox", "dev", "develop", "development", "test", "testing", "int", "integration", "qa", "uat", "stage"),
    *("staging", "preprod", "pre-production", "preproduction", "prod", "production", "live"),
)
"""Names that are recognized as environments, in the order of promotion."""

_SAY_NOTHING = frozenset(
    (
        *("apps", "app", "applications", "deploy", "deployment", "deployments", "manifests", "k8s", "kubernetes"),
        *("kustomize", "helm", "charts", "base", "bases", "overlays", "environments", "environment", "envs", "env"),
        *("clusters", "cluster", "releases", "values"),
    )
)
"""Names of folders that are no apps."""
_BUILT_IN = ("templates", "charts", "crds", "ci", "files")
"""Folders of a chart without values."""


@frozen_record
class Place:
    """The source of an app's final YAML in an environment today: a folder, with values files above a chart's own.

    ``flux`` is the Kustomization that applies it, if that is in the repository. The folder of a ``loose`` place names
    no app, and may hold several.
    """

    app: str
    environment: str
    folder: str
    kind: SourceKind
    values: tuple[str, ...] = ()
    flux: FluxKustomization | None = None
    loose: bool = False


def find_places(tree: Tree, choices: Choices) -> list[Place]:
    """Return the places of all apps. Raises OpenQuestionError if the folders do not tell."""
    tree = without_ours(tree)
    kustomizations = flux_kustomizations(tree) if choices.layout != "folders" else []
    if choices.layout == "flux" and not kustomizations:
        raise ArgumentError("the repository has no Flux Kustomization with a path", hint="leave --layout out")
    if choices.apps:
        found = list(_named(tree, choices))
    elif kustomizations:
        found = list(_applied(tree, choices, kustomizations))
    else:
        found = list(_by_folder(tree, choices))
    order = environments_of(found, choices)
    places = [place for place in found if place.app not in choices.leave_out and place.environment in order]
    return sorted(places, key=lambda place: (place.app, order.index(place.environment), place.folder))


def without_ours(tree: Tree) -> Tree:
    """Return the files without Headgate's, if a part of the repository is adopted already."""
    if SETTINGS not in tree:
        return tree
    outputs = [posixpath.dirname(path) for path in tree.paths() if posixpath.basename(path) == RECORD]
    ours = (TEMPLATES, *app_folders(tree), *outputs)
    return tree.only(path for path in tree.paths() if not any(is_within(path, folder) for folder in ours))


def environments_of(places: Iterable[Place], choices: Choices) -> list[str]:
    """Return the names of the environments, in the order of promotion."""
    if choices.environments:
        return list(choices.environments)
    return sorted({place.environment for place in places}, key=USUAL_ENVIRONMENTS.index)


def _names(choices: Choices) -> tuple[str, ...]:
    return tuple(choices.environments) or USUAL_ENVIRONMENTS


def kind_of(tree: Tree, folder: str) -> SourceKind | None:
    """Return the kind of a folder; None if it cannot be rendered."""
    if posixpath.join(folder, "Chart.yaml") in tree:
        return "helm"
    if file_in(tree, folder):
        return "kustomize"
    return "plain" if any(map(is_yaml, tree.paths(folder))) else None


def is_yaml(path: str) -> bool:
    """Whether a file has a YAML extension."""
    return path.endswith((".yaml", ".yml"))


def _named(tree: Tree, choices: Choices) -> Iterator[Place]:
    for app, text in choices.apps.items():
        found = 0
        for environment in _names(choices) if "{environment}" in text else tuple(choices.environments):
            folder, _, files = text.replace("{environment}", environment).partition(":")
            values = tuple(filter(None, files.split(",")))
            kind = kind_of(tree, folder.strip("/"))
            if kind is not None and all(file in tree for file in values):
                found += 1
                yield Place(app=app, environment=environment, folder=folder.strip("/"), kind=kind, values=values)
        if not found:
            raise ArgumentError(
                f"nothing to render in {text}, the folder of '{app}'",
                hint="name a folder with {environment} in it, or the environments with --environment",
            )


def _applied(tree: Tree, choices: Choices, kustomizations: Sequence[FluxKustomization]) -> Iterator[Place]:
    for found in kustomizations:
        environment = _environment_in(found.path, choices) or _environment_in(found.file, choices)
        kind = kind_of(tree, found.path)
        if kind is None or found.is_own:
            continue
        if not environment:
            raise OpenQuestionError(
                f"which environment the Kustomization {found.name} in {found.file} is for is not clear",
                "--environment",
                "ENV:commit or ENV:review, for each environment in the order of promotion",
            )
        for folder in _roots_below(tree, found.path):
            app = app_in(folder, choices)
            yield Place(
                app=app or found.name,
                environment=environment,
                folder=folder,
                kind=kind_of(tree, folder) or kind,
                flux=found,
                loose=not app,
            )


def _roots_below(tree: Tree, folder: str) -> list[str]:
    """Return a folder, or the folders that it lists if its kustomization does nothing else."""
    file = file_in(tree, folder)
    data = mapping(tree.read(file), file) if file else {}
    listed = [posixpath.normpath(posixpath.join(folder, str(entry))) for entry in data.get("resources") or ()]
    only_lists = listed and not data.keys() - {"apiVersion", "kind", "metadata", "resources"}
    if not only_lists or not all(file_in(tree, entry) for entry in listed):
        return [folder]
    return [root for entry in listed for root in _roots_below(tree, entry)]


def _by_folder(tree: Tree, choices: Choices) -> Iterator[Place]:
    files = [path for path in tree.paths() if not is_hidden(path)]
    charts = [posixpath.dirname(path) for path in files if posixpath.basename(path) == "Chart.yaml"]
    charts = [folder for folder in charts if not any(is_within(folder, other) for other in charts)]
    kustomized = {posixpath.dirname(path) for path in files if file_in(tree, posixpath.dirname(path)) == path}
    kustomized = {folder for folder in kustomized if not any(is_within(folder, chart) for chart in charts)}
    read = closure(tree, kustomized, str, "").files | {file for folder in kustomized for file in tree.paths(folder)}
    plain = [
        path
        for path in files
        if is_yaml(path)
        and path not in read
        and not any(is_within(path, chart) for chart in charts)
        and holds_objects(tree.read(path))
    ]
    charted = [place for chart in charts for place in _chart_places(tree, chart, choices)]
    yield from charted
    yield from _kustomized(tree, kustomized, choices)
    yield from _plain(plain, choices)


def is_hidden(path: str) -> bool:
    """Whether a file is in a folder without apps: hidden ones, and Flux's own."""
    return any(part.startswith(".") or part == "flux-system" for part in path.split("/"))


def is_within(path: str, folder: str) -> bool:
    """Whether a path is below a folder."""
    return path != folder and (not folder or path.startswith(f"{folder}/"))


def holds_objects(data: bytes) -> bool:
    """Whether a text looks like Kubernetes objects; the engine reads it later."""
    return bool(re.search(rb"^apiVersion:", data, re.MULTILINE) and re.search(rb"^kind:", data, re.MULTILINE))


def _environment_in(path: str, choices: Choices) -> str:
    """Return the environment that a path names: a folder or a file's stem, else what one of these ends with."""
    stems = [re.sub(r"\.ya?ml$", "", segment) for segment in path.split("/")]
    whole = [stem for stem in stems if stem in _names(choices)]
    ends = (name for stem in stems for name in _names(choices) if re.search(rf"[-._]{re.escape(name)}$", stem))
    return whole[0] if whole else next(ends, "")


def app_in(path: str, choices: Choices, *, before: bool = True) -> str:
    """Return the app that a path names: the last word that says something, or the first after the environment."""
    names, segments = _names(choices), path.split("/")
    words: list[str] = []
    at = 0
    is_named = any(segment in names for segment in segments)
    for segment in segments:
        ends = [] if is_named else [name for name in names if segment.endswith(f"-{name}")]
        word = segment.removesuffix(f"-{ends[0]}") if ends else segment
        if word in names:
            at = len(words)
        elif word not in _SAY_NOTHING and word:
            words.append(word)
    if not words:
        return ""
    return words[-1] if before or at >= len(words) else words[at]


def _kustomized(tree: Tree, folders: Iterable[str], choices: Choices) -> Iterator[Place]:
    taken: set[str] = set()
    for folder in sorted(folders, key=lambda folder: (folder.count("/"), folder)):
        environment = _environment_in(folder, choices) or _only_environment(choices, folder)
        if not environment or folder in taken:
            continue
        roots = _roots_below(tree, folder)
        for root in roots:
            taken |= {posixpath.dirname(file) for file in closure(tree, [root], str, "").files}
            app = app_in(root, choices)
            yield Place(app=app, environment=environment, folder=root, kind="kustomize", loose=not app)


def _plain(files: Iterable[str], choices: Choices) -> Iterator[Place]:
    folders: dict[tuple[str, str, str], None] = {}
    for file in files:
        folder = posixpath.dirname(file)
        environment = _environment_in(folder, choices) or _only_environment(choices, folder)
        if not environment:
            continue
        app = app_in(folder, choices, before=False) or unnamed(folder, environment)
        folders[app, environment, _folder_of(folder, app, environment)] = None
    for app, environment, folder in folders:
        yield Place(app=app, environment=environment, folder=folder, kind="plain")


def _folder_of(folder: str, app: str, environment: str) -> str:
    """Return the folder that holds all of an app's YAML in an environment: down to the last of both names."""
    parts = folder.split("/")
    last = max(
        (number for number, part in enumerate(parts) if part in (app, environment, f"{app}-{environment}")), default=-1
    )
    return "/".join(parts[: last + 1]) if last >= 0 else folder


def _chart_places(tree: Tree, chart: str, choices: Choices) -> Iterator[Place]:
    """Yield the places of a chart: its folder names the environment, or values files do."""
    app = app_in(chart, choices) or unnamed(chart, "")
    environment = _environment_in(chart, choices)
    if environment:
        yield Place(app=app, environment=environment, folder=chart, kind="helm")
        return
    own = [path.removeprefix(f"{chart}/") for path in tree.paths(chart)]
    layers = [path for path in own if is_yaml(path) and path.split("/")[0] not in _BUILT_IN]
    found = {path: _environment_in(path, choices) for path in layers}
    for path, name in found.items():
        if name:
            yield Place(app=app, environment=name, folder=chart, kind="helm", values=(f"{chart}/{path}",))
    if not any(found.values()) and (only := _only_environment(choices, chart)):
        yield Place(app=app, environment=only, folder=chart, kind="helm")


def _only_environment(choices: Choices, folder: str) -> str:
    """Return the environment if a single one is given, and the folder has no other's name."""
    names = list(choices.environments)
    return names[0] if len(names) == 1 and not set(folder.split("/")) & set(USUAL_ENVIRONMENTS) else ""


def unnamed(folder: str, environment: str) -> NoReturn:
    """Ask for the app in a folder. Raises OpenQuestionError."""
    pattern = folder.replace(environment, "{environment}") if environment else folder
    raise OpenQuestionError(
        f"the folder {folder or '(the top)'} names no app",
        "--app",
        f"NAME={pattern or '.'}",
        prefix="",
    )
