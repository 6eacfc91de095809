"""Configuration files -> checked, frozen records. Every error names file, line, key, what was expected and found."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from headgate.cluster_checks import cluster_names, depends_on_problem
from headgate.consistency import check_app, check_app_name, check_outputs, check_settings
from headgate.engine.reading import SourceText, documents, documents_request, read_ahead
from headgate.errors import ConfigError, HeadgateError, Location
from headgate.explain import explain
from headgate.model import App, AppEnvironment, FreezeRecord, Lock, Settings, StrictModel, TemplateSettings
from headgate.paths import APPS, ENVIRONMENTS, FROZEN, LOCK, SETTINGS
from headgate.repository.tree import prefetch
from headgate.yamltext.plain import read_plain

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from headgate.model import Environment, Image, Mirror
    from headgate.repository.tree import Tree

RecordType = TypeVar("RecordType", bound=StrictModel)


_NOTHING_ELSE = AppEnvironment()


@dataclass(frozen=True)
class AppRecord:
    """An app: its name (its folder's), where its files are, and what its app.yaml says."""

    name: str
    folder: str
    app: App
    text: SourceText

    def place(self, *path: str | int) -> Location:
        """Return where a key of app.yaml stands."""
        return self.text.place(path)

    def environments(self, settings: Settings) -> list[str]:
        """Return the environments that it runs in, in the order of headgate.yaml."""
        chosen = self.app.environments
        return [name for name in settings.environments if chosen is None or name in chosen]

    def here(self, environment: str) -> AppEnvironment:
        """Return what the app does differently in an environment."""
        return (self.app.environments or {}).get(environment) or _NOTHING_ELSE

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


class Apps(Mapping[str, "AppRecord"]):
    """The apps that can be used, by name. An app.yaml is parsed when its app is asked for: of thousands few are."""

    def __init__(self, tree: Tree, settings: Settings, folders: Sequence[str]) -> None:
        """Take the folders as they are; of two with the same name the first one is the app."""
        self._tree, self._settings = tree, settings
        self._folders: dict[str, str] = {}
        self._twice: dict[str, HeadgateError] = {}
        self._found: dict[str, AppRecord | HeadgateError] = {}
        for folder in folders:
            name = folder.rsplit("/", 1)[1]
            first = self._folders.setdefault(name, folder)
            if first != folder:
                self._twice[folder] = _there_twice(name, first, folder)

    @property
    def names(self) -> list[str]:
        """The names of all apps, those too that cannot be used."""
        return list(self._folders)

    @property
    def broken(self) -> dict[str, HeadgateError]:
        """The error of each app that cannot be used, by its folder."""
        self._find_all(self._folders)
        found = {self._folders[name]: one for name, one in self._found.items()} | self._twice
        return {folder: one for folder, one in sorted(found.items()) if isinstance(one, HeadgateError)}

    def error(self, name: str) -> HeadgateError | None:
        """Return what is wrong with an app, if anything is."""
        twice = (error for folder, error in self._twice.items() if folder.rsplit("/", 1)[1] == name)
        found = self._find(name) if name in self._folders else None
        return found if isinstance(found, HeadgateError) else next(twice, None)

    def mentioning(self, word: str) -> list[AppRecord]:
        """Return the apps whose app.yaml may hold a word somewhere in a value; without parsing most of the others.

        YAML can only hold it letter by letter, or where it has an escape, a tag, or another encoding than UTF-8.
        """
        may = self._mentioning(word)
        self._find_all(may)
        return [self[name] for name in may if name in self]

    def broken_by(self, word: str) -> list[HeadgateError]:
        """Return the errors of the apps that cannot be used and whose app.yaml may hold a word."""
        found = (self._find(name) for name in self._mentioning(word))
        return [one for one in found if isinstance(one, HeadgateError)]

    def _mentioning(self, word: str) -> list[str]:
        marks = (word.encode(), b"\\", b"!", b"\0")
        return [name for name in self._folders if any(mark in self._text(name) for mark in marks)]

    def _text(self, name: str) -> bytes:
        try:
            return self._tree.read(f"{self._folders[name]}/app.yaml")
        except HeadgateError:
            return b"\0"  # nobody knows what it says

    def _find_all(self, names: Collection[str]) -> None:
        """Find many, whose files are read together."""
        requests = []
        for name in names:
            file = f"{self._folders[name]}/app.yaml"
            with suppress(HeadgateError):  # which `_find` keeps
                if name not in self._found:
                    requests.append(documents_request(self._tree.read(file), file))
        read_ahead(requests)
        for name in names:
            self._find(name)

    def _find(self, name: str) -> AppRecord | HeadgateError:
        if name not in self._found:
            try:
                record = _load_app(self._tree, self._folders[name], name, self._settings)
                self._check_depends_on(record)
                self._found[name] = record
            except HeadgateError as error:
                self._found[name] = error
        return self._found[name]

    def _check_depends_on(self, record: AppRecord) -> None:
        """Check what an app depends on. Raises ConfigError. What another app says of itself is not checked here."""
        problem = depends_on_problem(record.name, record.app.depends_on, self.names, self._needs)
        if problem:
            raise ConfigError(problem, where=record.place("depends_on"), hint="correct 'depends_on', or leave it out")

    def _needs(self, name: str) -> Sequence[str]:
        file = f"{self._folders.get(name, name)}/app.yaml"
        try:
            return parse(self._tree.read(file), file, App)[0].depends_on
        except (HeadgateError, KeyError):
            return ()  # it fails by itself

    def __getitem__(self, name: str) -> AppRecord:
        """Return an app. Raises KeyError when there is none, or when it cannot be used."""
        found = self._find(name)
        if isinstance(found, HeadgateError):
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        """Yield the names of the apps that can be used."""
        self._find_all(self._folders)
        return (name for name in self._folders if name in self)

    def __len__(self) -> int:
        """How many apps can be used."""
        return sum(1 for _ in self)


def _there_twice(name: str, first: str, folder: str) -> ConfigError:
    return ConfigError(
        f"the app '{name}' is there twice, expected a unique name",
        where=Location(f"{folder}/app.yaml"),
        hint=f"the other one is {first}/app.yaml",
    )


@dataclass(frozen=True)
class Configuration:
    """All configuration of a manifest repository."""

    settings: Settings
    apps: Apps
    lock: Lock | None
    frozen: dict[str, FreezeRecord] = field(default_factory=dict)

    @property
    def broken(self) -> dict[str, HeadgateError]:
        """The error of each app that cannot be used, by its folder."""
        return self.apps.broken

    def environment(self, name: str) -> Environment:
        """Return the settings of an environment."""
        return self.settings.environments[name]

    def cluster(self, environment: str) -> str:
        """Return the name of the cluster that an environment runs on."""
        return self.settings.environments[environment].cluster or environment

    def clusters(self, environment: str) -> frozenset[str]:
        """Return the names of all clusters that an environment runs on."""
        return cluster_names(self.settings, environment)

    def output_folder(self, app: str, environment: str) -> str:
        """Return the folder of an app's final YAML in an environment."""
        path = self.settings.environments[environment].output.path
        return path.replace("{environment}", environment).replace("{app}", app)

    def mirror(self, app: str, environment: str) -> Mirror | None:
        """Return the branch that repeats an app's final YAML and its folder there; None when none is wanted."""
        mirror = self.settings.environments[environment].output.mirror
        if mirror is None:
            return None
        branch = mirror.branch.replace("{environment}", environment)
        path = mirror.path.replace("{environment}", environment).replace("{app}", app)
        return mirror.model_copy(update={"branch": branch, "path": path})

    def guarded_by(self, target: Settings) -> Configuration:
        """Return this with the guards of the branch that it is to be merged into: nobody lifts his own."""
        guards = {"limits": target.limits, "sandbox": target.sandbox, "gitlab": target.gitlab}
        return replace(self, settings=self.settings.model_copy(update=guards))

    def without_sandbox(self) -> Configuration:
        """Return this for a trial on a machine where the engine cannot lock itself in."""
        return replace(self, settings=self.settings.model_copy(update={"sandbox": "optional"}))

    def pairs(self, *, mentioning: str = "") -> list[tuple[AppRecord, str]]:
        """Return every app, or those whose app.yaml may hold a word, with every environment that it runs in."""
        apps = self.apps.mentioning(mentioning) if mentioning else self.apps.values()
        return [(app, name) for app in apps for name in app.environments(self.settings)]


def parse(data: bytes, file: str, model: type[RecordType]) -> tuple[RecordType, SourceText]:
    """Read one file into its record. Raises ConfigError or YamlError for the first thing that is wrong."""
    read = documents(data, file)
    if len(read) != 1:
        found = "nothing" if not read else f"{len(read)} YAML documents"
        raise ConfigError(f"expected one YAML document, found {found}", where=Location(file))
    text, values = SourceText(data, file), read[0].data
    try:
        return model.model_validate(values), text
    except ValidationError as error:
        raise explain(error, values, text, model) from None


def parse_record(data: bytes, file: str, model: type[RecordType]) -> RecordType:
    """Read a file that Headgate alone writes, as `parse` does, and faster where it is as it was written."""
    plain = read_plain(data)
    if plain is not None:
        with suppress(ValidationError):  # said with its place below
            return model.model_validate(plain)
    return parse(data, file, model)[0]


def load(tree: Tree) -> Configuration:
    """Read and check all configuration. Raises when headgate.yaml or headgate.lock is wrong.

    What is wrong with one app stands in ``broken``: it fails alone.
    """
    folders = app_folders(tree)
    _read_ahead(tree, folders)
    if SETTINGS not in tree:
        raise ConfigError(
            "the file is missing", where=Location(SETTINGS), hint="it makes a folder a manifest repository"
        )
    settings = read_settings(tree)
    lock = parse_record(tree.read(LOCK), LOCK, Lock) if LOCK in tree else None
    configuration = Configuration(settings, Apps(tree, settings, folders), lock, _frozen(tree, settings))
    check_outputs(configuration)
    return configuration


def keeps_records_apart(tree: Tree) -> bool:
    """Whether headgate.yaml says so; not where there is none. Raises ConfigError, YamlError."""
    _read_ahead(tree, app_folders(tree))  # all that `load` reads next is fetched with it
    return SETTINGS in tree and read_settings(tree).records == "branch"


def _read_ahead(tree: Tree, folders: Sequence[str]) -> None:
    prefetch(tree, [SETTINGS, LOCK, ENVIRONMENTS, *(f"{folder}/app.yaml" for folder in folders)])


def read_settings(tree: Tree) -> Settings:
    """Read and check headgate.yaml alone. Raises ConfigError, YamlError."""
    settings, text = parse(tree.read(SETTINGS), SETTINGS, Settings)
    check_settings(settings, text)
    return settings


def _frozen(tree: Tree, settings: Settings) -> dict[str, FreezeRecord]:
    files = {name: f"{ENVIRONMENTS}/{name}/{FROZEN}" for name in settings.environments}
    return {name: parse_record(tree.read(file), file, FreezeRecord) for name, file in files.items() if file in tree}


def app_folders(tree: Tree) -> list[str]:
    """Return the folders below ``apps/`` with an app.yaml; what is below an app's folder is never an app."""
    folders: set[str] = set()
    files = [path for path in tree.paths(APPS) if path.endswith("/app.yaml")]
    for path in sorted(files, key=lambda path: (path.count("/"), path)):
        folder = path.removesuffix("/app.yaml")
        above = folder.split("/")
        if folder != APPS and not any("/".join(above[:depth]) in folders for depth in range(2, len(above))):
            folders.add(folder)
    return sorted(folders)


def _load_app(tree: Tree, folder: str, name: str, settings: Settings) -> AppRecord:
    file = f"{folder}/app.yaml"
    check_app_name(name, file)
    app, text = parse(tree.read(file), file, App)
    record = AppRecord(name, folder, app, text)
    check_app(record, settings, tree)
    return record


def load_template(tree: Tree, folder: str) -> TemplateSettings:
    """Read the template.yaml of a template's folder; without one, everything is default."""
    file = f"{folder}/template.yaml"
    return parse(tree.read(file), file, TemplateSettings)[0] if file in tree else TemplateSettings()
