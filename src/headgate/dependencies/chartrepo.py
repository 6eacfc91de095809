"""Charts of a chart repository: its index and archives. https://helm.sh/docs/topics/chart_repository/"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit, urlunsplit

from headgate.dependencies.download import download
from headgate.engine.budget import Budget
from headgate.engine.reading import mapping
from headgate.errors import DependencyError
from headgate.objects.lookup import maps_at
from headgate.repository.tree import MAX_FILE, MEBI

if TYPE_CHECKING:
    from headgate.dependencies.download import DownloadAccess
    from headgate.dependencies.requirements import Requirement

MAX_ARCHIVE = MAX_FILE
_MAX_INDEX = 32 * MEBI
_INDEX = Budget(nodes=10_000_000, bytes_in=2 * _MAX_INDEX, bytes_out=2 * _MAX_INDEX, seconds=60)

Index = dict[str, Any]
"""The versions in a chart repository by chart name."""


def read_index(repository: str, access: DownloadAccess, needed: Requirement, owner: str) -> Index:
    """Read the index of a chart repository for a requirement of the app ``owner``.

    Raises the errors of `download` and `documents`.
    """
    url = _below(repository, "index.yaml")
    data = download(url, access, needed.where, max_bytes=_MAX_INDEX)
    entries = mapping(data, url, owner=owner, budget=_INDEX).get("entries")
    if not isinstance(entries, dict):
        raise DependencyError(f"{url} is not the index of a chart repository", where=needed.where)
    return entries


def archive_of(needed: Requirement, index: Index) -> tuple[str, str]:
    """Return the address of a chart's archive and its digest in the index, which may be empty.

    Raises DependencyError when the repository lacks the version.
    """
    entry = _entry(needed, index)
    urls = entry.get("urls")
    if not isinstance(urls, list) or not urls or not isinstance(urls[0], str):
        raise DependencyError(
            f"{needed.repository} has no archive of {needed.name} {needed.version}", where=needed.where
        )
    host_is_named = bool(urlsplit(urls[0]).scheme)
    return urls[0] if host_is_named else _below(needed.repository, urls[0]), str(entry.get("digest") or "")


def fetch_archive(url: str, digest: str, needed: Requirement, access: DownloadAccess) -> bytes:
    """Return a chart's archive. Raises the errors of `download`, and DependencyError if the digest differs."""
    data = download(url, access, needed.where, max_bytes=MAX_ARCHIVE)
    if digest:
        check_digest(data, digest, url, needed)
    return data


def check_digest(data: bytes, digest: str, url: str, needed: Requirement) -> None:
    """Raise DependencyError if the digest of the data differs."""
    actual = hashlib.sha256(data).hexdigest()
    if digest.removeprefix("sha256:") != actual:
        raise DependencyError(
            f"{url} has the digest sha256:{actual[:12]}..., expected {digest[:19]}...: it has been changed",
            where=needed.where,
        )


def _entry(needed: Requirement, index: Index) -> dict[str, Any]:
    entries = maps_at(index, needed.name)
    for entry in entries:
        if str(entry.get("version")).removeprefix("v") == needed.version.removeprefix("v"):
            return entry
    raise DependencyError(
        f"{needed.repository} has no {needed.name} {needed.version}"
        + (", only other versions" if entries else f", and no other version of {needed.name!r}"),
        where=needed.where,
        hint="run 'helm dependency update' and commit Chart.lock" if entries else "",
    )


def _below(repository: str, path: str) -> str:
    """Return an address below a repository's, with its query, which may grant the access."""
    parts = urlsplit(repository)
    base = urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/") + "/", "", ""))
    joined = urljoin(base, path)
    return f"{joined}?{parts.query}" if parts.query and "?" not in joined else joined
