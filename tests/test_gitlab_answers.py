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
