"""GitLab's REST API, thin over python-gitlab: one record for each token, retries, and errors that say which token."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from headgate.errors import GitLabError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from gitlab import Gitlab

_SECONDS = 30
_RETRIES = 4
_NOT_FOUND = 404


@dataclass(frozen=True)
class GitLab:
    """GitLab at ``url``, as one token may use it. ``token`` is the token's name, never the token."""

    url: str
    token: str
    _client: Gitlab = field(repr=False, compare=False)

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """Return what is at a path below ``/api/v4``. Raises GitLabError."""
        return self._ask(
            "GET",
            path,
            lambda: self._client.http_request("get", path, query_data=dict(query or {}), **_PERSISTENT).json(),
        )

    def find(self, path: str, query: Mapping[str, Any] | None = None) -> Any | None:
        """Return what is at a path, or None when it is not there, or hidden from this token. Raises GitLabError."""
        try:
            return self.get(path, query)
        except GitLabError as error:
            if error.status == _NOT_FOUND:
                return None
            raise

    def each(self, path: str, query: Mapping[str, Any] | None = None) -> Iterator[Any]:
        """Yield the entries of a list, page by page as they are asked for. Raises GitLabError."""
        pages = self._ask(
            "GET",
            path,
            lambda: iter(
                self._client.http_list(
                    path, query_data={"per_page": 100, **(query or {})}, iterator=True, **_PERSISTENT
                )
            ),
        )
        while True:
            try:
                entry = self._ask("GET", path, lambda: next(pages))
            except StopIteration:
                return
            yield entry

    @cached_property
    def user(self) -> int:
        """The number of the user whom the token stands for. Raises GitLabError."""
        return int(self.get("/user")["id"])

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Make something, and return it. Not tried again: whether it was made must be looked up. Raises GitLabError."""
        return self._change("POST", path, body)

    def put(self, path: str, body: Mapping[str, Any]) -> Any:
        """Change something, and return it. Raises GitLabError."""
        return self._change("PUT", path, body, **_PERSISTENT)

    def _change(self, verb: str, path: str, body: Mapping[str, Any], **persistence: Any) -> Any:
        def request() -> Any:
            found = self._client.http_request(verb.lower(), path, post_data=dict(body), **persistence).json()
            if not isinstance(found, dict):
                raise ValueError  # noqa: TRY004  as of a page that is no JSON: something else answered
            return found

        return self._ask(verb, path, request)

    def _ask(self, verb: str, path: str, request: Callable[[], Any]) -> Any:
        from gitlab.exceptions import GitlabError  # noqa: PLC0415  it loads requests
        from requests.exceptions import RequestException, SSLError  # noqa: PLC0415

        try:
            return request()
        except GitlabError as error:
            raise self._refused(verb, path, error.response_code or 0, _words(error.error_message)) from None
        except (RequestException, ValueError) as error:
            untrusted = isinstance(error, SSLError)
            raise GitLabError(
                f"{self.url} did not answer {verb} {path}: {type(error).__name__}",
                hint=_UNTRUSTED if untrusted else "run the same again when GitLab answers; nothing is done twice",
            ) from None

    def _refused(self, verb: str, path: str, status: int, words: str) -> GitLabError:
        what = f"GitLab answered {status} to {verb} {path}, asked with {self.token}"
        told = " ".join(words.split())[:300]
        return GitLabError(f"{what}: {told}" if told else what, hint=_HINTS.get(status, ""), status=status)


def _words(message: object) -> str:
    """Return GitLab's words, however deep they are (``{"base": ["..."]}``); none of a page that a proxy put there."""
    if isinstance(message, dict | list):
        return "; ".join(_words(one) for one in (message.values() if isinstance(message, dict) else message))
    return "" if isinstance(message, bytes) else str(message)


_PERSISTENT: dict[str, Any] = {"retry_transient_errors": True, "max_retries": _RETRIES}
_UNTRUSTED = (
    "if your own authority signs GitLab's certificate, name the authority's file in SSL_CERT_FILE, or tell the runner "
    "of it (tls-ca-file): then jobs have CI_SERVER_TLS_CA_FILE"
)
_HINTS = {
    0: "run the same again when GitLab answers; nothing is done twice",
    401: "the token is wrong, expired or revoked",
    403: "the token may not do this: look at its scopes, its role in the project, and for a job token at the "
    "allowlist of the project (Settings, CI/CD, Job token permissions)",
    404: "it is not there, or the token may not see it; a job token must be on the project's allowlist",
    429: "GitLab limits the rate of requests; run the same again later",
}


def connect(url: str, token: str, secret: str, *, is_job_token: bool = False) -> GitLab:
    """Return GitLab for a token. ``token`` is its name for messages, ``secret`` the token itself.

    Requests take at most half a minute; those that change nothing are tried again on 429, 5xx and broken
    connections.
    """
    from gitlab import Gitlab  # noqa: PLC0415  0.2 s

    private, job = (None, secret) if is_job_token else (secret, None)
    client = Gitlab(
        url, private_token=private, job_token=job, timeout=_SECONDS, keep_base_url=True, user_agent="headgate"
    )
    client.session.max_redirects = 0  # an answer that leads to another host would take the token along
    return GitLab(url, token, client)


def project_path(project: str | int) -> str:
    """Return the path of a project in the API, by its number or its path."""
    return f"/projects/{quote(str(project), safe='')}"


def merge_request_path(project: str | int, number: int) -> str:
    """Return the path of a merge request in the API, by its number in the project."""
    return f"{project_path(project)}/merge_requests/{number}"


def quoted(name: str) -> str:
    """Return a name as one part of a path in the API."""
    return quote(name, safe="")


def path_of(gitlab: GitLab, web_url: str) -> str:
    """Return the path of the project that something belongs to, by the address that GitLab gives for it.

    Job tokens may not ask for a project, and every answer about what is in one has its address.
    Raises GitLabError for an address elsewhere.
    """
    path, found, _ = web_url.removeprefix(f"{gitlab.url}/").partition("/-/")
    if not found or not web_url.startswith(f"{gitlab.url}/"):
        raise GitLabError(
            f"GitLab calls something {web_url!r}, which is not below {gitlab.url}",
            hint="let 'server' be the address that GitLab itself is configured with (external_url)",
        )
    return path
