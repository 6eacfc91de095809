"""The health of apps on the default branch, from whatever source the clusters of headgate.yaml name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from headgate.cluster_checks import has_health
from headgate.clusters import clusters_of, kustomization_name
from headgate.errors import HeadgateError, HealthUnknownError
from headgate.flux.verdict import Health, combined, verdict
from headgate.health.deployments import deployments
from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from headgate.configuration import Configuration, Owner
    from headgate.health.deployments import Deployment
    from headgate.health.kubernetes import KubernetesReports
    from headgate.health.statuses import StatusReports
    from headgate.landing.workspace import Workspace
    from headgate.model import Cluster, Settings

ReadHealth = Callable[["Workspace", "Configuration", "Sequence[Owner]"], "dict[Owner, Health]"]
"""Gives the health of apps in environments, as a run can find it out."""


def no_health(_workspace: Workspace, _configuration: Configuration, _owners: Sequence[Owner]) -> dict[Owner, Health]:
    """Find out nothing: for runs that look at no source of health."""
    return {}


@frozen_record(kw_only=False)
class HealthSources:
    """The sources that a run has. None where it has no token for GitLab, or no kubeconfig."""

    statuses: StatusReports | None = None
    kubernetes: KubernetesReports | None = None


def read_health(
    workspace: Workspace, configuration: Configuration, owners: Iterable[Owner], sources: HealthSources
) -> dict[Owner, Health]:
    """Return how apps in environments are doing at the workspace's commit; of those without final YAML nothing.

    What cannot be found out is unknown, with the reason. Raises GitError.
    """
    known = [owner for owner in owners if has_health(configuration.settings, owner[1])]
    every = {owner: configuration.output_folder(*owner) for owner in known}
    tree = workspace.tree
    folders = {
        owner: folder for owner, folder in every.items() if any(path.endswith(".yaml") for path in tree.paths(folder))
    }
    found = deployments(workspace, folders) if folders else {}
    return {owner: _health(configuration.settings, owner, deployment, sources) for owner, deployment in found.items()}


def _health(settings: Settings, owner: Owner, deployment: Deployment, sources: HealthSources) -> Health:
    clusters = clusters_of(settings, owner[1])
    names = {name: kustomization_name(*owner, name, cluster.kustomization) for name, cluster in clusters.items()}
    # Where people gave Kustomizations of several clusters one name, their statuses differ only by who posted them.
    sharing = Counter((names[name], cluster.health) for name, cluster in clusters.items())
    found = [
        _on_cluster(cluster, names[name], deployment, sources, sharing[names[name], cluster.health])
        for name, cluster in clusters.items()
    ]
    return replace(combined(found), deployed=deployment.commit)


def _on_cluster(cluster: Cluster, name: str, deployment: Deployment, sources: HealthSources, wanted: int) -> Health:
    source = cluster.health
    try:
        if source is None:
            return combined([])
        if source.kubernetes is not None:
            if sources.kubernetes is None:
                raise HealthUnknownError("KUBECONFIG names no kubeconfig")
            reports = list(sources.kubernetes.reports(source.kubernetes, cluster.namespace, name))
            return verdict(deployment.same, reports)
        if sources.statuses is None:
            raise HealthUnknownError("no token of this run reads commit statuses of the manifest project")
        return _by_statuses(sources.statuses, source.statuses or "", name, deployment, wanted)
    except HeadgateError as error:
        return Health(state="unknown", reason=error.what)


def _by_statuses(source: StatusReports, user: str, name: str, deployment: Deployment, wanted: int) -> Health:
    """Return the verdict of commit statuses: of the newest commits, which all apps share, then of the oldest.

    Those differ from app to app. Since when an app is healthy is found out for as many as are worth the requests.
    """
    found = list(source.reports(deployment.newest, name, user))
    first = verdict(deployment.same, found, wanted)
    if first.state == "healthy" and source.is_busy:
        return first
    return verdict(deployment.same, [*found, *source.reports(deployment.oldest, name, user)], wanted)
