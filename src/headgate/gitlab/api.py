"""GitLab's REST API, a thin layer over python-gitlab: one object per token, retries, errors that name the token."""

from __future__ import annotations

import math
import os
import time
import weakref
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlsplit

from headgate.errors import GitLabError
from headgate.http import seconds_to_wait

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from gitlab import Gitlab
    from requests import Response

    from headgate.model.settings import GitLabSettings
    from headgate.timelimit import TimeLimit

_SECONDS = 30
_TOTAL_SECONDS = 300
"""For one request with all its tries, also where a byte comes now and then."""
_RETRIES = 4
_MAX_WAIT = 60
"""Seconds between two tries: GitLab counts most requests by the minute."""
_NOT_FOUND = 404
_MAX_PAGES = 1000
"""Of a list: ten pages of commit statuses are many."""


@dataclass(eq=False)
class GitLab:
    """GitLab at ``url``, with one token. ``token`` is the token's name, never its value."""

    url: str
    token: str
    _client: Gitlab = field(repr=False)
    _limit: TimeLimit = field(repr=False)

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """Return the resource at a path below ``/api/v4``. Raises GitLabError."""
        return self._send("GET", path, lambda: _fields(self._response(path, query or {}), path))

    def text(self, path: str, query: Mapping[str, Any] | None = None) -> str:
        """Return the text of a file at a path below ``/api/v4``. Raises GitLabError."""
        return str(self._send("GET", path, lambda: self._response(path, query or {}).text))

    def _response(self, path: str, query: Mapping[str, Any]) -> Response:
        return self._client.http_request("get", path, query_data=dict(query), **_RETRIED)

    def find(self, path: str, query: Mapping[str, Any] | None = None) -> Any | None:
        """Return the resource at a path; None when it is missing or hidden from this token. Raises GitLabError."""
        try:
            return self.get(path, query)
        except GitLabError as error:
            if error.status == _NOT_FOUND:
                return None
            raise

    def each(self, path: str, query: Mapping[str, Any] | None = None) -> Iterator[Any]:
        """Yield the entries of a list and fetch its pages as needed. Raises GitLabError."""
        parameters = {"per_page": 100, **(query or {})}
        for _ in range(_MAX_PAGES):
            entries, following = self._send("GET", path, partial(self._page, path, parameters))
            yield from entries
            if not following:
                return
            parameters = following
        raise GitLabError(f"{self.url} answers GET {path} with more than {_MAX_PAGES} pages (with {self.token})")

    def _page(self, path: str, query: Mapping[str, Any]) -> tuple[list[Any], dict[str, str]]:
        """Return a page of a list, and the query of the next one. The address of that may name another host."""
        response = self._response(path, query)
        entries = _fields(response, path)
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise ValueError
        return entries, dict(parse_qsl(urlsplit(response.links.get("next", {}).get("url", "")).query))

    @cached_property
    def user(self) -> int:
        """The id of the token's user. Raises GitLabError."""
        return int(self.get("/user")["id"])

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Create a resource and return it. Raises GitLabError.

        Retried on 429 alone: else the caller checks whether it exists.
        """
        return self._write("POST", path, body, max_retries=_RETRIES)

    def put(self, path: str, body: Mapping[str, Any]) -> Any:
        """Change a resource and return it. Raises GitLabError."""
        return self._write("PUT", path, body, **_RETRIED)

    def patch(self, path: str, body: Mapping[str, Any]) -> None:
        """Change a part of a resource. Raises GitLabError."""
        self._send("PATCH", path, lambda: self._client.http_request("patch", path, post_data=dict(body), **_RETRIED))

    def delete(self, path: str) -> None:
        """Delete a resource. Raises GitLabError."""
        self._send("DELETE", path, lambda: self._client.http_request("delete", path, max_retries=_RETRIES))

    def _write(self, verb: str, path: str, body: Mapping[str, Any], **retries: Any) -> Any:
        def request() -> Any:
            answer = self._client.http_request(verb.lower(), path, post_data=dict(body), **retries).json()
            if not isinstance(answer, dict):
                raise ValueError  # noqa: TRY004  handled like a page that is not JSON: something other than GitLab answered
            return answer

        return self._send(verb, path, request)

    def _send(self, verb: str, path: str, request: Callable[[], Any]) -> Any:
        from gitlab.exceptions import GitlabError  # noqa: PLC0415  it loads requests
        from requests.exceptions import RequestException, SSLError  # noqa: PLC0415

        try:
            with self._limit(_TOTAL_SECONDS):
                return request()
        except GitlabError as error:
            raise self._refusal(verb, path, error.response_code or 0, _error_text(error.error_message)) from None
        except (RequestException, ValueError, RecursionError) as error:
            untrusted = isinstance(error, SSLError)
            raise GitLabError(
                f"{self.url} did not answer {verb} {path}: {type(error).__name__}",
                hint=_UNTRUSTED if untrusted else _LATER,
            ) from None

    def _refusal(self, verb: str, path: str, status: int, text: str) -> GitLabError:
        failure = f"GitLab answered {status} to {verb} {path} (with {self.token})"
        detail = " ".join(text.split())[:300]
        return GitLabError(f"{failure}: {detail}" if detail else failure, hint=_HINTS.get(status, ""), status=status)


class MissingFieldError(GitLabError, KeyError):
    """GitLab's answer lacks a field that it always has: something else answered, or another version."""


class _Fields(dict[str, Any]):
    """A resource; a field that it lacks is an error for people."""

    def __init__(self, fields: Mapping[str, Any], path: str) -> None:
        super().__init__(fields)
        self._path = path

    def __missing__(self, name: str) -> Any:
        raise MissingFieldError(f"GitLab's answer to GET {self._path} lacks '{name}'", hint=_LATER)


def _fields(response: Response, path: str) -> Any:
    """Return the resource, or the list of them, in an answer. Raises ValueError where it is none."""
    found = response.json(object_hook=partial(_Fields, path=path))
    if not isinstance(found, dict | list):
        raise ValueError  # noqa: TRY004  handled like a page that is not JSON: something other than GitLab answered
    return found


def _error_text(message: object) -> str:
    """Return the text of GitLab's error, however nested (``{"base": ["..."]}``); nothing from a proxy's error page."""
    if isinstance(message, dict | list):
        return "; ".join(_error_text(part) for part in (message.values() if isinstance(message, dict) else message))
    return "" if isinstance(message, bytes) else str(message)


_RETRIED: dict[str, Any] = {"retry_transient_errors": True, "max_retries": _RETRIES}
_LATER = "run it again when GitLab answers; nothing happens twice"
_UNTRUSTED = (
    "if a private authority signs GitLab's certificate, set SSL_CERT_FILE to the authority's file, or configure it in "
    "the runner (tls-ca-file), which then sets CI_SERVER_TLS_CA_FILE in jobs"
)
_HINTS = {
    0: _LATER,
    401: "the token is wrong, expired or revoked",
    403: "the token may not do this: check its scopes, its role in the project, and for a job token the "
    "allowlist of the project (Settings, CI/CD, Job token permissions)",
    404: "it does not exist, or the token may not see it; a job token needs its project on the allowlist there",
    429: "GitLab limits the rate of requests; run it again later",
}


def connect(url: str, token: str, secret: str, *, is_job_token: bool = False) -> GitLab:
    """Connect to GitLab with a token. ``token`` is its name for messages, ``secret`` its value.

    Requests take at most half a minute; reads and PUT are retried on 429, 5xx and broken connections.
    """
    from gitlab import Gitlab  # noqa: PLC0415  0.2 s
    from requests.utils import get_environ_proxies  # noqa: PLC0415

    from headgate.timelimit import TimedAdapter, TimeLimit  # noqa: PLC0415  it loads requests

    private, job = (None, secret) if is_job_token else (secret, None)
    client = Gitlab(
        url,
        private_token=private,
        job_token=job,
        ssl_verify=os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True,
        timeout=_SECONDS,
        keep_base_url=True,
        user_agent="headgate",
    )
    client.session.max_redirects = 0  # a redirect to another host would receive the token
    # One host: what the environment says of it is read here, not anew for each request, which takes as long as sending.
    client.session.trust_env, client.session.proxies = False, get_environ_proxies(url)
    client.session.hooks["response"].append(_bound_wait)
    limit = TimeLimit()
    for scheme in ("https://", "http://"):
        client.session.mount(scheme, TimedAdapter(limit))
    connected = GitLab(url, token, client, limit)
    weakref.finalize(connected, limit.close)
    return connected


def _bound_wait(response: Response, **_: Any) -> None:
    """Let python-gitlab wait a minute at most: it takes Retry-After for a number, and waits for as long as that says.

    https://docs.gitlab.com/administration/settings/user_and_ip_rate_limits/#response-headers
    """
    headers, now = response.headers, time.time()
    wait, reset = headers.pop("Retry-After", ""), headers.pop("RateLimit-Reset", "")
    seconds = seconds_to_wait(wait, now) or (int(reset[:12]) - now if reset.isdecimal() else 0)
    if seconds > 0:
        headers["Retry-After"] = str(min(math.ceil(seconds), _MAX_WAIT))


def connect_by_variable(settings: GitLabSettings | None, variable: str, environ: Mapping[str, str]) -> GitLab | None:
    """Connect to headgate.yaml's GitLab with the token in a variable; None where either is missing."""
    secret = environ.get(variable, "")
    return connect(settings.url, variable, secret) if settings is not None and secret else None


def project_path(project: str | int) -> str:
    """Return the API path of a project, by its id or its path."""
    return f"/projects/{quote(str(project), safe='')}"


def merge_request_path(project: str | int, number: int) -> str:
    """Return the API path of a merge request, by its number in the project."""
    return f"{project_path(project)}/merge_requests/{number}"


def quoted(name: str) -> str:
    """Return a name as one segment of an API path."""
    return quote(name, safe="")


def path_of(gitlab: GitLab, web_url: str) -> str:
    """Return the path of the project that a resource belongs to, from the resource's ``web_url``.

    Job tokens may not read projects, but each resource in a project has its address.
    Raises GitLabError for an address on another host.
    """
    path, separator, _ = web_url.removeprefix(f"{gitlab.url}/").partition("/-/")
    if not separator or not web_url.startswith(f"{gitlab.url}/"):
        raise GitLabError(
            f"GitLab answered with the address {web_url!r}, which is not below {gitlab.url}",
            hint="set the input 'server' to GitLab's own external_url",
        )
    return path
