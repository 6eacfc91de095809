"""Files of other hosts: of allowed ones only, within limits, and no password goes where it is not for."""

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
from headgate.retry import TRIES, pause

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests import PreparedRequest, Response

    from headgate.errors import Location

LOOPBACK = ("127.0.0.1", "localhost")
_CONNECT, _SILENCE, _WHOLE = 10, 30, 300
_MAX_REDIRECTS = 5
_MAX_WAIT = 20
_CHUNK = 64 * 1024
_PASSING = (429, 500, 502, 503, 504)
_REDIRECTS = (301, 302, 303, 307, 308)
_OK = 200
_DEFAULT_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True)
class DownloadAccess:
    """Which hosts may be asked, and the user and password for some of them. A host has its port, unless it is 443.

    ``registries`` are the logins of those that are registries.
    """

    hosts: frozenset[str] = frozenset()
    credentials: Mapping[str, tuple[str, str]] = field(default_factory=dict, repr=False)
    registries: Registries = field(default_factory=Registries)

    def login(self, host: str) -> dict[str, str]:
        """Return the header that logs in at a host; none where there is no password for it."""
        return {"Authorization": basic(*self.credentials[host])} if host in self.credentials else {}


@dataclass(frozen=True)
class _Answer:
    """What a host answered: HTTP's status, where it leads, and the body."""

    status: int
    location: str
    body: bytes


class _Passing(Exception):  # noqa: N818  no error yet: it is tried again
    """A failure that may be over with the next try, and after how many seconds that is welcome."""

    def __init__(self, reason: str, wait: float = 0) -> None:
        super().__init__(reason)
        self.wait = wait


def host_of(url: str, where: Location) -> str:
    """Return the host of an address, with its port unless that is the usual one.

    Raises DependencyError for an address of another kind: https, or http on this machine, without a password.
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
            f"{shown!r} is no address that is read from, expected https:// and no password in it", where=where
        )
    return name if port in (None, _DEFAULT_PORTS[parts.scheme]) else f"{name}:{port}"


def check_host(url: str, access: DownloadAccess, where: Location) -> str:
    """Return the host of an address that may be read from. Raises DependencyError for another, with what allows it."""
    host = host_of(url, where)
    if host not in access.hosts:
        raise DependencyError(
            f"{host} is not allowed to be read from",
            where=where,
            hint=f"headgate.yaml: dependencies: {{hosts: [{', '.join(sorted({*access.hosts, host}))}]}}; "
            "or commit what is needed from there beside it",
        )
    return host


def download(url: str, access: DownloadAccess, where: Location, *, most: int) -> bytes:
    """Return what is at an address, asked for again where that may help. Redirects lead to allowed hosts only.

    ``most`` is how many bytes it may have; more is a TooLargeError. ``where`` is what names it, for messages.
    Raises DependencyError when it is not there, not allowed, or does not answer.
    """
    for tried in range(1, TRIES + 1):
        try:
            answer = _follow(url, access, where, most)
        except _Passing as failure:
            if tried == TRIES:
                raise DependencyError(
                    f"{url} did not answer: {failure}", where=where, hint="run the same again when it does"
                ) from None
            pause(tried)
            time.sleep(failure.wait)
        else:
            break
    if answer.status != _OK:
        raise DependencyError(f"{url} answered {answer.status}", where=where, hint=_HINTS.get(answer.status, ""))
    return answer.body


_HINTS = {
    401: "it wants a password: that host is read from without one, unless it is GitLab's own",
    403: "it is not open to us",
    404: "it is not there, or not open to us",
}


def _follow(url: str, access: DownloadAccess, where: Location, most: int) -> _Answer:
    deadline = time.monotonic() + _WHOLE
    for _ in range(_MAX_REDIRECTS + 1):
        host = check_host(url, access, where)
        answer = _get(url, access.login(host), where, most, deadline)
        if answer.status not in _REDIRECTS or not answer.location:
            return answer
        url = urljoin(url, answer.location)
    raise DependencyError(f"{url}: more than {_MAX_REDIRECTS} redirects", where=where)


def _get(url: str, headers: Mapping[str, str], where: Location, most: int, deadline: float) -> _Answer:
    import requests  # noqa: PLC0415  0.1 s, and only where something is fetched
    from urllib3.exceptions import HTTPError  # noqa: PLC0415

    from headgate.timelimit import TimedAdapter, TimeLimit  # noqa: PLC0415

    # What is sent as it is, is what its digest is of; and nothing is decompressed behind our back.
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
                timeout=(_CONNECT, _SILENCE),
            ) as response:
                if response.status_code in _PASSING:
                    raise _Passing(f"{response.status_code}", _wait(response))
                body = _body(response, url, where, most)
                if not limit.is_over:  # else it may have been cut
                    return _Answer(response.status_code, response.headers.get("Location", ""), body)
        raise _too_late(url, where)
    except (requests.RequestException, HTTPError, OSError) as error:
        if limit.is_over:
            raise _too_late(url, where) from None
        raise _Passing(type(error).__name__) from None


def _no_login(request: PreparedRequest) -> PreparedRequest:
    """Add nothing to a request: without this, passwords of the user's .netrc would be."""
    return request


def _too_late(url: str, where: Location) -> DependencyError:
    return DependencyError(f"{url} takes longer than {_WHOLE} seconds", where=where)


def _body(response: Response, url: str, where: Location, most: int) -> bytes:
    if response.status_code != _OK:
        most = min(most, MEBI)
    chunks: list[bytes] = []
    size = 0
    for chunk in response.raw.stream(_CHUNK, decode_content=False):
        size += len(chunk)
        chunks.append(chunk)
        if size > most:
            raise TooLargeError(f"{url} is larger than {most // MEBI} MiB", where=where)
    return b"".join(chunks)


def _wait(response: Response) -> float:
    """Return how many seconds a host wants to be left alone: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after."""
    seconds = response.headers.get("Retry-After", "")
    return min(int(seconds), _MAX_WAIT) if seconds.isdecimal() else 0
