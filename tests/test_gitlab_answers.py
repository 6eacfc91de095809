"""Answers that GitLab does not give, but a proxy, another version, or what somebody filled a project with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from headgate.errors import GitLabError
from headgate.gitlab.api import GitLab, connect
from support.gitlab.web import Answer, Request, Server
from support.web import trickling


@contextmanager
def gitlab_that(answers: Callable[[Request], Answer]) -> Iterator[tuple[GitLab, Server]]:
    """Connect to a server that answers so."""
    server = Server(answers)
    try:
        yield connect(server.url, "HEADGATE_TOKEN", "t0ken"), server
    finally:
        server.stop()


@pytest.mark.parametrize(
    "body", [b"<html>Log in</html>", b"", b"null", b"5", b'"x"', b"[" * 100_000, b'{"a":' * 100_000, b"9" * 10_000]
)
def test_what_is_no_resource_is_no_answer(body: bytes) -> None:
    with gitlab_that(lambda _: Answer(200, raw=body)) as (gitlab, _):
        for ask in (lambda: gitlab.get("/job"), lambda: list(gitlab.each("/projects/1/pipelines"))):
            with pytest.raises(GitLabError, match="did not answer GET /") as raised:
                ask()
            assert "run it again when GitLab answers" in raised.value.hint


@pytest.mark.parametrize("content", [{}, {"message": "x"}, [1], [None], ["x"], [[]]])
def test_what_is_no_list_of_resources_is_no_answer(content: object) -> None:
    with gitlab_that(lambda _: Answer(200, content)) as (gitlab, _), pytest.raises(GitLabError):
        list(gitlab.each("/projects/1/pipelines"))


def test_a_field_that_is_missing_is_named() -> None:
    with gitlab_that(lambda _: Answer(200, {"user": {}})) as (gitlab, _):
        with pytest.raises(GitLabError, match="GitLab's answer to GET /user lacks 'id'"):
            _ = gitlab.user
        with pytest.raises(GitLabError, match="GitLab's answer to GET /job lacks 'username'"):
            _ = gitlab.get("/job")["user"]["username"]
        assert gitlab.get("/job").get("pipeline") is None


@pytest.mark.long
@pytest.mark.parametrize(
    "begin", [b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"HTTP/1.1 200 OK\r\nX-Slow: "]
)
def test_a_byte_now_and_then_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, begin: bytes) -> None:
    monkeypatch.setattr("headgate.gitlab.api._TOTAL_SECONDS", 1)
    with trickling(begin) as host:
        gitlab = connect(f"http://{host}", "HEADGATE_TOKEN", "t0ken")
        for ask in (lambda: gitlab.get("/job"), lambda: list(gitlab.each("/x"))):
            with pytest.raises(GitLabError) as raised:
                ask()
            assert "run it again when GitLab answers" in raised.value.hint


DATE = "Sat, 28 Nov 2026 10:00:07 GMT"
NOW = 1795860000.0
"""Seven seconds before."""


@pytest.mark.parametrize("verb", ["get", "post", "put", "delete"])
@pytest.mark.parametrize(
    ("headers", "waits"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": DATE}, 7),
        ({"Retry-After": "86400"}, 60),
        ({"RateLimit-Reset": f"{NOW + 7:.0f}"}, 7),
        ({"RateLimit-Reset": "99999999999"}, 60),
        ({"Retry-After": "later", "RateLimit-Reset": "soon"}, 0.1),
        ({"Retry-After": "-1"}, 0.1),
        ({}, 0.1),
    ],
)
def test_who_asks_too_often_waits_as_long_as_gitlab_says_within_a_minute(
    monkeypatch: pytest.MonkeyPatch, verb: str, headers: dict[str, str], waits: float
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("headgate.gitlab.api.time.time", lambda: NOW)
    monkeypatch.setattr("gitlab.utils.time.sleep", waited.append)
    answers = iter([Answer(429, {"message": {"error": "too many requests"}}, headers=headers), Answer(200, {"id": 1})])
    with gitlab_that(lambda _: next(answers)) as (gitlab, _):
        getattr(gitlab, verb)("/x", *([{}] if verb in ("post", "put") else []))
    assert waited == [waits]


@pytest.mark.parametrize("verb", ["get", "post"])
def test_who_asks_too_often_for_long_is_told_so(monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    waited: list[float] = []
    monkeypatch.setattr("gitlab.utils.time.sleep", waited.append)
    answer = Answer(429, raw=b"Retry later\n", headers={"Retry-After": "3600"})
    with gitlab_that(lambda _: answer) as (gitlab, _), pytest.raises(GitLabError) as raised:
        getattr(gitlab, verb)("/x", *([{}] if verb == "post" else []))
    assert raised.value.status == 429
    assert "GitLab limits the rate of requests" in raised.value.hint
    assert waited == [60] * 4


def test_pages_come_one_after_another_from_the_same_host() -> None:
    asked: list[str] = []

    def answer(request: Request) -> Answer:
        asked.append(f"{request.path}?{request.query_text}")
        page = int(request.query.get("page", "1"))
        elsewhere = f"http://127.0.0.1:1/evil?per_page=100&page={page + 1}&search=%5Emain%24"
        return Answer(200, [{"id": page}], headers={"Link": f'<{elsewhere}>; rel="next"'} if page < 3 else {})

    with gitlab_that(answer) as (gitlab, _):
        assert [entry["id"] for entry in gitlab.each("/x", {"search": "^main$"})] == [1, 2, 3]
    assert {line.partition("?")[0] for line in asked} == {"/api/v4/x"}
    assert all("search=%5Emain%24" in line for line in asked)


def test_pages_without_end_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headgate.gitlab.api._MAX_PAGES", 20)

    def answer(request: Request) -> Answer:
        return Answer(200, [{"id": 1}], headers={"Link": f'<http://x{request.path}?page=1>; rel="next"'})

    with gitlab_that(answer) as (gitlab, _), pytest.raises(GitLabError, match="more than 20 pages"):
        list(gitlab.each("/x"))
