"""Fetch Kustomize bases from git at their commits, including the files and bases that they build on."""

from __future__ import annotations

import posixpath
from contextlib import ExitStack
from typing import TYPE_CHECKING

from headgate.dependencies.closure import closure
from headgate.dependencies.download import check_host
from headgate.dependencies.kustomization import file_in
from headgate.errors import DependencyError, GitError, Location, TooLargeError, UnsafeFileError
from headgate.records import frozen_record
from headgate.repository import git
from headgate.repository.input_check import check_input
from headgate.repository.login import Login, logged_in
from headgate.repository.remote import ORIGIN, fetch, scratch, write_config
from headgate.repository.tree import MAX_FILES, MAX_FOLDER, MEBI, Tree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.dependencies.bases import RemoteBase
    from headgate.dependencies.download import DownloadAccess

_MAX_BASES = 50
_MAX_DEPTH = 10
_SLOW_BYTES, _SLOW_SECONDS = 1000, 30
"""A host that sends fewer bytes in each of so many seconds is given up."""
_LEFT_OUT = {".gitignore", ".gitkeep", ".mailmap"}


@frozen_record(kw_only=False)
class Fetched:
    """Bases and their files, by path in the app's config."""

    bases: tuple[RemoteBase, ...]
    files: dict[str, bytes]


def fetch_bases(wanted: Sequence[tuple[RemoteBase, Location]], access: DownloadAccess, owner: str) -> Fetched:
    """Fetch bases, each with the place that names it, and their own bases for the app ``owner``.

    Raises DependencyError for a forbidden host or a missing base, ConfigError for a nested base without a commit,
    UnsafeFileError and TooLargeError as for all files of an app.
    """
    files: dict[str, bytes] = {}
    known: dict[RemoteBase, int] = {}
    waiting = [(base, where, 1) for base, where in wanted]
    with ExitStack() as stack:
        repositories: dict[tuple[str, str], Tree] = {}
        while waiting:
            base, where, depth = waiting.pop(0)
            if base in known:
                continue
            known[base] = depth
            _check_count(known, depth, where)
            try:
                if (base.address, base.commit) not in repositories:
                    repositories[base.address, base.commit] = _repository(stack, base, access, where)
                needed = _base(repositories[base.address, base.commit], base, where, owner)
            except GitError as error:
                raise DependencyError(f"cannot fetch {base}: {error.what}", where=where) from None
            files |= {f"{base.repository_folder}/{path}": data for path, data in needed.files.items()}
            _check_size(files, where)
            waiting += [(next_base, place, depth + 1) for next_base, place in needed.bases]
    return Fetched(tuple(sorted(known, key=str)), files)


@frozen_record(kw_only=False)
class _Base:
    """The files of a base, and the bases of other repositories that it builds on."""

    files: dict[str, bytes]
    bases: tuple[tuple[RemoteBase, Location], ...]


def _base(tree: Tree, base: RemoteBase, where: Location, owner: str) -> _Base:
    label = f"{base.address}@{base.commit[:12]}"
    if not file_in(tree, base.path):
        raise DependencyError(f"no kustomization in {base}", where=where)
    built_on = closure(tree, [base.path], lambda path: posixpath.join(label, path), owner)
    for entry, place in built_on.outside:
        raise UnsafeFileError(f"'{entry}' leaves the repository of the base", where=place)
    kept = Tree({path: tree.blob(path) for path in built_on.files if path.rsplit("/", 1)[-1] not in _LEFT_OUT})
    check_input(kept, label)
    return _Base({path: kept.read(path) for path in kept.paths()}, built_on.remote)


def _repository(stack: ExitStack, base: RemoteBase, access: DownloadAccess, where: Location) -> Tree:
    """Return the files of a base's repository at the commit; contents are fetched on demand."""
    host = check_host(base.address, access, where)
    failures: list[GitError] = []
    for address in _addresses(base.address):
        if host in access.credentials:
            user, password = access.credentials[host]
            stack.enter_context(logged_in(Login(url=address, user=user, password=password)))
        try:
            fresh = stack.enter_context(scratch(address, max_bytes=MAX_FOLDER + MEBI))
            slow = {"http.lowSpeedLimit": str(_SLOW_BYTES), "http.lowSpeedTime": str(_SLOW_SECONDS)}
            # A redirect could lead to a forbidden host.
            write_config(fresh, {"http.followredirects": "false", **slow})
            return git.tree_of_commit(fresh, fetch(fresh, ORIGIN, base.commit))
        except GitError as error:
            failures.append(error)
    raise failures[0]


def _addresses(address: str) -> list[str]:
    """Return the address with ``.git`` first: some hosts redirect to it, and redirects are off."""
    return [address] if address.endswith(".git") or "/_git/" in address else [f"{address}.git", address]


def _check_count(known: dict[RemoteBase, int], depth: int, where: Location) -> None:
    if len(known) > _MAX_BASES or depth > _MAX_DEPTH:
        raise TooLargeError(f"more than {_MAX_BASES} bases, or nested deeper than {_MAX_DEPTH}", where=where)


def _check_size(files: dict[str, bytes], where: Location) -> None:
    if len(files) > MAX_FILES or sum(map(len, files.values())) > MAX_FOLDER:
        raise TooLargeError(f"bases of more than {MAX_FILES} files or {MAX_FOLDER // MEBI} MiB", where=where)
