"""The sources of health that a run has, in a pipeline or on a person's machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from headgate.health.kubernetes import KubernetesReports
from headgate.health.read import HealthSources, read_health
from headgate.health.statuses import StatusReports

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.configuration import Configuration, Owner
    from headgate.flux.verdict import Health
    from headgate.gitlab.api import GitLab
    from headgate.gitlab.run import Run
    from headgate.health.read import ReadHealth
    from headgate.landing.workspace import Workspace


def run_health(run: Run) -> ReadHealth:
    """Return what finds out health with a run's tokens, and with the kubeconfig that GitLab's agent gives its job.

    A job token may not read commit statuses, so without another one these are unknown. Each call reads anew.
    """

    def read(workspace: Workspace, configuration: Configuration, owners: Sequence[Owner]) -> dict[Owner, Health]:
        gitlab = run.write or (run.read if run.event.tokens.read else None)
        return read_health(
            workspace, configuration, owners, health_sources(gitlab, run.event.manifests, run.event.kubeconfig)
        )

    return read


def health_sources(gitlab: GitLab | None, manifests: str, kubeconfig: str) -> HealthSources:
    """Return the sources: GitLab, where there is a token for it, and the clusters of a KUBECONFIG, if any."""
    file = kubeconfig.split(os.pathsep, maxsplit=1)[0]
    return HealthSources(
        statuses=StatusReports(gitlab, manifests) if gitlab is not None else None,
        kubernetes=KubernetesReports(Path(file)) if file else None,
    )
