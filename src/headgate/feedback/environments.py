"""The environments of an app's project in GitLab: tier and dashboard, as headgate.yaml describes them.

https://docs.gitlab.com/ci/environments/kubernetes_dashboard/ and https://docs.gitlab.com/ci/environments/#deployment-tier-of-environments
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from headgate.gitlab.api import project_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headgate.feedback.commit_report import CommitReport
    from headgate.gitlab.api import GitLab
    from headgate.gitlab.best_effort import Refusals
    from headgate.model import Environment


def describe_environments(
    gitlab: GitLab, reports: Sequence[CommitReport], environments: Mapping[str, Environment], refusals: Refusals
) -> int:
    """Set the fields of just deployed environments that headgate.yaml describes. Returns how many changed."""
    changed = 0
    for report in reports:
        fields = _fields(report, environments.get(report.environment))
        if fields:
            is_changed = refusals.attempt(report.project, "environments", partial(_describe, gitlab, report, fields))
            changed += bool(is_changed)
    return changed


def _fields(report: CommitReport, environment: Environment | None) -> dict[str, Any]:
    described = environment.gitlab if environment else None
    if described is None:
        return {}
    templates = {
        "tier": described.tier,
        "cluster_agent_id": described.agent,
        "kubernetes_namespace": described.namespace,
        "flux_resource_path": described.flux,
    }
    names = {"{app}": report.app, "{environment}": report.environment}
    fields = {}
    for key, value in templates.items():
        if isinstance(value, str):
            for placeholder, name in names.items():
                value = value.replace(placeholder, name)  # noqa: PLW2901
        fields[key] = value
    return {key: value for key, value in fields.items() if value is not None}


def _describe(gitlab: GitLab, report: CommitReport, fields: Mapping[str, Any]) -> bool:
    """Create an environment, or change the fields that differ. Raises GitLabError.

    https://docs.gitlab.com/api/environments/
    """
    path = f"{project_path(report.project)}/environments"
    existing = next(
        (candidate for candidate in gitlab.each(path, {"name": report.name}) if candidate["name"] == report.name), None
    )
    if existing is None:
        gitlab.post(path, {"name": report.name, **fields})
        return True
    current = {**existing, "cluster_agent_id": (existing.get("cluster_agent") or {}).get("id")}
    differs = {key: value for key, value in fields.items() if current.get(key) != value}
    if differs:
        gitlab.put(f"{path}/{existing['id']}", differs)
    return bool(differs)
