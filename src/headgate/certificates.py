"""Trust the same certificates in requests, git and child processes.

By default they differ: requests has its own list, git uses the system's, Go uses SSL_CERT_FILE.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from headgate.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# https://docs.gitlab.com/runner/configuration/tls-self-signed/: the runner's CA of GitLab, in addition to the others.
_GITLABS = "CI_SERVER_TLS_CA_FILE"
_READ = ("REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO", "SSL_CERT_FILE")
"""Read by requests, by git, and by OpenSSL and Go."""
_SYSTEM = Path("/etc/ssl/certs/ca-certificates.crt")
"""The trusted certificates on Debian, Ubuntu and Alpine, including a company's own CAs."""


@contextmanager
def trusted_certificates(environ: Mapping[str, str] = os.environ) -> Iterator[None]:
    """Trust the same certificates in this process and its children during the block.

    They are the files in SSL_CERT_FILE, REQUESTS_CA_BUNDLE and GIT_SSL_CAINFO, or the system's without any of them,
    and the file in CI_SERVER_TLS_CA_FILE. Raises ConfigError for an unreadable file.
    """
    before = {name: os.environ.get(name) for name in _READ}
    with tempfile.TemporaryDirectory(prefix="headgate-") as folder:
        files = _named(environ)
        if files:
            os.environ.update(dict.fromkeys(_READ, str(_together(files, Path(folder)))))
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def _named(environ: Mapping[str, str]) -> list[Path]:
    """Return the files to trust; empty to keep each program's default."""
    chosen = {name: Path(environ[name]) for name in (*_READ, _GITLABS) if environ.get(name)}
    for name, file in chosen.items():
        if not file.is_file() or not os.access(file, os.R_OK):
            raise ConfigError(f"{name}: cannot read {file}", hint="name a PEM file with certificates")
    only_gitlabs = list(chosen) in ([], [_GITLABS])
    system = [_SYSTEM] if only_gitlabs and _SYSTEM.is_file() else []
    return list(dict.fromkeys([*system, *chosen.values()]))


def _together(files: Sequence[Path], folder: Path) -> Path:
    """Return a single file with all certificates."""
    if len(files) == 1:
        return files[0]
    whole = folder / "certificates.pem"
    whole.write_bytes(b"\n".join(file.read_bytes() for file in files))
    return whole
