"""Which Kustomizations of Flux read which folder of this repository, as their files stand. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headgate.clusters import environments_on
from headgate.engine import reading
from headgate.errors import HeadgateError
from headgate.objects.manifest import manifests
from headgate.paths import CLUSTERS
from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from headgate.configuration import Configuration
    from headgate.objects.manifest import Manifest
    from headgate.repository.tree import Tree


_KUSTOMIZATION = "Kustomization.kustomize.toolkit.fluxcd.io"


@frozen_record(kw_only=False)
class Misread:
    """An output folder that a cluster's Kustomizations read not at all, or more than once."""

    app: str
    environment: str
    folder: str
    cluster: str
    readers: tuple[str, ...]

    @property
    def problem(self) -> str:
        """Say what is wrong."""
        if not self.readers:
            return f"no Kustomization of the cluster '{self.cluster}' reads it, so Flux does not apply it"
        names = ", ".join(self.readers)
        return f"{len(self.readers)} Kustomizations of the cluster '{self.cluster}' read it, and take turns: {names}"


def misread(tree: Tree, configuration: Configuration) -> Iterator[Misread]:
    """Yield the output folders that are not read by exactly one Kustomization on each of their clusters.

    Nothing is said of a cluster without any Kustomization in its folder: its Flux objects are somewhere else. What a
    file that cannot be read says is not known either; a Kustomization whose source is another repository is none.
    """
    for name, cluster in configuration.settings.clusters.items():
        objects = _flux_objects(tree, cluster.folder or f"{CLUSTERS}/{name}")
        kustomizations = [manifest for manifest in objects if manifest.kind_name == _KUSTOMIZATION]
        sources = {(found.namespace, found.name): found for found in objects if found.kind == "GitRepository"}
        read = [
            (found, path) for found in kustomizations if (path := _reads(found, sources, configuration)) is not None
        ]
        if not kustomizations:
            continue
        for environment in environments_on(configuration.settings, name):
            if configuration.settings.environments[environment].output.oci is not None:
                continue  # read from artifacts, by paths in those
            for app in configuration.apps.names:
                folder = configuration.output_folder(app, environment)
                if any(path.endswith(".yaml") for path in tree.paths(folder)):
                    readers = tuple(sorted(_readers(read, folder, configuration, app, environment)))
                    if len(readers) != 1:
                        yield Misread(app, environment, folder, name, readers)


def _flux_objects(tree: Tree, folder: str) -> list[Manifest]:
    found: list[Manifest] = []
    for path in tree.paths(folder):
        if path.endswith((".yaml", ".yml")) and b"toolkit.fluxcd.io/" in tree.read(path):
            try:
                found += manifests(reading.objects(tree.read(path), path))
            except HeadgateError:
                continue
    return found


def _reads(
    manifest: Manifest, sources: Mapping[tuple[str, str], Manifest], configuration: Configuration
) -> tuple[str, str] | None:
    """Return the branch (empty where that is not known) and the folder that a Kustomization reads.

    None where it reads another repository.
    """
    spec = manifest.data.get("spec") or {}
    reference = spec.get("sourceRef") or {}
    source = sources.get((reference.get("namespace") or manifest.namespace, reference.get("name", "")))
    settings: Any = (source.data.get("spec") or {}) if source is not None else {}
    gitlab, url = configuration.settings.gitlab, str(settings.get("url", ""))
    if url and gitlab is not None and gitlab.project not in url:
        return None
    branch = (settings.get("ref") or {}).get("branch", "")
    return str(branch), "/".join(part for part in str(spec.get("path", "")).split("/") if part not in ("", "."))


def _readers(
    read: Sequence[tuple[Manifest, tuple[str, str]]],
    folder: str,
    configuration: Configuration,
    app: str,
    environment: str,
) -> Iterator[str]:
    mirror = configuration.mirror(app, environment)
    for manifest, (branch, path) in read:
        wanted = mirror.path if mirror is not None and branch == mirror.branch else folder
        if not path or wanted == path or wanted.startswith(f"{path}/"):
            yield manifest.name
