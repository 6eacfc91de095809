"""Download files from allowed hosts, within limits; passwords go only to their own host."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from headgate.errors import DependencyError, TooLargeError
from headgate.http import (
    MAX_REDIRECTS,
    OK,
    TRANSIENT,
    HttpRequest,
    NoAnswerError,
    RetryLimits,
    TooLongError,
    open_http,
)
from headgate.records import frozen_record
from headgate.registry.credentials import RegistryAccess as Registries
from headgate.repository.login import basic
from headgate.repository.tree import MEBI

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headgate.errors import Location
    from headgate.http import Http, HttpResponse

LOOPBACK = ("127.0.0.1", "localhost")
LIMITS = RetryLimits(total=300)
_DEFAULT_PORTS = {"https": 443, "http": 80}


@frozen_record(kw_only=False)
class DownloadAccess:
    """The allowed hosts (with a port other than 443), and user and password for some of them.

    ``registries`` has the logins of registries.
    """

    hosts: frozenset[str] = frozenset()
    credentials: Mapping[str, tuple[str, str]] = field(default_factory=dict, repr=False)
    registries: Registries = field(default_factory=Registries)

    def login(self, host: str) -> str:
        """Return the header Authorization for a host; empty without a password."""
        return basic(*self.credentials[host]) if host in self.credentials else ""


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
        with open_http(LIMITS) as http:
            response = _follow(http, url, access, where, max_bytes)
    except TooLongError:
        raise TooLargeError(f"{url} is larger than {max_bytes // MEBI} MiB", where=where) from None
    except NoAnswerError as error:
        if error.is_late:
            raise DependencyError(f"{url} takes longer than {LIMITS.total_seconds:g} seconds", where=where) from None
        raise _unanswered(url, error, where) from None
    if response.status in TRANSIENT:
        raise _unanswered(url, response.status, where)
    if response.status != OK:
        raise DependencyError(f"{url} answered {response.status}", where=where, hint=_HINTS.get(response.status, ""))
    return response.body


def _unanswered(url: str, reason: object, where: Location) -> DependencyError:
    return DependencyError(f"{url} did not answer: {reason}", where=where, hint="try again later")


_HINTS = {
    401: "it requires a password, and only GitLab's own host gets one",
    403: "access is denied",
    404: "the file is missing, or access is denied",
}


def _follow(http: Http, url: str, access: DownloadAccess, where: Location, max_bytes: int) -> HttpResponse:
    for _ in range(MAX_REDIRECTS + 1):
        login = access.login(check_host(url, access, where))
        response = http.exchange(HttpRequest(address=url, authorization=login, max_bytes=max_bytes))
        url = response.redirect(url)
        if not url:
            return response
    raise DependencyError(f"{url}: more than {MAX_REDIRECTS} redirects", where=where)
