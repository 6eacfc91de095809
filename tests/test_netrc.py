"""Passwords of the user's ~/.netrc stay there in a pipeline: no host gets one, by whatever way it is asked."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from headgate.errors import HeadgateError
from headgate.gitlab.api import connect
from headgate.repository.git import git
from headgate.repository.login import Login, logged_in

SECRET = base64.b64encode(b"me:secret").decode()


class Asking(BaseHTTPRequestHandler):
    """Wants a password of everybody, and keeps what it is told."""

    told: list[str]

    def do_GET(self) -> None:
        """Answer that a password is needed."""
        self.told.extend(f"{name}: {value}" for name, value in self.headers.items())
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="x"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[str]]]:
    """Serve it, to a user whose ~/.netrc has a password for every host."""
    (tmp_path / ".netrc").write_text("default login me password secret\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    told: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Asking,), {"told": told}))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", told
    server.shutdown()
    server.server_close()
    thread.join()


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
