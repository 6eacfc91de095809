"""Logins for registries: their sources, and the hosts that may receive them."""

from __future__ import annotations

import base64
import json
from dataclasses import field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from headgate.errors import ConfigError
from headgate.http import RetryLimits
from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from headgate.model import Settings

DOCKER_HUB = "docker.io"
_DOCKER_REALM = "auth.docker.io"


@frozen_record
class Credential:
    """A login for a registry. ``name`` identifies it in messages."""

    name: str
    host: str
    user: str
    secret: str = field(repr=False)


@frozen_record(kw_only=False)
class RegistryAccess:
    """Access to registries. ``credentials`` of the same host are tried in order.

    ``realms`` are the other hosts that may receive a registry's credentials for a token.
    """

    credentials: tuple[Credential, ...] = ()
    realms: Mapping[str, frozenset[str]] = field(default_factory=dict)
    limits: RetryLimits = field(default_factory=RetryLimits)

    def logins(self, host: str) -> tuple[Credential, ...]:
        """Return the logins for a registry, in order."""
        return tuple(credential for credential in self.credentials if credential.host == host)

    def realms_of(self, host: str) -> frozenset[str]:
        """Return the other hosts that may receive a registry's logins for a token."""
        return self.realms.get(host, frozenset())


def access(settings: Settings, variables: Mapping[str, str]) -> RegistryAccess:
    """Return the access to registries from headgate.yaml and a job's variables. Raises ConfigError.

    GitLab issues the tokens of its registry: https://docs.gitlab.com/administration/packages/container_registry/.
    Docker Hub has another host for them too. All others are in ``registries``.
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
    """Return the logins in a job's variables, in order. Raises ConfigError.

    ``gitlab_registry`` is the host of GitLab's registry in headgate.yaml: GitLab's tokens go nowhere else.
    """
    logins = list(_docker_config(variables.get("DOCKER_AUTH_CONFIG", "")))
    if gitlab_registry:
        host = registry_host(gitlab_registry)
        ours = (
            # GitLab ignores the user name of a personal, group or project access token.
            ("HEADGATE_READ_TOKEN", "headgate", variables.get("HEADGATE_READ_TOKEN", "")),
            ("the deploy token", variables.get("CI_DEPLOY_USER", ""), variables.get("CI_DEPLOY_PASSWORD", "")),
            ("the job token", "gitlab-ci-token", variables.get("CI_JOB_TOKEN", "")),
        )
        logins += [
            Credential(name=name, host=host, user=user, secret=secret) for name, user, secret in ours if user and secret
        ]
    return tuple(logins)


def registry_host(spelling: str) -> str:
    """Return a registry's host as in image references, for any spelling in a docker config."""
    _, _, rest = spelling.strip().lower().rpartition("://")
    host = rest.partition("/")[0].removesuffix(":443")
    return DOCKER_HUB if host in ("docker.io", "index.docker.io", "registry-1.docker.io") else host


def _docker_config(text: str) -> Iterator[Credential]:
    """Yield the logins of a docker config.json.

    https://docs.gitlab.com/ci/docker/using_docker_images/#access-an-image-from-a-private-container-registry.
    Helper programs (``credHelpers``) are ignored.
    """
    if not text.strip():
        return
    try:
        config = json.loads(text)
        entries = dict(config.get("auths") or {})
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise _unreadable("is not the JSON of a docker config.json") from None
    for spelling, entry in entries.items():
        user, secret = _login(spelling, entry)
        if user and secret:
            yield Credential(name="DOCKER_AUTH_CONFIG", host=registry_host(spelling), user=user, secret=secret)


def _login(spelling: str, entry: Any) -> tuple[str, str]:
    if not isinstance(entry, dict):
        raise _unreadable(f"has an entry for {spelling!r} that is not a mapping")
    if not entry.get("auth"):
        return str(entry.get("username") or ""), str(entry.get("password") or "")
    try:
        user, _, secret = base64.b64decode(entry["auth"], validate=True).decode().partition(":")
    except (ValueError, TypeError):
        raise _unreadable(f"has an 'auth' for {spelling!r} that is not base64 of USER:PASSWORD") from None
    return user, secret.rstrip("\0")


def _unreadable(problem: str) -> ConfigError:
    return ConfigError(
        f"variable DOCKER_AUTH_CONFIG {problem}",
        hint='expected {"auths": {"registry.example.com": {"auth": "base64 of USER:PASSWORD"}}}',
    )
