"""The titles of the commits between two versions of an app, as far as a token may read them."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from headgate.errors import GitLabError
from headgate.gitlab.api import project_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.gitlab.api import GitLab

_MAX_STEPS = 10
_MAX_TITLES = 50


def commit_titles(gitlab: GitLab, steps: Sequence[tuple[str, str, str]]) -> dict[tuple[str, str, str], tuple[str, ...]]:
    """Return the titles of the commits of each step (project, old and new commit), newest first.

    A project that the token may not read, or does not answer, is left out: titles are a courtesy. Only the first few
    steps are looked at. https://docs.gitlab.com/api/commits/#list-repository-commits
    """
    found = {}
    for step in steps[:_MAX_STEPS]:
        project, old, new = step
        try:
            query = {"ref_name": f"{old}..{new}", "per_page": _MAX_TITLES}
            entries = gitlab.each(f"{project_path(project)}/repository/commits", query)
            found[step] = tuple(str(entry["title"]) for entry in islice(entries, _MAX_TITLES))
        except (GitLabError, KeyError):
            continue
    return {step: titles for step, titles in found.items() if titles}
