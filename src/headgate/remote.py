"""Other repositories: fetched from without their history, and pushed to all or nothing."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from headgate.errors import ConflictError, GitError, Place
from headgate.git import NO_COMMIT, Repository, git, head, mask

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True)
class Move:
    """One ref of a push: to ``new``, when it is at ``old``. `NO_COMMIT` stands for no such ref."""

    ref: str
    new: str
    old: str


def push(repository: Repository, remote: str, moves: Sequence[Move]) -> None:
    """Push all moves or none.

    Raises ConflictError when a ref is elsewhere by now, which is decided by asking the remote and not by
    git's words, and GitError for every other refusal.
    """
    leases = [f"--force-with-lease={move.ref}:{'' if move.old == NO_COMMIT else move.old}" for move in moves]
    specs = [f"{'' if move.new == NO_COMMIT else move.new}:{move.ref}" for move in moves]
    try:
        repository.git("push", "--quiet", "--atomic", "--no-verify", *leases, "--end-of-options", remote, *specs)
    except GitError as error:
        now = remote_refs(repository, remote)
        moved = [move.ref for move in moves if now.get(move.ref, NO_COMMIT) != move.old]
        if all(now.get(move.ref, NO_COMMIT) == move.new for move in moves):
            return  # the answer was lost, the push was not
        if moved:
            raise ConflictError(
                f"{', '.join(moved)} moved in the meantime",
                hint="nothing was pushed; run the same command again",
            ) from None
        raise error from None


def remote_refs(repository: Repository, remote: str, pattern: str = "refs/heads/*") -> dict[str, str]:
    """Return where the refs of a remote are that fit a pattern: all branches, or one ref in full."""
    lines = repository.git("ls-remote", "--quiet", "--refs", "--end-of-options", remote, pattern).splitlines()
    return {ref: oid for oid, ref in (line.split("\t") for line in lines)}


@dataclass(frozen=True)
class Clone:
    """A bare repository for one run, into which single commits of ``url`` are fetched."""

    repository: Repository
    url: str

    @cached_property
    def default_branch(self) -> str:
        """The branch that the remote's HEAD names. Raises GitError when it has none."""
        first = self.repository.git("ls-remote", "--symref", "--quiet", "--end-of-options", self.url, "HEAD")
        match = re.match(r"ref: refs/heads/(\S+)\tHEAD", first)
        if match is None:
            raise GitError("the repository has no default branch yet", where=Place(mask(self.url)))
        return match[1]


@contextmanager
def clone(url: str) -> Iterator[Clone]:
    """Make an empty bare repository in a temporary folder, for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="headgate-") as folder:
        git(["init", "--quiet", "--bare", "--template=", folder])
        yield Clone(Repository(Path(folder), bare=True), _absolute(url))


def _absolute(url: str) -> str:
    return os.path.abspath(url) if "://" not in url and os.path.isdir(url) else url  # noqa: PTH100, PTH112


def fetch(repository: Repository, remote: str, what: str, *, depth: int = 1) -> str:
    """Fetch a ref or a commit, with ``depth`` commits of its history (0: all), and return the commit's id."""
    into = "refs/headgate/fetched"
    repository.git(
        *("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", *([f"--depth={depth}"] if depth else [])),
        *("--end-of-options", remote, f"+{what}:{into}"),
    )
    return head(repository, into)


def fetch_history(repository: Repository, remote: str, commits: Sequence[str]) -> None:
    """Fetch commits with all that came before them, but no files and no folders."""
    repository.git(
        *("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--filter=tree:0", "--end-of-options"),
        *(remote, *commits),
    )


def fetch_recent(repository: Repository, remote: str, ref: str, count: int) -> str:
    """Fetch the newest commits of a ref, but no files and no folders, and return the newest."""
    into = "refs/headgate/recent"
    repository.git(
        *("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--filter=tree:0", f"--depth={count}"),
        *("--end-of-options", remote, f"+{ref}:{into}"),
    )
    return head(repository, into)


def upstream(repository: Repository, branch: str) -> str:
    """Return the remote that a branch is pushed to, or an empty string when there is none."""
    try:
        return repository.git("config", "--get", f"branch.{branch}.remote")
    except GitError:
        return ""
