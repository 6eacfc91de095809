"""A kubeconfig: a cluster's address and login, as far as GitLab's agent and plain tokens or certificates need it."""

from __future__ import annotations

import base64
import binascii
from dataclasses import field
from typing import TYPE_CHECKING, Any

from headgate.engine.reading import documents
from headgate.errors import HealthUnknownError, Location, did_you_mean
from headgate.records import frozen_record

if TYPE_CHECKING:
    from pathlib import Path


@frozen_record
class ClusterAccess:
    """How to reach a cluster. Certificates and keys are PEM; what is empty is not used."""

    server: str
    authority: bytes = b""
    token: str = field(default="", repr=False)
    certificate: bytes = b""
    key: bytes = field(default=b"", repr=False)


def read_access(file: Path, context: str) -> ClusterAccess:
    """Return how a context of a kubeconfig reaches its cluster. Raises HealthUnknownError, YamlError.

    https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/. Programs that give credentials are not run.
    """
    try:
        data = documents(file.read_bytes(), file.name)[0].data
        chosen = _named(data, "contexts", context, "context")
        cluster = _named(data, "clusters", chosen["cluster"], "cluster")
        user = _named(data, "users", chosen["user"], "user")
        if cluster.get("insecure-skip-tls-verify"):
            raise _error("it does not verify its cluster, so anybody could receive the token", context)
        access = ClusterAccess(
            server=str(cluster["server"]).rstrip("/"),
            authority=_content(cluster, "certificate-authority", file),
            token=str(user.get("token") or _content(user, "tokenFile", file).decode().strip()),
            certificate=_content(user, "client-certificate", file),
            key=_content(user, "client-key", file),
        )
    except (OSError, IndexError, KeyError, TypeError, AttributeError, UnicodeDecodeError, binascii.Error) as error:
        raise _error(f"it cannot be used: {type(error).__name__}: {error}", context) from None
    if not access.server.startswith("https://"):
        raise _error(f"its server is {access.server!r}, expected https", context)
    if not access.token and not (access.certificate and access.key):
        raise _error("its user has neither a token nor a certificate with a key", context)
    return access


def _named(data: Any, kind: str, name: str, key: str) -> Any:
    for entry in data[kind]:
        if entry["name"] == name:
            return entry[key]
    known = [str(entry["name"]) for entry in data[kind]]
    raise _error(f"it has no {key} '{name}', expected one of: {', '.join(known)}", name, did_you_mean(name, known))


def _content(record: Any, key: str, file: Path) -> bytes:
    """Return what is in a record itself (``KEY-data``), or in the file that it names, relative to this one."""
    if record.get(f"{key}-data"):
        return base64.b64decode(record[f"{key}-data"])
    return (file.parent / record[key]).read_bytes() if record.get(key) else b""


def _error(what: str, context: str, hint: str = "") -> HealthUnknownError:
    return HealthUnknownError(
        f"the kubeconfig's context '{context}': {what}", where=Location("KUBECONFIG"), hint=hint or _HINT
    )


_HINT = "set KUBECONFIG to a file with that context; GitLab's agent sets it in jobs that it gives access"
