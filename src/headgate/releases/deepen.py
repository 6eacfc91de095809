"""Deepens a shallow history step by step, as far as needed, and never in a person's checkout."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from headgate.releases.history import read_history
from headgate.repository import gitlog
from headgate.repository.remote import scratch, write_config
from headgate.repository.tree import no_object

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from headgate.releases.history import ReleaseHistory
    from headgate.repository.git import Repository

_ALL = 2**31 - 1  # git's own infinite depth: https://git-scm.com/docs/shallow
DEPTHS = (50, 500, 5000, _ALL)
"""How many commits each step fetches."""
RECENT_DEPTHS = DEPTHS[:2]
"""The same for what is only shown: older changes are not worth the fetch."""


@contextmanager
def open_history(
    repository: Repository,
    remote: str,
    head: str,
    app: str,
    environment: str,
    stop_when: Callable[[ReleaseHistory], bool] = lambda _history: False,
) -> Iterator[ReleaseHistory]:
    """Read the history of an app's release (`read_history`) until ``stop_when``, or to its beginning.

    ``remote`` is the name or address that a shallow repository came from; without one, the history stays cut off.
    The history's repository exists only within the block. Raises GitError.
    """
    with deepening(repository, remote, head) as repositories:
        for deeper in repositories:
            history = read_history(deeper, head, app, environment)
            if not history.cut or stop_when(history):
                break
        yield history


@contextmanager
def deepening(
    repository: Repository, remote: str, head: str, depths: Sequence[int] = DEPTHS
) -> Iterator[Iterator[Repository]]:
    """Give repositories with more and more of the history of ``head``: first this one, then a temporary bare clone.

    The clone gets commits and folders at each step, and files on demand.
    """
    end = gitlog.cut(repository, head)
    if not end or not remote:
        yield iter([repository])
        return
    with history_clone(repository, remote) as clone:
        yield _deeper(clone, repository, end, depths)


def _deeper(clone: Repository, repository: Repository, end: str, depths: Sequence[int]) -> Iterator[Repository]:
    yield repository
    for depth in depths:
        fetch_with_depth(clone, repository, [f"+{end}:refs/headgate/past"], depth)
        yield clone


@contextmanager
def history_clone(repository: Repository, remote: str) -> Iterator[Repository]:
    """Make a temporary bare repository for `fetch_with_depth` from a remote of ``repository``, with its settings."""
    address = _address(repository, remote)
    with scratch(address, like=no_object(), blobless="") as clone:
        _set_up(clone, repository, address)
        yield clone


def fetch_with_depth(clone: Repository, repository: Repository, refs: Sequence[str], depth: int) -> None:
    """Fetch refs and their history up to a depth, without files; ``repository`` lends the objects that it has."""
    alternates = clone.path / "objects" / "info" / "alternates"
    objects = repository.git_path("objects")
    alternates.unlink(missing_ok=True)  # else git offers the server commits whose history is missing here
    clone.fetch("--filter=blob:none", f"--depth={depth}", "--end-of-options", _REMOTE, *refs)
    alternates.write_bytes(os.fsencode(objects) + b"\n")


_REMOTE = "past"


def _set_up(clone: Repository, repository: Repository, address: str) -> None:
    """Let the clone fetch with the settings of ``repository``, and files on demand."""
    config = repository.git_path("config")
    write_config(
        clone,
        {
            "include.path": str(config),  # logins and proxies; the settings below override it
            "core.bare": "true",
            "core.repositoryformatversion": "1",
            "extensions.partialclone": _REMOTE,
            f"remote.{_REMOTE}.url": address,
            f"remote.{_REMOTE}.promisor": "true",
            f"remote.{_REMOTE}.partialclonefilter": "blob:none",
        },
    )


def _address(repository: Repository, remote: str) -> str:
    """Return the address of a remote, given its name or address."""
    address = repository.settings.get(f"remote.{remote}.url", remote)
    folder = repository.path / address
    return str(folder.resolve()) if "://" not in address and folder.is_dir() else address
