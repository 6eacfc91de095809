"""Configuration, releases and values -> what to render for each app in each environment. Pure."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from headgate.config import record_request
from headgate.engine.reading import read_ahead, values_request
from headgate.errors import ConfigError, HeadgateError
from headgate.hydration.inputs import Fingerprints, input_sources, inputs_id, settings_facts
from headgate.hydration.template import (
    check_schema,
    current_scope,
    own_config,
    shared_template,
    template_paths,
    unread,
)
from headgate.model import Release
from headgate.objects.images import canonical_repository
from headgate.paths import ENVIRONMENTS
from headgate.records import frozen_record
from headgate.releases.origin import in_origin, origin_of
from headgate.releases.release import config_folder, missing_parts, read_release, release_file
from headgate.render import engine_of
from headgate.render.protocol import Render
from headgate.render.values import check_grant, has_template, merge_all, read_layer, shadowed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from headgate.configuration import AppRecord, Configuration
    from headgate.engine.protocol import Request
    from headgate.hydration.template import Source
    from headgate.model import Image, ReleasedImage
    from headgate.notice import Notice
    from headgate.render.values import Layer
    from headgate.repository.tree import Tree


@frozen_record
class Planned:
    """An app in an environment, ready to render. ``inputs`` identifies everything that the result depends on."""

    record: AppRecord
    environment: str
    render: Render
    images: Mapping[str, Image]
    hooks: str | None
    own_config: bool
    inputs: str
    fingerprint: str
    engine: str
    """Name and version: ``helm 4.3.1``."""
    warnings: tuple[Notice, ...]
    sources: Mapping[str, str] = field(default_factory=dict)
    """Each input by its kind and name, with an id of its content: `input_sources`."""
    hold_reason: str = ""

    @property
    def without_values(self) -> Planned:
        """The part of a plan that is still needed after the render."""
        return replace(self, render=replace(self.render, values={}, layers=(), images={}))


@frozen_record
class Unplannable:
    """An app in an environment that cannot be hydrated: it waits for a part, or has an error."""

    record: AppRecord
    environment: str
    waits_for: tuple[str, ...] = ()
    error: HeadgateError | None = None


_NO_RELEASE = Release()


def hold_reason(configuration: Configuration, record: AppRecord, environment: str, release: Release | None) -> str:
    """Return who pinned the app or froze the environment, and why; empty when neither is true.

    A freeze of a reviewed environment holds the merge, not the proposal.
    """
    reviewed = record.delivery(configuration.settings, environment) == "review"
    freeze = None if reviewed else configuration.frozen.get(environment)
    if release is not None and release.pin is not None:
        return f"pinned by {release.pin.by}: {release.pin.reason}"
    return f"{environment} is frozen by {freeze.by}: {freeze.reason}" if freeze else ""


def input_paths(targets: Collection[tuple[AppRecord, str]]) -> list[str]:
    """Return the paths that planning and rendering these app-environments read, except configuration files."""
    paths = dict.fromkeys(template_paths(targets))
    for record, environment in targets:
        layers = [f"{record.folder}/values.yaml", f"{record.folder}/values.{environment}.yaml"]
        paths |= dict.fromkeys([*layers, record.release_folder(environment)])
    return list(paths)


def output_folders(configuration: Configuration, targets: Iterable[tuple[AppRecord, str]]) -> list[str]:
    """Return the output folders of these app-environments."""
    return [configuration.output_folder(record.name, environment) for record, environment in targets]


def named(error: HeadgateError, tree: Tree, record: AppRecord, environment: str) -> HeadgateError:
    """Return an app's error here, with the files that a hand-off brought named as in the app's repository."""
    with suppress(HeadgateError):  # a release that cannot be read is the error
        release = read_release(tree, record, environment)
        config = release.config if release is not None else None
        if config is not None:
            origin = origin_of(config.project, config.commit)
            is_own = record.app.template is None
            return in_origin(error, config_folder(record, environment), config.path, origin, is_own=is_own)
    return error


class Planner:
    """Plans app-environments of one tree; reads and checks each template and each values file once."""

    def __init__(self, tree: Tree, configuration: Configuration, version_of: Callable[[str], str]) -> None:
        """Plan from a tree and its configuration; ``version_of`` gives an engine's version."""
        self._tree, self._configuration, self._version_of = tree, configuration, version_of
        self._budget = configuration.budget
        self._fingerprints = Fingerprints(tree, configuration, version_of)
        self._templates: dict[tuple[str, str | None], Source | HeadgateError] = {}
        self._layers_read: dict[str, Layer | None] = {}
        self._engines: dict[tuple[str, str], str] = {}

    def read_ahead(self, targets: Iterable[tuple[AppRecord, str]]) -> None:
        """Read the releases and the values of these app-environments together."""
        requests: dict[str, Request] = {}
        for record, environment in targets:
            with suppress(HeadgateError):  # `plan` reports it
                file = release_file(record, environment)
                release = record_request(self._tree, file)
                requests |= {file: release} if release else {}
                for file, owner in _layer_files(record, environment):
                    if file in self._tree and file not in requests:
                        if owner:
                            own_config(self._tree, config_folder(record, environment))
                        requests[file] = values_request(self._tree.read(file), file, owner=owner, budget=self._budget)
        read_ahead(requests.values())

    def plan(self, record: AppRecord, environment: str) -> Planned | Unplannable:
        """Plan one app in one environment."""
        try:
            release = read_release(self._tree, record, environment)
            missing = missing_parts(release, record, environment)
            if missing:
                return Unplannable(record=record, environment=environment, waits_for=tuple(missing))
            return self._planned(record, environment, release or _NO_RELEASE)
        except HeadgateError as error:
            return Unplannable(
                record=record, environment=environment, error=named(error, self._tree, record, environment)
            )

    def fingerprint(self, record: AppRecord, environment: str) -> tuple[str, str] | None:
        """Return the engine and the fingerprint of an app here (see `Fingerprints`) before any file is parsed.

        None when it cannot be computed.
        """
        try:
            config = None if record.app.config is None else unread(self._tree, config_folder(record, environment))
            # A release that names a version of its template never matches: that source has another label.
            source = self._source(record, config, None)
            engine = self._engine(source, environment)
            return engine, self._fingerprints.of(record, environment, source, engine)
        except HeadgateError:
            return None  # `plan` reports it

    def _engine(self, source: Source, environment: str) -> str:
        if source.template.engine:
            return source.template.engine
        key = (source.files.id, environment)
        if key not in self._engines:
            self._engines[key] = engine_of(source.files, environment, source.label)
        return self._engines[key]

    def _planned(self, record: AppRecord, environment: str, release: Release) -> Planned:
        images, released = record.images(environment), release.images
        _check_repositories(record, images, released)
        config = None if record.app.config is None else own_config(self._tree, config_folder(record, environment))
        source = self._source(record, config, release.template)
        layers = self._layers(record, environment, source, config)
        values = merge_all(layer.values for layer in layers)
        if source.template.values_schema:
            check_schema(source, values)
        engine = self._engine(source, environment)
        settings = self._configuration.environment(environment)
        hooks = record.app.hooks or source.template.hooks
        # Only a source that may refer to its neighbours needs more than its own files.
        scope, folder = (source.scope, source.folder) if source.has_neighbours else (source.files, "")
        render = Render(
            app=record.name,
            environment=environment,
            engine=engine,
            scope=scope,
            folder=folder,
            label=source.label,
            owner=_owner(record, layers),
            values=values,
            layers=layers,
            images={name: image for name, image in released.items() if name in images},
            namespace=record.namespace(environment),
            kubernetes=settings.kubernetes or "",
            api_versions=settings.api_versions,
            hooks=hooks or "",
            budget=self._budget,
        )
        version = self._version_of(engine)
        facts = settings_facts(render, record, hooks, self._configuration.settings)
        return Planned(
            record=record,
            environment=environment,
            render=render,
            images=images,
            hooks=hooks,
            own_config=record.app.template is None,
            inputs=inputs_id(render, source, facts, version),
            fingerprint=self._fingerprints.of(record, environment, source, engine),
            engine=f"{engine} {version}".rstrip(),
            warnings=tuple(shadowed(layers)),
            sources=input_sources(render, source, config, facts),
            hold_reason=hold_reason(self._configuration, record, environment, release),
        )

    def _source(self, record: AppRecord, config: Source | None, version: str | None) -> Source:
        name = record.app.template
        if name is None:
            if config is None:
                raise ConfigError("nothing to render", where=record.place())  # the model prevents it
            return config
        template = self.template(name, version)
        if isinstance(template, HeadgateError):
            raise template
        return template

    def template(self, name: str, version: str | None = None) -> Source | HeadgateError:
        """Return a shared template, in its current or an older version, or its error."""
        key = (name, version)
        if key not in self._templates:
            try:
                self._templates[key] = shared_template(self._tree, lambda: self._scope, name, version)
            except HeadgateError as error:
                self._templates[key] = error
        return self._templates[key]

    @cached_property
    def _scope(self) -> Tree:
        return current_scope(self._tree)

    def _layers(self, record: AppRecord, environment: str, source: Source, config: Source | None) -> tuple[Layer, ...]:
        """Read all layers above the template's defaults and check the grant."""
        files = _layer_files(record, environment)
        layers = tuple(layer for layer in (self._layer(*file) for file in files) if layer is not None)
        if record.app.template and config is not None:
            check_grant(layers, (*source.template.grant, *record.app.grant), source.defaults)
        return layers

    def _layer(self, file: str, owner: str) -> Layer | None:
        if file not in self._layers_read:
            self._layers_read[file] = read_layer(self._tree, file, owner=owner, budget=self._budget)
        return self._layers_read[file]


def _layer_files(record: AppRecord, environment: str) -> list[tuple[str, str]]:
    """Return the values files above the template's own, lowest first, each with the app that owns it."""
    folder, here = record.folder, f"{ENVIRONMENTS}/{environment}"
    files = [(f"{here}/values.yaml", "")]
    if record.app.config is not None:
        own = config_folder(record, environment)
        # Without a shared template, the app's values.yaml holds the defaults and is no layer.
        files += [(f"{own}/values.yaml", record.name)] if record.app.template else []
        files += [(f"{own}/values.{environment}.yaml", record.name)]
    files += [(f"{folder}/values.yaml", ""), (f"{folder}/values.{environment}.yaml", "")]
    return [*files, (f"{here}/overrides.yaml", "")]


def _owner(record: AppRecord, layers: Iterable[Layer]) -> str:
    """Return the owner of the inputs: the app, if it brings the code or a value that a chart could run as code."""
    if record.app.template is None and record.app.config is not None:
        return record.name
    return record.name if any(layer.from_app and has_template(layer.values) for layer in layers) else ""


def _check_repositories(record: AppRecord, images: Mapping[str, Image], released: Mapping[str, ReleasedImage]) -> None:
    for name, image in released.items():
        if name in images and canonical_repository(image.repository) != canonical_repository(images[name].repository):
            raise ConfigError(
                f"the image '{name}' was released from {image.repository}, expected {images[name].repository}",
                where=record.place("images", name),
                hint="hand it off again from the new repository",
            )
