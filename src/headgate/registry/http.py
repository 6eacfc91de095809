"""HTTP to a registry and to where it leads: tries, limits, and logins that never leave the host they are for."""

from __future__ import annotations

import re
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from headgate.errors import RegistryError
from headgate.registry.errors import limited, too_large, unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from requests import PreparedRequest, Session

    from headgate.registry.credentials import RegistryAccess, RetryLimits
    from headgate.timelimit import TimeLimit

MOST = 4 * 1024 * 1024
"""What one answer may hold, in bytes; as much as registries must take of a manifest:
https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests."""

_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 5
_AGAIN = (429, 500, 502, 503, 504)
# What another reader of addresses may take for another host is none: no user, no backslash, no blank.
_ADDRESS = re.compile(r"(https?)://(\[[0-9a-f:]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?(?:[/?][!-\[\]-~]*)?", re.IGNORECASE)


@dataclass(frozen=True)
class Origin:
    """Who is asked: scheme, and host with the port where it is not the scheme's own."""

    scheme: str
    host: str


@dataclass(frozen=True)
class RegistryRequest:
    """One request. ``authorization`` is sent to the host of ``address``, and to no other.

    ``most`` is how many bytes the answer may have.
    """

    verb: str
    address: str
    accept: str = "*/*"
    authorization: str = field(default="", repr=False)
    query: Mapping[str, str] = field(default_factory=dict)
    most: int = MOST


@dataclass(frozen=True)
class RegistryResponse:
    """What came back: HTTP's status, headers whose names have no case, and the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True)
class Http:
    """HTTP for the sake of one registry."""

    host: str
    patience: RetryLimits
    _session: Session = field(repr=False)
    _limit: TimeLimit = field(repr=False)

    def send(self, request: RegistryRequest, *, follow: bool = True) -> RegistryResponse:
        """Send a request and follow where it leads; the login only as long as scheme, host and port stay.

        Raises RegistryError for what comes to no answer, and for 429 and a broken server after several tries.
        """
        first, address = origin(request.address), request.address
        answer = self._exchange(request, address, request.authorization)
        for _ in range(_MOST_REDIRECTS if follow else 0):
            if answer.status not in _REDIRECTS or not answer.headers.get("Location"):
                break
            address = urljoin(address, answer.headers["Location"])
            there = self.allowed(address)
            if there is None:
                raise RegistryError(
                    f"{self.host} leads to another place that is not an https address",
                    hint="the registry is wrongly set up, or somebody changes its answers on the way",
                    status=answer.status,
                )
            answer = self._exchange(request, address, request.authorization if there == first else "")
        if answer.status in _AGAIN:
            raise limited(self.host, answer.status)
        return answer

    def allowed(self, address: str) -> Origin | None:
        """Return who is asked by an address to which the registry leads; None when nobody may be.

        That is https, or http on this machine itself, for a registry that is on this machine too.
        """
        target = origin(address)
        is_local = target is not None and is_loopback(target.host) and is_loopback(self.host)
        return target if target is not None and (target.scheme == "https" or is_local) else None

    def _exchange(self, request: RegistryRequest, address: str, authorization: str) -> RegistryResponse:
        """Send one request. A body that breaks off is asked for once more; the other tries are urllib3's."""
        from requests import RequestException  # noqa: PLC0415  0.1 s
        from urllib3.exceptions import HTTPError, ProtocolError  # noqa: PLC0415
        from urllib3.exceptions import TimeoutError as TooLateError  # noqa: PLC0415

        target = origin(address)
        for is_last in (False, True):
            try:
                return self._once(request, address, authorization)
            except (RequestException, HTTPError, OSError, UnicodeError) as error:
                if is_last or self._limit.is_over or not isinstance(error, ProtocolError):
                    why = TooLateError() if self._limit.is_over else error
                    raise unreachable(self.host, target.host if target else self.host, why, self.patience) from None
        raise AssertionError("the second try returns or raises")

    def _once(self, request: RegistryRequest, address: str, authorization: str) -> RegistryResponse:
        from urllib3.exceptions import TimeoutError as TooLateError  # noqa: PLC0415

        def authorize(request: PreparedRequest) -> PreparedRequest:
            # A function, also where there is nothing to say: else requests takes a login out of ~/.netrc.
            if authorization:
                request.headers["Authorization"] = authorization
            return request

        with (
            self._limit(self.patience.whole),
            self._session.request(
                *(request.verb, address),
                params=request.query if address == request.address else None,
                headers={"Accept": request.accept, "Accept-Encoding": "identity"},  # a digest is of what was stored
                auth=authorize,
                timeout=self.patience.seconds,
                allow_redirects=False,
                stream=True,
            ) as answer,
        ):
            body = b"" if request.verb == "HEAD" else self._body(answer.raw, request.most)
            if self._limit.is_over:  # it may have been cut
                raise TooLateError
            return RegistryResponse(answer.status_code, answer.headers, body)

    def _body(self, raw: Any, most: int) -> bytes:
        body = bytearray()
        while piece := raw.read1(65536):
            body += piece
            if len(body) > most:
                raise too_large(self.host, most)
        return bytes(body)


@contextmanager
def open_http(host: str, access: RegistryAccess) -> Iterator[Http]:
    """Yield HTTP for a registry. Proxies and certificates are the environment's, as everywhere in requests."""
    from requests import Session  # noqa: PLC0415  0.1 s
    from urllib3 import Retry  # noqa: PLC0415

    from headgate.timelimit import TimedAdapter, TimeLimit  # noqa: PLC0415

    patience = access.patience
    retry = Retry(
        patience.tries - 1,
        other=0,  # a certificate does not become right
        status_forcelist=_AGAIN,
        allowed_methods=("GET", "HEAD"),
        raise_on_status=False,
        backoff_factor=0.5,
        backoff_max=patience.longest_wait,
        retry_after_max=patience.longest_wait,
    )
    limit = TimeLimit()
    with closing(limit), Session() as session:
        session.headers["User-Agent"] = "headgate"
        for scheme in ("https://", "http://"):
            session.mount(scheme, TimedAdapter(limit, max_retries=retry))
        yield Http(host, patience, session, limit)


def origin(address: str) -> Origin | None:
    """Return who is asked by an address; None when it is none, or could be read in two ways."""
    match = _ADDRESS.fullmatch(address)
    if match is None:
        return None
    scheme, port = match[1].lower(), match[3] or ""
    return Origin(scheme, match[2].lower() + ("" if port == {"https": ":443", "http": ":80"}[scheme] else port))


def is_loopback(host: str) -> bool:
    """Whether a host, with or without a port, is this machine itself."""
    return re.sub(r":[0-9]+$", "", host) in ("localhost", "127.0.0.1", "[::1]")
