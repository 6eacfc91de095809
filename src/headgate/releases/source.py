"""An app's repository: its files at the handed-off commit, and which commit comes after which."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from headgate.dependencies.download import DownloadAccess
from headgate.dependencies.resolve import Resolver
from headgate.errors import GitError
from headgate.repository import git
from headgate.repository.remote import ORIGIN, fetch, fetch_history, remote_refs, scratch
from headgate.repository.tree import MAX_FOLDER, MEBI

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headgate.repository.git import Repository
    from headgate.repository.tree import Tree


@dataclass(frozen=True)
class AppSource:
    """A folder or an address, from which only what is asked for is read, and that once."""

    address: str
    commit: str
    resolver: Resolver
    """Brings along what the app's config builds on elsewhere."""
    _stack: ExitStack
    _histories: dict[frozenset[str], Repository | None] = field(default_factory=dict)
    _tags: dict[str, list[str]] = field(default_factory=dict)
    _answers: dict[tuple[str, str], bool | None] = field(default_factory=dict)

    @property
    def _is_folder(self) -> bool:
        return "://" not in self.address and Path(self.address).is_dir()

    @cached_property
    def _fresh(self) -> Repository:
        """A repository without history, into which single commits come."""
        return self._stack.enter_context(scratch(self.address, max_bytes=MAX_FOLDER + MEBI))

    @cached_property
    def files(self) -> Tree:
        """All files at the commit. Raises GitError when there is no such repository or commit."""
        if not self._is_folder:
            return git.tree_of_commit(self._fresh, fetch(self._fresh, ORIGIN, self.commit))
        repository = git.open_repository(Path(self.address))
        if not git.has_commit(repository, self.commit):
            raise GitError(
                f"there is no commit {self.commit} in {self.address}", hint="name the app's repository with --source"
            )
        return git.tree_of_commit(repository, self.commit)

    def is_ancestor(self, old: str, new: str) -> bool | None:
        """Whether ``new`` is ``old`` or comes after it; None where the history cannot be read."""
        if (old, new) not in self._answers:
            self._answers[old, new] = self._find_out(old, new)
        return self._answers[old, new]

    def _find_out(self, old: str, new: str) -> bool | None:
        repository = self._history(frozenset((old, new)))
        try:
            if repository is None:
                return None
            # Where history is cut off, what seems to be no ancestor may be one beyond the cut.
            return git.is_ancestor(repository, old, new) or (None if git.is_shallow(repository) else False)
        except GitError:
            return None

    def _history(self, commits: frozenset[str]) -> Repository | None:
        """Return a repository with these commits and all before them; None where they cannot be had."""
        if commits not in self._histories:
            self._histories[commits] = self._read_history(commits)
        return self._histories[commits]

    def _read_history(self, commits: frozenset[str]) -> Repository | None:
        try:
            if self._is_folder:
                return git.open_repository(Path(self.address))
            # A repository of its own: in one with a commit without its parents, the history would end there.
            fresh = self._stack.enter_context(scratch(self.address))
            fetch_history(fresh, ORIGIN, sorted(commits))
        except GitError:
            return None
        return fresh

    def tags_of(self, commit: str) -> list[str]:
        """Return the tags on a commit or before it, in full; none where that cannot be read."""
        if commit not in self._tags:
            self._tags[commit] = self._read_tags(commit)
        return self._tags[commit]

    def _read_tags(self, commit: str) -> list[str]:
        try:
            if self._is_folder:
                repository = git.open_repository(Path(self.address))
            else:
                repository = self._stack.enter_context(scratch(self.address))
                fetch_history(repository, ORIGIN, [commit, "+refs/tags/*:refs/tags/*"])
            merged = repository.git("for-each-ref", f"--merged={commit}", "--format=%(refname)", "refs/tags/")
        except GitError:
            return []
        return git.lines(merged)

    def is_on(self, ref: str) -> bool | None:
        """Whether the commit is on a branch: its head, or before that. None where that cannot be read."""
        tip = self._tip(ref)
        return tip is not None and (tip == self.commit or self.is_ancestor(self.commit, tip))

    def replaces(self, gone: str, new: str, ref: str) -> bool:
        """Whether ``gone`` is no commit any more (history was rewritten), while ``new`` is the head of ``ref``.

        False where that cannot be read. A folder that is a copy of another repository does not know: it may be old.
        """
        try:
            if self._is_folder and _is_copy(git.open_repository(Path(self.address))):
                return False
            if self._tip(ref) != new:
                return False
            fetch(self._fresh, ORIGIN, new)
        except GitError:
            return False
        try:
            fetch(self._fresh, ORIGIN, gone)
        except GitError:
            return self._answers_still(new, ref)
        return False

    def _answers_still(self, new: str, ref: str) -> bool:
        """Whether the remote can be asked, so that what it did not give is not there."""
        try:
            return self._tip(ref) == new
        except GitError:
            return False

    def _tip(self, ref: str) -> str | None:
        return remote_refs(self._fresh, ORIGIN, ref).get(ref)


@contextmanager
def app_source(address: str, commit: str, access: DownloadAccess | None = None) -> Iterator[AppSource]:
    """Give access to an app's repository for as long as the block lasts. Nothing is read before it is asked for.

    ``access`` has the logins for what its config builds on elsewhere: see `Resolver`.
    """
    with ExitStack() as stack:
        yield AppSource(address, commit, Resolver(access or DownloadAccess()), stack)


def _is_copy(repository: Repository) -> bool:
    return git.is_shallow(repository) or bool(repository.git("remote"))
