"""Remotes: fetches without history, and atomic pushes."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from headgate.errors import ConflictError, GitError, Location
from headgate.records import frozen_record
from headgate.repository.git import NO_COMMIT, Repository, current_branch, git, head, lines, mask
from headgate.repository.gitconfig import setting_text, user_settings
from headgate.repository.tree import MEBI
from headgate.retry import persistently

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


ORIGIN = "origin"


@frozen_record(kw_only=False)
class RefUpdate:
    """One ref of a push, from ``old`` to ``new``. `NO_COMMIT` means that the ref does not exist."""

    ref: str
    new: str
    old: str


def push(
    repository: Repository,
    remote: str,
    updates: Sequence[RefUpdate],
    options: Sequence[str] = (),
    *,
    may_be_behind: bool = False,
) -> None:
    """Push all updates or none; retry while the refs stay where they were, since a connection may break.

    ``options``: https://docs.gitlab.com/topics/git/commit/#push-options. ``may_be_behind``: the remote's branches moved
    since we fetched, so ask it at once what it has.

    Raises ConflictError when the remote's refs say that one moved, GitError when every try fails.
    """
    tries = count(1)
    persistently(
        lambda: _push_or_compare(repository, remote, updates, options, tried=next(tries), may_be_behind=may_be_behind)
    )


def _push_or_compare(
    repository: Repository,
    remote: str,
    updates: Sequence[RefUpdate],
    options: Sequence[str],
    *,
    tried: int,
    may_be_behind: bool,
) -> None:
    # Of refs that moved, git cannot tell what they contain, and would send all that a commit holds: contents which a
    # partial clone lacks. The negotiation costs a request more, so that a push that finds nothing moved goes without.
    negotiate = may_be_behind or tried > 1
    try:
        _push(repository, remote, updates, options, negotiate=negotiate)
    except GitError as error:
        # Git saw a ref elsewhere before it sent anything; only after an earlier try may it have been moved by that one.
        stale = _stale(updates, error) if tried == 1 else []
        refs = {} if stale else _list_refs(repository, remote, *(update.ref for update in updates))
        if refs and all(refs.get(update.ref, NO_COMMIT) == update.new for update in updates):
            return  # the push landed, only its answer was lost
        moved = stale or [update.ref for update in updates if refs.get(update.ref, NO_COMMIT) != update.old]
        if moved:
            raise ConflictError(
                f"{', '.join(moved)} moved in the meantime",
                hint="nothing was pushed; run the same command again",
            ) from None
        in_the_way, twin = _IN_THE_WAY.search(error.what), _TWIN.search(error.what)
        if in_the_way:
            raise GitError(error.what, hint=f"delete the branch '{in_the_way[1]}', which is in the way") from None
        if twin:
            hint = f"delete the branch or tag whose name is '{twin[1]}' in full: git confuses it with another one"
            raise GitError(error.what, hint=hint) from None
        raise


_STALE = re.compile(r"! \[rejected\] +\S+ -> (\S+) \(stale info\)")


def _stale(updates: Sequence[RefUpdate], error: GitError) -> list[str]:
    """Return the refs that git found elsewhere than their leases say, as far as its message names them."""
    names = set(_STALE.findall(error.what))
    return [update.ref for update in updates if {update.ref, update.ref.removeprefix("refs/heads/")} & names]


# Refs are paths, so that a and a/b cannot both be there; and a branch can be called refs/heads/main.
_IN_THE_WAY = re.compile(r"cannot lock ref '[^']*': 'refs/heads/([^']*)' exists")
_TWIN = re.compile(r"dst refspec (\S+) matches more than one")


def _push(
    repository: Repository, remote: str, updates: Sequence[RefUpdate], options: Sequence[str], *, negotiate: bool
) -> None:
    leases = [f"--force-with-lease={update.ref}:{'' if update.old == NO_COMMIT else update.old}" for update in updates]
    specs = [f"{'' if update.new == NO_COMMIT else update.new}:{update.ref}" for update in updates]
    mirrors = f"remote.{remote}.mirror"  # git would push all refs there, and takes none by name
    # No delta search: for it, git would fetch old contents into a partial clone.
    repository.git(
        *("-c", "pack.window=0", "-c", f"push.negotiate={str(negotiate).lower()}"),
        *(("-c", f"{mirrors}=false") if mirrors in repository.settings else ()),
        *("push", "--quiet", "--atomic", "--no-verify", *leases),
        *(f"--push-option={option}" for option in options),
        *("--end-of-options", remote, *specs),
    )


def remote_refs(repository: Repository, remote: str, *patterns: str) -> dict[str, str]:
    """Return the refs of a remote whose full names match one of the patterns, with their commits; else all branches."""
    return persistently(lambda: _list_refs(repository, remote, *(patterns or ("refs/heads/*",))))


def _list_refs(repository: Repository, remote: str, *patterns: str) -> dict[str, str]:
    # Only with this flag does the remote leave all other refs out of its answer.
    heads = ["--heads"] if all(pattern.startswith("refs/heads/") for pattern in patterns) else []
    output = repository.git("ls-remote", "--quiet", "--refs", *heads, "--end-of-options", remote, *patterns)
    return {ref: oid for oid, ref in (line.split("\t", 1) for line in lines(output))}


@frozen_record
class Clone:
    """A bare repository for one run: the newest commit ``base`` of a branch, without contents."""

    repository: Repository
    url: str
    branch: str
    base: str


@contextmanager
def clone(url: str, branch: str = "") -> Iterator[Clone]:
    """Clone one commit without file contents into a temporary repository; contents come on demand.

    ``branch`` replaces the default branch. Raises GitError when it does not exist, or when the remote's HEAD names no
    branch.
    """
    with tempfile.TemporaryDirectory(prefix="headgate-") as parent:
        folder, address = Path(parent) / "git", _absolute(url)
        persistently(lambda: _clone(address, folder, branch))
        settings = {**user_settings(str(folder)), f"remote.{ORIGIN}.url": address}
        with closing(Repository(folder, bare=True, blobless=ORIGIN, settings=settings)) as repository:
            name = current_branch(repository)
            (base,) = repository.resolve(f"refs/heads/{name}^{{commit}}")
            if not base:
                raise GitError(
                    "the repository has no default branch yet",
                    where=Location(mask(url)),
                    hint="push its first commit; 'headgate init' writes the files of a manifest repository",
                )
            yield Clone(repository=repository, url=address, branch=name, base=base)


# Nothing in it outlives the run: it needs no waiting for the disk, and no process that takes packs apart. What is
# pushed are few files and lists of ids, which much work makes no shorter.
_SHORT_LIVED = ("core.fsync=none", "core.compression=1", "fastimport.unpackLimit=1")


def address_hint(url: str) -> str:
    """Return what to do where a remote does not answer."""
    return f"check the address: 'git ls-remote {mask(url)}' asks it"


def _clone(url: str, folder: Path, branch: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)  # leftovers of an earlier try
    args = ["clone", "--quiet", "--bare", "--depth=1", "--filter=blob:none", "--single-branch", "--no-tags"]
    args += [f"--config={setting}" for setting in _SHORT_LIVED]
    chosen = [f"--branch={branch}"] if branch else []
    try:
        git([*args, *chosen, "--no-local", "--template=", "--end-of-options", url, str(folder)])
    except GitError as error:
        raise GitError(error.what, hint=error.hint or address_hint(url)) from None


@contextmanager
def scratch(url: str, *, max_bytes: int = 0, like: str = "", blobless: str = ORIGIN) -> Iterator[Repository]:
    """Make an empty, temporary bare repository whose remote ``origin`` is ``url``.

    ``max_bytes`` limits one fetch of contents; 0 is no limit. Objects are named ``like`` a commit, by default by SHA-1.
    ``blobless``: the remote that contents come from; none where another repository may lend them.
    """
    with tempfile.TemporaryDirectory(prefix="headgate-") as folder:
        _make_empty(Path(folder))
        names = {"extensions.objectformat": "sha256"} if len(like) > len(NO_COMMIT) else {}
        with closing(Repository(Path(folder), bare=True, max_bytes=max_bytes, blobless=blobless)) as repository:
            write_config(
                repository,
                {
                    "core.repositoryformatversion": "1" if names else "0",
                    "core.bare": "true",
                    **names,
                    f"remote.{ORIGIN}.url": _absolute(url),
                },
            )
            yield repository


def _make_empty(folder: Path) -> None:
    """Make what git takes for an empty repository: https://git-scm.com/docs/gitrepository-layout."""
    for name in ("objects/info", "refs"):
        (folder / name).mkdir(parents=True)
    (folder / "HEAD").write_text("ref: refs/heads/main\n", encoding="ascii")


def write_config(repository: Repository, settings: Mapping[str, str]) -> None:
    """Add settings to a bare repository's configuration.

    Written directly (https://git-scm.com/docs/git-config#_syntax), since git needs one process for each setting.
    """
    text = "".join(setting_text(key, value) for key, value in settings.items())
    with (repository.path / "config").open("ab") as file:
        file.write(os.fsencode(text))


def _absolute(url: str) -> str:
    return os.path.abspath(url) if "://" not in url and os.path.isdir(url) else url  # noqa: PTH100, PTH112


def fetch(repository: Repository, remote: str, revision: str, *, depth: int = 1) -> str:
    """Fetch a ref or a commit and ``depth`` commits of its history without contents; return the commit's id.

    A depth of 0 fetches the whole history with its contents, so that a person's checkout never becomes shallow.
    """
    target = "refs/headgate/fetched"
    _fetch(repository, remote, _shallow(depth), f"+{revision}:{target}")
    return head(repository, target)


def fetch_commits(repository: Repository, remote: str, commits: Sequence[str], *, depth: int = 1) -> None:
    """Fetch several commits at once, like `fetch`."""
    _fetch(
        repository,
        remote,
        _shallow(depth),
        *(f"+{commit}:refs/headgate/commits/{commit}" for commit in dict.fromkeys(commits)),
    )


def _shallow(depth: int) -> list[str]:
    return [f"--depth={depth}", "--filter=blob:none"] if depth else []


def fetch_history(repository: Repository, commits: Sequence[str]) -> None:
    """Fetch commits with their whole history, but without files and folders."""
    _fetch(repository, ORIGIN, ["--filter=tree:0"], *commits)


def fetch_recent(repository: Repository, ref: str, count: int) -> str:
    """Fetch the newest commits of a ref without files and folders, and return the newest."""
    target = "refs/headgate/recent"
    _fetch(repository, ORIGIN, ["--filter=tree:0", f"--depth={count}"], f"+{ref}:{target}")
    return head(repository, target)


def _fetch(repository: Repository, remote: str, options: Sequence[str], *specs: str) -> None:
    persistently(lambda: repository.fetch(*options, "--end-of-options", remote, *specs, max_bytes=_MAX_FETCH))


_MAX_FETCH = 512 * MEBI
"""Limit for the folders of one commit, or for the commits of a history."""


def has_remotes(repository: Repository) -> bool:
    """Whether a repository knows any remote: a setting ``remote.NAME.KEY``, and not only ``remote.KEY``."""
    return any(key.startswith("remote.") and key.count(".") > 1 for key in repository.settings)


def upstream(repository: Repository, branch: str) -> str:
    """Return the remote of a branch, or an empty string when it has none."""
    return repository.settings.get(f"branch.{branch}.remote", "")
