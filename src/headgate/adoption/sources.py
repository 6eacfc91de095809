"""The current state of an app, and its sources. Pure."""

from __future__ import annotations

import posixpath
from dataclasses import field
from typing import TYPE_CHECKING, Any

from headgate.records import frozen_record
from headgate.render.values import merge, read_layer
from headgate.repository.tree import MemoryBlob, Tree
from headgate.yamltext.write import write

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headgate.adoption.charts import Chart
    from headgate.adoption.fluxobjects import FluxKustomization
    from headgate.objects.manifest import Manifest

KUSTOMIZATION = "kustomization.yaml"
_HEAD = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}


@frozen_record
class FolderSource:
    """Files that Kustomize builds from ``root``, or plain objects (no root).

    ``fields`` are what is done to the result, as fields of a kustomization.yaml.
    """

    files: Tree
    root: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict, hash=False)


@frozen_record
class ChartSource:
    """A chart, and the values above its own."""

    chart: Chart
    values: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def code(self) -> Tree:
        """The chart's files without its values."""
        files = self.chart.files
        return files.only(path for path in files.paths() if path != "values.yaml")

    @property
    def all_values(self) -> dict[str, Any]:
        """The values with the chart's own below them. Raises YamlError."""
        own = read_layer(self.chart.files, "values.yaml", named=f"{self.chart.name}/values.yaml", lenient=True)
        return merge(own.values if own is not None else {}, dict(self.values))


@frozen_record
class CurrentApp:
    """The current state of an app in an environment. ``namespace`` is that of objects that name none, if it is known.

    ``folder`` is where its files are, ``flux`` what applies it; ``files`` are those of the repository that it is made
    from.
    """

    app: str
    environment: str
    folder: str
    flux: FluxKustomization | None = None
    files: tuple[str, ...] = ()
    source: FolderSource | ChartSource
    manifests: tuple[Manifest, ...]
    namespace: str = ""


@frozen_record
class LeftOut:
    """Something that is not adopted, and why; ``stays``: it was not meant to be, and continues unchanged."""

    what: str
    environment: str
    reason: str
    stays: bool = False


@frozen_record(kw_only=False)
class AdoptionNote:
    """A note for people about an app in an environment."""

    app: str
    environment: str
    text: str


@frozen_record
class CurrentState:
    """The current apps, what is left out, and notes for people."""

    apps: tuple[CurrentApp, ...]
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[AdoptionNote, ...] = ()


def with_root(source: FolderSource, folder: str = ".headgate-adopt") -> tuple[Tree, str]:
    """Return the files with what Kustomize is to build, and where that is: ``folder`` where something is done to it."""
    files, root = source.files, source.root
    if root is None:
        root = posixpath.commonpath([posixpath.dirname(path) or "." for path in files.paths()]).lstrip(".")
        skip = f"{root}/" if root else ""
        text = kustomization([path.removeprefix(skip) for path in files.paths()])
        files = files.joined(Tree({f"{skip}{KUSTOMIZATION}": MemoryBlob(text)}))
    if not source.fields:
        return files, root
    up = "/".join([".."] * len(folder.split("/")))
    wrapper = kustomization([f"{up}/{root}" if root else up], source.fields)
    return files.joined(Tree({f"{folder}/{KUSTOMIZATION}": MemoryBlob(wrapper)})), folder


def kustomization(resources: list[str], fields: Mapping[str, Any] | None = None) -> bytes:
    """Return the text of a kustomization.yaml."""
    return write({**_HEAD, "resources": resources, **(fields or {})}).encode()
