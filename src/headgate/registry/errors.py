"""Errors of registries: what happened, and what to do. Pure."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from headgate.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headgate.http import RetryLimits
    from headgate.objects.images import Reference

_NOT_FOUND = 404
_TOO_MANY = 429


def missing(reference: Reference) -> RegistryError:
    """Return the error for a missing image."""
    return RegistryError(
        f"image {reference} not found",
        hint="check that it was pushed under this name, in a job before the hand-off, and that no cleanup policy "
        "removed the tag",
        status=_NOT_FOUND,
    )


def unexpected(host: str, reference: Reference, status: int) -> RegistryError:
    """Return the error for a status that the specification does not allow."""
    return RegistryError(
        f"{host} answered {status} for {reference}",
        hint="check that the registry works, and that it holds the image",
        status=status,
    )


def denied(host: str, path: str, logins: Sequence[str], status: int, *, pushes: bool = False) -> RegistryError:
    """Return the error for a denied image, with the tried logins and how to get access."""
    login = f"a login for {host} in DOCKER_AUTH_CONFIG"
    if pushes:
        grant = f"add {login} that may push there; a job token may push to its own project's registry only"
    elif any(name != "DOCKER_AUTH_CONFIG" for name in logins):
        grant = (
            "allow this project's job token in the image's project (Settings, CI/CD, Job token permissions), "
            f"or give HEADGATE_READ_TOKEN the scope read_registry and a role there, or add {login}"
        )
    elif logins:
        grant = f"check that {login} is right, has not expired and may pull"
    else:
        grant = f"add {login}; for GitLab's own registry, set gitlab.registry in headgate.yaml"
    with_logins = f"with {', '.join(logins)}, and " if logins else ""
    return RegistryError(
        f"{host} denied {path} ({status}), tried {with_logins}without a login",
        hint=f"{grant}. Many registries answer the same for a missing image: check the name",
        status=status,
    )


def foreign_realm(host: str, realm: str, names: Sequence[str]) -> RegistryError:
    """Return the error for a registry that sends its logins to another host, which is not allowed."""
    return RegistryError(
        f"{host} requests its login ({', '.join(names)}) at another host, {realm}; nothing was sent",
        hint=f'to allow that host, set in headgate.yaml: registries: {{"{host}": {{realms: ["{realm}"]}}}}; '
        "for GitLab's own registry, set gitlab.registry",
    )


def limited(host: str, status: int) -> RegistryError:
    """Return the error for a rate limit or a broken server after the last try."""
    if status != _TOO_MANY:
        hint = "try again when the registry works; nothing is done twice"
        return RegistryError(f"{host} answered {status} to several tries", hint=hint, status=status)
    return RegistryError(
        f"{host} limits the rate of requests (429), also after several tries",
        hint=f"try again later; with a login for {host} in DOCKER_AUTH_CONFIG it may allow more",
        status=status,
    )


def too_large(host: str, max_bytes: int) -> RegistryError:
    """Return the error for an answer longer than manifests and configurations of images."""
    return RegistryError(
        f"{host} sends more than {max_bytes // 1024} KiB in an answer",
        hint="no manifest or configuration of an image is that long: check what was pushed",
    )


def unreachable(registry: str, host: str, error: Exception, limits: RetryLimits) -> RegistryError:
    """Return the error for a missing answer. ``host`` differs from the registry's for tokens and redirects."""
    who = host if host == registry else f"{host} (from {registry})"
    chain = list(_chain(error))
    names = {type(cause).__name__ for cause in chain}
    again = "try again when it answers; nothing is done twice"
    for cause in chain:
        if isinstance(cause, ssl.SSLError):
            why = getattr(cause, "verify_message", "") or cause.reason or "TLS handshake failed"
            return RegistryError(
                f"cannot trust {who}: {why}",
                hint="if your own CA signs its certificate, name the CA's file in SSL_CERT_FILE; a registry without "
                "TLS works only on this machine itself",
            )
    if names & {"ReadTimeoutError", "ConnectTimeoutError", "ReadTimeout", "ConnectTimeout", "TimeoutError"}:
        return RegistryError(
            f"{who} timed out: no complete answer within {limits.seconds:g} s in up to {limits.tries} tries",
            hint=again,
        )
    if "NameResolutionError" in names:
        return RegistryError(f"cannot resolve {who}", hint="check the name, and this machine's name server")
    # OSError has the system's message, or one about a missing certificate file.
    why = str(error) if type(error) is OSError else type(chain[-1]).__name__
    return RegistryError(f"cannot reach {who}: {why}", hint=again)


def _chain(error: object) -> Iterator[Exception]:
    """Yield an error and its causes, which requests and urllib3 wrap several times."""
    while isinstance(error, Exception):
        yield error
        inner = [getattr(error, "reason", None), *error.args, error.__cause__]
        error = next((cause for cause in inner if isinstance(cause, Exception)), None)
