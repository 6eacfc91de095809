"""Which commits of the default branch leave the final YAML of an app as it is now."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from headgate.errors import GitError
from headgate.records import frozen_record
from headgate.releases.deepen import RECENT_DEPTHS, deepening
from headgate.repository.git import lines
from headgate.repository.gitlog import below, pieces

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headgate.configuration import Owner
    from headgate.landing.workspace import Workspace
    from headgate.repository.git import Repository

_NEWEST = 10
_OLDEST = 5
_LONGEST = 5000


@frozen_record(kw_only=False)
class Deployment:
    """What is deployed: the ``commit`` that brought it, empty where git does not reach back so far.

    ``same`` are the commits that leave it as it is, the newest first.
    """

    commit: str
    same: tuple[str, ...]

    @property
    def newest(self) -> tuple[str, ...]:
        """The newest of these, for who looks at each: Flux skips commits when several come at once."""
        return self.same[:_NEWEST]

    @property
    def oldest(self) -> tuple[str, ...]:
        """The oldest of these, with what came right after the deployment."""
        return self.same[_NEWEST:][-_OLDEST:]


def deployments(workspace: Workspace, folders: Mapping[Owner, str]) -> dict[Owner, Deployment]:
    """Return what is deployed of the apps whose final YAML is in these folders, by one look at the past.

    The past is fetched as far as it is needed and not further than some hundred commits. Raises GitError.
    """
    found: dict[Owner, str] = {}
    line: list[str] = [workspace.base]
    with (
        deepening(workspace.repository, workspace.remote, workspace.base, RECENT_DEPTHS) as repositories,
        suppress(GitError),  # the remote does not answer: what is here must do
    ):
        for repository in repositories:
            line = _line(repository, workspace.base)
            found = _last_touches(repository, workspace.base, folders)
            if len(found) == len(folders):
                break
    return {owner: _deployment(line, found.get(owner, "")) for owner in folders}


def _deployment(line: Sequence[str], commit: str) -> Deployment:
    return Deployment(commit, tuple(line[: line.index(commit) + 1] if commit in line else line[:_NEWEST]))


def _line(repository: Repository, head: str) -> list[str]:
    return lines(repository.git("rev-list", "--first-parent", f"--max-count={_LONGEST}", "--end-of-options", head))


def _last_touches(repository: Repository, head: str, folders: Mapping[Owner, str]) -> dict[Owner, str]:
    owners = {folder: owner for owner, folder in folders.items()}
    found: dict[Owner, str] = {}
    roots = sorted({folder.split("/")[0] for folder in owners})
    for logged in pieces(repository, head, [below(root) for root in roots]) if roots else ():
        for entry in logged:
            for change in entry.files:
                owner = owners.get(change.path.rpartition("/")[0])
                if owner is not None:
                    found.setdefault(owner, entry.commit)
        if len(found) == len(owners):
            break
    return found
