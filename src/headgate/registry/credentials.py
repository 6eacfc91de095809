"""Logins for registries: where they come from, and which hosts they may be sent to."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from headgate.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from headgate.model import Settings

DOCKER_HUB = "docker.io"
_DOCKER_REALM = "auth.docker.io"


@dataclass(frozen=True)
class Credential:
    """A login for one registry. ``name`` is what messages call it."""

    name: str
    host: str
    user: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class RetryLimits:
    """How long to wait for a registry: seconds for an answer, tries, and the longest wait between two of them."""

    seconds: float = 30
    tries: int = 4
    longest_wait: int = 20

    @property
    def whole(self) -> float:
        """Seconds after which an answer is too late, however it came: all tries with all waits."""
        return self.seconds * self.tries + self.longest_wait * (self.tries - 1)


@dataclass(frozen=True)
class RegistryAccess:
    """How registries are reached. ``credentials`` of one host are tried in their order.

    ``realms`` says for a registry's host which others may be asked for tokens with its credentials.
    """

    credentials: tuple[Credential, ...] = ()
    realms: Mapping[str, frozenset[str]] = field(default_factory=dict)
    patience: RetryLimits = RetryLimits()

    def of(self, host: str) -> tuple[Credential, ...]:
        """Return the logins for a registry, in the order in which they are tried."""
        return tuple(credential for credential in self.credentials if credential.host == host)

    def realms_of(self, host: str) -> frozenset[str]:
        """Return the other hosts that may be asked for tokens with a registry's logins."""
        return self.realms.get(host, frozenset())


def access(settings: Settings, variables: Mapping[str, str]) -> RegistryAccess:
    """Return how registries are reached, by headgate.yaml and a job's variables. Raises ConfigError.

    GitLab's registry asks for tokens at GitLab's own address: https://docs.gitlab.com/administration/packages/
    container_registry/. Docker Hub has another host for them too. Everything else is in ``registries``.
    """
    realms = {registry_host(host): frozenset(registry.realms) for host, registry in settings.registries.items()}
    realms[DOCKER_HUB] = realms.get(DOCKER_HUB, frozenset()) | {_DOCKER_REALM}
    gitlab_registry = ""
    if settings.gitlab is not None and settings.gitlab.registry is not None:
        gitlab_registry = registry_host(settings.gitlab.registry)
        own = {urlsplit(settings.gitlab.url).netloc}
        realms[gitlab_registry] = realms.get(gitlab_registry, frozenset()) | own
    return RegistryAccess(credentials(variables, gitlab_registry), realms)


def credentials(variables: Mapping[str, str], gitlab_registry: str = "") -> tuple[Credential, ...]:
    """Return the logins that a job's variables hold, in the order in which they are tried. Raises ConfigError.

    ``gitlab_registry`` is the host of GitLab's registry, as headgate.yaml names it: tokens of GitLab go nowhere else.
    """
    logins = list(_docker_config(variables.get("DOCKER_AUTH_CONFIG", "")))
    if gitlab_registry:
        host = registry_host(gitlab_registry)
        ours = (
            # GitLab does not look at the name beside a personal, group or project access token.
            ("HEADGATE_READ_TOKEN", "headgate", variables.get("HEADGATE_READ_TOKEN", "")),
            ("the deploy token", variables.get("CI_DEPLOY_USER", ""), variables.get("CI_DEPLOY_PASSWORD", "")),
            ("the job token", "gitlab-ci-token", variables.get("CI_JOB_TOKEN", "")),
        )
        logins += [Credential(name, host, user, secret) for name, user, secret in ours if user and secret]
    return tuple(logins)


def registry_host(spelling: str) -> str:
    """Return a registry's host as it stands in image references, however a docker config spells it."""
    _, _, rest = spelling.strip().lower().rpartition("://")
    host = rest.partition("/")[0].removesuffix(":443")
    return DOCKER_HUB if host in ("docker.io", "index.docker.io", "registry-1.docker.io") else host


def _docker_config(text: str) -> Iterator[Credential]:
    """Yield the logins of a docker config.json.

    https://docs.gitlab.com/ci/docker/using_docker_images/#access-an-image-from-a-private-container-registry.
    Programs that it names (``credHelpers``) are not run.
    """
    if not text.strip():
        return
    try:
        config = json.loads(text)
        entries = dict(config.get("auths") or {})
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise _unreadable("is not the JSON of a docker config.json") from None
    for spelling, entry in entries.items():
        login = _login(spelling, entry)
        if all(login):
            yield Credential("DOCKER_AUTH_CONFIG", registry_host(spelling), *login)


def _login(spelling: str, entry: Any) -> tuple[str, str]:
    if not isinstance(entry, dict):
        raise _unreadable(f"has no login, but something else, for {spelling!r}")
    if not entry.get("auth"):
        return str(entry.get("username") or ""), str(entry.get("password") or "")
    try:
        user, _, secret = base64.b64decode(entry["auth"], validate=True).decode().partition(":")
    except (ValueError, TypeError):
        raise _unreadable(f"has an 'auth' for {spelling!r} that is not the base64 of USER:PASSWORD") from None
    return user, secret.rstrip("\0")


def _unreadable(problem: str) -> ConfigError:
    return ConfigError(
        f"the variable DOCKER_AUTH_CONFIG {problem}",
        hint='expected {"auths": {"registry.example.com": {"auth": "base64 of USER:PASSWORD"}}}',
    )
