"""The git binary: plumbing commands with explicit flags and a scrubbed environment."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from headgate import process
from headgate.errors import GitError, Location
from headgate.paths import NO_COMMIT_YET, WRONG_FOLDER
from headgate.repository.catfile import CatFile, StoredObject
from headgate.repository.commit_object import CommitDetails, parse_commit
from headgate.repository.gitconfig import OVERRIDES, TREELESS_HINT, environment
from headgate.repository.held import HeldContents
from headgate.repository.layout import GitLayout, branch_in, parse_layout, settings_in
from headgate.repository.login import refusal
from headgate.repository.stored import StoredListing
from headgate.repository.tree import MAX_FILE, REGULAR, Blob, StoredBlob, Tree, blob_id, name_objects_as
from headgate.retry import persistently

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

NO_COMMIT = "0" * 40
_MAX_ERROR_LINES = 5


def git(
    args: Sequence[str], *, cwd: Path | None = None, stdin: bytes | Iterable[bytes] = b"", max_bytes: int = 0
) -> bytes:
    """Run git and return its output. ``max_bytes`` limits each file that it writes; 0 is no limit.

    Raises GitError with git's output, with passwords in addresses masked.
    """
    limits = process.Limits(output=max_bytes)
    try:
        return process.run(["git", *OVERRIDES, *args], env=environment(cwd), cwd=cwd, stdin=stdin, limits=limits).stdout
    except process.ProcessError as error:
        stderr = mask(error.stderr)
        reasons = stderr.removeprefix("fatal: ").splitlines()[:_MAX_ERROR_LINES]
        refused = refusal(args, stderr)
        if refused:
            reasons[-1] = refused.message  # git's own line speaks of a prompt or of an HTTP status
        reason = "; ".join(reasons) or error.completed.code
        command = next(arg for arg in args if not arg.startswith("-") and "=" not in arg)
        hint = refused.hint if refused else TREELESS_HINT if "lazy fetching disabled" in stderr else ""
        raise GitError(f"git {command} failed: {reason}", hint=hint) from None


def mask(text: str) -> str:
    """Hide user names and passwords in addresses."""
    return re.sub(r"(\w+://)[^/@\s]+@", r"\1", text)


class Repository:
    """A local repository: ``path`` is its working tree, or its own folder when it is bare.

    A partial clone fetches missing blobs from its remote; ``max_bytes`` limits one such fetch. One that is ``blobless``
    came without any from this remote: it fetches what it was not asked for before, since git takes long to say that
    blobs are missing.
    """

    def __init__(
        self,
        path: Path,
        *,
        bare: bool = False,
        max_bytes: int = 0,
        blobless: str = "",
        layout: GitLayout | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Read nothing yet. ``layout`` and ``settings``, where they are known already."""
        self.path = path
        self.bare = bare
        self.blobless = blobless
        self.max_bytes = max_bytes
        self._layout, self._settings = layout, settings
        self._sizes: dict[str, int] = {}
        self._held = HeldContents()
        self._objects = CatFile(path)

    def git(self, *args: str, stdin: bytes | Iterable[bytes] = b"") -> str:
        """Run git in this repository and return its output as text, without the last newline."""
        return git(args, cwd=self.path, stdin=stdin).decode("utf-8", "surrogateescape").rstrip("\n")

    @cached_property
    def layout(self) -> GitLayout:
        """Where git keeps things, and how it names objects."""
        return self._layout or _layout_at(self.path)

    def git_path(self, name: str) -> Path:
        """Return where git keeps something that all worktrees share, such as ``objects``."""
        if self.bare and not (self.path / "commondir").is_file():
            return self.path / name
        return self.layout.shared / name

    @cached_property
    def settings(self) -> Mapping[str, str]:
        """Git's settings here, as of the first look: the last value of each key."""
        return self._settings or settings_in(self.git("config", "--list", "-z"))

    def fetch(self, *args: str, max_bytes: int = 0) -> None:
        """Run ``git fetch``; ``max_bytes`` limits what it writes, 0 is no limit. Raises GitError."""
        quiet = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance")
        git([*quiet, *args], cwd=self.path, max_bytes=max_bytes)
        self.close()

    def close(self) -> None:
        """End what reads its objects: git reads only once where the history is cut, and where else objects are."""
        self._objects.close()

    def resolve(self, *revisions: str) -> list[str]:
        """Return the id of the object that each revision names, empty where there is none. Raises GitError."""
        return [found.oid if found else "" for found in self.look_up(revisions)]

    def look_up(self, names: Sequence[str]) -> list[StoredObject | None]:
        """Return the kinds and sizes of objects, named by ids or revisions, without fetching any. Raises GitError."""
        return self._objects.info(names)

    def measure(self, oids: Sequence[str]) -> Mapping[str, int]:
        """Return the sizes of blobs. Raises GitError for a missing blob."""
        if len(oids) == 1 and oids[0] in self._sizes:
            return self._sizes
        unknown = [oid for oid in dict.fromkeys(oids) if oid not in self._sizes]
        if unknown:
            self._sizes.update(_sizes(self, unknown))
        return self._sizes

    def keep(self, contents: Iterable[bytes]) -> None:
        """Remember that this run stored these contents here, so that no remote is asked for them."""
        self._sizes.update((blob_id(data), len(data)) for data in contents)

    def load(self, oids: Sequence[str]) -> Mapping[str, bytes]:
        """Return the contents of blobs up to `MAX_FILE`."""
        if len(oids) == 1 and oids[0] in self._held:
            return self._held
        sizes = self.measure(oids)
        missing = [oid for oid in dict.fromkeys(oids) if oid not in self._held and sizes[oid] <= MAX_FILE]
        read = {found.oid: found.content for found in self._objects.contents(missing) if found}
        return self._held.with_more(read, oids)

    def trees(self, oids: Sequence[str]) -> Mapping[str, bytes]:
        """Return folders as git stores them. Raises GitError for a missing one."""
        return dict(zip(oids, self.stored(oids), strict=True))

    def stored(self, names: Sequence[str]) -> list[bytes]:
        """Return objects as git stores them. Raises GitError for a missing one."""
        found = self._objects.contents(names)
        if None in found:
            raise _missing_error(self, names[found.index(None)])
        return [stored.content for stored in found if stored]


def _sizes(repository: Repository, oids: Sequence[str]) -> dict[str, int]:
    """Return the sizes of blobs, after fetching the missing ones."""
    reason = None
    if repository.blobless:
        with suppress(GitError):  # what is only here, in a commit of this run, is found below
            _fetch_blobs(repository, repository.blobless, oids)
    try:
        sizes = _local_sizes(repository, oids)
    except GitError as error:  # older versions of git fail here, since we forbid lazy fetches
        sizes, reason = {}, error
    missing = [oid for oid in oids if oid not in sizes]
    if missing:
        remote = repository.blobless or _promisor(repository)
        if not remote:
            raise reason or _missing_error(repository, missing[0])
        persistently(lambda: _fetch_blobs(repository, remote, missing))
        sizes |= _local_sizes(repository, missing)
    for oid in missing:
        if oid not in sizes:
            raise _missing_error(repository, oid)
    return sizes


def _local_sizes(repository: Repository, oids: Sequence[str]) -> dict[str, int]:
    return {oid: found.size for oid, found in zip(oids, repository.look_up(oids), strict=True) if found}


def _missing_error(repository: Repository, oid: str) -> GitError:
    return GitError(f"the object {oid} is missing in the repository", where=Location(str(repository.path)))


def _promisor(repository: Repository) -> str:
    """Return the remote that a partial clone fetches missing objects from; empty for another repository."""
    keys = [key for key in repository.settings if key.endswith(".promisor")]
    return keys[-1].removeprefix("remote.").removesuffix(".promisor") if keys else ""


def _fetch_blobs(repository: Repository, remote: str, oids: Sequence[str]) -> None:
    # No negotiation: we want exactly these ids. The filter keeps git from requesting more.
    args = ["-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", "--no-tags", "--no-write-fetch-head"]
    args += ["--no-auto-maintenance", "--filter=blob:none", "--stdin", "--end-of-options", remote]
    wanted = "".join(f"{oid}\n" for oid in oids).encode()
    git(args, cwd=repository.path, stdin=wanted, max_bytes=repository.max_bytes)


def open_repository(path: Path, hint: str = WRONG_FOLDER) -> Repository:
    """Return the repository that contains ``path``. Raises GitError, with ``hint``, when there is none."""
    if not path.is_dir():
        raise GitError("no such folder", where=Location(str(path.absolute())), hint=hint)
    try:
        layout = _layout_at(path)
    except GitError as error:
        if "dubious ownership" in error.what:
            hint = "the repository belongs to another user: git config --global --add safe.directory DIR"
        raise GitError("not a git repository", where=Location(str(path.absolute())), hint=hint) from None
    return Repository(layout.top or layout.own, bare=layout.top is None, layout=layout)


def _layout_at(folder: Path) -> GitLayout:
    return parse_layout(git(GitLayout.QUESTION, cwd=folder).decode("utf-8", "surrogateescape"), folder)


def is_folder(repository: str) -> bool:
    """Whether a repository is named by its folder, not by its address: ``https://HOST/PATH`` or ``HOST:PATH``."""
    return ":" not in repository or Path(repository).is_dir()


def use_names_of(repository: Repository) -> None:
    """Name objects as this manifest repository does for the rest of the run: by SHA-1 or SHA-256."""
    name_objects_as(repository.layout.object_format)


def head(repository: Repository, revision: str = "HEAD", hint: str = NO_COMMIT_YET) -> str:
    """Return the commit id of a revision. Raises GitError when there is no such commit: ``hint`` is for no commit."""
    (commit,) = repository.resolve(f"{revision}^{{commit}}")
    if commit:
        return commit
    if revision != "HEAD":
        raise GitError(f"commit {revision} not found")
    raise GitError("the repository has no commit yet", where=Location(str(repository.path)), hint=hint)


def has_commit(repository: Repository, revision: str) -> bool:
    """Whether a revision names a commit of this repository."""
    try:
        head(repository, revision)
    except GitError:
        return False
    return True


def current_branch(repository: Repository) -> str:
    """Return the name of the branch that HEAD is on, or an empty string when it is detached."""
    branch = branch_in((repository.path if repository.bare else repository.layout.own) / "HEAD")
    if branch is not None:
        return branch
    try:
        return repository.git("symbolic-ref", "--quiet", "--short", "HEAD")
    except GitError:
        return ""


def tree_of_commit(repository: Repository, commit: str) -> Tree:
    """Return the files of a commit. Reads and fetches no contents."""
    return Tree(_files_of(repository, commit))


def tree_as_needed(repository: Repository, commit: str) -> Tree:
    """Return the files of a commit, whose folders are read as they are looked up, while the repository exists."""
    (tree,) = repository.resolve(f"{commit}^{{tree}}")
    if not tree:
        raise _missing_error(repository, commit)
    everything = partial(_files_of, repository, commit)
    return Tree(StoredListing[Blob](repository, tree, lambda mode, oid: StoredBlob(repository, oid, mode), everything))


def _files_of(repository: Repository, commit: str) -> dict[str, Blob]:
    listing = repository.git("ls-tree", "-r", "-z", "--full-tree", commit)
    blobs: dict[str, Blob] = {}
    for line in filter(None, listing.split("\0")):
        tab = line.index("\t")  # "100644 blob ID<tab>PATH", sliced by position for speed: there are tens of thousands
        mode = REGULAR if line.startswith(REGULAR) else line[:6]
        blobs[line[tab + 1 :]] = StoredBlob(repository, line[line.index(" ", 7) + 1 : tab], mode)
    return blobs


def local_refs(repository: Repository) -> dict[str, str]:
    """Return the local branches by their full names, with their commits."""
    output = repository.git("for-each-ref", "--format=%(refname) %(objectname)", "refs/heads/")
    return dict(line.rsplit(" ", 1) for line in lines(output))


def commit_details(repository: Repository, commit: str) -> CommitDetails:
    """Return a commit as it is stored, also at a shallow cut. Raises GitError when it is missing."""
    return parse_commit(repository.stored([commit])[0], commit)


def lines(output: str) -> list[str]:
    """Split git's output at newlines alone: a branch may have U+2028 in its name."""
    split = output.split("\n")
    return split[:-1] if split[-1] == "" else split
