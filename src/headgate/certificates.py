"""Which certificates are trusted: the same for requests, for git, and for engines that read the network.

Each of them looks elsewhere by itself: requests at a list of its own, git at the system's, Go at SSL_CERT_FILE.
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

# https://docs.gitlab.com/runner/configuration/tls-self-signed/: the authority of GitLab's own certificate, as its
# runner was told of it. It comes beside the others.
_GITLABS = "CI_SERVER_TLS_CA_FILE"
_READ = ("REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO", "SSL_CERT_FILE")
"""What requests, git, and OpenSSL and Go look at."""
_SYSTEM = Path("/etc/ssl/certs/ca-certificates.crt")
"""Where Debian, Ubuntu and Alpine keep what the machine trusts, a company's own authorities too."""


@contextmanager
def trusted_certificates(environ: Mapping[str, str] = os.environ) -> Iterator[None]:
    """Let this process and those that it starts trust the same certificates, for as long as the block lasts.

    Those are the files that SSL_CERT_FILE, REQUESTS_CA_BUNDLE or GIT_SSL_CAINFO name, or, without any of them, the
    system's; and the one of CI_SERVER_TLS_CA_FILE. Raises ConfigError for a file that cannot be read.
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
    """Return the files to trust; none where everybody's own list must do."""
    chosen = {name: Path(environ[name]) for name in (*_READ, _GITLABS) if environ.get(name)}
    for name, file in chosen.items():
        if not file.is_file() or not os.access(file, os.R_OK):
            raise ConfigError(
                f"{name} names {file}, which is no file that can be read", hint="name a file with certificates, in PEM"
            )
    only_gitlabs = list(chosen) in ([], [_GITLABS])
    system = [_SYSTEM] if only_gitlabs and _SYSTEM.is_file() else []
    return list(dict.fromkeys([*system, *chosen.values()]))


def _together(files: Sequence[Path], folder: Path) -> Path:
    """Return one file with all certificates."""
    if len(files) == 1:
        return files[0]
    whole = folder / "certificates.pem"
    whole.write_bytes(b"\n".join(file.read_bytes() for file in files))
    return whole
