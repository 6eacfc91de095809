"""Which clusters an environment runs on, and how the Flux objects of an app are called there. Pure."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headgate.model import Cluster, Settings

SOURCE = "headgate"
"""Name of the GitRepository, the Receiver, the Provider and the Alert."""

_LONGEST = 63
"""Flux labels all that it applies with the Kustomization's name:
https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set."""
_HASH = 10


def clusters_of(settings: Settings, environment: str) -> dict[str, Cluster]:
    """Return the clusters of headgate.yaml that an environment runs on, by name."""
    home = settings.environments[environment].cluster or environment
    return {
        name: cluster
        for name, cluster in settings.clusters.items()
        if (environment in cluster.environments if cluster.environments else name == home)
    }


def environments_on(settings: Settings, cluster: str) -> Iterator[str]:
    """Yield the environments that run on a cluster, in the order of headgate.yaml."""
    return (name for name in settings.environments if cluster in clusters_of(settings, name))


def kustomization_name(app: str, environment: str, cluster: str, template: str | None = None) -> str:
    """Return the name of an app's Kustomization on a cluster, by ``template`` where people write it.

    It names the cluster too, unless that is called like the environment: it distinguishes commit statuses of several
    clusters, and it stays the same when an environment comes to a second cluster. A dot joins the names, which
    hold none. What is too long is cut, and ends in a hash.
    """
    if template is not None:
        return template.replace("{app}", app).replace("{environment}", environment)
    name = ".".join([app, environment] + ([cluster] if cluster != environment else []))
    if len(name) <= _LONGEST:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_HASH]
    return f"{name[: _LONGEST - _HASH - 1].rstrip('.-')}-{digest}"


def artifact_source(app: str, environment: str, cluster: str, folder: str) -> str:
    """Return the name of the OCIRepository from which a cluster reads an app, by the app's folder in the artifact."""
    return f"{SOURCE}.{environment}" if folder else kustomization_name(app, environment, cluster)


def cluster_names(settings: Settings, environment: str) -> frozenset[str]:
    """Return the clusters that an environment runs on, under which no object may be twice."""
    home = settings.environments[environment].cluster or environment
    return frozenset(clusters_of(settings, environment)) or frozenset({home})
