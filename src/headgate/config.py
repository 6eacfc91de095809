"""Configuration files -> validated, frozen records. Errors name file, line, key, expected and actual value."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from headgate.cluster_checks import depends_on_problem
from headgate.configuration import AppRecord, Apps, Configuration
from headgate.consistency import check_app, check_app_name, check_outputs, check_settings
from headgate.engine.reading import SourceText, documents, documents_request
from headgate.errors import ConfigError, HeadgateError, Location
from headgate.explain import explain
from headgate.model import App, FreezeRecord, Lock, Settings, StrictModel, TemplateSettings
from headgate.paths import APPS, ENVIRONMENTS, FROZEN, LOCK, POLICIES, SETTINGS, TEMPLATES, WRONG_FOLDER
from headgate.repository.tree import prefetch
from headgate.yamltext.plain import read_plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.engine.protocol import Request
    from headgate.repository.tree import Tree

RecordType = TypeVar("RecordType", bound=StrictModel)


def parse(data: bytes, file: str, model: type[RecordType]) -> tuple[RecordType, SourceText]:
    """Read a file into its record. Raises ConfigError or YamlError for the first problem."""
    read = documents(data, file)
    if len(read) != 1:
        count = "nothing" if not read else f"{len(read)} YAML documents"
        raise ConfigError(f"expected one YAML document, found {count}", where=Location(file))
    text, values = SourceText(data, file), read[0].data
    try:
        return model.model_validate(values), text
    except ValidationError as error:
        raise explain(error, values, text, model) from None


def parse_record(data: bytes, file: str, model: type[RecordType]) -> RecordType:
    """Read a file that only Headgate writes, like `parse` but faster if it is unchanged."""
    known: RecordType | None = _unchanged_record(data, model)
    return known if known is not None else parse(data, file, model)[0]


@lru_cache(maxsize=4096)  # several steps read a release, and a promotion takes it along as it is
def _unchanged_record(data: bytes, model: type[RecordType]) -> RecordType | None:
    """Read a file as Headgate writes it; None for any other, whose errors need its place."""
    plain = read_plain(data)
    with suppress(ValidationError):
        return model.model_validate(plain) if plain is not None else None
    return None


def record_request(tree: Tree, file: str) -> Request | None:
    """Return the request that reads a record ahead; None for a missing file, and where `parse_record` needs none."""
    if file not in tree or read_plain(data := tree.read(file)) is not None:
        return None
    return documents_request(data, file)


def load(tree: Tree) -> Configuration:
    """Read and check all configuration. Raises if headgate.yaml or headgate.lock is invalid.

    ``broken`` has the errors of apps, which fail alone.
    """
    folders = app_folders(tree)
    _read_ahead(tree, folders)
    if SETTINGS not in tree:
        raise ConfigError("file not found", where=Location(SETTINGS), hint=WRONG_FOLDER)
    settings = read_settings(tree)
    lock = parse_record(tree.read(LOCK), LOCK, Lock) if LOCK in tree else None
    files = {name: f"{ENVIRONMENTS}/{name}/{FROZEN}" for name in settings.environments}
    frozen = {name: parse_record(tree.read(file), file, FreezeRecord) for name, file in files.items() if file in tree}
    apps = Apps(tree, folders, lambda folder, name: _load_app(tree, folder, name, settings, folders))
    policies = tree.folder(POLICIES)
    configuration = Configuration(settings=settings, apps=apps, lock=lock, frozen=frozen, policies=policies)
    check_outputs(configuration)
    return configuration


def check_is_manifests(tree: Tree, place: str) -> None:
    """Check that the files at a place (a folder, an address) are those of a manifest repository. Raises ConfigError."""
    if SETTINGS not in tree:
        raise ConfigError(f"not a manifest repository, it has no {SETTINGS}", where=Location(place), hint=WRONG_FOLDER)


def keeps_records_apart(tree: Tree) -> bool:
    """Whether headgate.yaml has ``records: branch``; false without the file. Raises ConfigError, YamlError."""
    _read_ahead(tree, app_folders(tree))  # fetches everything that `load` reads next
    return SETTINGS in tree and read_settings(tree).records == "branch"


def _read_ahead(tree: Tree, folders: Sequence[str]) -> None:
    tree.look_up(
        [TEMPLATES]
    )  # an app is checked, perhaps when the repository is gone, for whether its template is there
    prefetch(tree, [SETTINGS, LOCK, ENVIRONMENTS, POLICIES, *(f"{folder}/app.yaml" for folder in folders)])


def read_settings(tree: Tree) -> Settings:
    """Read and check headgate.yaml. Raises ConfigError, YamlError."""
    settings, text = parse(tree.read(SETTINGS), SETTINGS, Settings)
    check_settings(settings, text)
    return settings


def app_folders(tree: Tree) -> list[str]:
    """Return the folders in ``apps/`` with an app.yaml, except folders inside an app's folder.

    What is on record of an app whose app.yaml is gone may hold a file of that name too, which its project handed off.
    """
    return [folder for folder in tree.outermost("app.yaml", APPS) if not _ON_RECORD.search(folder)]


_ON_RECORD = re.compile(r"/releases/[^/]+/(config|held|diverged|proposed|failed|waiting)(/|$)")


def _load_app(tree: Tree, folder: str, name: str, settings: Settings, folders: Sequence[str]) -> AppRecord:
    file = f"{folder}/app.yaml"
    check_app_name(name, file)
    app, text = parse(tree.read(file), file, App)
    record = AppRecord(name=name, folder=folder, app=app, text=text)
    check_app(record, settings, tree)
    _check_depends_on(record, tree, folders)
    return record


def _check_depends_on(record: AppRecord, tree: Tree, folders: Sequence[str]) -> None:
    """Check the apps that an app depends on. Raises ConfigError. Errors of those apps are reported with them."""
    by_name = {folder.rsplit("/", 1)[1]: folder for folder in reversed(folders)} if record.app.depends_on else {}

    def dependencies(name: str) -> Sequence[str]:
        file = f"{by_name.get(name, name)}/app.yaml"
        try:
            return parse(tree.read(file), file, App)[0].depends_on
        except (HeadgateError, KeyError):
            return ()

    problem = depends_on_problem(record.name, record.app.depends_on, list(by_name), dependencies)
    if problem:
        raise ConfigError(problem, where=record.place("depends_on"), hint="correct 'depends_on', or leave it out")


def load_template(tree: Tree, folder: str) -> TemplateSettings:
    """Read the template.yaml of a template's folder, or return the defaults."""
    file = f"{folder}/template.yaml"
    return parse(tree.read(file), file, TemplateSettings)[0] if file in tree else TemplateSettings()
