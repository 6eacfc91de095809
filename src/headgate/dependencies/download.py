"""Download files from allowed hosts, within limits; passwords go only to their own host."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from headgate.errors import DependencyError, TooLargeError
from headgate.registry.credentials import RegistryAccess as Registries
from headgate.repository.login import basic
from headgate.repository.tree import MEBI
from headgate.retry import persistently

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests import PreparedRequest, Response

    from headgate.errors import Location

LOOPBACK = ("127.0.0.1", "localhost")
_CONNECT_SECONDS, _READ_SECONDS, _TOTAL_SECONDS = 10, 30, 300
_MAX_REDIRECTS = 5
_MAX_WAIT = 20
_CHUNK = 64 * 1024
_TRANSIENT = (429, 500, 502, 503, 504)
_REDIRECTS = (301, 302, 303, 307, 308)
_OK = 200
_DEFAULT_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True)
class DownloadAccess:
    """The allowed hosts (with a port other than 443), and user and password for some of them.

    ``registries`` has the logins of registries.
    """

    hosts: frozenset[str] = frozenset()
    credentials: Mapping[str, tuple[str, str]] = field(default_factory=dict, repr=False)
    registries: Registries = field(default_factory=Registries)

    def login(self, host: str) -> dict[str, str]:
        """Return the header that logs in to a host; empty without a password."""
        return {"Authorization": basic(*self.credentials[host])} if host in self.credentials else {}


@dataclass(frozen=True)
class _Response:
    status: int
    location: str
    body: bytes


class _TransientError(Exception):
    """A failure to retry, after the seconds that the host asked for."""

    def __init__(self, reason: str, wait: float = 0) -> None:
        super().__init__(reason)
        self.wait = wait


def host_of(url: str, where: Location) -> str:
    """Return the host of an address, with its port unless that is the default.

    Raises DependencyError unless the address is https, or http on this machine, without a password.
    """
    try:
        parts = urlsplit(url)
        name, port = parts.hostname or "", parts.port
    except ValueError:
        parts, name, port = urlsplit(""), "", None
    usable = parts.scheme == "https" or (parts.scheme == "http" and name in LOOPBACK)
    if not name or not usable or "@" in parts.netloc or not url.isprintable() or " " in url or "\\" in url:
        shown = url.rsplit("@", 1)[-1] if "@" in url else url
        raise DependencyError(
            f"cannot read from {shown!r}, expected an https:// address without a password", where=where
        )
    return name if port in (None, _DEFAULT_PORTS[parts.scheme]) else f"{name}:{port}"


def check_host(url: str, access: DownloadAccess, where: Location) -> str:
    """Return the host of an address. Raises DependencyError if it is not allowed."""
    host = host_of(url, where)
    if host not in access.hosts:
        raise DependencyError(
            f"host {host} is not allowed",
            where=where,
            hint=f"to allow it, set in headgate.yaml: dependencies: {{hosts: "
            f"[{', '.join(sorted({*access.hosts, host}))}]}}; or commit the files from there",
        )
    return host


def download(url: str, access: DownloadAccess, where: Location, *, max_bytes: int) -> bytes:
    """Return the file at an address; retry transient failures, and follow redirects to allowed hosts only.

    ``where`` is the place that names it. Raises TooLargeError above ``max_bytes``, DependencyError when the file is
    missing, not allowed, or the host does not answer.
    """
    try:
        response = persistently(lambda: _follow(url, access, where, max_bytes), _TransientError)
    except _TransientError as error:
        raise DependencyError(f"{url} did not answer: {error}", where=where, hint="try again later") from None
    if response.status != _OK:
        raise DependencyError(f"{url} answered {response.status}", where=where, hint=_HINTS.get(response.status, ""))
    return response.body


_HINTS = {
    401: "it requires a password, and only GitLab's own host gets one",
    403: "access is denied",
    404: "the file is missing, or access is denied",
}


def _follow(url: str, access: DownloadAccess, where: Location, max_bytes: int) -> _Response:
    deadline = time.monotonic() + _TOTAL_SECONDS
    for _ in range(_MAX_REDIRECTS + 1):
        host = check_host(url, access, where)
        response = _get(url, access.login(host), where, max_bytes, deadline)
        if response.status not in _REDIRECTS or not response.location:
            return response
        url = urljoin(url, response.location)
    raise DependencyError(f"{url}: more than {_MAX_REDIRECTS} redirects", where=where)


def _get(url: str, headers: Mapping[str, str], where: Location, max_bytes: int, deadline: float) -> _Response:
    import requests  # noqa: PLC0415  0.1 s, and only for downloads
    from urllib3.exceptions import HTTPError  # noqa: PLC0415

    from headgate.timelimit import TimedAdapter, TimeLimit  # noqa: PLC0415

    # Digests are of the stored bytes, so requests must not decompress.
    sent = {"User-Agent": "headgate", "Accept-Encoding": "identity", **headers}
    limit = TimeLimit()
    try:
        with requests.Session() as session, closing(limit), limit(max(0.0, deadline - time.monotonic())):
            for scheme in ("https://", "http://"):
                session.mount(scheme, TimedAdapter(limit))
            with session.get(
                url,
                headers=sent,
                auth=_no_login,
                stream=True,
                allow_redirects=False,
                timeout=(_CONNECT_SECONDS, _READ_SECONDS),
            ) as response:
                if response.status_code in _TRANSIENT:
                    raise _TransientError(f"{response.status_code}", _wait(response))
                body = _body(response, url, where, max_bytes)
                if not limit.is_over:  # otherwise it may be truncated
                    return _Response(response.status_code, response.headers.get("Location", ""), body)
        raise _timeout_error(url, where)
    except (requests.RequestException, HTTPError, OSError) as error:
        if limit.is_over:
            raise _timeout_error(url, where) from None
        raise _TransientError(type(error).__name__) from None


def _no_login(request: PreparedRequest) -> PreparedRequest:
    """Leave the request unchanged; without this, requests would send passwords of the user's .netrc."""
    return request


def _timeout_error(url: str, where: Location) -> DependencyError:
    return DependencyError(f"{url} takes longer than {_TOTAL_SECONDS} seconds", where=where)


def _body(response: Response, url: str, where: Location, max_bytes: int) -> bytes:
    if response.status_code != _OK:
        max_bytes = min(max_bytes, MEBI)
    chunks: list[bytes] = []
    size = 0
    for chunk in response.raw.stream(_CHUNK, decode_content=False):
        size += len(chunk)
        chunks.append(chunk)
        if size > max_bytes:
            raise TooLargeError(f"{url} is larger than {max_bytes // MEBI} MiB", where=where)
    return b"".join(chunks)


def _wait(response: Response) -> float:
    """Return the seconds of Retry-After: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after."""
    header = response.headers.get("Retry-After", "")
    return min(int(header), _MAX_WAIT) if header.isdecimal() else 0
