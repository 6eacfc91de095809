"""Open proposals that are only looked at: what each would make an app run. Nothing is written to a checkout."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headgate.config import parse
from headgate.errors import HeadgateError
from headgate.landing.workspace import branch_heads
from headgate.layout import group_branch, review_branch
from headgate.model import Release
from headgate.releases.past import beside, fetch_beside
from headgate.releases.release import CONFIG, RELEASE
from headgate.repository.git import has_commit
from headgate.repository.gitlog import contents

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headgate.config import Configuration
    from headgate.landing.workspace import Workspace
    from headgate.releases.arrivals import Owner
    from headgate.repository.git import Repository

_BRANCHES = "refs/heads/"


@dataclass(frozen=True)
class Proposed:
    """An open proposal that differs from the default branch; ``release`` is None where only the final YAML does."""

    branch: str
    commit: str
    release: Release | None


def open_proposals(workspace: Workspace, configuration: Configuration) -> dict[Owner, Proposed]:
    """Return the open proposal of each app and environment that has one, its own before one for many.

    Where it can be told (`landing.proof`), what somebody else pushed is none. Raises GitError without an answer.
    """
    heads = branch_heads(workspace)
    names = list(configuration.settings.environments)
    own = [review_branch(record.name, name) for record, name in configuration.pairs()]
    branches = [one for one in (*own, *map(group_branch, names)) if f"{_BRANCHES}{one}" in heads]
    commits = {branch: heads[f"{_BRANCHES}{branch}"] for branch in branches}
    found: dict[Owner, Proposed] = {}
    with _with_commits(workspace, list(commits.values())) as repository:
        for branch, commit in commits.items():
            if workspace.prover is not None and not workspace.prover.proves(repository, branch, commit):
                continue
            for owner, release in _changed_by(repository, configuration, workspace.base, commit):
                if branch in (review_branch(*owner), group_branch(owner[1])):
                    found.setdefault(owner, Proposed(branch, commit, release))
    return found


@contextmanager
def _with_commits(workspace: Workspace, commits: Sequence[str]) -> Iterator[Repository]:
    """Give a repository with these commits: a temporary one beside a checkout whose remote has them."""
    if not workspace.remote or not commits:
        yield workspace.repository
        return
    with beside(workspace.repository, workspace.remote) as fresh:
        fetch_beside(fresh, workspace.repository, [f"+{one}:refs/headgate/{one}" for one in dict.fromkeys(commits)], 2)
        yield fresh


def _changed_by(
    repository: Repository, configuration: Configuration, base: str, commit: str
) -> Iterator[tuple[Owner, Release | None]]:
    """Yield whose release or final YAML a proposal would change, and the release where that is it."""
    changed = _differing(repository, base, commit)
    if has_commit(repository, f"{commit}^"):  # what changed on the default branch since is not proposed
        proposed = _differing(repository, f"{commit}^", commit)
        changed = {path: oid for path, oid in changed.items() if path in proposed}
    folders = {parent for path in changed for parent in _parents(path)}
    for record, environment in configuration.pairs():
        folder = record.release_folder(environment)
        file, output = f"{folder}/{RELEASE}", configuration.output_folder(record.name, environment)
        if file in changed:
            yield (record.name, environment), _release(repository, file, changed[file])
        elif not folders.isdisjoint((f"{folder}/{CONFIG}", output)):
            yield (record.name, environment), None


def _parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rsplit("/", 1)[0]
        yield path


def _differing(repository: Repository, old: str, new: str) -> dict[str, str]:
    """Return the files in which two commits differ, with git's id of the new content."""
    tokens = repository.git("diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", old, new).split("\0")
    return {path: meta.split(" ")[3] for meta, path in zip(tokens[::2], tokens[1::2], strict=False)}


def _release(repository: Repository, file: str, oid: str) -> Release | None:
    if not oid.strip("0"):
        return None
    try:
        return parse(contents(repository, [oid])[oid], file, Release)[0]
    except HeadgateError:
        return None
