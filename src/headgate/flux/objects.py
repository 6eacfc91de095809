"""The Flux objects of a cluster: settings -> Kubernetes objects. Pure.

Written for Flux 2.6 to 2.8: https://fluxcd.io/flux/components/kustomize/kustomizations/,
https://fluxcd.io/flux/components/source/gitrepositories/, https://fluxcd.io/flux/components/notification/.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from headgate.clusters import SOURCE, artifact_source, kustomization_name
from headgate.objects.kinds import DEFINITION
from headgate.objects.manifest import Manifest
from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from headgate.model import Artifact, FluxObjects, GitLabSettings

MANAGED_BY = {"app.kubernetes.io/managed-by": "headgate"}
"""Label of every object that Headgate writes for a cluster, by which it knows its own files."""

KEPT = {"kustomize.toolkit.fluxcd.io/prune": "disabled"}
"""What is annotated so stays in the cluster when its YAML goes."""

_HOLDS_DATA = ("PersistentVolumeClaim", DEFINITION)
_KUSTOMIZATION = "kustomize.toolkit.fluxcd.io/v1"
_SOURCES = "source.toolkit.fluxcd.io/v1"
_NOTIFICATIONS = "notification.toolkit.fluxcd.io/v1beta3"
_RECEIVERS = "notification.toolkit.fluxcd.io/v1"


@frozen_record
class AppOnCluster:
    """One app in one environment on one cluster: where its YAML is, and the apps that must be healthy before it.

    ``artifact`` is the OCI artifact that holds its YAML in ``folder``; without one that is in git.
    """

    app: str
    environment: str
    cluster: str
    folder: str
    depends_on: tuple[str, ...] = ()
    artifact: Artifact | None = None

    @property
    def source(self) -> str:
        """The name of the object from which Flux reads it."""
        if self.artifact is None:
            return SOURCE
        return artifact_source(self.app, self.environment, self.cluster, self.folder)

    @property
    def name(self) -> str:
        """The name of its Kustomization."""
        return kustomization_name(self.app, self.environment, self.cluster)


def kustomization(placed: AppOnCluster, flux: FluxObjects, namespace: str) -> Manifest:
    """Return what lets Flux apply one app: with all that it had before taken away, and waited for."""
    spec: dict[str, Any] = {
        "interval": flux.interval,
        "path": f"./{placed.folder}",
        "prune": True,
        "sourceRef": {"kind": "OCIRepository" if placed.artifact else "GitRepository", "name": placed.source},
        "timeout": flux.timeout,
        "wait": True,
    }
    if flux.service_account is not None:
        account = flux.service_account.replace("{app}", placed.app).replace("{environment}", placed.environment)
        spec["serviceAccountName"] = account
    if flux.sops is not None:
        spec["decryption"] = {"provider": "sops", "secretRef": {"name": flux.sops}}
    if placed.depends_on:
        names = [kustomization_name(app, placed.environment, placed.cluster) for app in placed.depends_on]
        spec["dependsOn"] = [{"name": name} for name in names]
    return _object(_KUSTOMIZATION, "Kustomization", placed.name, namespace, spec)


def oci_repository(placed: AppOnCluster, artifact: Artifact, flux: FluxObjects, namespace: str) -> Manifest:
    """Return the object by which Flux reads an artifact: https://fluxcd.io/flux/components/source/ocirepositories/."""
    spec: dict[str, Any] = {"interval": flux.fetch_interval or flux.interval, "ref": {"tag": artifact.tag}}
    spec["url"] = f"oci://{artifact.repository}"
    spec |= {"secretRef": {"name": flux.registry_secret}} if flux.registry_secret is not None else {}
    spec |= {"verify": {"provider": "cosign", "secretRef": {"name": flux.cosign}}} if flux.cosign is not None else {}
    return _object(_SOURCES, "OCIRepository", placed.source, namespace, spec)


def namespace_object(name: str, labels: Mapping[str, str]) -> Manifest:
    """Return a Namespace, which stays in the cluster when nothing needs it any more: others may use it, too."""
    metadata = {"name": name, "labels": {**labels, **MANAGED_BY}, "annotations": dict(KEPT)}
    data = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    return Manifest(group="", kind="Namespace", namespace="", name=name, data=data)


def shared_objects(
    flux: FluxObjects, namespace: str, gitlab: GitLabSettings | None, *, reads_git: bool = True
) -> list[Manifest]:
    """Return what all apps of a cluster share: where Flux reads from, and how it is notified and notifies.

    Without ``reads_git`` all of them come from artifacts: then git is no source. ``gitlab`` may be missing only where
    ``flux.url`` says where the repository is and no statuses are posted.
    """
    address = f"{gitlab.url}/{gitlab.project}" if gitlab is not None else ""
    source: dict[str, Any] = {"interval": flux.fetch_interval or flux.interval, "ref": {"branch": flux.branch}}
    source["url"] = flux.url or f"{address}.git"
    source |= {"secretRef": {"name": flux.secret}} if flux.secret is not None else {}
    found = [_object(_SOURCES, "GitRepository", SOURCE, namespace, source)] if reads_git else []
    if flux.receiver is not None and reads_git:
        watched = {"apiVersion": _SOURCES, "kind": "GitRepository", "name": SOURCE}
        spec = {"events": ["Push Hook"], "resources": [watched], "secretRef": {"name": flux.receiver}, "type": "gitlab"}
        found.append(_object(_RECEIVERS, "Receiver", SOURCE, namespace, spec))
    if flux.statuses is not None:
        spec = {"address": address, "secretRef": {"name": flux.statuses}, "type": "gitlab"}
        found.append(_object(_NOTIFICATIONS, "Provider", SOURCE, namespace, spec))
        events = [{"kind": "Kustomization", "matchLabels": dict(MANAGED_BY), "name": "*"}]
        spec = {"eventSeverity": "info", "eventSources": events, "providerRef": {"name": SOURCE}}
        found.append(_object(_NOTIFICATIONS, "Alert", SOURCE, namespace, spec))
    return found


def with_data_kept(found: Iterable[Manifest]) -> tuple[Manifest, ...]:
    """Return an app's objects, with what holds data annotated so that Flux never takes it away.

    An annotation of its own, whatever it says, is kept.
    """
    return tuple(_kept(manifest) if manifest.kind_name in _HOLDS_DATA else manifest for manifest in found)


def _kept(manifest: Manifest) -> Manifest:
    metadata = manifest.data["metadata"]
    annotations = {**KEPT, **(metadata.get("annotations") or {})}
    return replace(manifest, data={**manifest.data, "metadata": {**metadata, "annotations": annotations}})


def _object(version: str, kind: str, name: str, namespace: str, spec: dict[str, Any]) -> Manifest:
    metadata = {"name": name, "namespace": namespace, "labels": dict(MANAGED_BY)}
    data = {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}
    return Manifest(group=version.partition("/")[0], kind=kind, namespace=namespace, name=name, data=data)
