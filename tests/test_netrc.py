"""Passwords of the user's ~/.netrc stay there in a pipeline: no host gets one, by whatever way it is asked."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from headgate.errors import HeadgateError
from headgate.gitlab.api import connect
from headgate.repository.git import git
from headgate.repository.login import Login, logged_in
from support.web import Asked, Reply, serve

SECRET = base64.b64encode(b"me:secret").decode()


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[str]]]:
    """Want a password of everybody, and keep what a user tells whose ~/.netrc has one for every host."""
    (tmp_path / ".netrc").write_text("default login me password secret\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    told: list[str] = []

    def answer(asked: Asked) -> Reply:
        told.extend(f"{name}: {value}" for name, value in asked.headers.items())
        return Reply(401, headers={"WWW-Authenticate": 'Basic realm="x"'})

    with serve(answer) as site:
        yield f"http://{site.host}", told


def test_git_has_the_logins_that_it_was_given_and_no_others(host: tuple[str, list[str]]) -> None:
    address, told = host
    with pytest.raises(HeadgateError):
        git(["ls-remote", f"{address}/a.git"])
    assert SECRET in "\n".join(told), "on a laptop it is the user's own configuration"
    told.clear()
    with logged_in(Login(url=f"{address}/b.git", user="bot", password="token", name="HEADGATE_TOKEN")):
        for name in ("a", "b"):
            with pytest.raises(HeadgateError):
                git(["ls-remote", f"{address}/{name}.git"])
    assert told
    assert SECRET not in "\n".join(told)


@pytest.mark.parametrize("is_job_token", [True, False])
def test_gitlab_gets_the_token_and_nothing_else(host: tuple[str, list[str]], *, is_job_token: bool) -> None:
    address, told = host
    gitlab = connect(address, "a token", "t0ken", is_job_token=is_job_token)
    with pytest.raises(HeadgateError):
        gitlab.get("/job")
    assert "t0ken" in "\n".join(told)
    assert SECRET not in "\n".join(told)
