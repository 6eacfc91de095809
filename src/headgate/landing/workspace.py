"""Where a manifest repository is worked on: a checkout of the user's, or a remote without any checkout."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from headgate.config import keeps_records_apart, load
from headgate.errors import ConflictError, GitError, Location
from headgate.landing.push_queue import line
from headgate.landing.records import apart, may_be_apart, read_records, with_records
from headgate.paths import RECORDS_BRANCH, SETTINGS
from headgate.repository import git
from headgate.repository.commit import advance, commit_identity, make_commit
from headgate.repository.remote import ORIGIN, RefUpdate, clone, fetch, fetch_commits, push, remote_refs, upstream
from headgate.repository.tree import Tree, name_objects_as
from headgate.repository.worktree import check_clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from headgate.config import Configuration
    from headgate.landing.proof import ProofKey
    from headgate.model import Commits, Settings
    from headgate.repository.git import Repository
    from headgate.repository.tree import Changes


Result = TypeVar("Result")
_PROTECTED = "not allowed to push code to protected branches"
"""GitLab's words: https://docs.gitlab.com/user/project/repository/branches/protected/."""
_RECORDS_REF = f"refs/heads/{RECORDS_BRANCH}"


@dataclass(frozen=True)
class Workspace:
    """A manifest repository at the commit ``base`` of ``branch``. ``remote`` is empty when nothing is pushed.

    ``along`` are refs of the remote that go away with the next push.
    """

    repository: Repository
    branch: str
    base: str
    remote: str
    is_checkout: bool
    signing_key: str = ""
    """File of the key that signs what is committed here; empty: nothing is signed."""
    target: Settings | None = None
    """headgate.yaml of the branch that this one is to be merged into: its limits hold, and nothing is proposed."""
    push_options: Callable[[Configuration, str], tuple[str, ...]] | None = None
    """Says what the remote is told when a branch for review is pushed, by the configuration and the branch."""
    prover: ProofKey | None = None
    """Proves what is committed to branches for review; without it they are taken as they stand."""
    along: list[RefUpdate] = field(default_factory=list, compare=False)
    _heads: dict[str, str] = field(default_factory=dict, compare=False)

    @property
    def remote_url(self) -> str:
        """The address behind ``remote``, which is a name."""
        return self.repository.git("remote", "get-url", self.remote)

    @cached_property
    def tree(self) -> Tree:
        """All files of the base commit, listed once, with the records that stand on a branch of their own."""
        if not self.has_records_apart:
            return self._files
        commit = branch_heads(self).get(_RECORDS_REF, git.NO_COMMIT)
        if commit == git.NO_COMMIT:
            return with_records(self._files, Tree({}))
        if self.remote and not git.has_commit(self.repository, commit):
            fetch(self.repository, self.remote, commit, depth=0 if self.is_checkout else 1)
        return with_records(self._files, read_records(self.repository, commit, self.prover))

    @cached_property
    def _files(self) -> Tree:
        return git.tree_of_commit(self.repository, self.base)

    @cached_property
    def has_records_apart(self) -> bool:
        """Whether what is pending stands on a branch of its own."""
        return self.target is None and keeps_records_apart(self._files)

    @cached_property
    def configuration(self) -> Configuration:
        """The configuration at the base commit, read once. Raises ConfigError, YamlError."""
        return load(self.tree)


@dataclass(frozen=True)
class OpenProposal:
    """An open proposal of ours: its commit and files, and the files that it stands on."""

    branch: str
    commit: str
    tree: Tree
    base: Tree


@dataclass(frozen=True)
class Delivered:
    """A commit of ours and the branch it is on."""

    branch: str
    commit: str


@dataclass(frozen=True)
class PreparedCommit:
    """Changes that become one commit on a branch; None is the default branch. Without changes the branch goes."""

    branch: str | None
    changes: Changes
    message: str


@contextmanager
def open_workspace(manifests: str, signing_key: str = "", branch: str = "") -> Iterator[Workspace]:
    """Open a checkout, a bare repository or an address, for as long as the block lasts.

    ``signing_key`` is the file of the key that signs what is committed. ``branch`` is worked on instead of the
    default one, where there is no checkout. What somebody changed in a checkout without
    committing it is not looked at: `publish` refuses to write over it. Raises GitError.
    """
    repository = _checkout(manifests)
    if repository is not None:
        current = git.current_branch(repository)
        if not current:
            raise GitError("HEAD is on no branch", where=Location(manifests), hint="check a branch out first")
        git.use_names_of(repository)
        remote = upstream(repository, current)
        yield Workspace(repository, current, git.head(repository), remote, is_checkout=True, signing_key=signing_key)
        return
    with clone(manifests, branch) as fresh:
        name_objects_as(fresh.base)
        yield Workspace(fresh.repository, fresh.branch, fresh.base, ORIGIN, is_checkout=False, signing_key=signing_key)


def _checkout(manifests: str) -> Repository | None:
    """Return the repository of a folder with files to work on; None for an address or a bare repository."""
    folder = Path(manifests)
    if "://" in manifests or not folder.is_dir():
        return None
    repository = git.open_repository(folder)
    return None if repository.bare else repository


def refreshed(workspace: Workspace, newest: str = "") -> Workspace:
    """Return the workspace at the newest commit of its branch: ``newest``, where that is known already.

    Raises ConflictError for a checkout that diverged.
    """
    ref = f"refs/heads/{workspace.branch}"
    if not workspace.remote:
        return replace(workspace, base=git.head(workspace.repository), _heads={})
    if not workspace.is_checkout:
        base = fetch(workspace.repository, workspace.remote, newest or ref)
        return replace(workspace, base=base, _heads={})
    newest, base = fetch(workspace.repository, workspace.remote, ref, depth=0), git.head(workspace.repository)
    if not git.is_ancestor(workspace.repository, base, newest):
        raise ConflictError("the checkout has commits that are not pushed", hint="push or drop them first")
    advance(workspace.repository, newest, base)
    return replace(workspace, base=newest, _heads={})


def until_landed(workspace: Workspace, attempt: Callable[[Workspace], Result], *, tries: int = 40) -> Result:
    """Attempt something on the newest commit until nobody was faster: fetch, apply, hydrate, push, never rebase.

    The first attempt is made at once, those after it in turn with others who were refused too (`turns`). Raises
    ConflictError after ``tries`` attempts.
    """
    with line(workspace.repository, workspace.remote, f"refs/heads/{workspace.branch}") as turns:
        for _ in range(1, tries):
            try:
                return attempt(workspace)
            except ConflictError:
                newest = turns.wait(workspace.base) if workspace.remote else ""
                workspace = replace(refreshed(workspace, newest), along=turns.along)
        return attempt(workspace)


def read_proposal(workspace: Workspace, branch: str, commit: str) -> OpenProposal:
    """Return a branch for review at a commit, with what it stands on."""
    fetch_proposed(workspace, [commit])
    repository = workspace.repository
    base = git.tree_of_commit(repository, f"{commit}^") if git.has_commit(repository, f"{commit}^") else Tree({})
    return OpenProposal(branch, commit, git.tree_of_commit(repository, commit), base)


def fetch_proposed(workspace: Workspace, commits: Sequence[str]) -> None:
    """Let the commits of proposals be here, with those that they stand on: by one fetch for all that are missing."""
    missing = [commit for commit in commits if not git.has_commit(workspace.repository, f"{commit}^")]
    if missing and workspace.remote:
        # never the history of a person's checkout cut short: that would make it shallow
        fetch_commits(workspace.repository, workspace.remote, missing, depth=0 if workspace.is_checkout else 2)


def publish(workspace: Workspace, drafts: Sequence[PreparedCommit], commits: Commits | None = None) -> list[Delivered]:
    """Make the commits, and bring them to their branches: all in one push, or none of them.

    ``commits`` says whom they are by.
    Those for review stand on top of the default branch's. A branch for review is replaced, and
    left alone when it holds the same files already. Raises ConflictError when a branch moved.
    """
    if any(may_be_apart(draft.changes) for draft in drafts if draft.branch is None) and workspace.has_records_apart:
        drafts = [one for draft in drafts for one in _with_records_apart(draft)]
    elsewhere = branch_heads(workspace) if any(draft.branch for draft in drafts) else {}
    delivered: list[Delivered] = []
    moves: list[RefUpdate] = []
    base = workspace.base
    for draft in sorted(drafts, key=lambda draft: draft.branch or ""):
        ref = f"refs/heads/{draft.branch or workspace.branch}"
        old = elsewhere.get(ref, git.NO_COMMIT) if draft.branch else workspace.base
        below = old if draft.branch == RECORDS_BRANCH else base
        commit = _commit(workspace, below, draft, commits)
        if draft.branch is None:
            base = commit  # what is reviewed stands on the newest default branch
        elif _is_there(workspace, old, commit):
            continue
        moves.append(RefUpdate(ref, commit, old))
        delivered.append(Delivered(draft.branch or workspace.branch, commit))
    if workspace.is_checkout:
        _check_untouched(workspace, drafts)
    _bring(workspace, moves)
    return delivered


def _with_records_apart(draft: PreparedCommit) -> list[PreparedCommit]:
    """Return a draft for the default branch as two, of which one has the records."""
    if draft.branch is not None:
        return [draft]
    rest, records = apart(draft.changes)
    both = (replace(draft, changes=rest), replace(draft, branch=RECORDS_BRANCH, changes=records))
    return [one for one in both if one.changes]


def _check_untouched(workspace: Workspace, drafts: Sequence[PreparedCommit]) -> None:
    """Raise DirtyError when somebody changed a file of the checkout that is to be written. Others may differ."""
    paths = [path for draft in drafts if draft.branch is None for path in draft.changes]
    for at in range(0, len(paths), _PATHS_AT_ONCE):
        check_clean(workspace.repository, paths[at : at + _PATHS_AT_ONCE])


_PATHS_AT_ONCE = 2000  # so that a command line does not become too long


def _commit(workspace: Workspace, base: str, draft: PreparedCommit, commits: Commits | None) -> str:
    """Return the draft's commit, or `NO_COMMIT` for a branch that goes."""
    if not draft.changes:
        return git.NO_COMMIT
    by = commit_identity(commits, workspace.signing_key)
    if draft.branch is None or workspace.prover is None:
        return make_commit(workspace.repository, base, draft.changes, draft.message, identity=by)
    bare = make_commit(workspace.repository, base, draft.changes, draft.message, identity=replace(by, signing_key=""))
    return workspace.prover.proven(workspace.repository, draft.branch, bare, by)


def _is_there(workspace: Workspace, old: str, new: str) -> bool:
    """Whether a branch for review is as it should be already: gone, or with the same files on top of the same files.

    The same files on top of others would be merged to something else.
    """
    if git.NO_COMMIT in (old, new):
        return old == new
    repository = workspace.repository
    fetch_proposed(workspace, [old])
    if not git.same_tree(repository, old, new):
        return False
    return git.has_commit(repository, f"{old}^") and git.same_tree(repository, f"{old}^", f"{new}^")


def branch_heads(workspace: Workspace) -> dict[str, str]:
    """Return where all branches are, as of the first time that this is asked of a base. Raises GitError."""
    if not workspace._heads:  # noqa: SLF001  our own record
        repository, remote = workspace.repository, workspace.remote
        found = remote_refs(repository, remote) if remote else git.local_refs(repository)
        workspace._heads.update(found)  # noqa: SLF001
    return workspace._heads  # noqa: SLF001


def _push(workspace: Workspace, moves: Sequence[RefUpdate], options: tuple[str, ...]) -> None:
    try:
        push(workspace.repository, workspace.remote, moves, options)
    except GitError as error:
        if _PROTECTED not in str(error):
            raise
        way_out = "" if workspace.has_records_apart else f"'records: branch' in {SETTINGS} keeps what is pending apart"
        raise GitError(
            error.what,
            where=error.where,
            hint=f"Settings > Repository > Protected branches: let the bot push {workspace.branch}"
            + (f"; where nobody may, and all is reviewed, {way_out}" if way_out else ""),
        ) from None


def _bring(workspace: Workspace, moves: Sequence[RefUpdate]) -> None:
    if not moves:
        return
    if workspace.remote:
        proposes = any(move.ref != f"refs/heads/{workspace.branch}" for move in moves)
        told = workspace.push_options if proposes else None
        options = told(workspace.configuration, workspace.branch) if told else ()
        _push(workspace, [*moves, *workspace.along], options)
        workspace.along.clear()
    workspace._heads.clear()  # noqa: SLF001
    if not workspace.is_checkout:
        return
    for move in moves:
        if move.ref == f"refs/heads/{workspace.branch}":
            if git.head(workspace.repository) != workspace.base:
                raise ConflictError("the checkout moved in the meantime", hint="run the same command again")
            advance(workspace.repository, move.new, move.old)
        elif not workspace.remote and move.new == git.NO_COMMIT:
            workspace.repository.git("update-ref", "-d", move.ref, move.old)
        elif not workspace.remote:
            workspace.repository.git("update-ref", move.ref, move.new, move.old)
