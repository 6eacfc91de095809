"""Configuration files -> checked, frozen records. Every error names file, line, key, what was expected and found."""

from __future__ import annotations

import typing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from headgate.errors import ConfigError, HeadgateError, ImageError, Place, did_you_mean
from headgate.model import App, AppEnvironment, Lock, Record, Settings, Template
from headgate.yamlread import KeyPath, dotted, read, to_python

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headgate.model import Environment, Image
    from headgate.tree import Tree
    from headgate.yamlread import Document

RecordType = TypeVar("RecordType", bound=Record)

SETTINGS = "headgate.yaml"
LOCK = "headgate.lock"
APPS = "apps"
TEMPLATES = "templates"
ENVIRONMENTS = "environments"
INPUTS = (APPS, TEMPLATES, ENVIRONMENTS)
"""Folders that hydration reads; everything else is output, or not ours."""


@dataclass(frozen=True)
class AppRecord:
    """An app: its name (its folder's), where its files are, and what its app.yaml says."""

    name: str
    folder: str
    app: App
    document: Document

    def place(self, *path: str | int) -> Place:
        """Return where a key of app.yaml stands."""
        return self.document.place(f"{self.folder}/app.yaml", path)

    def environments(self, settings: Settings) -> list[str]:
        """Return the environments that it runs in, in the order of headgate.yaml."""
        return [name for name in settings.environments if not self.app.environments or name in self.app.environments]

    def here(self, environment: str) -> AppEnvironment:
        """Return what the app does differently in an environment."""
        return self.app.environments.get(environment) or AppEnvironment()

    def namespace(self, environment: str) -> str:
        """Return the namespace of its objects in an environment."""
        return self.here(environment).namespace or self.app.namespace or self.name

    def images(self, environment: str) -> dict[str, Image]:
        """Return its images in an environment, by name."""
        return {**self.app.images, **self.here(environment).images}

    def delivery(self, settings: Settings, environment: str) -> str:
        """Return ``commit`` or ``review``."""
        return self.here(environment).delivery or settings.environments[environment].delivery

    def release_folder(self, environment: str) -> str:
        """Return the folder of its release in an environment."""
        return f"{self.folder}/releases/{environment}"


@dataclass(frozen=True)
class Configuration:
    """All configuration of a manifest repository. ``broken`` holds the error of each app that cannot be used."""

    settings: Settings
    apps: dict[str, AppRecord]
    broken: dict[str, HeadgateError]
    lock: Lock | None

    def environment(self, name: str) -> Environment:
        """Return the settings of an environment."""
        return self.settings.environments[name]

    def cluster(self, environment: str) -> str:
        """Return the name of the cluster that an environment runs on."""
        return self.settings.environments[environment].cluster or environment

    def output_folder(self, app: str, environment: str) -> str:
        """Return the folder of an app's final YAML in an environment."""
        path = self.settings.environments[environment].output.path
        return path.replace("{environment}", environment).replace("{app}", app)

    def pairs(self) -> list[tuple[AppRecord, str]]:
        """Return every app with every environment that it runs in."""
        return [(app, name) for app in self.apps.values() for name in app.environments(self.settings)]


def parse(data: bytes, file: str, model: type[RecordType]) -> tuple[RecordType, Document]:
    """Read one file into its record. Raises ConfigError or YamlError for the first thing that is wrong."""
    documents = read(data, file, marks=True)
    if len(documents) != 1:
        found = "nothing" if not documents else f"{len(documents)} YAML documents"
        raise ConfigError(f"expected one YAML document, found {found}", where=Place(file))
    document = documents[0]
    try:
        return model.model_validate(to_python(document.data)), document
    except ValidationError as error:
        raise _config_error(error.errors()[0], document, file, model) from None


def _config_error(problem: Any, document: Document, file: str, model: type[Record]) -> ConfigError:
    path: KeyPath = tuple(step for step in problem["loc"] if step != "[key]")
    where = document.place(file, path)
    kind = problem["type"]
    if kind == "extra_forbidden":
        known = _known_keys(model, path[:-1])
        guess = did_you_mean(str(path[-1]), known)
        return ConfigError(f"unknown key '{path[-1]}', expected one of: {', '.join(known)}", where=where, hint=guess)
    if kind == "missing":
        return ConfigError(f"the key '{path[-1]}' is missing", where=where)
    if kind == "value_error":
        return ConfigError(f"expected {problem['ctx']['error']}, found {_shown(problem['input'])}", where=where)
    expected = problem["msg"].removeprefix("Input should be ").removeprefix("String should ").replace("a valid ", "a ")
    guess = ""
    if kind == "literal_error" and isinstance(problem["input"], str):
        guess = did_you_mean(
            problem["input"], problem["ctx"]["expected"].replace(" or ", ", ").replace("'", "").split(", ")
        )
    if kind == "string_type" and isinstance(problem["input"], (int, float)):
        guess = f'put it in quotes: "{problem["input"]}"'
    return ConfigError(f"expected {expected}, found {_shown(problem['input'])}", where=where, hint=guess)


def _shown(value: Any) -> str:
    if isinstance(value, BaseModel):
        value = value.model_dump(exclude_defaults=True)
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."  # noqa: PLR2004


def _known_keys(model: type[BaseModel], path: KeyPath) -> list[str]:
    """Return the keys that the record at ``path`` knows."""
    annotation: Any = model
    for step in path:
        inner = _record_in(annotation)
        if inner is not None and isinstance(step, str) and step in inner.model_fields:
            annotation = inner.model_fields[step].annotation
        # a step into a map or a list keeps the annotation: the record is found inside it
    inner = _record_in(annotation)
    return list(inner.model_fields) if inner else []


def _record_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in typing.get_args(annotation):
        found = _record_in(argument)
        if found is not None:
            return found
    return None


def load(tree: Tree) -> Configuration:
    """Read and check all configuration. Raises when headgate.yaml or headgate.lock is wrong.

    What is wrong with one app stands in ``broken``: it fails alone.
    """
    if SETTINGS not in tree:
        raise ConfigError("the file is missing", where=Place(SETTINGS), hint="it makes a folder a manifest repository")
    settings, document = parse(tree.read(SETTINGS), SETTINGS, Settings)
    check_settings(settings, document)
    lock = parse(tree.read(LOCK), LOCK, Lock)[0] if LOCK in tree else None
    apps: dict[str, AppRecord] = {}
    broken: dict[str, HeadgateError] = {}
    for folder in app_folders(tree):
        name = folder.rsplit("/", 1)[1]
        try:
            record = _load_app(tree, folder, name, settings)
            if name in apps:
                raise ConfigError(
                    f"the app '{name}' is there twice, expected a unique name",
                    where=Place(f"{folder}/app.yaml"),
                    hint=f"the other one is {apps[name].folder}/app.yaml",
                )
            apps[name] = record
        except HeadgateError as error:
            broken[folder] = error
    configuration = Configuration(settings, apps, broken, lock)
    check_outputs(configuration)
    return configuration


def app_folders(tree: Tree) -> list[str]:
    """Return the folders below ``apps/`` with an app.yaml; what is below an app's folder is never an app."""
    folders: list[str] = []
    files = [path for path in tree.paths(APPS) if path.endswith("/app.yaml")]
    for path in sorted(files, key=lambda path: (path.count("/"), path)):
        folder = path.removesuffix("/app.yaml")
        above = folder.split("/")
        if folder != APPS and not any("/".join(above[:depth]) in folders for depth in range(2, len(above))):
            folders.append(folder)
    return sorted(folders)


def _load_app(tree: Tree, folder: str, name: str, settings: Settings) -> AppRecord:
    file = f"{folder}/app.yaml"
    app, document = parse(tree.read(file), file, App)
    record = AppRecord(name, folder, app, document)
    check_app(record, settings, tree)
    return record


def load_template(tree: Tree, name: str) -> Template:
    """Read a template's template.yaml; without one, everything is default."""
    file = f"{TEMPLATES}/{name}/template.yaml"
    return parse(tree.read(file), file, Template)[0] if file in tree else Template()


def check_settings(settings: Settings, document: Document) -> None:
    """Check what headgate.yaml says across its keys. Raises ConfigError."""
    known = list(settings.environments)
    for name, environment in settings.environments.items():
        for index, take in enumerate(environment.takes):
            if take.promotion is not None and take.promotion not in settings.environments:
                path: KeyPath = ("environments", name, "takes", index, "promotion")
                raise _unknown("environment", take.promotion, known, document.place(SETTINGS, path))
    for name in settings.permissions:
        if name not in settings.environments:
            raise _unknown("environment", name, known, document.place(SETTINGS, ("permissions", name)))
    cycle = promotion_cycle({name: _sources(environment.takes) for name, environment in settings.environments.items()})
    if cycle:
        raise ConfigError(
            f"promotions go in a circle: {' -> '.join(cycle)}",
            where=document.place(SETTINGS, ("environments", cycle[0], "takes")),
            hint="remove one of these promotions",
        )


def _sources(takes: typing.Iterable[Any] | None) -> list[str]:
    return [take.promotion for take in takes or () if take.promotion]


def promotion_cycle(sources: Mapping[str, list[str]]) -> list[str]:
    """Return the environments of a circle of promotions, its first one repeated at the end; or nothing."""
    done: set[str] = set()

    def visit(name: str, way: list[str]) -> list[str]:
        if name in way:
            return [*way[way.index(name) :], name]
        if name in done:
            return []
        found = next(filter(None, (visit(source, [*way, name]) for source in sources.get(name, []))), [])
        done.add(name)
        return found

    return next(filter(None, (visit(name, []) for name in sources)), [])


def check_app(record: AppRecord, settings: Settings, tree: Tree) -> None:
    """Check what an app.yaml says across its keys and against the repository. Raises ConfigError, ImageError."""
    app = record.app
    known = list(settings.environments)
    for name in app.environments:
        if name not in settings.environments:
            raise _unknown("environment", name, known, record.place("environments", name))
    if app.template is not None and not tree.paths(f"{TEMPLATES}/{app.template}"):
        names = sorted({path.split("/")[1] for path in tree.paths(TEMPLATES) if path.count("/") > 1})
        raise _unknown("template", app.template, names, record.place("template"))
    sources = {name: _sources(settings.environments[name].takes) for name in known}
    for name, here in app.environments.items():
        for source in _sources((here or AppEnvironment()).takes):
            if source not in settings.environments:
                raise _unknown("environment", source, known, record.place("environments", name, "takes"))
            sources[name] = _sources(here.takes)
    cycle = promotion_cycle(sources)
    if cycle:
        raise ConfigError(f"promotions go in a circle: {' -> '.join(cycle)}", where=record.place("environments"))
    _check_owners(record)
    for name in record.environments(settings):
        _check_matchers(record, name)


def _check_owners(record: AppRecord) -> None:
    app = record.app
    if app.project is not None:
        return
    for name, image in app.images.items():
        if image.project is None:
            raise ConfigError(
                f"the image '{name}' has no project, expected one that hands it off",
                where=record.place("images", name),
                hint="set 'project' for the app or for this image",
            )
    if app.config is not None and app.config.project is None:
        raise ConfigError(
            "config has no project, expected one that holds it",
            where=record.place("config"),
            hint="set 'project' for the app or for config",
        )


def _check_matchers(record: AppRecord, environment: str) -> None:
    seen: dict[tuple[str, str | None], str] = {}
    for name, image in record.images(environment).items():
        other = seen.setdefault((image.repository, image.tag), name)
        if other != name:
            raise ImageError(
                f"the images '{other}' and '{name}' match the same containers: {image.repository}",
                where=record.place("images", name),
                hint="tell them apart by a pattern of their tags, as in 'tag: \"web-*\"'",
            )


def _unknown(what: str, name: str, known: list[str], where: Place) -> ConfigError:
    expected = ", ".join(known) or "none is there yet"
    return ConfigError(
        f"there is no {what} '{name}', expected one of: {expected}",
        where=where,
        hint=did_you_mean(name, known),
    )


def check_outputs(configuration: Configuration) -> None:
    """Check that each app-environment has an output folder of its own. Raises ConfigError."""
    claimed: dict[str, str] = {}
    for record, environment in configuration.pairs():
        folder = configuration.output_folder(record.name, environment)
        if folder.split("/")[0] in (APPS, TEMPLATES, ENVIRONMENTS, SETTINGS, LOCK):
            raise ConfigError(
                f"the output folder {folder} lies among the inputs, expected one of its own, as 'deploy/...'",
                where=Place(SETTINGS, 0, dotted(("environments", environment, "output", "path"))),
            )
        claim = f"{record.name} in {environment}"
        if folder in claimed:
            raise _claimed_twice(folder, claimed[folder], claim, record)
        claimed[folder] = claim
    for folder, claim in claimed.items():
        parts = folder.split("/")
        for depth in range(1, len(parts)):
            above = "/".join(parts[:depth])
            if above in claimed:
                raise _claimed_twice(folder, claimed[above], claim, configuration.apps[claim.split(" ")[0]])


def _claimed_twice(folder: str, first: str, second: str, record: AppRecord) -> ConfigError:
    return ConfigError(
        f"{first} and {second} both claim the output folder {folder}",
        where=record.place(),
        hint=f"give {SETTINGS} an output path with {{environment}} and {{app}}",
    )
