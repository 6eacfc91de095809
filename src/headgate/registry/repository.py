"""A repository in a registry: requests with the first login that the registry accepts."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from headgate.errors import ConfigError, RegistryError
from headgate.http import HttpRequest, is_loopback, origin
from headgate.objects.images import canonical_repository
from headgate.registry.challenge import Challenge, parse_challenges
from headgate.registry.credentials import DOCKER_HUB, registry_host
from headgate.registry.errors import denied, foreign_realm
from headgate.registry.http import MAX_BYTES, open_registry
from headgate.repository.login import basic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headgate.http import HttpResponse, Origin
    from headgate.registry.credentials import Credential, RegistryAccess
    from headgate.registry.http import RegistryHttp

_DENIED = (401, 403)
# https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
_PATH = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*")


class ImageRepository:
    """A repository for reading, or for ``actions`` as the registry calls them. Keeps the login that worked."""

    def __init__(self, host: str, path: str, access: RegistryAccess, http: RegistryHttp, actions: str = "pull") -> None:
        """Use the repository ``path`` of a host."""
        self.host, self.path, self._actions = host, path, actions
        self._access, self._http = access, http
        self._authorization = ""

    @property
    def address(self) -> str:
        """The base address of the repository."""
        host = "registry-1.docker.io" if self.host == DOCKER_HUB else self.host
        return f"{'http' if is_loopback(host) else 'https'}://{host}/v2/{self.path}"

    def request(
        self,
        verb: str,
        path: str,
        accept: str = "*/*",
        max_bytes: int = MAX_BYTES,
        *,
        body: bytes | None = None,
        content_type: str = "",
    ) -> HttpResponse:
        """Return the answer of at most ``max_bytes`` for a path in the repository; log in if required.

        An address that the registry named may stand for the path. Tries each login of the host, then no login. The
        caller interprets 404 and other states. Raises RegistryError.
        """
        request = HttpRequest(
            verb=verb,
            address=self._own(path) if "://" in path else f"{self.address}/{path}",
            accept=accept,
            authorization=self._authorization,
            max_bytes=max_bytes,
            body=body,
            headers={"Content-Type": content_type} if content_type else {},
        )
        response = self._http.send(request)
        if response.status not in _DENIED:
            return response
        challenge = _choose(parse_challenges(response.headers.get("WWW-Authenticate", "")))
        foreign = self._foreign_realm(challenge)
        logins = self._access.logins(self.host)
        for login in (*(() if foreign else logins), None):
            authorization = self._log_in(challenge, login)
            if not authorization:
                continue
            response = self._http.send(replace(request, authorization=authorization))
            if response.status not in _DENIED:
                self._authorization = authorization
                return response
        login_names = [login.name for login in logins]
        if foreign and login_names:
            raise foreign_realm(self.host, foreign.host, login_names)
        raise denied(self.host, self.path, login_names, response.status, pushes="push" in self._actions)

    def _own(self, address: str) -> str:
        """Return an address that the registry named, if it is the registry's own."""
        if origin(address) != origin(self.address):
            raise RegistryError(
                f"{self.host} wants an upload at another host, which is not supported",
                hint="set the registry's own external address, for example behind a proxy",
            )
        return address

    def _foreign_realm(self, challenge: Challenge) -> Origin | None:
        """Return the origin that requests the logins, if it may not receive them."""
        if challenge.scheme != "bearer":
            return None
        realm = challenge.parameters["realm"]
        realm_origin = self._http.allowed(realm)
        if realm_origin is None:
            raise RegistryError(
                f"{self.host} requests logins at {realm[:200]!r}, which is not an https address",
                hint="the registry is misconfigured, or its answers are changed in transit",
            )
        others = (origin(f"{realm_origin.scheme}://{host}") for host in self._access.realms_of(self.host))
        return None if realm_origin in (origin(self.address), *others) else realm_origin

    def _log_in(self, challenge: Challenge, login: Credential | None) -> str:
        """Return the header Authorization for a login or for anonymous access; empty if that is impossible."""
        if challenge.scheme == "bearer":
            return self._token(challenge, login)
        return basic(login.user, login.secret) if challenge.scheme == "basic" and login else ""

    def _token(self, challenge: Challenge, login: Credential | None) -> str:
        """Return a token for this repository and these actions, and nothing more, whatever the registry requests.

        https://distribution.github.io/distribution/spec/auth/token/
        """
        realm, service = challenge.parameters["realm"], challenge.parameters.get("service")
        query = {"scope": f"repository:{self.path}:{self._actions}", **({"service": service} if service else {})}
        realm = _without(realm, {"scope", "service", "offline_token", "access_type"})
        request = HttpRequest(
            address=realm,
            authorization=basic(login.user, login.secret) if login else "",
            query=query,
            max_bytes=MAX_BYTES,
        )
        response = self._http.send(request, follow=False)
        if response.status in _DENIED:
            return ""
        token = _token_in(response.body)
        if not token:
            raise RegistryError(
                f"cannot get a token of {realm.partition('?')[0]} for {self.host}: it answered {response.status}",
                hint="check that the registry works, for example with 'docker pull'",
                status=response.status,
            )
        return f"Bearer {token}"


@contextmanager
def open_repository(repository: str, access: RegistryAccess, actions: str = "pull") -> Iterator[ImageRepository]:
    """Yield a repository by its name in image references, for pulling. Raises ConfigError for an invalid name.

    ``actions`` are what else is to be done there: ``pull,push``.
    """
    host, _, path = canonical_repository(repository).partition("/")
    if not _PATH.fullmatch(path):
        raise ConfigError(f"'{repository}' is not an image repository, expected lower-case letters, digits and . _ - /")
    host = registry_host(host)
    with open_registry(host, access) as http:
        yield ImageRepository(host, path, access, http, actions)


def _without(address: str, names: set[str]) -> str:
    """Return an address without some parameters of its query, so that a realm cannot request more."""
    parts = urlsplit(address)
    kept = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in names]
    return urlunsplit(parts._replace(query=urlencode(kept)))


def _choose(challenges: tuple[Challenge, ...]) -> Challenge:
    """Return the preferred challenge: tokens, since they are limited to this repository."""
    for challenge in challenges:
        if challenge.scheme == "bearer" and challenge.parameters.get("realm"):
            return challenge
    return next((challenge for challenge in challenges if challenge.scheme == "basic"), Challenge("none"))


def _token_in(body: bytes) -> str:
    try:
        response = json.loads(body)
        token = str(response.get("token") or response["access_token"])
    except (ValueError, KeyError, AttributeError, RecursionError):
        return ""
    return token if re.fullmatch(r"[!-~]+", token) else ""
