"""The approvals that a proposal needs before Headgate merges it: how many, and who wrote what is approved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.gitlab.api import project_path
from headgate.paths import ENVIRONMENTS, SETTINGS, TEMPLATES
from headgate.releases.release import parts

if TYPE_CHECKING:
    from headgate.gitlab.api import GitLab
    from headgate.gitlab.approvals import SourceCommit
    from headgate.model import Release, Review


def needed_approvals(review: Review, more: int = 0) -> int:
    """Return how many approvals a merge by Headgate needs: those of headgate.yaml, and ``more`` that a change needs."""
    return review.approvals + more


def actors_of_release(before: Release | None, after: Release | None) -> frozenset[str]:
    """Return the people who started the pipelines of what a proposal changes."""
    known = parts(before)
    return frozenset(part.actor for name, part in parts(after).items() if part != known.get(name) and part.actor)


def commits_of_release(before: Release | None, after: Release | None) -> tuple[SourceCommit, ...]:
    """Return the apps' commits that a proposal brings."""
    known = parts(before)
    changed = [part for name, part in parts(after).items() if part != known.get(name)]
    return tuple(dict.fromkeys((part.project_id or part.project, part.commit) for part in changed))


def commits_of_inputs(gitlab: GitLab, project: str, environment: str, commit: str) -> tuple[SourceCommit, ...]:
    """Return the newest commits, as of one of the manifest repository, that changed what many apps are rendered from.

    https://docs.gitlab.com/api/commits/#list-repository-commits. Raises GitLabError.
    """
    here = f"{ENVIRONMENTS}/{environment}"
    paths = (TEMPLATES, SETTINGS, f"{here}/values.yaml", f"{here}/overrides.yaml")
    found: dict[SourceCommit, None] = {}
    for path in paths:
        query = {"ref_name": commit, "path": path, "per_page": 1}
        entries = gitlab.get(f"{project_path(project)}/repository/commits", query)
        found |= {(project, entry["id"]): None for entry in entries}
    return tuple(found)
