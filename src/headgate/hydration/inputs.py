"""Identify everything that the final YAML of an app in an environment depends on. Pure."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from headgate import __version__
from headgate.flux.files import writes_flux_objects
from headgate.objects.canonical import OUTPUT_FORMAT
from headgate.paths import ENVIRONMENTS
from headgate.releases.release import config_folder, release_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headgate.configuration import AppRecord, Configuration
    from headgate.hydration.template import Source
    from headgate.model import Settings
    from headgate.render.protocol import Render
    from headgate.repository.tree import Tree

_SHORT = 16


class Fingerprints:
    """Fingerprints of app-environments by file ids alone.

    Equal fingerprints mean equal `inputs_id`, not the other way round: a comment changes the fingerprint.
    """

    def __init__(self, tree: Tree, configuration: Configuration, version_of: Callable[[str], str]) -> None:
        """Compute them for a tree and its configuration."""
        self._tree, self._configuration, self._version_of = tree, configuration, version_of
        self._shared: dict[str, tuple[str, ...]] = {}

    def of(self, record: AppRecord, environment: str, source: Source, engine: str) -> str:
        """Return the fingerprint of an app here that ``engine`` renders from ``source``."""
        folder, (settings, *shared) = record.folder, self._of_all(environment)
        names = (f"{folder}/app.yaml", f"{folder}/values.yaml", f"{folder}/values.{environment}.yaml")
        facts = [
            *(__version__, str(OUTPUT_FORMAT), engine, self._version_of(engine), folder, environment),
            *(source.id, source.label, self._tree.oid(release_file(record, environment))),
            self._tree.folder(config_folder(record, environment)).id,
            *shared,
            *(self._tree.oid(name) for name in names),
            settings,
        ]
        return hashlib.sha256("\0".join(facts).encode()).hexdigest()

    def _of_all(self, environment: str) -> tuple[str, ...]:
        """Return the part that all apps of an environment share: its settings, and the ids of its values."""
        if environment not in self._shared:
            settings, here = self._configuration.settings, self._configuration.environment(environment)
            facts = [here.kubernetes, here.api_versions, dict(settings.workloads), dict(settings.scopes)]
            facts += ["flux"] if writes_flux_objects(settings, environment) else []
            values = (f"{ENVIRONMENTS}/{environment}/{name}.yaml" for name in ("values", "overrides"))
            self._shared[environment] = (json.dumps(facts, sort_keys=True), *map(self._tree.oid, values))
        return self._shared[environment]


def inputs_id(render: Render, source: Source, facts: Sequence[Any], version: str) -> str:
    """Identify the inputs of a render by an engine of this version, once they are parsed.

    ``facts`` are its `settings_facts`.
    """
    inputs: list[Any] = [
        *(OUTPUT_FORMAT, render.engine, version, source.id, source.folder),
        *(render.app, render.environment),
        render.values,
        {name: image.reference for name, image in render.images.items()},
        *facts,
    ]
    return _content_id(inputs)


def settings_facts(render: Render, record: AppRecord, hooks: str | None, settings: Settings) -> list[Any]:
    """Return the settings of app.yaml and headgate.yaml that a render depends on."""
    return [
        *(render.namespace, render.kubernetes, render.api_versions),
        {name: image.model_dump() for name, image in record.images(render.environment).items()},
        *(hooks, record.app.allow.model_dump(), record.app.template is None),
        *(dict(settings.workloads), dict(settings.scopes)),
        *(["flux"] if writes_flux_objects(settings, render.environment) else []),
    ]


def input_sources(render: Render, source: Source, config: Source | None, facts: Sequence[Any]) -> dict[str, str]:
    """Return the inputs of a render one by one, so that a change of its output can name its cause.

    ``facts`` are its `settings_facts`. Keys are ``image NAME``, ``config``, ``template NAME``, ``values FILE`` and
    ``settings``; values identify content.
    """
    found = {f"image {name}": _content_id(image.reference) for name, image in render.images.items()}
    found |= {} if config is None else {"config": config.id}
    found |= {} if source is config else {f"template {source.label.rpartition('/')[2]}": source.id}
    layers = [layer for layer in render.layers if not layer.from_app]
    found |= {f"values {layer.text.file}": _content_id(layer.values) for layer in layers}
    return {key: value[:_SHORT] for key, value in {**found, "settings": _content_id(facts)}.items()}


def _content_id(facts: Any) -> str:
    """Return an id of data that JSON can hold."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
