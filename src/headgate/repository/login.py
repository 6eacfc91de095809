"""Who git is at which repository: told to it by its environment, never by an address, where others could read it."""

from __future__ import annotations

import base64
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Login:
    """Name and password for one repository's address."""

    url: str
    user: str
    password: str = field(repr=False)


def basic(user: str, password: str) -> str:
    """Return the header ``Authorization`` for a name and a password: https://www.rfc-editor.org/rfc/rfc7617."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@contextmanager
def logged_in(*logins: Login) -> Iterator[None]:
    """Let git log in at these addresses too for as long as the block lasts, as a user's own configuration would.

    They hold for the whole process, as git's configuration does. An answer that leads elsewhere is not followed,
    since git would take the password along.
    """
    before = list(_logins)
    _logins[:] = {one.url: one for one in (*before, *logins)}.values()
    try:
        yield
    finally:
        _logins[:] = before


_logins: list[Login] = []


def login_config() -> dict[str, str]:
    """Return git's configuration with the logins: https://git-scm.com/docs/git-config, GIT_CONFIG_COUNT."""
    pairs: list[tuple[str, str]] = []
    for login in _logins:
        pairs += [(f"http.{login.url}.extraHeader", f"Authorization: {basic(login.user, login.password)}")]
        pairs += [(f"http.{login.url}.followRedirects", "false")]
    config = {"GIT_CONFIG_COUNT": str(len(pairs))} if pairs else {}
    for number, (key, value) in enumerate(pairs):
        config |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return config
