"""Which GitLab the live tests run on: a real one that the environment names, or the double."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from support.acme import jobs_path
from support.gitlab import serve_gitlab
from support.gitlab.byitself import running
from support.registry import serve_registry
from support.tokens import wanted


@dataclass(frozen=True)
class Target:
    """A GitLab, and an administrator's token for it.

    ``group``: path of a group below which everything is made; empty: a new group at the top. ``image``: what jobs run,
    with a tag; empty: what the components name. ``pause`` and ``patience``: seconds between two questions, and for a
    pipeline to end.
    """

    url: str
    token: str = field(repr=False)
    group: str = ""
    image: str = ""
    pause: float = 3
    patience: float = 900

    @property
    def host(self) -> str:
        """Its host, with the port where the address has one."""
        return urlsplit(self.url).netloc


URL, TOKEN, GROUP, IMAGE = (f"HEADGATE_TEST_{name}" for name in ("GITLAB_URL", "GITLAB_TOKEN", "GITLAB_GROUP", "IMAGE"))


def named(environ: Mapping[str, str]) -> Target | None:
    """Return the real GitLab that the environment names, or None. Raises ValueError where half of it is named."""
    if not environ.get(URL):
        return None
    missing = [name for name in (TOKEN, IMAGE) if not environ.get(name)]
    if missing:
        raise ValueError(f"{URL} is set, but not {' and '.join(missing)}: CONTRIBUTING.md says what they are")
    return Target(environ[URL].rstrip("/"), environ[TOKEN], environ.get(GROUP, "").strip("/"), environ[IMAGE])


def addresses(host: str) -> frozenset[str]:
    """Return the network addresses of a host, given with or without a port."""
    name = urlsplit(f"//{host}").hostname
    return frozenset(str(one[4][0]) for one in socket.getaddrinfo(name, None))


@contextmanager
def serve_double(folder: Path) -> Iterator[Target]:
    """Run the double as a GitLab of its own: with an administrator, runners, and a registry that asks it for tokens."""
    folder.mkdir(parents=True, exist_ok=True)
    with serve_gitlab(folder / "gitlab", jobs_path(folder)) as double, running(double):
        auth = wanted(folder / "registry", f"{double.url}/jwt/auth")
        with serve_registry(folder / "registry", auth) as registry:
            double.registry = registry.host
            root = double.user("root")
            root.is_admin = True
            yield Target(double.url, double.token(root, "api"), pause=0.1, patience=240)
