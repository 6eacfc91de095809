"""The sources of health that one run in a pipeline has."""

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
    from headgate.gitlab.run import Run
    from headgate.health.read import ReadHealth
    from headgate.landing.workspace import Workspace


def run_health(run: Run) -> ReadHealth:
    """Return what finds out health with a run's tokens, and with the kubeconfig that GitLab's agent gives its job.

    A job token may not read commit statuses, so without another one these are unknown. Asked again, it asks again.
    """

    def read(workspace: Workspace, configuration: Configuration, owners: Sequence[Owner]) -> dict[Owner, Health]:
        gitlab = run.write or (run.read if run.event.tokens.read else None)
        statuses = StatusReports(gitlab, run.event.manifests) if gitlab is not None else None
        file = run.event.kubeconfig.split(os.pathsep)[0]
        return read_health(
            workspace, configuration, owners, HealthSources(statuses, KubernetesReports(Path(file)) if file else None)
        )

    return read
