"""HTTP for what Headgate fetches and sends: limits, tries, and nothing unasked: no login, redirect or decoding.

Proxies and certificates come from the environment, as usual with requests.
"""

from __future__ import annotations

import re
from contextlib import closing, contextmanager
from dataclasses import field
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from requests import PreparedRequest, Response, Session

    from headgate.timelimit import TimeLimit

OK = 200
TRANSIENT = (429, 500, 502, 503, 504)
MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_CHUNK = 64 * 1024


@frozen_record(kw_only=False)
class RetryLimits:
    """``seconds`` per answer, number of tries, and the maximum wait between two tries in seconds.

    ``total``: seconds for all of that, where it is to be over before or after what they come to.
    """

    seconds: float = 30
    tries: int = 4
    max_wait: int = 20
    total: float = 0

    @property
    def total_seconds(self) -> float:
        """Seconds for all tries with all waits."""
        return self.total or self.seconds * self.tries + self.max_wait * (self.tries - 1)


@frozen_record
class HttpRequest:
    """``authorization`` is all that logs in; ``max_bytes`` limits the answer, whose body is not read with 0.

    A ``body`` is sent with the ``headers`` that say what it is.
    """

    address: str
    verb: str = "GET"
    accept: str = "*/*"
    authorization: str = field(default="", repr=False)
    query: Mapping[str, str] = field(default_factory=dict)
    max_bytes: int
    body: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)


@frozen_record(kw_only=False)
class HttpResponse:
    """HTTP's status, case-insensitive headers, and the body, as it is stored."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    def redirect(self, address: str) -> str:
        """Return where the answer from an address sends on to; empty where it is no redirect."""
        return self.location(address) if self.status in _REDIRECTS else ""

    def location(self, address: str) -> str:
        """Return the address in the header Location, which may be none; empty without that header."""
        location = self.headers.get("Location", "")
        try:
            return urljoin(address, location) if location else ""
        except ValueError:
            return location


class NoAnswerError(Exception):
    """There is no complete answer. ``cause`` is what requests, urllib3 or the system said."""

    def __init__(self, cause: Exception, *, is_late: bool) -> None:
        """``is_late``: the time for all tries was over."""
        super().__init__(type(cause).__name__)
        self.cause, self.is_late = cause, is_late


class TooLongError(Exception):
    """An answer is longer than it may be."""


def seconds_to_wait(text: str, now: float) -> float:
    """Return the seconds of a header Retry-After: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after."""
    if text.isdecimal():
        return float(text[:6])
    from email.utils import parsedate_to_datetime  # noqa: PLC0415  few answers hold a date, and it takes long to load

    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now) if text else 0.0
    except (ValueError, TypeError, OverflowError):
        return 0.0


@frozen_record
class Http:
    """A client with its open connections."""

    limits: RetryLimits
    _session: Session = field(repr=False)
    _time_limit: TimeLimit = field(repr=False)

    def exchange(self, request: HttpRequest) -> HttpResponse:
        """Send a request and return the answer, whatever its status, redirects too.

        urllib3 tries again what is transient, but for a body that breaks off: that is asked for once more here.
        Raises NoAnswerError, TooLongError.
        """
        from requests import RequestException  # noqa: PLC0415  0.1 s
        from urllib3.exceptions import HTTPError, ProtocolError  # noqa: PLC0415
        from urllib3.exceptions import TimeoutError as TooLateError  # noqa: PLC0415

        for is_last in (False, True):
            try:
                return self._once(request)
            except (RequestException, HTTPError, OSError, UnicodeError) as error:
                if self._time_limit.is_over:
                    raise NoAnswerError(TooLateError(), is_late=True) from None
                if is_last or not isinstance(error, ProtocolError):
                    raise NoAnswerError(error, is_late=False) from None
        raise AssertionError("the second try returns or raises")

    def _once(self, request: HttpRequest) -> HttpResponse:
        from urllib3.exceptions import TimeoutError as TooLateError  # noqa: PLC0415

        def authorize(prepared: PreparedRequest) -> PreparedRequest:
            # Even without a login: otherwise requests would send a login from ~/.netrc.
            if request.authorization:
                prepared.headers["Authorization"] = request.authorization
            return prepared

        with (
            self._time_limit(self.limits.total_seconds),
            self._session.request(
                *(request.verb, request.address),
                params=request.query,
                data=request.body,
                headers={  # digests are of stored bytes
                    "Accept": request.accept,
                    "Accept-Encoding": "identity",
                    **request.headers,
                },
                auth=authorize,
                timeout=self.limits.seconds,
                verify=self._session.verify,  # where it names an authority, that counts, and not the environment's
                allow_redirects=False,
                stream=True,
            ) as response,
        ):
            body = bytearray()
            while request.max_bytes and request.verb != "HEAD" and (piece := response.raw.read1(_CHUNK)):
                body += piece
                if len(body) > request.max_bytes:
                    raise TooLongError(f"more than {request.max_bytes} bytes")
            if self._time_limit.is_over:  # the body may be truncated
                raise TooLateError
            return HttpResponse(response.status_code, response.headers, bytes(body))


@contextmanager
def open_http(limits: RetryLimits, authority: str = "", certificate: tuple[str, str] | None = None) -> Iterator[Http]:
    """Yield a client. Files of certificates may be given: that of who signs the server's, and its own with its key."""
    from requests import Session  # noqa: PLC0415  0.1 s
    from urllib3 import Retry  # noqa: PLC0415

    from headgate.timelimit import TimedAdapter, TimeLimit  # noqa: PLC0415

    class Unredirected(Session):
        # requests prepares what would follow a redirect even if nothing follows, and fails over an invalid address.
        def get_redirect_target(self, _resp: Response) -> None:
            return None

    retry = Retry(
        limits.tries - 1,
        other=0,  # an invalid certificate stays invalid
        status_forcelist=TRANSIENT,
        allowed_methods=("GET", "HEAD"),
        raise_on_status=False,
        backoff_factor=0.5,
        backoff_max=limits.max_wait,
        retry_after_max=limits.max_wait,
    )
    limit = TimeLimit()
    with closing(limit), Unredirected() as session:
        session.headers["User-Agent"] = "headgate"
        session.verify, session.cert = authority or True, certificate
        for scheme in ("https://", "http://"):
            session.mount(scheme, TimedAdapter(limit, max_retries=retry))
        yield Http(limits=limits, _session=session, _time_limit=limit)


# Other parsers must not see another host in an address: no user, no backslash, no blank.
_ADDRESS = re.compile(r"(https?)://(\[[0-9a-f:]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?(?:[/?][!-\[\]-~]*)?", re.IGNORECASE)


@frozen_record(kw_only=False)
class Origin:
    """Scheme, and host with the port unless it is the scheme's default."""

    scheme: str
    host: str


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
