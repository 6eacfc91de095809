"""An app's repository: its files at the handed-off commit, and the order of its commits."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from headgate.dependencies.download import DownloadAccess
from headgate.dependencies.resolve import Resolver
from headgate.errors import GitError, Location
from headgate.repository import git
from headgate.repository.difference import is_ancestor
from headgate.repository.gitlog import is_shallow
from headgate.repository.remote import (
    ORIGIN,
    address_hint,
    fetch,
    fetch_history,
    has_remotes,
    remote_refs,
    scratch,
)
from headgate.repository.tree import MAX_FOLDER, MEBI

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headgate.repository.git import Repository
    from headgate.repository.tree import Tree


SOURCE_HINT = "name the app's repository, as a full clone or by its address, with --source"
"""What to do where an app's repository cannot be read."""


class AppSource:
    """An app's repository in a folder or at an address: read on demand, and only once."""

    def __init__(self, address: str, commit: str, resolver: Resolver, stack: ExitStack) -> None:
        """Read nothing yet. ``resolver`` fetches what the app's config depends on elsewhere."""
        self.address = address
        self.commit = commit
        self.resolver = resolver
        self._stack = stack
        self._histories: dict[frozenset[str], Repository | None] = {}
        self._tags: dict[str, list[str]] = {}
        self._ancestry: dict[tuple[str, str], bool | None] = {}
        self._problem: GitError | None = None

    @property
    def _is_folder(self) -> bool:
        return git.is_folder(self.address)

    @cached_property
    def _fresh(self) -> Repository:
        """A temporary repository for single commits without history."""
        return self._stack.enter_context(scratch(self.address, max_bytes=MAX_FOLDER + MEBI))

    @cached_property
    def _folder(self) -> Repository:
        """The repository in a folder. Raises GitError when there is none."""
        return git.open_repository(Path(self.address), SOURCE_HINT)

    @cached_property
    def files(self) -> Tree:
        """All files at the commit. Raises GitError when there is no such repository or commit."""
        if not self._is_folder:
            try:
                return git.tree_as_needed(self._fresh, fetch(self._fresh, ORIGIN, self.commit))
            except GitError as error:
                raise GitError(error.what, hint=error.hint or address_hint(self.address)) from None
        if not git.has_commit(self._folder, self.commit):
            raise GitError(f"commit {self.commit} not found", where=Location(str(self._folder.path)), hint=SOURCE_HINT)
        return git.tree_as_needed(self._folder, self.commit)

    def is_ancestor(self, old: str, new: str) -> bool | None:
        """Whether ``new`` is ``old`` or a descendant; None when the history is unreadable."""
        if (old, new) not in self._ancestry:
            self._ancestry[old, new] = self._read_ancestry(old, new)
        return self._ancestry[old, new]

    def _read_ancestry(self, old: str, new: str) -> bool | None:
        repository = self._history(frozenset((old, new)))
        if repository is None:
            return None
        try:
            if is_ancestor(repository, old, new):
                return True
            if not is_shallow(repository):
                return False
            self._problem = self._shallow()  # an ancestor may lie beyond the cut
        except GitError as error:
            missing = GitError(f"{error.what} in {self.address}", hint=SOURCE_HINT)
            self._problem = self._shallow() if is_shallow(repository) else missing
        return None

    def _shallow(self) -> GitError:
        hint = "'git fetch --unshallow' there brings the whole history; in a job, GIT_DEPTH: 0 does"
        return GitError(f"{self.address} is a shallow clone", hint=hint)

    def problem(self) -> GitError | None:
        """Return why the last history that was unreadable is so, in git's words."""
        return self._problem

    def _history(self, commits: frozenset[str]) -> Repository | None:
        """Return a repository with the history of these commits; None when it is unreadable."""
        if commits not in self._histories:
            self._histories[commits] = self._read_history(commits)
        return self._histories[commits]

    def _read_history(self, commits: frozenset[str]) -> Repository | None:
        try:
            if self._is_folder:
                return self._folder
            # A new repository: one that has a commit without its parents would end the history there.
            fresh = self._stack.enter_context(scratch(self.address))
            fetch_history(fresh, sorted(commits))
        except GitError as error:
            what = f"{error.where}: {error.what}" if error.where else error.what
            self._problem = GitError(what, hint=error.hint or address_hint(self.address))
            return None
        return fresh

    def tags_of(self, commit: str) -> list[str]:
        """Return the tags on a commit or its ancestors, in full; none when they are unreadable."""
        if commit not in self._tags:
            self._tags[commit] = self._read_tags(commit)
        return self._tags[commit]

    def _read_tags(self, commit: str) -> list[str]:
        try:
            if self._is_folder:
                repository = self._folder
            else:
                repository = self._stack.enter_context(scratch(self.address))
                fetch_history(repository, [commit, "+refs/tags/*:refs/tags/*"])
            merged = repository.git("for-each-ref", f"--merged={commit}", "--format=%(refname)", "refs/tags/")
        except GitError:
            return []
        return git.lines(merged)

    def is_on(self, ref: str) -> bool | None:
        """Whether the commit is on a branch; None when the history is unreadable."""
        tip = self._tip(ref)
        return tip is not None and (tip == self.commit or self.is_ancestor(self.commit, tip))

    def replaces(self, gone: str, new: str, ref: str) -> bool:
        """Whether ``gone`` has disappeared (history was rewritten), while ``new`` is the head of ``ref``.

        False when that is unreadable, and in a folder that is a clone: it may be out of date.
        """
        try:
            if self._is_folder and _is_clone(self._folder):
                return False
            if self._tip(ref) != new:
                return False
            fetch(self._fresh, ORIGIN, new)
        except GitError:
            return False
        try:
            fetch(self._fresh, ORIGIN, gone)
        except GitError:
            return self._still_answers(new, ref)
        return False

    def _still_answers(self, new: str, ref: str) -> bool:
        """Whether the remote still answers: only then is a failed fetch proof that the commit is gone."""
        try:
            return self._tip(ref) == new
        except GitError:
            return False

    def _tip(self, ref: str) -> str | None:
        return remote_refs(self._fresh, ORIGIN, ref).get(ref)


@contextmanager
def app_source(address: str, commit: str, access: DownloadAccess | None = None) -> Iterator[AppSource]:
    """Give access to an app's repository. ``access`` has the logins for its config's dependencies: see `Resolver`."""
    with ExitStack() as stack:
        yield AppSource(address, commit, Resolver(access or DownloadAccess()), stack)


def _is_clone(repository: Repository) -> bool:
    return is_shallow(repository) or has_remotes(repository)
