"""What is said of a registry that does not give what it was asked for: what happened, and what to do. Pure."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from headgate.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headgate.objects.images import Reference
    from headgate.registry.credentials import RetryLimits

_NOT_FOUND = 404
_TOO_MANY = 429


def missing(reference: Reference) -> RegistryError:
    """Say that an image is not there."""
    return RegistryError(
        f"there is no image {reference}",
        hint="was it pushed before the hand-off, and under this name? The job that hands off must come after the job "
        "that pushes; a cleanup policy may have removed the tag",
        status=_NOT_FOUND,
    )


def unexpected(host: str, reference: Reference, status: int) -> RegistryError:
    """Say that a registry gave an answer that the specification does not know."""
    return RegistryError(
        f"{host} answered {status} to the question for {reference}",
        hint="look whether the registry works, and whether it is the one that the image is in",
        status=status,
    )


def denied(host: str, path: str, tried: Sequence[str], status: int) -> RegistryError:
    """Say that a registry denied an image, to which logins, and how one is granted."""
    login = f"a login for {host} in DOCKER_AUTH_CONFIG"
    if any(name != "DOCKER_AUTH_CONFIG" for name in tried):
        grant = (
            "let the image's project accept this project's job token (its Settings, CI/CD, Job token permissions), "
            f"or give HEADGATE_READ_TOKEN the scope read_registry and a role there, or put {login}"
        )
    elif tried:
        grant = f"look whether {login} is right, has not expired and may pull"
    else:
        grant = f"put {login}; for GitLab's own registry name it in headgate.yaml: gitlab.registry"
    with_logins = f"with {', '.join(tried)}, and " if tried else ""
    return RegistryError(
        f"{host} denied {path} ({status}), asked {with_logins}without a login",
        hint=f"{grant}. Many registries say the same of what is not there: is the name right?",
        status=status,
    )


def elsewhere(host: str, asking: str, names: Sequence[str]) -> RegistryError:
    """Say that a registry wants its logins to be sent to another host, which nobody allowed."""
    return RegistryError(
        f"{host} wants its login ({', '.join(names)}) to be sent to another host, {asking}; nothing was sent",
        hint=f'if that host may have it: \'registries: {{"{host}": {{realms: ["{asking}"]}}}}\' in headgate.yaml; '
        "where it is GitLab with its own registry: 'registry' below 'gitlab'",
    )


def limited(host: str, status: int) -> RegistryError:
    """Say that a registry had enough of us, or was broken, at the last try."""
    if status != _TOO_MANY:
        hint = "run the same again when the registry works; nothing is done twice"
        return RegistryError(f"{host} answered {status}, again and again", hint=hint, status=status)
    return RegistryError(
        f"{host} limits the rate of requests (429), and still does after several tries",
        hint=f"run the same again later; with a login for {host} in DOCKER_AUTH_CONFIG it may allow more",
        status=status,
    )


def too_large(host: str, most: int) -> RegistryError:
    """Say that an answer is longer than a manifest or an image's configuration may be."""
    return RegistryError(
        f"{host} sends more than {most // 1024} KiB in one answer",
        hint="no image's manifest or configuration is as long: look what was pushed there",
    )


def unreachable(registry: str, host: str, error: Exception, patience: RetryLimits) -> RegistryError:
    """Say why there was no answer. ``host`` is another one than the registry's for tokens and redirects."""
    who = host if host == registry else f"{host}, to which {registry} leads,"
    chain = list(_chain(error))
    names = {type(cause).__name__ for cause in chain}
    again = "run the same again when it answers; nothing is done twice"
    for cause in chain:
        if isinstance(cause, ssl.SSLError):
            why = getattr(cause, "verify_message", "") or cause.reason or "no agreement on TLS"
            return RegistryError(
                f"{who} cannot be trusted: {why}",
                hint="if your own authority signs its certificate, name the authority's file in SSL_CERT_FILE; a "
                "registry without TLS is only taken on this machine itself",
            )
    if names & {"ReadTimeoutError", "ConnectTimeoutError", "ReadTimeout", "ConnectTimeout", "TimeoutError"}:
        return RegistryError(
            f"{who} timed out: no whole answer within {patience.seconds:g} s, tried up to {patience.tries} times",
            hint=again,
        )
    if "NameResolutionError" in names:
        return RegistryError(f"{who} has no address", hint="is the name right? This machine's name server has none")
    # What OSError itself says is the system's, or of a file with certificates that is not there.
    why = str(error) if type(error) is OSError else type(chain[-1]).__name__
    return RegistryError(f"{who} cannot be reached: {why}", hint=again)


def _chain(error: object) -> Iterator[Exception]:
    """Yield an error and what it is about, which requests and urllib3 wrap several times."""
    while isinstance(error, Exception):
        yield error
        inner = [getattr(error, "reason", None), *error.args, error.__cause__]
        error = next((cause for cause in inner if isinstance(cause, Exception)), None)
