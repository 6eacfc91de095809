"""As much of the past as is needed, where a repository was cut off: fetched step by step, never into a checkout."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from headgate.errors import GitError
from headgate.releases.history import read_history
from headgate.repository import gitlog
from headgate.repository.remote import scratch, write_config
from headgate.repository.tree import no_object

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from headgate.releases.history import ReleaseHistory
    from headgate.repository.git import Repository

_ALL = 2**31 - 1  # how git itself says it: https://git-scm.com/docs/shallow
DEPTHS = (50, 500, 5000, _ALL)
"""How many commits are fetched, step by step."""


@contextmanager
def open_history(
    repository: Repository,
    remote: str,
    head: str,
    app: str,
    environment: str,
    enough: Callable[[ReleaseHistory], bool] = lambda _history: False,
) -> Iterator[ReleaseHistory]:
    """Read the history of an app's release (`read_history`) until it is ``enough``, or whole.

    ``remote`` is where a shallow repository came from, by name or address; without one, what is there must do.
    The history's repository, which commits and files are read from, is there as long as the block lasts.
    Raises GitError.
    """
    with deepening(repository, remote, head) as repositories:
        for one in repositories:
            history = read_history(one, head, app, environment)
            if not history.cut or enough(history):
                break
        yield history


@contextmanager
def deepening(
    repository: Repository, remote: str, head: str, depths: Sequence[int] = DEPTHS
) -> Iterator[Iterator[Repository]]:
    """Give repositories that know more and more of what was before ``head``: first the one at hand, as it is.

    The others are one temporary bare repository: commits and folders of the past, and files as they are asked for.
    """
    end = gitlog.cut(repository, head)
    if not end or not remote:
        yield iter([repository])
        return
    with history_clone(repository, remote) as fresh:
        yield _deeper(fresh, repository, end, depths)


def _deeper(fresh: Repository, repository: Repository, end: str, depths: Sequence[int]) -> Iterator[Repository]:
    yield repository
    for depth in depths:
        fetch_beside(fresh, repository, [f"+{end}:refs/headgate/past"], depth)
        yield fresh


@contextmanager
def history_clone(repository: Repository, remote: str) -> Iterator[Repository]:
    """Make a temporary bare repository that fetches from a remote of ``repository`` as that does (`fetch_beside`)."""
    address = _address(repository, remote)
    with scratch(address, like=no_object()) as fresh:
        _set_up(fresh, repository, address)
        yield fresh


def fetch_beside(fresh: Repository, repository: Repository, refs: Sequence[str], depth: int) -> None:
    """Fetch refs with so much of their past, and files only when they are asked for; the rest is in ``repository``."""
    alternates = fresh.path / "objects" / "info" / "alternates"
    objects = repository.path / repository.git("rev-parse", "--git-path", "objects")
    alternates.unlink(missing_ok=True)  # else git tells the server of commits whose past is not here
    fresh.git(
        *("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--filter=blob:none", f"--depth={depth}"),
        *("--end-of-options", _REMOTE, *refs),
    )
    alternates.write_bytes(os.fsencode(objects) + b"\n")


_REMOTE = "past"


def _set_up(fresh: Repository, repository: Repository, address: str) -> None:
    """Make the temporary repository fetch as the one at hand does, and files only when they are asked for."""
    config = repository.path / repository.git("rev-parse", "--git-path", "config")
    remote = f'remote "{_REMOTE}"'
    write_config(
        fresh,
        ("include", "path", str(config)),  # how to log in, proxies; what follows goes before it
        ("core", "bare", "true"),
        ("core", "repositoryFormatVersion", "1"),
        ("extensions", "partialClone", _REMOTE),
        (remote, "url", address),
        (remote, "promisor", "true"),
        (remote, "partialCloneFilter", "blob:none"),
    )


def _address(repository: Repository, remote: str) -> str:
    """Return the address of a remote; what is no remote's name is an address itself."""
    try:
        address = repository.git("config", "--get", f"remote.{remote}.url")
    except GitError:
        address = remote
    history_clone = repository.path / address
    return str(history_clone.resolve()) if "://" not in address and history_clone.is_dir() else address
