"""HTTP to a registry and its redirects, with logins that go only to their own host."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import field, replace
from typing import TYPE_CHECKING

from headgate.errors import RegistryError
from headgate.http import MAX_REDIRECTS, TRANSIENT, NoAnswerError, TooLongError, is_loopback, open_http, origin
from headgate.records import frozen_record
from headgate.registry.errors import limited, too_large, unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headgate.http import Http, HttpRequest, HttpResponse, Origin
    from headgate.registry.credentials import RegistryAccess

MAX_BYTES = 4 * 1024 * 1024
"""Limit of an answer; registries must accept manifests up to this size:
https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests."""


@frozen_record(kw_only=False)
class RegistryHttp:
    """HTTP for a registry."""

    host: str
    _http: Http = field(repr=False)

    def send(self, request: HttpRequest, *, follow: bool = True) -> HttpResponse:
        """Send a request and follow redirects, with the login only for the same scheme, host and port.

        Raises RegistryError without an answer, and for 429 or a broken server after several tries.
        """
        sent, response = request, self._exchange(request)
        for _ in range(MAX_REDIRECTS if follow else 0):
            address = response.redirect(sent.address)
            if not address:
                break
            target = self.allowed(address)
            if target is None:
                raise RegistryError(
                    f"{self.host} redirects to an address that is not https",
                    hint="the registry is misconfigured, or its answers are changed in transit",
                    status=response.status,
                )
            login = request.authorization if target == origin(request.address) else ""
            sent = replace(request, address=address, authorization=login, query={})
            response = self._exchange(sent)
        if response.status in TRANSIENT:
            raise limited(self.host, response.status)
        return response

    def allowed(self, address: str) -> Origin | None:
        """Return the origin of an address that the registry names; None unless it is allowed.

        Allowed are https, and http on this machine for a registry on this machine.
        """
        target = origin(address)
        is_local = target is not None and is_loopback(target.host) and is_loopback(self.host)
        return target if target is not None and (target.scheme == "https" or is_local) else None

    def _exchange(self, request: HttpRequest) -> HttpResponse:
        try:
            return self._http.exchange(request)
        except TooLongError:
            raise too_large(self.host, request.max_bytes) from None
        except NoAnswerError as error:
            target = origin(request.address)
            host = target.host if target else self.host
            raise unreachable(self.host, host, error.cause, self._http.limits) from None


@contextmanager
def open_registry(host: str, access: RegistryAccess) -> Iterator[RegistryHttp]:
    """Yield HTTP for a registry."""
    with open_http(access.limits) as http:
        yield RegistryHttp(host, http)
