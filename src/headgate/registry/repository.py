"""One repository of a registry: questions below it, with the first login that the registry takes."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from headgate.errors import ConfigError, RegistryError
from headgate.objects.images import canonical_repository
from headgate.registry.challenge import Challenge, parse_challenges
from headgate.registry.credentials import DOCKER_HUB, registry_host
from headgate.registry.errors import denied, elsewhere
from headgate.registry.http import MOST, Origin, RegistryRequest, is_loopback, open_http, origin
from headgate.repository.login import basic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headgate.registry.credentials import Credential, RegistryAccess
    from headgate.registry.http import Http, RegistryResponse

_DENIED = (401, 403)
# https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
_PATH = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*")


@dataclass
class ImageRepository:
    """A repository, as one run may read it. The login that worked is kept for the next question."""

    host: str
    path: str
    access: RegistryAccess
    _http: Http = field(repr=False)
    _authorization: str = field(default="", repr=False)

    @property
    def address(self) -> str:
        """Address below which the registry has the repository."""
        host = "registry-1.docker.io" if self.host == DOCKER_HUB else self.host
        return f"{'http' if is_loopback(host) else 'https'}://{host}/v2/{self.path}"

    def ask(self, verb: str, path: str, accept: str = "*/*", most: int = MOST) -> RegistryResponse:
        """Return the answer for a path below the repository, logged in when the registry asks for it.

        Each login for the host is tried, and nobody's at last. What 404 and others mean is for the caller to say.
        ``most`` is how many bytes it may have. Raises RegistryError.
        """
        request = RegistryRequest(verb, f"{self.address}/{path}", accept, self._authorization, most=most)
        answer = self._http.send(request)
        if answer.status not in _DENIED:
            return answer
        challenge = _choose(parse_challenges(answer.headers.get("WWW-Authenticate", "")))
        stranger = self._stranger(challenge)
        logins = self.access.of(self.host)
        for login in (*(() if stranger else logins), None):
            authorization = self._log_in(challenge, login)
            if not authorization:
                continue
            answer = self._http.send(replace(request, authorization=authorization))
            if answer.status not in _DENIED:
                self._authorization = authorization
                return answer
        names = [login.name for login in logins]
        if stranger and names:
            raise elsewhere(self.host, stranger.host, names)
        raise denied(self.host, self.path, names, answer.status)

    def _stranger(self, challenge: Challenge) -> Origin | None:
        """Return who wants the logins, where that is another host than those that may have them."""
        if challenge.scheme != "bearer":
            return None
        realm = challenge.parameters["realm"]
        asking = self._http.allowed(realm)
        if asking is None:
            raise RegistryError(
                f"{self.host} wants logins at {realm[:200]!r}, which is not an https address",
                hint="the registry is wrongly set up, or somebody changes its answers on the way",
            )
        others = (origin(f"{asking.scheme}://{host}") for host in self.access.realms_of(self.host))
        return None if asking in (origin(self.address), *others) else asking

    def _log_in(self, challenge: Challenge, login: Credential | None) -> str:
        """Return what to send as Authorization, for a login or for nobody; nothing when that is of no use."""
        if challenge.scheme == "bearer":
            return self._token(challenge, login)
        return basic(login.user, login.secret) if challenge.scheme == "basic" and login else ""

    def _token(self, challenge: Challenge, login: Credential | None) -> str:
        """Return a token for pulling from this repository, and for no more than that, whatever the registry asks.

        https://distribution.github.io/distribution/spec/auth/token/
        """
        realm, service = challenge.parameters["realm"], challenge.parameters.get("service")
        query = {"scope": f"repository:{self.path}:pull", **({"service": service} if service else {})}
        realm = _without(realm, {"scope", "service", "offline_token", "access_type"})
        request = RegistryRequest(
            "GET", realm, authorization=basic(login.user, login.secret) if login else "", query=query
        )
        answer = self._http.send(request, follow=False)
        if answer.status in _DENIED:
            return ""
        token = _token_in(answer.body)
        if not token:
            raise RegistryError(
                f"{self.host} wants a token of {realm.partition('?')[0]}, which answered {answer.status} and gave none",
                hint="look whether the registry works: 'docker pull' says the same then",
                status=answer.status,
            )
        return f"Bearer {token}"


@contextmanager
def open_repository(repository: str, access: RegistryAccess) -> Iterator[ImageRepository]:
    """Yield a repository, by its name in image references. Raises ConfigError for a name that no registry has."""
    host, _, path = canonical_repository(repository).partition("/")
    if not _PATH.fullmatch(path):
        raise ConfigError(f"'{repository}' is not an image's repository, expected small letters, digits and . _ - /")
    host = registry_host(host)
    with open_http(host, access) as http:
        yield ImageRepository(host, path, access, http)


def _without(address: str, names: set[str]) -> str:
    """Return an address without some parameters of its query: a realm may not ask for more by its own."""
    parts = urlsplit(address)
    kept = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in names]
    return urlunsplit(parts._replace(query=urlencode(kept)))


def _choose(challenges: tuple[Challenge, ...]) -> Challenge:
    """Return the way to log in: tokens where they are offered, since they are for one repository only."""
    for challenge in challenges:
        if challenge.scheme == "bearer" and challenge.parameters.get("realm"):
            return challenge
    return next((challenge for challenge in challenges if challenge.scheme == "basic"), Challenge("none"))


def _token_in(body: bytes) -> str:
    try:
        answer = json.loads(body)
        token = str(answer.get("token") or answer["access_token"])
    except (ValueError, KeyError, AttributeError, RecursionError):
        return ""
    return token if re.fullmatch(r"[!-~]+", token) else ""
