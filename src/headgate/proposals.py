"""Open proposals that are only looked at: what each would make an app run. Nothing is written to a checkout."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headgate.config import parse
from headgate.errors import HeadgateError
from headgate.git import local_refs
from headgate.gitlog import contents
from headgate.model import Release
from headgate.past import beside, fetch_beside
from headgate.release import RELEASE, WAITING
from headgate.remote import remote_refs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headgate.config import Configuration
    from headgate.git import Repository
    from headgate.landings import Owner
    from headgate.workspace import Workspace

PREFIX = "refs/heads/headgate/"


@dataclass(frozen=True)
class Proposed:
    """An open proposal that differs from the default branch; ``release`` is None where only the final YAML does."""

    branch: str
    commit: str
    release: Release | None


def open_proposals(workspace: Workspace, configuration: Configuration) -> dict[Owner, Proposed]:
    """Return the open proposal of each app and environment that has one. Raises GitError without an answer."""
    found = {}
    refs = {
        (app, environment): f"{PREFIX}{environment}/{app}"
        for app, record in configuration.apps.items()
        for environment in record.environments(configuration.settings)
    }
    heads = _heads(workspace)
    open_ones = {owner: heads[ref] for owner, ref in refs.items() if ref in heads}
    with _with_commits(workspace, list(open_ones.values())) as repository:
        for owner, commit in open_ones.items():
            proposed = _proposed(workspace, repository, configuration, owner, commit)
            if proposed is not None:
                found[owner] = proposed
    return found


def _heads(workspace: Workspace) -> dict[str, str]:
    if workspace.remote:
        return remote_refs(workspace.repository, workspace.remote)
    return local_refs(workspace.repository)


@contextmanager
def _with_commits(workspace: Workspace, commits: Sequence[str]) -> Iterator[Repository]:
    """Give a repository with these commits: a temporary one beside a checkout whose remote has them."""
    if not workspace.remote or not commits:
        yield workspace.repository
        return
    with beside(workspace.repository, workspace.remote) as fresh:
        fetch_beside(fresh, workspace.repository, [f"+{one}:refs/headgate/{one}" for one in dict.fromkeys(commits)], 1)
        yield fresh


def _proposed(
    workspace: Workspace, repository: Repository, configuration: Configuration, owner: Owner, commit: str
) -> Proposed | None:
    app, environment = owner
    folder = configuration.apps[app].release_folder(environment)
    folders = (f"{folder}/", configuration.output_folder(app, environment))
    now, then = (_ids(repository, one, folders) for one in (workspace.base, commit))
    if now == then:
        return None
    branch = f"headgate/{environment}/{app}"
    file = f"{folder}/{RELEASE}"
    changed = {path for path in {*now, *then} if now.get(path) != then.get(path)}
    if file not in then or not any(path.startswith(f"{folder}/") for path in changed):
        return Proposed(branch, commit, None)
    try:
        release = parse(contents(repository, [then[file]])[then[file]], file, Release)[0]
    except HeadgateError:
        release = None
    return Proposed(branch, commit, release)


def _ids(repository: Repository, commit: str, paths: tuple[str, ...]) -> dict[str, str]:
    """Return git's ids of what is at the paths, without reading any of it; what waits is not proposed."""
    lines = repository.git("ls-tree", "-z", "--full-tree", commit, "--", *paths).split("\0")
    entries = (line.split("\t", 1) for line in lines if line)
    return {path: meta.split(" ")[2] for meta, path in entries if not path.endswith(f"/{WAITING}")}
