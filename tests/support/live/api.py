"""GitLab's REST API as somebody: https://docs.gitlab.com/api/rest/. Tokens go in a header, never in an address."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote

import requests

from support.live.target import Target

Found = TypeVar("Found")


@dataclass(frozen=True)
class Account:
    """Somebody on a GitLab."""

    gitlab: Target
    name: str
    id: int
    token: str = field(repr=False)


@dataclass(frozen=True)
class Project:
    """A project. ``images``: where its images are in GitLab's registry, such as ``registry.example.com/acme/shop``."""

    id: int
    path: str
    images: str


class RefusedError(AssertionError):
    """GitLab refused a request. ``status`` is HTTP's."""

    def __init__(self, asked: str, answer: requests.Response) -> None:
        super().__init__(f"{asked}: {answer.status_code} {answer.text[:2000]}")
        self.status = answer.status_code


_SECONDS = 60
_TRIES = 5
_AGAIN = (429, 502, 503, 504)


def ask(account: Account, verb: str, path: str, /, **fields: Any) -> requests.Response:
    """Send a request: fields in the query for GET and DELETE, else as JSON. Raises RefusedError.

    What GitLab is too busy for, it is asked again.
    """
    __tracebackhide__ = True  # pytest would show the fields, which may be a secret's
    address, in_query = f"{account.gitlab.url}/api/v4{path}", verb in ("GET", "DELETE")
    for number in range(_TRIES):
        try:
            answer = requests.request(
                *(verb, address),
                params=fields if in_query else None,
                json=None if in_query else fields,
                headers={"PRIVATE-TOKEN": account.token},
                timeout=_SECONDS,
            )
        except requests.RequestException as error:
            raise AssertionError(f"{verb} {path} as {account.name}: {error}") from None
        if answer.status_code not in _AGAIN:
            break
        time.sleep(min(float(answer.headers.get("Retry-After", 2**number)), _SECONDS))
    if not answer.ok:
        raise RefusedError(f"{verb} {path} as {account.name}", answer)
    return answer


def get(account: Account, path: str, /, **query: Any) -> Any:
    """Return what is at a path."""
    return ask(account, "GET", path, **query).json()


def post(account: Account, path: str, /, **fields: Any) -> Any:
    """Make something, and return it."""
    return ask(account, "POST", path, **fields).json()


def put(account: Account, path: str, /, **fields: Any) -> Any:
    """Change something, and return it."""
    return ask(account, "PUT", path, **fields).json()


def listed(account: Account, path: str, /, **query: Any) -> list[Any]:
    """Return a whole list, page by page."""
    found: list[Any] = []
    page = "1"
    while page:
        answer = ask(account, "GET", path, **query, per_page=100, page=page)
        found += answer.json()
        page = answer.headers.get("X-Next-Page", "")
    return found


def below(project: Project, path: str = "") -> str:
    """Return the path of something in a project."""
    return f"/projects/{project.id}{path}"


def part(name: str) -> str:
    """Return a name as one part of a path."""
    return quote(name, safe="")


def until(account: Account, what: str, look: Callable[[], Found | None], seconds: float = 0) -> Found:
    """Look again and again until something is found, and return it. Raises AssertionError when it takes too long."""
    end = time.monotonic() + (seconds or account.gitlab.patience)
    while time.monotonic() < end:
        found = look()
        if found is not None:
            return found
        time.sleep(account.gitlab.pause)
    raise AssertionError(f"waited in vain for {what}")
