"""The files below ``clusters/``: which are Headgate's, and what changes in them with an app's final YAML. Pure.

Which there should be follows from headgate.yaml, app.yaml and which output folders hold final YAML. There is no record
of them, which two merge requests would both change: a file is Headgate's by its label.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from headgate.clusters import clusters_of, environments_on, kustomization_name
from headgate.errors import GuardError, Location
from headgate.flux.objects import (
    MANAGED_BY,
    AppOnCluster,
    kustomization,
    namespace_object,
    oci_repository,
    shared_objects,
)
from headgate.objects.canonical import file_name, to_text
from headgate.paths import CLUSTERS
from headgate.repository.tree import blob_id

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from headgate.configuration import AppRecord, Configuration
    from headgate.model import Cluster, FluxObjects, Settings
    from headgate.objects.manifest import Manifest
    from headgate.repository.tree import Changes, Tree

_MARK = "".join(f"{key}: {value}\n" for key, value in MANAGED_BY.items()).encode()
_DEPTH = 2
_KUSTOMIZATION = "kustomization.kustomize.toolkit.fluxcd.io-"
_OCI_SOURCE = "ocirepository.source.toolkit.fluxcd.io-"
_NAMESPACE = "namespace-"


def writes_flux_objects(settings: Settings, environment: str = "") -> bool:
    """Whether Headgate writes Flux objects for an environment, or for any."""
    if environment:
        return any(cluster.flux is not None for cluster in clusters_of(settings, environment).values())
    return any(cluster.flux is not None for cluster in settings.clusters.values())


def kustomization_file(app: str, environment: str, cluster: str) -> str:
    """Return the path of an app's Kustomization."""
    return f"{CLUSTERS}/{cluster}/{_KUSTOMIZATION}{kustomization_name(app, environment, cluster)}.yaml"


class ClusterFiles:
    """The Flux objects that one tree should have. ``tree`` holds the final YAML as it will be."""

    def __init__(self, tree: Tree, configuration: Configuration) -> None:
        """Take both as they are; what is found out about them is kept."""
        self._tree, self._configuration = tree, configuration
        self._shared: dict[str, dict[str, bytes]] = {}

    def changes(self, record: AppRecord, environment: str) -> Changes:
        """Return what to write so that Flux applies an app's final YAML in an environment.

        Raises GuardError for a file in the way that Headgate did not write.
        """
        found: Changes = {}
        for path, data in self._expected_of(record, environment).items():
            if self._tree.oid(path) == blob_id(data):
                continue
            if path in self._tree and not self.is_ours(path):
                raise GuardError(
                    "a file in the way that Headgate did not write", where=Location(path), hint="move or delete it"
                )
            found[path] = data
        return found

    def removal(self, app: str, environment: str) -> Changes:
        """Return what goes when an app has no final YAML in an environment any more.

        The last app takes along what is shared, the last in a namespace the Namespace's file; the Namespace itself
        stays in the cluster. Nothing where the app's YAML is only in another folder than before.
        """
        found: Changes = {}
        for name, cluster in self._configuration.settings.clusters.items():
            path = kustomization_file(app, environment, name)
            if cluster.flux is not None and self.is_ours(path) and not self._is_needed(app, environment, name):
                found |= {path: None, **self._last_of(app, environment, name)}
                source = f"{CLUSTERS}/{name}/{_OCI_SOURCE}{kustomization_name(app, environment, name)}.yaml"
                found |= {source: None} if self.is_ours(source) else {}
        return found

    def expected(self, without: Collection[tuple[str, str]] = ()) -> dict[str, bytes]:
        """Return all files that Headgate should have below ``clusters/``, with what they should hold.

        ``without`` are apps and environments whose own files are left out.
        """
        found: dict[str, bytes] = {}
        for record, environment in self._configuration.pairs():
            if (record.name, environment) not in without and self._has_final_yaml(record.name, environment):
                found |= self._expected_of(record, environment)
        return found

    def leftovers(self) -> list[str]:
        """Return the files of Headgate's that nothing needs any more, in clusters for which it writes them.

        Those of a cluster for which it does not any more are the people's: Flux would take all apps away with them. Of
        an app that cannot be read nothing is known, so what may be of it stays.
        """
        settings, expected = self._configuration.settings, self.expected()
        unread = {folder.rsplit("/", 1)[1] for folder in self._configuration.broken}
        kept = {
            kustomization_file(app, environment, cluster)
            for cluster in settings.clusters
            for environment in environments_on(settings, cluster)
            for app in unread
        }
        owned = [path for path in self.owned() if path not in expected and path not in kept]
        return [path for path in owned if not unread or _is_kustomization(path)]

    def owned(self) -> list[str]:
        """Return the files of Headgate's, in clusters for which it writes them."""
        clusters = self._configuration.settings.clusters.items()
        folders = [f"{CLUSTERS}/{name}" for name, cluster in clusters if cluster.flux is not None]
        return [path for folder in folders for path in self._tree.paths(folder) if self.is_ours(path)]

    def is_ours(self, path: str) -> bool:
        """Whether Headgate wrote a file: right in a cluster's folder, with its label."""
        is_candidate = path in self._tree and path.count("/") == _DEPTH and path.endswith(".yaml")
        return is_candidate and _MARK in self._tree.read(path)

    def _expected_of(self, record: AppRecord, environment: str) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for name, cluster in clusters_of(self._configuration.settings, environment).items():
            if cluster.flux is not None:
                for manifest in self._objects(record, environment, name, cluster, cluster.flux):
                    found[_path(name, cluster, manifest)] = to_text(manifest).encode()
                found |= self._shared_files(name, cluster, cluster.flux)
        return found

    def _objects(
        self, record: AppRecord, environment: str, name: str, cluster: Cluster, flux: FluxObjects
    ) -> Iterator[Manifest]:
        """Yield what one app alone needs in one environment on one cluster."""
        artifact, folder = self._configuration.artifact(record.name, environment) or (None, "")
        placed = AppOnCluster(
            app=record.name,
            environment=environment,
            cluster=name,
            folder=folder if artifact else self._configuration.output_folder(record.name, environment),
            depends_on=tuple(app for app in record.app.depends_on if self._runs(app, environment)),
            artifact=artifact,
        )
        yield kustomization(placed, flux, cluster.namespace)
        if artifact is not None:
            yield oci_repository(placed, artifact, flux, cluster.namespace)
        namespace = record.namespace(environment)
        is_there = namespace in ("default", cluster.namespace) or namespace.startswith("kube-")
        if not is_there and (namespace, name) not in self._rendered_namespaces:
            yield namespace_object(namespace, flux.labels)

    def _shared_files(self, name: str, cluster: Cluster, flux: FluxObjects) -> dict[str, bytes]:
        if name not in self._shared:
            settings = self._configuration.settings
            reads_git = any(settings.environments[item].output.oci is None for item in environments_on(settings, name))
            objects = shared_objects(flux, cluster.namespace, settings.gitlab, reads_git=reads_git)
            self._shared[name] = {_path(name, cluster, manifest): to_text(manifest).encode() for manifest in objects}
        return self._shared[name]

    @cached_property
    def _rendered_namespaces(self) -> set[tuple[str, str]]:
        """The Namespaces that apps render themselves, each with its cluster: those are not Headgate's to write."""
        folders = {
            self._configuration.output_folder(app, environment): environment
            for app in self._configuration.apps.names
            for environment in self._configuration.settings.environments
        }
        found = set()
        for path in self._tree.paths():
            folder, _, file = path.rpartition("/")
            if file.startswith(_NAMESPACE) and folder in folders:
                for cluster in clusters_of(self._configuration.settings, folders[folder]):
                    found.add((file.removeprefix(_NAMESPACE).removesuffix(".yaml"), cluster))
        return found

    def _runs(self, app: str, environment: str) -> bool:
        found = self._configuration.apps.get(app)
        return found is not None and environment in found.environments(self._configuration.settings)

    def _has_final_yaml(self, app: str, environment: str) -> bool:
        """Whether an app's output folder holds any: Flux fails at a folder that is not there."""
        folder = self._configuration.output_folder(app, environment)
        return any(path.endswith(".yaml") for path in self._tree.paths(folder))

    def _is_needed(self, app: str, environment: str, cluster: str) -> bool:
        settings = self._configuration.settings
        is_there = environment in settings.environments and cluster in clusters_of(settings, environment)
        return is_there and self._has_final_yaml(app, environment)

    def _last_of(self, app: str, environment: str, cluster: str) -> Changes:
        """Return what is removed together with an app's Kustomization, since no other app needs it."""
        others = [
            (record, name)
            for record, name in self._configuration.pairs()
            if (record.name, name) != (app, environment) and self._is_needed(record.name, name, cluster)
        ]
        if not others:
            folder = self._tree.paths(f"{CLUSTERS}/{cluster}")
            return {path: None for path in folder if not _is_kustomization(path) and self.is_ours(path)}
        needed = {_namespace_file(cluster, record.namespace(name)) for record, name in others}
        return {path: None for path in self._namespace_files(app, environment, cluster) if path not in needed}

    def _namespace_files(self, app: str, environment: str, cluster: str) -> list[str]:
        """Return the file of an app's Namespace; all of them where nothing says any more which one that was."""
        record = self._configuration.apps.get(app)
        if record is not None:
            file = _namespace_file(cluster, record.namespace(environment))
            return [file] if self.is_ours(file) else []
        if self._configuration.broken:  # whose Namespaces may be needed
            return []
        beginning = f"{CLUSTERS}/{cluster}/{_NAMESPACE}"
        return [
            path
            for path in self._tree.paths(f"{CLUSTERS}/{cluster}")
            if path.startswith(beginning) and self.is_ours(path)
        ]


def _namespace_file(cluster: str, namespace: str) -> str:
    return f"{CLUSTERS}/{cluster}/{_NAMESPACE}{namespace}.yaml"


def _path(cluster_name: str, cluster: Cluster, manifest: Manifest) -> str:
    return f"{CLUSTERS}/{cluster_name}/{file_name(manifest, cluster.namespace)}"


def _is_kustomization(path: str) -> bool:
    return path.rsplit("/", 1)[1].startswith(_KUSTOMIZATION)
