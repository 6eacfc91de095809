"""The manifest repository that a run works on: a person's checkout, or a remote without a checkout."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from headgate.config import check_is_manifests, keeps_records_apart, load
from headgate.errors import ConflictError, GitError, Location
from headgate.landing.push_queue import join_queue
from headgate.landing.records import read_records, with_records
from headgate.paths import RECORDS_BRANCH
from headgate.records import frozen_record
from headgate.repository import git
from headgate.repository.commit import advance
from headgate.repository.difference import is_ancestor
from headgate.repository.remote import ORIGIN, clone, fetch, fetch_commits, remote_refs, upstream
from headgate.repository.tree import Tree, name_objects_as

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from headgate.configuration import Configuration
    from headgate.landing.proof import ProofKey
    from headgate.landing.push_queue import PushQueue
    from headgate.repository.git import Repository


Result = TypeVar("Result")
_ATTEMPTS = 40
_RECORDS_REF = f"refs/heads/{RECORDS_BRANCH}"


class _BranchHeads:
    """The branches of a repository or its remote, listed once."""

    def __init__(self) -> None:
        self._heads: dict[str, str] | None = None

    def read(self, repository: Repository, remote: str) -> dict[str, str]:
        if self._heads is None:
            self._heads = remote_refs(repository, remote) if remote else git.local_refs(repository)
        return self._heads

    def forget(self) -> None:
        self._heads = None


@frozen_record
class Workspace:
    """A manifest repository at the commit ``base`` of ``branch``. An empty ``remote`` means no pushes.

    ``signing_key`` is the file of the key that signs commits, if any. ``target`` is the configuration of the branch
    into which people will merge this one: its limits apply, and nothing is proposed. ``push_options`` returns the
    options for a push of review branches. ``prover`` proves commits on review branches; without it they are trusted.
    ``queue`` is the push queue that this run waits in. ``outlives``: the files are listed at once, so that they can be
    compared when the clone is gone.
    """

    repository: Repository
    branch: str
    base: str
    remote: str
    is_checkout: bool
    signing_key: str = ""
    outlives: bool = False
    target: Configuration | None = None
    push_options: Callable[[Configuration, str], tuple[str, ...]] | None = None
    prover: ProofKey | None = None
    queue: PushQueue | None = field(default=None, compare=False)
    _heads: _BranchHeads = field(default_factory=_BranchHeads, compare=False)

    def branch_heads(self) -> dict[str, str]:
        """Return all branches by full name, with their commits, as of the first read. Raises GitError."""
        return self._heads.read(self.repository, self.remote)

    def forget_heads(self) -> None:
        """Read the branches again next time, since a push moved them."""
        self._heads.forget()

    def at(self, base: str) -> Workspace:
        """Return the workspace at another commit of its branch."""
        return replace(self, base=base, _heads=_BranchHeads())

    @cached_property
    def tree(self) -> Tree:
        """All files of the base commit, with the records from their own branch."""
        if not self.has_records_apart:
            return self.files
        commit = self.branch_heads().get(_RECORDS_REF, git.NO_COMMIT)
        if commit == git.NO_COMMIT:
            return with_records(self.files, Tree({}))
        if self.remote and not git.has_commit(self.repository, commit):
            fetch(self.repository, self.remote, commit, depth=0 if self.is_checkout else 1)
        return with_records(self.files, read_records(self.repository, commit, self.prover))

    @cached_property
    def files(self) -> Tree:
        """The files of the base commit, without records from another branch."""
        list_files = git.tree_of_commit if self.outlives else git.tree_as_needed
        return list_files(self.repository, self.base)

    @cached_property
    def has_records_apart(self) -> bool:
        """Whether the records of what is pending are on a branch of their own."""
        return self.target is None and keeps_records_apart(self.files)

    @cached_property
    def configuration(self) -> Configuration:
        """The configuration at the base commit. Raises ConfigError, YamlError."""
        return load(self.tree)


@frozen_record
class OpenProposal:
    """An open proposal: its commit and files, and the files of its parent commit."""

    branch: str
    commit: str
    tree: Tree
    base: Tree


@contextmanager
def open_workspace(
    manifests: str, signing_key: str = "", branch: str = "", *, outlives: bool = False
) -> Iterator[Workspace]:
    """Open a checkout, a bare repository or an address.

    ``branch`` replaces the default branch, unless this is a checkout. Uncommitted changes in a checkout are ignored;
    `publish` refuses to overwrite them. ``outlives``: files can be compared when a clone is gone. Raises GitError,
    ConfigError when it is no manifest repository.
    """
    repository = _checkout(manifests)
    if repository is not None:
        current = git.current_branch(repository)
        if not current:
            raise GitError("HEAD is on no branch", where=Location(manifests), hint="check out a branch first")
        git.use_names_of(repository)
        remote = upstream(repository, current)
        workspace = Workspace(
            repository=repository,
            branch=current,
            base=git.head(repository),
            remote=remote,
            is_checkout=True,
            signing_key=signing_key,
        )
        check_is_manifests(workspace.files, str(repository.path))
        yield workspace
        return
    with clone(manifests, branch) as cloned:
        name_objects_as(cloned.base)
        workspace = Workspace(
            repository=cloned.repository,
            branch=cloned.branch,
            base=cloned.base,
            remote=ORIGIN,
            is_checkout=False,
            signing_key=signing_key,
            outlives=outlives,
        )
        check_is_manifests(workspace.files, git.mask(manifests))
        yield workspace


def _checkout(manifests: str) -> Repository | None:
    """Return the repository of a checkout; None for an address or a bare repository."""
    if not git.is_folder(manifests):
        return None
    repository = git.open_repository(Path(manifests))
    return None if repository.bare else repository


def refreshed(workspace: Workspace) -> Workspace:
    """Return the workspace at the newest commit of its branch. Raises ConflictError for a checkout that diverged."""
    ref = f"refs/heads/{workspace.branch}"
    if not workspace.remote:
        return workspace.at(git.head(workspace.repository))
    if not workspace.is_checkout:
        return workspace.at(fetch(workspace.repository, workspace.remote, ref))
    if ref not in workspace.at(workspace.base).branch_heads():
        raise ConflictError(
            f"the branch {workspace.branch} of this checkout is not in {workspace.remote}",
            hint="push it there first, or check out the default branch",
        )
    newest, base = fetch(workspace.repository, workspace.remote, ref, depth=0), git.head(workspace.repository)
    if not is_ancestor(workspace.repository, base, newest):
        raise ConflictError("the checkout has unpushed commits", hint="push or drop them first")
    advance(workspace.repository, newest, base)
    return workspace.at(newest)


def until_landed(workspace: Workspace, attempt: Callable[[Workspace], Result]) -> Result:
    """Attempt something on the newest commit until no other push comes first. Each attempt starts over.

    The first attempt starts at once, later ones wait in the push queue. Raises ConflictError after many attempts.
    """
    ref = f"refs/heads/{workspace.branch}"
    with join_queue(workspace.repository, workspace.remote, ref, fetches=not workspace.is_checkout) as queue:
        for _ in range(1, _ATTEMPTS):
            try:
                return attempt(workspace)
            except ConflictError:
                newest = queue.wait(workspace.base) if workspace.remote else ""
                workspace = replace(workspace.at(newest) if newest else refreshed(workspace), queue=queue)
        return attempt(workspace)


def read_proposal(workspace: Workspace, branch: str, commit: str) -> OpenProposal:
    """Return a review branch at a commit, with its parent's files."""
    fetch_proposed(workspace, [commit])
    repository = workspace.repository
    base = git.tree_as_needed(repository, f"{commit}^") if git.has_commit(repository, f"{commit}^") else Tree({})
    return OpenProposal(branch=branch, commit=commit, tree=git.tree_as_needed(repository, commit), base=base)


def fetch_proposed(workspace: Workspace, commits: Sequence[str]) -> None:
    """Fetch the missing commits of proposals, and their parents, at once."""
    missing = [commit for commit in commits if not git.has_commit(workspace.repository, f"{commit}^")]
    if missing and workspace.remote:
        # A depth would make a person's checkout shallow.
        fetch_commits(workspace.repository, workspace.remote, missing, depth=0 if workspace.is_checkout else 2)
