"""GitLab's environments of an app's project as headgate.yaml describes them: tier, and where the dashboard looks.

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
    gitlab: GitLab, words: Sequence[CommitReport], environments: Mapping[str, Environment], refusals: Refusals
) -> int:
    """Let the environments of what was just deployed be as headgate.yaml says. Returns how many changed.

    What it does not say stays as people set it.
    """
    changed = 0
    for word in words:
        wanted = _wanted(word, environments.get(word.environment))
        if wanted:
            done = refusals.attempt(word.project, "environments", partial(_describe, gitlab, word, wanted))
            changed += bool(done)
    return changed


def _wanted(word: CommitReport, environment: Environment | None) -> dict[str, Any]:
    told = environment.gitlab if environment else None
    if told is None:
        return {}
    facts = {
        "tier": told.tier,
        "cluster_agent_id": told.agent,
        "kubernetes_namespace": told.namespace,
        "flux_resource_path": told.flux,
    }
    names = {"{app}": word.app, "{environment}": word.environment}
    found = {}
    for key, value in facts.items():
        if isinstance(value, str):
            for placeholder, name in names.items():
                value = value.replace(placeholder, name)  # noqa: PLW2901
        found[key] = value
    return {key: value for key, value in found.items() if value is not None}


def _describe(gitlab: GitLab, word: CommitReport, wanted: Mapping[str, Any]) -> bool:
    """Make or change one environment, where it differs. Raises GitLabError.

    https://docs.gitlab.com/api/environments/
    """
    path = f"{project_path(word.project)}/environments"
    found = next((one for one in gitlab.each(path, {"name": word.name}) if one["name"] == word.name), None)
    if found is None:
        gitlab.post(path, {"name": word.name, **wanted})
        return True
    there = {**found, "cluster_agent_id": (found.get("cluster_agent") or {}).get("id")}
    differs = {key: value for key, value in wanted.items() if there.get(key) != value}
    if differs:
        gitlab.put(f"{path}/{found['id']}", differs)
    return bool(differs)
