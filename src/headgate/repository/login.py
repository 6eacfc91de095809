"""Who git is at which repository: told to it by its environment, never by an address, where others could read it."""

from __future__ import annotations

import base64
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True)
class Login:
    """Name and password for one repository's address; ``token`` is what people call the password in messages.

    ``may_push`` says what lets it read and push, where these are settings of their own.
    """

    url: str
    user: str
    password: str = field(repr=False)
    token: str = ""
    may_push: str = ""

    @property
    def called(self) -> str:
        """What this is in messages."""
        return self.token or f"the login of {self.user}"


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


def has_logins() -> bool:
    """Whether git was given logins."""
    return bool(_logins)


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


@dataclass(frozen=True)
class Refusal:
    """A login that was not taken: what happened, and what to do."""

    what: str
    hint: str


def refusal(args: Sequence[str], words: str) -> Refusal | None:
    """Say whom a remote refused, when git's last words are that it did, else None.

    git sends these logins unasked; a remote that then wants another leaves it with a question that nobody answers.
    """
    match = _REFUSED.search(words)
    if match is None:
        return None
    asks, forbids, hides = match.groups()
    there = (asks or forbids or hides).rstrip("/")
    asked = [one for one in _logins if one.url in args]  # git itself names no more than a host when it asks for a name
    meant = asked or [one for one in _logins if one.url.startswith(there)]
    if not meant:
        how = "let git log in there: by a credential helper, or by SSH"
        return Refusal(f"{there} asks for a login", how) if asks else None
    names = " and ".join(dict.fromkeys(one.called for one in meant))
    url = meant[0].url if len(meant) == 1 else there
    may_push = next((one.may_push for one in meant if one.may_push), _HINT)
    hint = may_push if hides or any(one in words for one in _NO_PUSH) else _HINT
    return Refusal(f"{url} is not there, or hidden from {names}" if hides else f"{url} refused {names}", hint)


_NO_PUSH = ("You are not allowed to upload code", "You are not allowed to push code to this project")
"""What GitLab answers to a token that may not push, and to one whose user may not: lib/gitlab/git_access.rb."""
_REFUSED = re.compile(
    r"(?:could not read (?:Username|Password)|Authentication failed) for '([^']+)'"
    r"|unable to access '([^']+)': The requested URL returned error: 403"
    r"|repository '([^']+)' not found"
)
_HINT = (
    "the token is wrong, expired or revoked, or may not do this: look at its scopes, its role in the project, and for "
    "a job token at the allowlist of the project (Settings, CI/CD, Job token permissions)"
)
