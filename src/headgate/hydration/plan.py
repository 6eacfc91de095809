"""Which app to hydrate where, from what: configuration, releases and values -> renders. Pure."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from headgate import __version__
from headgate.engine.budget import MEBI, Budget
from headgate.engine.reading import documents_request, read_ahead, values_request
from headgate.errors import ConfigError, HeadgateError, Location
from headgate.flux.files import writes_flux_objects
from headgate.hydration.template import current_scope, own_config, shared_template, unread
from headgate.model import Release
from headgate.objects.canonical import OUTPUT_FORMAT
from headgate.objects.images import canonical_repository
from headgate.paths import ENVIRONMENTS, TEMPLATES, VERSIONS
from headgate.releases.release import config_folder, missing_parts, read_release, release_file
from headgate.render import engine_of
from headgate.render.protocol import Render
from headgate.render.values import check_grant, has_template, merge_all, read_layer, shadowed, without_nulls
from headgate.yamltext.valuepath import dotted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from headgate.config import AppRecord, Configuration
    from headgate.engine.protocol import Request
    from headgate.hydration.template import Source
    from headgate.model import Image, ReleasedImage, SettingsLimits
    from headgate.render.values import Layer
    from headgate.repository.tree import Tree


@dataclass(frozen=True)
class Planned:
    """An app in an environment, ready to be rendered. ``inputs`` identifies everything the result depends on."""

    record: AppRecord
    environment: str
    render: Render
    images: Mapping[str, Image]
    hooks: str | None
    own_config: bool
    inputs: str
    quick: str
    engine: str
    """What renders it, with its version: ``helm 4.3.1``."""
    warnings: tuple[str, ...]
    hold_reason: str = ""
    """Why nothing reaches it by itself: pinned or frozen, by whom."""


@dataclass(frozen=True)
class Unplannable:
    """An app in an environment that cannot be hydrated: it waits for a part, or something is wrong with it."""

    record: AppRecord
    environment: str
    waits_for: tuple[str, ...] = ()
    error: HeadgateError | None = None


_NO_RELEASE = Release()


def hold_reason(configuration: Configuration, record: AppRecord, environment: str, release: Release | None) -> str:
    """Say why no change of inputs reaches an app by itself: pinned or frozen, by whom; or nothing.

    Where people review, a freeze holds the merge, not what is proposed.
    """
    reviewed = record.delivery(configuration.settings, environment) == "review"
    freeze = None if reviewed else configuration.frozen.get(environment)
    if release is not None and release.pin is not None:
        return f"pinned by {release.pin.by}: {release.pin.reason}"
    return f"{environment} is frozen by {freeze.by}: {freeze.reason}" if freeze else ""


def input_paths(tree: Tree, targets: Iterable[tuple[AppRecord, str]]) -> list[str]:
    """Return the folders and files that planning and rendering these app-environments reads, the configuration apart.

    Templates may refer to each other, so all are among them, but no older versions.
    """
    templates = {"/".join(path.split("/")[:2]) for path in tree.paths(TEMPLATES)} - {VERSIONS}
    found = dict.fromkeys(sorted(templates))
    for record, environment in targets:
        layers = [f"{record.folder}/values.yaml", f"{record.folder}/values.{environment}.yaml"]
        found |= dict.fromkeys([*layers, record.release_folder(environment)])
    return list(found)


def output_folders(configuration: Configuration, targets: Iterable[tuple[AppRecord, str]]) -> list[str]:
    """Return the output folders of these app-environments, whose content is compared with what is rendered."""
    return [configuration.output_folder(record.name, environment) for record, environment in targets]


@dataclass(frozen=True)
class Planner:
    """Plans app-environments of one tree; each template is read and checked once."""

    tree: Tree
    configuration: Configuration
    version_of: Callable[[str], str]
    _templates: dict[tuple[str, str | None], Source | HeadgateError] = field(default_factory=dict)
    _scopes: dict[str, Tree] = field(default_factory=dict)
    _read: dict[str, Layer | None] = field(default_factory=dict)
    _settings: dict[str, str] = field(default_factory=dict)
    _engines: dict[tuple[str, str], str] = field(default_factory=dict)

    def read_ahead(self, targets: Iterable[tuple[AppRecord, str]]) -> None:
        """Have the releases and the values of these app-environments read together, before they are planned."""
        budget = budget_of(self.configuration.settings.limits)
        requests: dict[str, Request] = {}
        for record, environment in targets:
            with suppress(HeadgateError):  # which `plan` explains
                file = release_file(record, environment)
                requests |= {file: documents_request(self.tree.read(file), file)} if file in self.tree else {}
                for file, owner in _layer_files(record, environment):
                    if file in self.tree and file not in requests:
                        if owner:
                            own_config(self.tree, config_folder(record, environment))
                        requests[file] = values_request(self.tree.read(file), file, owner=owner, budget=budget)
        read_ahead(requests.values())

    def plan(self, record: AppRecord, environment: str) -> Planned | Unplannable:
        """Plan one app in one environment."""
        try:
            release = read_release(self.tree, record, environment)
            missing = missing_parts(release, record, environment)
            if missing:
                return Unplannable(record, environment, waits_for=tuple(missing))
            return self._planned(record, environment, release or _NO_RELEASE)
        except HeadgateError as error:
            return Unplannable(record, environment, error=error)

    def quick(self, record: AppRecord, environment: str) -> tuple[str, str] | None:
        """Identify by the ids of files all that an app depends on here, before any of them is parsed.

        Returns the engine and the key, or None when that cannot be told. Equal keys mean equal `Planned.inputs`,
        not the other way round: a comment changes the key.
        """
        try:
            config = None if record.app.config is None else unread(self.tree, config_folder(record, environment))
            # A release that names a version of its template never has this key: its source is called otherwise.
            source = self._source(record, config, None)
            engine = self._engine(source, environment)
            return engine, self._quick(record, environment, source, engine)
        except HeadgateError:
            return None  # which `plan` explains

    def _quick(self, record: AppRecord, environment: str, source: Source, engine: str) -> str:
        here, folder = f"{ENVIRONMENTS}/{environment}", record.folder
        names = [f"{here}/values.yaml", f"{here}/overrides.yaml", f"{folder}/app.yaml", f"{folder}/values.yaml"]
        names += [f"{folder}/values.{environment}.yaml"]
        facts = [
            *(__version__, str(OUTPUT_FORMAT), engine, self.version_of(engine), folder, environment),
            *(source.id, source.label, self.tree.oid(release_file(record, environment))),
            self.tree.folder(config_folder(record, environment)).id,
            *(self.tree.oid(name) for name in names),
            self._settings_of(environment),
        ]
        return hashlib.sha256("\0".join(facts).encode()).hexdigest()

    def _settings_of(self, environment: str) -> str:
        if environment not in self._settings:
            settings, here = self.configuration.settings, self.configuration.environment(environment)
            facts = [here.kubernetes, here.api_versions, dict(settings.workloads), dict(settings.scopes)]
            facts += ["flux"] if writes_flux_objects(settings, environment) else []
            self._settings[environment] = json.dumps(facts, sort_keys=True)
        return self._settings[environment]

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
        config = None if record.app.config is None else own_config(self.tree, config_folder(record, environment))
        source = self._source(record, config, release.template)
        layers = self._layers(record, environment, source, config)
        values = merge_all(layer.values for layer in layers)
        if source.template.values_schema:
            _check_schema(source, values)
        engine = self._engine(source, environment)
        settings = self.configuration.environment(environment)
        hooks = record.app.hooks or source.template.hooks
        # Only what may refer to its neighbours needs more than its own files.
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
            budget=budget_of(self.configuration.settings.limits),
        )
        return Planned(
            record,
            environment,
            render,
            images,
            hooks,
            own_config=record.app.template is None,
            inputs=self._inputs(render, source, record, hooks),
            quick=self._quick(record, environment, source, engine),
            engine=f"{engine} {self.version_of(engine)}".rstrip(),
            warnings=tuple(shadowed(layers)),
            hold_reason=hold_reason(self.configuration, record, environment, release),
        )

    def _source(self, record: AppRecord, config: Source | None, version: str | None) -> Source:
        name = record.app.template
        if name is None:
            if config is None:
                raise ConfigError("nothing to render", where=record.place())  # the model forbids it
            return config
        found = self.template(name, version)
        if isinstance(found, HeadgateError):
            raise found
        return found

    def template(self, name: str, version: str | None = None) -> Source | HeadgateError:
        """Return a shared template, as it is now or in a version, or what is wrong with it. Read once."""
        key = (name, version)
        if key not in self._templates:
            if not self._scopes:
                self._scopes[TEMPLATES] = current_scope(self.tree)
            try:
                self._templates[key] = shared_template(self.tree, self._scopes[TEMPLATES], name, version)
            except HeadgateError as error:
                self._templates[key] = error
        return self._templates[key]

    def _layers(self, record: AppRecord, environment: str, source: Source, config: Source | None) -> tuple[Layer, ...]:
        """Read all layers above the template's defaults, and check the grant."""
        files = _layer_files(record, environment)
        layers = tuple(layer for layer in (self._layer(*file) for file in files) if layer is not None)
        if record.app.template and config is not None:
            check_grant(layers, (*source.template.grant, *record.app.grant), source.defaults)
        return layers

    def _layer(self, file: str, owner: str) -> Layer | None:
        if file not in self._read:
            budget = budget_of(self.configuration.settings.limits)
            self._read[file] = read_layer(self.tree, file, owner=owner, budget=budget)
        return self._read[file]

    def _inputs(self, render: Render, source: Source, record: AppRecord, hooks: str | None) -> str:
        settings = self.configuration.settings
        facts: list[Any] = [
            *(OUTPUT_FORMAT, render.engine, self.version_of(render.engine), source.id, source.folder),
            *(render.app, render.environment, render.namespace, render.kubernetes, render.api_versions),
            render.values,
            {name: image.reference for name, image in render.images.items()},
            {name: image.model_dump() for name, image in record.images(render.environment).items()},
            *(hooks, record.app.allow.model_dump(), record.app.template is None),
            *(dict(settings.workloads), dict(settings.scopes)),
            *(["flux"] if writes_flux_objects(settings, render.environment) else []),
        ]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _layer_files(record: AppRecord, environment: str) -> list[tuple[str, str]]:
    """Return the files of values above the template's own, lowest first, each with the app that wrote it."""
    folder, here = record.folder, f"{ENVIRONMENTS}/{environment}"
    files = [(f"{here}/values.yaml", "")]
    if record.app.config is not None:
        own = config_folder(record, environment)
        # Its own values.yaml is what a chart or template of the app's begins with, no layer above it.
        files += [(f"{own}/values.yaml", record.name)] if record.app.template else []
        files += [(f"{own}/values.{environment}.yaml", record.name)]
    files += [(f"{folder}/values.yaml", ""), (f"{folder}/values.{environment}.yaml", "")]
    return [*files, (f"{here}/overrides.yaml", "")]


def _owner(record: AppRecord, layers: Iterable[Layer]) -> str:
    """Return who wrote what is rendered: the app, if it brings the code, or a value that a chart could run as code."""
    if record.app.template is None and record.app.config is not None:
        return record.name
    return record.name if any(layer.from_app and has_template(layer.values) for layer in layers) else ""


def budget_of(limits: SettingsLimits) -> Budget:
    """Return what headgate.yaml lets one render use."""
    return Budget(
        seconds=limits.render_seconds,
        memory=limits.render_mebibytes * MEBI,
        bytes_in=limits.input_mebibytes * MEBI,
        nodes=limits.nodes,
        objects=limits.objects,
        bytes_out=limits.output_mebibytes * MEBI,
    )


def _check_repositories(record: AppRecord, images: Mapping[str, Image], released: Mapping[str, ReleasedImage]) -> None:
    for name, image in released.items():
        if name in images and canonical_repository(image.repository) != canonical_repository(images[name].repository):
            raise ConfigError(
                f"the image '{name}' was released from {image.repository}, expected {images[name].repository}",
                where=record.place("images", name),
                hint="hand it off again from the new repository",
            )


def _check_schema(source: Source, values: dict[str, Any]) -> None:
    import jsonschema  # noqa: PLC0415  only where a template has a schema

    file = f"{source.label}/{source.template.values_schema}"
    path = str(source.template.values_schema)
    if path not in source.files:
        where = Location(f"{source.label}/template.yaml", 0, "values_schema")
        raise ConfigError(f"there is no file {path} in the template", where=where)
    merged = without_nulls(merge_all([source.defaults, values]))
    try:
        schema = json.loads(source.files.read(path))
        jsonschema.validate(merged, schema)
    except json.JSONDecodeError as error:
        raise ConfigError(f"not JSON: {error.msg}", where=Location(file, error.lineno)) from None
    except jsonschema.SchemaError as error:
        raise ConfigError(f"not a JSON Schema: {error.message}", where=Location(file)) from None
    except jsonschema.ValidationError as error:
        at = dotted(tuple(error.absolute_path)) or "the values"
        raise ConfigError(
            f"{at}: {error.message}", where=Location(file), hint="the values do not fit this schema"
        ) from None
