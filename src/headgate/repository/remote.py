"""Other repositories: fetched from without their history, and pushed to all or nothing."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from headgate.errors import ConflictError, GitError, Location
from headgate.repository.git import NO_COMMIT, Repository, escaped, git, head, lines, mask
from headgate.repository.tree import MEBI
from headgate.retry import TRIES, pause, persistently

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True)
class RefUpdate:
    """One ref of a push: to ``new``, when it is at ``old``. `NO_COMMIT`: it does not exist, or is to be removed."""

    ref: str
    new: str
    old: str


def push(repository: Repository, remote: str, moves: Sequence[RefUpdate], options: Sequence[str] = ()) -> None:
    """Push all moves or none, again and again while nothing moves, since a connection may have broken.

    ``options`` are what the remote is told beside it: https://docs.gitlab.com/topics/git/commit/#push-options.

    Raises ConflictError when a ref is elsewhere by now, which is decided by asking the remote and not by
    git's words, and GitError when the remote takes it at no try.
    """
    for tried in range(1, TRIES + 1):
        try:
            _push(repository, remote, moves, options)
        except GitError as error:
            now = remote_refs(repository, remote, *(move.ref for move in moves))
            if all(now.get(move.ref, NO_COMMIT) == move.new for move in moves):
                return  # the answer was lost, the push was not
            moved = [move.ref for move in moves if now.get(move.ref, NO_COMMIT) != move.old]
            if moved:
                raise ConflictError(
                    f"{', '.join(moved)} moved in the meantime",
                    hint="nothing was pushed; run the same command again",
                ) from None
            if tried == TRIES:
                raise error from None
            pause(tried)
        else:
            return


def _push(repository: Repository, remote: str, moves: Sequence[RefUpdate], options: Sequence[str]) -> None:
    leases = [f"--force-with-lease={move.ref}:{'' if move.old == NO_COMMIT else move.old}" for move in moves]
    specs = [f"{'' if move.new == NO_COMMIT else move.new}:{move.ref}" for move in moves]
    # Without a search for deltas, for which git would fetch old contents into a partial clone.
    repository.git(
        *("-c", "pack.window=0", "push", "--quiet", "--atomic", "--no-verify", *leases),
        *(f"--push-option={option}" for option in options),
        *("--end-of-options", remote, *specs),
    )


def remote_refs(repository: Repository, remote: str, *patterns: str) -> dict[str, str]:
    """Return where the refs of a remote are whose full names match one of the patterns; without one, all branches."""
    patterns = patterns or ("refs/heads/*",)
    # Only with this flag the remote leaves all other refs out of its answer.
    only = ["--heads"] if all(pattern.startswith("refs/heads/") for pattern in patterns) else []
    args = ("ls-remote", "--quiet", "--refs", *only, "--end-of-options", remote, *patterns)
    told = persistently(lambda: repository.git(*args))
    return {ref: oid for oid, ref in (line.split("\t", 1) for line in lines(told))}


@dataclass(frozen=True)
class Clone:
    """A bare repository for one run: the newest commit ``base`` of a branch, without contents."""

    repository: Repository
    url: str
    branch: str
    base: str


@contextmanager
def clone(url: str, branch: str = "") -> Iterator[Clone]:
    """Clone one commit and its folders for as long as the block lasts; contents come when they are asked for.

    ``branch`` is taken for the default one when it is given. Raises GitError when it is not there, or when the
    remote's HEAD names no branch.
    """
    with tempfile.TemporaryDirectory(prefix="headgate-") as folder:
        repository = Repository(Path(folder) / "git", bare=True)
        persistently(lambda: _clone(_absolute(url), repository.path, branch))
        branches = repository.git("for-each-ref", "--format=%(refname) %(objectname)", "refs/heads/")
        if not branches:
            raise GitError("the repository has no default branch yet", where=Location(mask(url)))
        name, base = lines(branches)[0].rsplit(" ", 1)
        yield Clone(repository, _absolute(url), name.removeprefix("refs/heads/"), base)


def _clone(url: str, folder: Path, branch: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)  # what a try before left
    args = ["clone", "--quiet", "--bare", "--depth=1", "--filter=blob:none", "--single-branch", "--no-tags"]
    chosen = [f"--branch={branch}"] if branch else []
    git([*args, *chosen, "--no-local", "--template=", "--end-of-options", url, str(folder)])


@contextmanager
def scratch(url: str, *, most: int = 0, like: str = "") -> Iterator[Repository]:
    """Make an empty bare repository whose remote ``origin`` is ``url``, for as long as the block lasts.

    ``most`` limits the bytes of one fetch of contents; 0 is no limit. Objects are named ``like`` a commit: by SHA-1
    where none is given.
    """
    with tempfile.TemporaryDirectory(prefix="headgate-") as folder:
        names = "sha256" if len(like) > len(NO_COMMIT) else "sha1"
        git(["init", "--quiet", "--bare", "--template=", f"--object-format={names}", folder])
        repository = Repository(Path(folder), bare=True, most=most)
        write_config(repository, (f'remote "{ORIGIN}"', "url", _absolute(url)))
        yield repository


ORIGIN = "origin"


def write_config(repository: Repository, *settings: tuple[str, str, str]) -> None:
    """Add section, key and value of each setting to a bare repository's configuration.

    Written as https://git-scm.com/docs/git-config#_syntax says: git itself takes a process for each.
    """
    text = ""
    for section, key, value in settings:
        text += f'[{section}]\n\t{key} = "{escaped(value)}"\n'
    with (repository.path / "config").open("ab") as file:
        file.write(os.fsencode(text))


def _absolute(url: str) -> str:
    return os.path.abspath(url) if "://" not in url and os.path.isdir(url) else url  # noqa: PTH100, PTH112


def fetch(repository: Repository, remote: str, what: str, *, depth: int = 1) -> str:
    """Fetch a ref or a commit without contents, with ``depth`` commits of its history, and return the commit's id.

    With a depth of 0 all of it comes, its history and its contents.
    """
    into = "refs/headgate/fetched"
    # A person's checkout keeps its whole history and all contents: what is fetched into it is never cut.
    cut = [f"--depth={depth}", "--filter=blob:none"] if depth else []
    args = [*_FETCH, *cut, "--end-of-options", remote, f"+{what}:{into}"]
    persistently(lambda: git(args, cwd=repository.path, most=_MOST_FOLDERS))
    return head(repository, into)


def fetch_commits(repository: Repository, remote: str, commits: Sequence[str], *, depth: int = 1) -> None:
    """Fetch some commits at once, as `fetch` fetches one."""
    cut = [f"--depth={depth}", "--filter=blob:none"] if depth else []
    specs = [f"+{commit}:refs/headgate/commits/{commit}" for commit in dict.fromkeys(commits)]
    args = [*_FETCH, *cut, "--end-of-options", remote, *specs]
    persistently(lambda: git(args, cwd=repository.path, most=_MOST_FOLDERS))


_FETCH = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance")
_MOST_FOLDERS = 512 * MEBI
"""Bytes that the folders of one commit, or the commits of a history, may have on their way."""


def fetch_history(repository: Repository, remote: str, commits: Sequence[str]) -> None:
    """Fetch commits with all that came before them, but no files and no folders."""
    args = [*_FETCH, "--filter=tree:0", "--end-of-options", remote, *commits]
    persistently(lambda: git(args, cwd=repository.path, most=_MOST_FOLDERS))


def fetch_recent(repository: Repository, remote: str, ref: str, count: int) -> str:
    """Fetch the newest commits of a ref, but no files and no folders, and return the newest."""
    into = "refs/headgate/recent"
    args = [*_FETCH, "--filter=tree:0", f"--depth={count}", "--end-of-options", remote, f"+{ref}:{into}"]
    persistently(lambda: git(args, cwd=repository.path, most=_MOST_FOLDERS))
    return head(repository, into)


def upstream(repository: Repository, branch: str) -> str:
    """Return the remote that a branch is pushed to, or an empty string when there is none."""
    try:
        return repository.git("config", "--get", f"branch.{branch}.remote")
    except GitError:
        return ""
