"""Git's logins: passed by environment, never in an address, where others could read them."""

from __future__ import annotations

import base64
import re
from contextlib import contextmanager
from dataclasses import field
from typing import TYPE_CHECKING

from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@frozen_record
class Login:
    """User and password for one repository's address; ``name`` names the password in messages.

    ``push_hint`` says what lets it read and push, where these are settings of their own.
    """

    url: str
    user: str
    password: str = field(repr=False)
    name: str = ""
    push_hint: str = ""

    @property
    def label(self) -> str:
        """How messages call it."""
        return self.name or f"the login of {self.user}"


def basic(user: str, password: str) -> str:
    """Return the header ``Authorization`` for a name and a password: https://www.rfc-editor.org/rfc/rfc7617."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@contextmanager
def logged_in(*logins: Login) -> Iterator[None]:
    """Let git log in at these addresses too within the block, in the whole process.

    Git follows no redirect from them, since it would send the password to the other host.
    """
    before = list(_logins)
    _logins[:] = {login.url: login for login in (*before, *logins)}.values()
    try:
        yield
    finally:
        _logins[:] = before


_logins: list[Login] = []


def has_logins() -> bool:
    """Whether a `logged_in` block is open."""
    return bool(_logins)


def login_config() -> dict[str, str]:
    """Return the environment that configures the logins: https://git-scm.com/docs/git-config, GIT_CONFIG_COUNT."""
    pairs: list[tuple[str, str]] = []
    for login in _logins:
        pairs += [(f"http.{login.url}.extraHeader", f"Authorization: {basic(login.user, login.password)}")]
        pairs += [(f"http.{login.url}.followRedirects", "false")]
    config = {"GIT_CONFIG_COUNT": str(len(pairs))} if pairs else {}
    for number, (key, value) in enumerate(pairs):
        config |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return config


@frozen_record(kw_only=False)
class Refusal:
    """A login that a remote refused: what happened, and what to do."""

    message: str
    hint: str


def refusal(args: Sequence[str], stderr: str) -> Refusal | None:
    """Return which login a remote refused, when git's output says that it did.

    Git sends these logins unprompted; a remote that wants another one makes git prompt, which nobody answers.
    """
    match = _REFUSED.search(stderr)
    if match is None:
        return None
    prompted, forbidden, hidden = match.groups()
    address = (prompted or forbidden or hidden).rstrip("/")
    # By the arguments first: when git prompts, it names the host alone.
    used = [login for login in _logins if login.url in args]
    used = used or [login for login in _logins if login.url.startswith(address)]
    if not used:
        hint = "let git log in there with a credential helper, or use SSH"
        return Refusal(f"{address} asks for a login", hint) if prompted else None
    names = " and ".join(dict.fromkeys(login.label for login in used))
    url = used[0].url if len(used) == 1 else address
    push_hint = next((login.push_hint for login in used if login.push_hint), _HINT)
    hint = push_hint if hidden or any(answer in stderr for answer in _NO_PUSH) else _HINT
    return Refusal(f"{url} does not exist, or {names} cannot see it" if hidden else f"{url} refused {names}", hint)


_NO_PUSH = ("You are not allowed to upload code", "You are not allowed to push code to this project")
"""What GitLab answers to a token that may not push, and to one whose user may not: lib/gitlab/git_access.rb."""
_REFUSED = re.compile(
    r"(?:could not read (?:Username|Password)|Authentication failed) for '([^']+)'"
    r"|unable to access '([^']+)': The requested URL returned error: 403"
    r"|repository '([^']+)' not found"
)
_HINT = (
    "the token is wrong, expired or revoked, or may not do this: check its scopes, its role in the project, and for "
    "a job token the project's allowlist (Settings, CI/CD, Job token permissions)"
)
