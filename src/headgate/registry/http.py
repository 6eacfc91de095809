"""HTTP to a registry and its redirects: retries, limits, and logins that go only to their own host."""

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

MAX_BYTES = 4 * 1024 * 1024
"""Limit of an answer; registries must accept manifests up to this size:
https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests."""

_REDIRECTS = (301, 302, 303, 307, 308)
_MAX_REDIRECTS = 5
_TRANSIENT = (429, 500, 502, 503, 504)
# Other parsers must not see another host in an address: no user, no backslash, no blank.
_ADDRESS = re.compile(r"(https?)://(\[[0-9a-f:]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?(?:[/?][!-\[\]-~]*)?", re.IGNORECASE)


@dataclass(frozen=True)
class Origin:
    """Scheme, and host with the port unless it is the scheme's default."""

    scheme: str
    host: str


@dataclass(frozen=True, kw_only=True)
class RegistryRequest:
    """``authorization`` goes only to the host of ``address``; ``max_bytes`` limits the answer."""

    verb: str
    address: str
    accept: str = "*/*"
    authorization: str = field(default="", repr=False)
    query: Mapping[str, str] = field(default_factory=dict)
    max_bytes: int = MAX_BYTES


@dataclass(frozen=True)
class RegistryResponse:
    """HTTP's status, case-insensitive headers, and the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Http:
    """HTTP for a registry."""

    host: str
    limits: RetryLimits
    _session: Session = field(repr=False)
    _time_limit: TimeLimit = field(repr=False)

    def send(self, request: RegistryRequest, *, follow: bool = True) -> RegistryResponse:
        """Send a request and follow redirects, with the login only for the same scheme, host and port.

        Raises RegistryError without an answer, and for 429 or a broken server after several tries.
        """
        first, address = origin(request.address), request.address
        response = self._exchange(request, address, request.authorization)
        for _ in range(_MAX_REDIRECTS if follow else 0):
            if response.status not in _REDIRECTS or not response.headers.get("Location"):
                break
            address = urljoin(address, response.headers["Location"])
            target = self.allowed(address)
            if target is None:
                raise RegistryError(
                    f"{self.host} redirects to an address that is not https",
                    hint="the registry is misconfigured, or its answers are changed in transit",
                    status=response.status,
                )
            response = self._exchange(request, address, request.authorization if target == first else "")
        if response.status in _TRANSIENT:
            raise limited(self.host, response.status)
        return response

    def allowed(self, address: str) -> Origin | None:
        """Return the origin of an address that the registry names; None unless it is allowed.

        Allowed are https, and http on this machine for a registry on this machine.
        """
        target = origin(address)
        is_local = target is not None and is_loopback(target.host) and is_loopback(self.host)
        return target if target is not None and (target.scheme == "https" or is_local) else None

    def _exchange(self, request: RegistryRequest, address: str, authorization: str) -> RegistryResponse:
        """Send a request. Retries a truncated body once; urllib3 does the other retries."""
        from requests import RequestException  # noqa: PLC0415  0.1 s
        from urllib3.exceptions import HTTPError, ProtocolError  # noqa: PLC0415
        from urllib3.exceptions import TimeoutError as TooLateError  # noqa: PLC0415

        target = origin(address)
        for is_last in (False, True):
            try:
                return self._once(request, address, authorization)
            except (RequestException, HTTPError, OSError, UnicodeError) as error:
                if is_last or self._time_limit.is_over or not isinstance(error, ProtocolError):
                    why = TooLateError() if self._time_limit.is_over else error
                    raise unreachable(self.host, target.host if target else self.host, why, self.limits) from None
        raise AssertionError("the second try returns or raises")

    def _once(self, sent: RegistryRequest, address: str, authorization: str) -> RegistryResponse:
        from urllib3.exceptions import TimeoutError as TooLateError  # noqa: PLC0415

        def authorize(prepared: PreparedRequest) -> PreparedRequest:
            # Even without a login: otherwise requests would send a login from ~/.netrc.
            if authorization:
                prepared.headers["Authorization"] = authorization
            return prepared

        with (
            self._time_limit(self.limits.total_seconds),
            self._session.request(
                *(sent.verb, address),
                params=sent.query if address == sent.address else None,
                headers={"Accept": sent.accept, "Accept-Encoding": "identity"},  # digests are of stored bytes
                auth=authorize,
                timeout=self.limits.seconds,
                allow_redirects=False,
                stream=True,
            ) as response,
        ):
            body = b"" if sent.verb == "HEAD" else self._body(response.raw, sent.max_bytes)
            if self._time_limit.is_over:  # the body may be truncated
                raise TooLateError
            return RegistryResponse(response.status_code, response.headers, body)

    def _body(self, raw: Any, max_bytes: int) -> bytes:
        body = bytearray()
        while piece := raw.read1(65536):
            body += piece
            if len(body) > max_bytes:
                raise too_large(self.host, max_bytes)
        return bytes(body)


@contextmanager
def open_http(host: str, access: RegistryAccess) -> Iterator[Http]:
    """Yield HTTP for a registry. Proxies and certificates come from the environment, as usual with requests."""
    from requests import Session  # noqa: PLC0415  0.1 s
    from urllib3 import Retry  # noqa: PLC0415

    from headgate.timelimit import TimedAdapter, TimeLimit  # noqa: PLC0415

    limits = access.limits
    retry = Retry(
        limits.tries - 1,
        other=0,  # an invalid certificate stays invalid
        status_forcelist=_TRANSIENT,
        allowed_methods=("GET", "HEAD"),
        raise_on_status=False,
        backoff_factor=0.5,
        backoff_max=limits.max_wait,
        retry_after_max=limits.max_wait,
    )
    limit = TimeLimit()
    with closing(limit), Session() as session:
        session.headers["User-Agent"] = "headgate"
        for scheme in ("https://", "http://"):
            session.mount(scheme, TimedAdapter(limit, max_retries=retry))
        yield Http(host=host, limits=limits, _session=session, _time_limit=limit)


def origin(address: str) -> Origin | None:
    """Return the origin of an address; None if it is invalid or ambiguous."""
    match = _ADDRESS.fullmatch(address)
    if match is None:
        return None
    scheme, port = match[1].lower(), match[3] or ""
    return Origin(scheme, match[2].lower() + ("" if port == {"https": ":443", "http": ":80"}[scheme] else port))


def is_loopback(host: str) -> bool:
    """Whether a host, with or without port, is this machine itself."""
    return re.sub(r":[0-9]+$", "", host) in ("localhost", "127.0.0.1", "[::1]")
